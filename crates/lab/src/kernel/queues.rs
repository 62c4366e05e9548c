//! Queues before interfaces (`tc(8)`).

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcAttribute, TcMessage, TcStats2};

use super::route::Router;
use crate::error::Result;

/// What a queue has dropped since it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Number of its interface.
    pub interface: u32,
    /// Its kind: `netem`, `tbf`.
    pub kind: String,
    /// Packets for which there was no room, or that it has lost on purpose.
    pub drops: u64,
}

impl Router {
    /// All queues in the namespace.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn queues(&self) -> Result<Vec<Queue>> {
        let ask = RouteNetlinkMessage::GetQueueDiscipline(TcMessage::default());
        let answers = self.list(ask, "list the queues")?;
        let queue = |answer| match answer {
            RouteNetlinkMessage::NewQueueDiscipline(message) => Some(queue(&message)),
            _ => None,
        };
        Ok(answers.into_iter().filter_map(queue).collect())
    }
}

fn queue(message: &TcMessage) -> Queue {
    let mut queue = Queue {
        interface: message.header.index.cast_unsigned(),
        kind: String::new(),
        drops: 0,
    };
    for attribute in &message.attributes {
        match attribute {
            TcAttribute::Kind(kind) => queue.kind.clone_from(kind),
            TcAttribute::Stats2(parts) => {
                for part in parts {
                    if let TcStats2::Queue(counts) = part {
                        queue.drops = counts.drops.into();
                    }
                }
            }
            _ => {}
        }
    }
    queue
}
