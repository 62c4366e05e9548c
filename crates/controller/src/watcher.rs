//! Looks at each process again and again, so that events tell what changed in it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::change;
use crate::look::Look;
use crate::peer::{Peer, PeerError};
use crate::rest::{Answer, RestError, Shared, ask_detail};

/// Shortest time between two looks at a process: many changes in a row are seen together.
const PAUSE: Duration = Duration::from_millis(50);

/// Longest such time.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Times that a look took, until the next: the share of the time that looking may take of a
/// process that has much to tell.
const SHARE: u32 = 10;

/// Looks at `peer` after each change, and otherwise at the pace of the probe. Never ends: drop it
/// with the connection.
pub(crate) async fn watch(shared: &Shared, peer: &Peer) {
    loop {
        let start = Instant::now();
        let mut pause = PAUSE;
        if !peer.is_leaving() {
            match look(shared, peer).await {
                Ok(look) => {
                    shared.table.events.looked(peer, Some(look));
                    pause = (start.elapsed() * SHARE).clamp(PAUSE, LONGEST_PAUSE);
                }
                Err(RestError::Peer(PeerError::NotResponding { .. })) => {
                    shared.table.events.looked(peer, None);
                }
                // Its connection closes, or it is hopeless: others tell that.
                Err(error) => log::debug!("no events of {}: {error}", peer.name()),
            }
        }
        sleep(pause).await;
        // Nothing was changed by us: something else may have.
        let _ = timeout(shared.limits.probe_every, peer.touched()).await;
    }
}

async fn look(shared: &Shared, peer: &Peer) -> Answer<Look> {
    match peer.hello {
        Some(_) => ask_detail(shared, peer).await.map(Look::of_detail),
        None => {
            let status = change::ask(shared, peer, "status").await?;
            Ok(Look::of_status(&status))
        }
    }
}
