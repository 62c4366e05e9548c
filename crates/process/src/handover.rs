//! A running process gives its id, ports and patches to another of its kind, for instance to a newer program.
//!
//! The new one joins the panel beside the old one, with workers of its own, and opens what both can have open. Then the
//! old one takes its patches out, which frees the ends of rings and queues, and the new one puts them in; meanwhile the old one
//! closes what only one can have open (sockets, capture files), and the new one opens it. If the new one fails, or falls silent,
//! the old one takes all back. They talk over a socket in the panel's folder, one line of JSON a step:
//!
//! | new | old |
//! |---|---|
//! | `workers` (a talk of its own, before it starts) | `workers`: where the old one's are |
//! | `take` | `offer`: what there is, or `refused` |
//! | `ready`: the rest is quick | `free`, with the lease of the id; then `closed` |
//! | `done` or `failed` | `bye`: it ends |

mod give;
mod take;

use std::path::{Path, PathBuf};
use std::time::Duration;

use protocol::command::Change;
use protocol::command::component::{ComponentCommand, Direction};
use protocol::desired::{Desired, Form, plan};
use protocol::port::PortName;
use registry::Incarnation;
use registry::folder::Folder;
use serde::{Deserialize, Serialize};
use sys::talk::Talk;

use crate::Error;
use crate::service::Service;
pub use give::{Caller, Door, Farewell, give};
pub use take::{take, workers};

/// Number of this way to talk. Another one is refused.
const FORM: u32 = 1;
/// How long each side waits for the other at each step.
const STEP: Duration = Duration::from_secs(10);

/// What the new process says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum New {
    /// Where do you work?
    Workers,
    Take(Card),
    Ready,
    Done,
    Failed(String),
}

/// Who wants to take over.
#[derive(Debug, Serialize, Deserialize)]
struct Card {
    form: u32,
    kind: String,
    id: u32,
    pid: u32,
    incarnation: Incarnation,
}

/// What the old process says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Old {
    /// Workers, each as users see it and on which CPU it is.
    Workers(Vec<(u32, u32)>),
    Offer(Offer),
    Refused(String),
    /// All is unplugged since the time stamp counter showed this.
    Free(u64),
    /// What only one can have open is closed; with how much was taken out of capture files.
    Closed(Vec<(u16, u64)>),
    Bye,
}

/// What a process has.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Offer {
    desired: Desired,
    /// Ports that only one process can have open.
    exclusive: Vec<PortName>,
    /// Commands that measure latencies.
    probes: Vec<String>,
}

impl Offer {
    /// The part that can be had with these ports.
    fn with(&self, ports: impl Fn(PortName) -> bool) -> Desired {
        let mut part = self.desired.clone();
        part.ports.retain(|added| ports(added.port));
        part.patches.retain(|p| ports(p.src) && ports(p.dst));
        part.components
            .retain(|c| c.rx.iter().chain(&c.tx).all(|end| ports(end.port)));
        part.classifier.retain(|entry| ports(entry.port));
        part
    }

    /// The part without ports that only one can have open.
    fn shared(&self) -> Desired {
        self.with(|port| !self.exclusive.contains(&port))
    }
}

/// Where a process of this id is asked.
fn path(folder: &Folder, id: u32) -> PathBuf {
    folder.path().join(format!("process-{id}.sock"))
}

fn gone(path: &Path, what: &str, error: std::io::Error) -> Error {
    Error::Refused(format!("{}: {what}: {error}", path.display()))
}

fn say(talk: &mut Talk, words: &impl Serialize) -> std::io::Result<()> {
    talk.say(&serde_json::to_string(words)?, None)
}

fn hear<T: for<'de> Deserialize<'de>>(talk: &mut Talk, limit: Duration) -> std::io::Result<T> {
    Ok(serde_json::from_str(&talk.hear(limit)?)?)
}

/// The commands that give a process what `wanted` has and it has not. Where packets come from is attached last, so that none is
/// received before it has a way.
fn missing(service: &impl Service, wanted: &Desired) -> Vec<Change> {
    let plan = plan(wanted, &service.has(), Form::Ours);
    let mut changes: Vec<Change> = plan.stop.into_iter().chain(plan.put_in).collect();
    changes.sort_by_key(|change| {
        matches!(
            change,
            Change::Component(ComponentCommand::Attach {
                dir: Direction::Rx,
                ..
            })
        )
    });
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Offer {
        let text = r#"{"desired": {"forward": true,
            "ports": ["ring:0", "vhost:1 client", "nullpmd:1", "ring:1"],
            "patches": [{"src": "ring:0", "dst": "vhost:1"}, {"src": "ring:1", "dst": "nullpmd:1"}],
            "components": [
                {"name": "a", "core": 1, "type": "forward", "rx": [{"port": "ring:2"}], "tx": [{"port": "ring:3"}]},
                {"name": "b", "core": 1, "type": "merge", "rx": [{"port": "ring:4"}, {"port": "vhost:2"}], "tx": []}],
            "classifier": [
                {"mac": "02:00:00:00:00:0a", "port": "ring:5"},
                {"mac": "02:00:00:00:00:0b", "port": "vhost:2"}]},
            "exclusive": ["vhost:1", "vhost:2"],
            "probes": []}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_shared_part_is_what_needs_no_port_of_its_own() {
        let shared = offer().shared();
        let ports: Vec<String> = shared.ports.iter().map(ToString::to_string).collect();
        assert_eq!(ports, ["ring:0", "nullpmd:1", "ring:1"]);
        let patches: Vec<String> = shared.patches.iter().map(|p| p.src.to_string()).collect();
        assert_eq!(patches, ["ring:1"]);
        assert_eq!(shared.components.len(), 1);
        assert_eq!(shared.components[0].name.as_str(), "a");
        assert_eq!(shared.classifier.len(), 1);
        assert_eq!(shared.forwarding, Some(true));
    }

    #[test]
    fn what_is_said_is_heard() {
        let (one, two) = std::os::unix::net::UnixStream::pair().unwrap();
        let (mut one, mut two) = (Talk::over(one).unwrap(), Talk::over(two).unwrap());
        say(&mut one, &Old::Offer(offer())).unwrap();
        let heard: Old = hear(&mut two, STEP).unwrap();
        assert!(matches!(heard, Old::Offer(o) if o.desired == offer().desired));
        say(&mut one, &Old::Closed(vec![(3, 7)])).unwrap();
        assert!(matches!(hear(&mut two, STEP).unwrap(), Old::Closed(all) if all == [(3, 7)]));
        // Not what is expected here.
        say(&mut one, &Old::Bye).unwrap();
        assert!(hear::<New>(&mut two, STEP).is_err());
    }
}
