//! Ethernet addresses of neighbours, and packets that wait for one (RFC 4861, 7). Times are those of the RFC; a neighbour that was not
//! used is forgotten, so none is known for long without having answered.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv6Addr;
use std::time::{Duration, Instant};

use crate::nd::Advertisement;
use crate::wire::Mac;

/// Neighbours that are known or asked for.
pub const MOST: usize = 1024;
/// Packets that wait for one of them.
pub const WAITING: usize = 4;
/// How often one is asked.
pub const QUESTIONS: u32 = 3;
/// Time between two questions.
pub const PAUSE: Duration = Duration::from_secs(1);
/// How long an answer is good for.
pub const GOOD: Duration = Duration::from_secs(30);
/// How long what somebody says in a question is good for.
const HEARD: Duration = Duration::from_secs(5);

/// A port's number and an address at its link.
pub type Key = (usize, Ipv6Addr);

#[derive(Debug)]
struct Known {
    mac: Mac,
    /// Until when it counts as there.
    until: Instant,
    /// Somebody was interested since it was last confirmed or asked for.
    used: bool,
    asked: u32,
}

#[derive(Debug)]
enum State {
    Asked {
        times: u32,
        again: Instant,
        waiting: VecDeque<Vec<u8>>,
    },
    Known(Known),
}

/// What became of a packet that has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It waits as the first: the neighbour is to be asked.
    First,
    /// It waits, too.
    Behind,
    /// It waits in the place of the oldest.
    Displaced,
    /// There are too many neighbours.
    Full,
}

/// What is to be done as time passes.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    /// Ask: everybody, or the one that had this Ethernet address.
    Ask(Key, Option<Mac>),
    /// It never answered; these have waited in vain.
    Failed(Key, Vec<Vec<u8>>),
}

/// The neighbours of all ports.
#[derive(Debug, Default)]
pub struct Neighbours(HashMap<Key, State>);

impl Neighbours {
    /// The Ethernet address of a neighbour, if it is known.
    pub fn mac(&mut self, key: Key) -> Option<Mac> {
        match self.0.get_mut(&key)? {
            State::Known(known) => {
                known.used = true;
                Some(known.mac)
            }
            State::Asked { .. } => None,
        }
    }

    /// Lets a copy of a frame wait for a neighbour that is not known.
    pub fn hold(&mut self, key: Key, frame: &[u8], now: Instant) -> Hold {
        let full = self.0.len() >= MOST;
        match self.0.get_mut(&key) {
            Some(State::Asked { waiting, .. }) => {
                let displaced = waiting.len() >= WAITING && waiting.pop_front().is_some();
                waiting.push_back(frame.to_vec());
                match displaced {
                    true => Hold::Displaced,
                    false => Hold::Behind,
                }
            }
            None if full => Hold::Full,
            _ => {
                let asked = State::Asked {
                    times: 1,
                    again: now + PAUSE,
                    waiting: [frame.to_vec()].into(),
                };
                self.0.insert(key, asked);
                Hold::First
            }
        }
    }

    /// Notes what a neighbour says of itself in a question; gives what has waited for it.
    pub fn heard(&mut self, key: Key, mac: Mac, now: Instant) -> Vec<Vec<u8>> {
        match self.0.get(&key) {
            Some(State::Known(known)) if known.mac == mac => Vec::new(),
            None if self.0.len() >= MOST => Vec::new(),
            _ => self.know(key, mac, now + HEARD),
        }
    }

    /// Notes an answer; gives what has waited for it. Of who was never asked nothing is noted.
    pub fn answered(&mut self, port: usize, answer: &Advertisement, now: Instant) -> Vec<Vec<u8>> {
        let key = (port, answer.target);
        let good = match answer.solicited {
            true => GOOD,
            false => HEARD,
        };
        match (self.0.get_mut(&key), answer.mac) {
            (Some(State::Asked { .. }), Some(mac)) => self.know(key, mac, now + good),
            (Some(State::Known(known)), Some(mac)) if mac != known.mac => match answer.overrides {
                true => self.know(key, mac, now + good),
                false => Vec::new(),
            },
            (Some(State::Known(known)), _) if answer.solicited => {
                (known.until, known.asked) = (now + good, 0);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn know(&mut self, key: Key, mac: Mac, until: Instant) -> Vec<Vec<u8>> {
        let known = Known {
            mac,
            until,
            used: true,
            asked: 0,
        };
        match self.0.insert(key, State::Known(known)) {
            Some(State::Asked { waiting, .. }) => waiting.into(),
            _ => Vec::new(),
        }
    }

    /// Forgets whom nobody was interested in or who does not answer any more, and gives what is to be done.
    pub fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        self.0.retain(|key, state| match state {
            State::Asked {
                times,
                again,
                waiting,
            } if now >= *again => {
                if *times >= QUESTIONS {
                    due.push(Due::Failed(*key, waiting.drain(..).collect()));
                    return false;
                }
                (*times, *again) = (*times + 1, now + PAUSE);
                due.push(Due::Ask(*key, None));
                true
            }
            State::Known(known) if now >= known.until => {
                if known.asked >= QUESTIONS || known.asked == 0 && !known.used {
                    return false;
                }
                (known.asked, known.until, known.used) = (known.asked + 1, now + PAUSE, false);
                due.push(Due::Ask(*key, Some(known.mac)));
                true
            }
            _ => true,
        });
        due
    }

    /// Packets that wait.
    pub fn waiting(&self) -> usize {
        let waiting = |state: &State| match state {
            State::Asked { waiting, .. } => waiting.len(),
            State::Known(_) => 0,
        };
        self.0.values().map(waiting).sum()
    }
}
