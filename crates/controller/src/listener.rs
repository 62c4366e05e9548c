//! Connections of processes: who are you, and is your id free?

use std::sync::Arc;
use std::time::Duration;

use protocol::reply::{ClientId, ProcessKind};
use protocol::verdict::{Verdict, judge};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::Limits;
use crate::peer::{Actor, Link, LinkError, Peer};
use crate::rest::Shared;
use crate::state::welcome;
use crate::table::Table;
use crate::watcher::watch;

/// Connections that may be unknown at the same time; further ones wait for their turn, at most
/// as long as a handshake may take.
const UNKNOWN_AT_ONCE: usize = 256;

/// Times that a newcomer checks who holds its id, when others register at the same time.
const TRIES: usize = 4;

/// Which of the two listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// For the primary.
    Primary,
    /// For all others.
    Secondary,
}

impl Door {
    fn label(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        }
    }
}

/// Accepts connections for ever.
pub(crate) async fn accept(listener: TcpListener, door: Door, shared: Shared) {
    let slots = Arc::new(Semaphore::new(UNKNOWN_AT_ONCE));
    loop {
        // The semaphore is never closed.
        let Ok(slot) = slots.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, from)) => {
                let shared = shared.clone();
                tokio::spawn(async move {
                    let admitted = admit(stream, door, &shared.table, shared.limits).await;
                    drop(slot);
                    match admitted {
                        Ok((peer, actor)) => {
                            let table = shared.table.clone();
                            let (welcomed, newcomer) = (shared.clone(), peer.clone());
                            tokio::spawn(async move { welcome(&welcomed, &newcomer).await });
                            tokio::select! {
                                () = actor.run(table) => {}
                                () = watch(&shared, &peer) => {}
                            }
                        }
                        Err(reason) => {
                            shared.figures.refused(door.label(), "not-admitted");
                            log::warn!("connection from {from} refused: {reason}");
                        }
                    }
                });
            }
            Err(error) => {
                log::error!("cannot accept a connection: {error}");
                // Out of descriptors, most likely: some are freed by the handshakes' limit.
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn admit(
    stream: TcpStream,
    door: Door,
    table: &Table,
    limits: Limits,
) -> Result<(Arc<Peer>, Actor), String> {
    if let Err(error) = stream.set_nodelay(true) {
        log::debug!("cannot switch off Nagle's algorithm: {error}");
    }
    let mut link = Link::new(stream);
    let deadline = Instant::now() + limits.handshake;
    let client = handshake(&mut link, door, deadline).await?;
    let id = check(&client, door)?;
    let (peer, actor) = Peer::new(client.process_type, id, client.spp, link, limits);
    register(&peer, table, limits).await?;
    log::info!(
        "{} is connected ({})",
        peer.name(),
        peer.hello
            .as_ref()
            .map_or("of the original", |hello| &hello.version)
    );
    Ok((peer, actor))
}

/// Asks who it is and agrees on the framing.
async fn handshake(link: &mut Link, door: Door, deadline: Instant) -> Result<ClientId, String> {
    const WHO: &str = "_get_client_id";
    let words = |error| match error {
        LinkError::Timeout => "it did not say in time who it is".to_owned(),
        LinkError::Closed => "it closed before it said who it is".to_owned(),
        LinkError::Nonsense(words) => words,
    };
    let reply = link.exchange(WHO, deadline).await.map_err(words)?;
    let value = match judge(WHO, &reply) {
        // The original's primary does not know the question.
        Verdict::Echo(_) if door == Door::Primary => {
            return Ok(ClientId {
                results: Vec::new(),
                client_id: 0,
                process_type: ProcessKind::Primary,
                spp: None,
            });
        }
        Verdict::Done(value) => value,
        other => return Err(format!("its answer to {WHO} is {other:?}")),
    };
    let client: ClientId =
        serde_json::from_value(value).map_err(|error| format!("its answer to {WHO}: {error}"))?;
    link.upgrade(&client, deadline).await.map_err(words)?;
    Ok(client)
}

fn check(client: &ClientId, door: Door) -> Result<u32, String> {
    let (kind, id) = (client.process_type, client.client_id);
    match (door, kind == ProcessKind::Primary, u32::try_from(id)) {
        (Door::Primary, true, Ok(0)) => Ok(0),
        (Door::Primary, true, _) => Err(format!("a primary with id {id}: it has to be 0")),
        (Door::Primary, false, _) => Err(format!(
            "{kind} {id} on the port of the primary: it has to use the one of secondaries"
        )),
        (Door::Secondary, true, _) => {
            Err("a primary on the port of secondaries: it has to use its own".to_owned())
        }
        (Door::Secondary, false, Ok(id @ 1..=127)) => Ok(id),
        (Door::Secondary, false, _) => Err(format!(
            "{kind} {id}: an id has to be 1 to 127, 0 is the primary"
        )),
    }
}

/// Registers `peer`, unless a connection with its id is alive.
async fn register(peer: &Arc<Peer>, table: &Table, limits: Limits) -> Result<(), String> {
    let mut replace = None;
    for _ in 0..TRIES {
        let old = match table.register(peer, replace) {
            Ok(None) => return Ok(()),
            Ok(Some(old)) => {
                log::warn!("{} takes the place of an older connection", peer.name());
                old.close();
                return Ok(());
            }
            Err(old) => old,
        };
        let incarnation = |peer: &Peer| peer.hello.as_ref().map(|hello| hello.incarnation.clone());
        let same = incarnation(peer).is_some() && incarnation(peer) == incarnation(&old);
        if !same && is_alive(&old, limits).await {
            return Err(format!(
                "{} is connected already and answers; stop it, or give the new one another id",
                old.name()
            ));
        }
        replace = Some(old.serial);
    }
    Err(format!(
        "others register as {} at the same time",
        peer.name()
    ))
}

async fn is_alive(peer: &Peer, limits: Limits) -> bool {
    let deadline = Instant::now() + limits.status;
    matches!(
        timeout_at(deadline, peer.ask("status", limits.status)).await,
        Ok(Ok(_))
    )
}
