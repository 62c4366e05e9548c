//! What is plugged on a board: cables and components, and what that makes workers do.
//!
//! A wiring is a value. The board plans a change as a new one, which can fail without a trace, and then carries it out.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::area::{BlockEnds, Direction, PatchBlock};
use crate::classifier::{Classifier, OUTLETS};
use crate::code::PortCode;
use crate::impair::Impaired;
use crate::line::{Line, Outlet, Stage, Way};
use crate::mirror::{Mirror, MirrorOptions};
use crate::port::Port;
use crate::probes::Probes;

/// The ends that are used, and the worker (an index of hands) that uses them.
pub(crate) type Claims = BTreeMap<(PortCode, Direction), usize>;

/// A patch, known by its source.
#[derive(Clone)]
pub(crate) struct Cable {
    pub(crate) dst: PortCode,
    pub(crate) hand: usize,
    pub(crate) block: &'static PatchBlock,
    pub(crate) impaired: Option<Arc<Impaired>>,
}

/// What a component does.
#[derive(Clone)]
pub enum Function {
    /// One port to one port.
    Forward,
    /// Many ports to one port, each in its turn.
    Merge,
    /// One port to the first port that was attached, and copies to all others.
    Mirror(MirrorOptions),
    /// One port to those that the entries of a table name.
    Classifier(Classifier),
}

impl Function {
    /// Most ports that can be attached in a direction.
    pub fn most(&self, direction: Direction) -> usize {
        match (self, direction) {
            (Function::Merge, Direction::Rx) | (Function::Mirror(_), Direction::Tx) => usize::MAX,
            (Function::Classifier(_), Direction::Tx) => OUTLETS,
            _ => 1,
        }
    }
}

/// A port of a component.
#[derive(Clone)]
pub(crate) struct Socket {
    pub(crate) port: PortCode,
    pub(crate) block: &'static PatchBlock,
    pub(crate) stages: Vec<Arc<dyn Stage>>,
    /// What learns addresses from packets that come in here.
    pub(crate) learner: Option<Arc<dyn Stage>>,
}

/// A component.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) name: String,
    pub(crate) function: Function,
    pub(crate) hand: usize,
    pub(crate) rx: Vec<Socket>,
    pub(crate) tx: Vec<Socket>,
    /// Another one with every change.
    pub(crate) edition: u64,
}

impl Rig {
    pub(crate) fn sockets(&self, direction: Direction) -> &Vec<Socket> {
        match direction {
            Direction::Rx => &self.rx,
            Direction::Tx => &self.tx,
        }
    }

    pub(crate) fn sockets_mut(&mut self, direction: Direction) -> &mut Vec<Socket> {
        match direction {
            Direction::Rx => &mut self.rx,
            Direction::Tx => &mut self.tx,
        }
    }

    /// Its sockets with their directions.
    pub(crate) fn ends(&self) -> impl Iterator<Item = (Direction, &Socket)> {
        let rx = self.rx.iter().map(|s| (Direction::Rx, s));
        rx.chain(self.tx.iter().map(|s| (Direction::Tx, s)))
    }

    /// What it needs before it moves packets; `None` if it runs.
    pub(crate) fn lacks(&self) -> Option<&'static str> {
        let mirror = matches!(self.function, Function::Mirror(_));
        let entries = match &self.function {
            Function::Classifier(classifier) => classifier.runs(),
            Function::Forward | Function::Merge | Function::Mirror(_) => true,
        };
        match (self.rx.is_empty(), self.tx.len()) {
            (true, 0) if mirror => Some("a port to receive from and two ports to send to"),
            (false, 0) if mirror => Some("two ports to send to"),
            (true, 1) if mirror => Some("a port to receive from and a second port to send to"),
            (false, 1) if mirror => Some("a second port to send to"),
            (true, 0) => Some("a port to receive from and a port to send to"),
            (true, _) if entries => Some("a port to receive from"),
            (true, _) => Some("a port to receive from and a table entry of a port to send to"),
            (false, 0) => Some("a port to send to"),
            (false, _) if entries => None,
            (false, _) => Some("a table entry of a port to send to"),
        }
    }

    fn lines(&self, port: &impl Fn(PortCode) -> Option<Arc<Port>>) -> Vec<Line> {
        if self.lacks().is_some() {
            return Vec::new();
        }
        let outlet = |socket: &Socket| {
            Some(Outlet {
                dst: port(socket.port)?,
                counters: socket.block,
                stages: socket.stages.clone(),
                impaired: None,
            })
        };
        let outlets: Vec<Outlet> = self.tx.iter().filter_map(outlet).collect();
        let way = match &self.function {
            Function::Forward | Function::Merge => outlets.into_iter().next().map(Way::Straight),
            Function::Mirror(options) => {
                let mirror = Mirror::new(options, &outlets);
                Some(Way::Dealt(Arc::new(mirror), outlets))
            }
            Function::Classifier(classifier) => {
                Some(Way::Dealt(Arc::new(classifier.clone()), outlets))
            }
        };
        let Some(way) = way else { return Vec::new() };
        let line = |socket: &Socket| {
            Some(Line {
                src: port(socket.port)?,
                entry: socket.block,
                stages: socket
                    .stages
                    .iter()
                    .chain(&socket.learner)
                    .cloned()
                    .collect(),
                way: way.clone(),
            })
        };
        self.rx.iter().filter_map(line).collect()
    }
}

/// All that is plugged.
#[derive(Clone, Default)]
pub(crate) struct Wiring {
    /// Patches by source.
    pub(crate) cables: BTreeMap<PortCode, Cable>,
    /// Components in the order of their starts.
    pub(crate) rigs: Vec<Rig>,
    /// What is measured and traced.
    pub(crate) probes: Probes,
}

impl Wiring {
    /// What it uses of ports.
    pub(crate) fn claims(&self) -> Claims {
        let mut wanted = BTreeMap::new();
        for (src, cable) in &self.cables {
            wanted.insert((*src, Direction::Rx), cable.hand);
            wanted.insert((cable.dst, Direction::Tx), cable.hand);
        }
        for rig in &self.rigs {
            for (direction, socket) in rig.ends() {
                wanted.insert((socket.port, direction), rig.hand);
            }
        }
        wanted
    }

    /// mbufs that the patches of a worker may hold back together.
    pub(crate) fn may_hold(&self, hand: usize) -> u32 {
        let cables = self.cables.values().filter(|c| c.hand == hand);
        let most = cables.filter_map(|c| Some(c.impaired.as_ref()?.with().most_mbufs()));
        most.fold(0, u32::saturating_add)
    }

    /// The counters that it uses.
    pub(crate) fn blocks(&self) -> Vec<&'static PatchBlock> {
        let cables = self.cables.values().map(|c| c.block);
        let rigs = self
            .rigs
            .iter()
            .flat_map(|r| r.ends().map(|(_, s)| s.block));
        cables.chain(rigs).collect()
    }

    /// What tells two states of the work of a worker apart.
    pub(crate) fn work_of(&self, hand: usize) -> Vec<(BlockEnds, u64)> {
        let cables = self.cables.iter().filter(|(_, c)| c.hand == hand);
        let edition = |c: &Cable| c.impaired.as_ref().map_or(0, |i| i.edition());
        let cables = cables.map(|(src, c)| ((Some(*src), Some(c.dst)), edition(c)));
        let rigs = self.rigs.iter().filter(|r| r.hand == hand);
        cables
            .chain(rigs.map(|r| ((None, None), r.edition)))
            .chain([((None, None), self.probes.edition)])
            .collect()
    }

    /// What a worker does.
    pub(crate) fn lines(
        &self,
        hand: usize,
        port: impl Fn(PortCode) -> Option<Arc<Port>>,
    ) -> Vec<Line> {
        let cable = |(src, cable): (&PortCode, &Cable)| {
            Some(Line {
                src: port(*src)?,
                entry: cable.block,
                stages: Vec::new(),
                way: Way::Straight(Outlet {
                    dst: port(cable.dst)?,
                    counters: cable.block,
                    stages: Vec::new(),
                    impaired: cable.impaired.clone(),
                }),
            })
        };
        let cables = self.cables.iter().filter(|(_, c)| c.hand == hand);
        let mut cables: Vec<_> = cables.collect();
        // Those into one port side by side: they take turns.
        cables.sort_by_key(|(_, c)| c.dst);
        let mut lines: Vec<Line> = cables.into_iter().filter_map(cable).collect();
        for rig in self.rigs.iter().filter(|r| r.hand == hand) {
            lines.extend(rig.lines(&port));
        }
        self.probes.fit(&mut lines);
        lines
    }

    /// Takes a port out of all cables and components; gives the patches that were taken out.
    pub(crate) fn without(&mut self, code: PortCode, edition: u64) -> Vec<(PortCode, PortCode)> {
        let uses = |src: &PortCode, cable: &Cable| *src == code || cable.dst == code;
        let cables = self.cables.iter().filter(|(s, c)| uses(s, c));
        let gone = cables.map(|(s, c)| (*s, c.dst)).collect();
        self.cables.retain(|src, cable| !uses(src, cable));
        for rig in &mut self.rigs {
            let before = rig.rx.len() + rig.tx.len();
            rig.rx.retain(|s| s.port != code);
            rig.tx.retain(|s| s.port != code);
            if rig.rx.len() + rig.tx.len() != before {
                rig.edition = edition;
            }
        }
        self.probes.without(code);
        gone
    }

    /// Whether packets are taken from a port.
    pub(crate) fn takes_from(&self, code: PortCode) -> bool {
        let feeds = |r: &Rig| r.lacks().is_none() && r.rx.iter().any(|s| s.port == code);
        self.cables.contains_key(&code) || self.rigs.iter().any(feeds)
    }

    /// Whether packets are sent to a port.
    pub(crate) fn sends_to(&self, code: PortCode) -> bool {
        let feeds = |r: &Rig| r.lacks().is_none() && r.tx.iter().any(|s| s.port == code);
        self.cables.values().any(|c| c.dst == code) || self.rigs.iter().any(feeds)
    }

    /// The component that uses a port in a direction.
    pub(crate) fn component_of(&self, code: PortCode, direction: Direction) -> Option<&str> {
        let uses = |r: &&Rig| r.sockets(direction).iter().any(|s| s.port == code);
        self.rigs.iter().find(uses).map(|r| r.name.as_str())
    }

    /// Who uses a port in a direction, in words for the user.
    pub(crate) fn user_of(&self, code: PortCode, direction: Direction) -> Option<String> {
        if let Some(name) = self.component_of(code, direction) {
            return Some(format!("component {name}"));
        }
        let cable = self.cables.iter().find(|(src, c)| match direction {
            Direction::Rx => **src == code,
            Direction::Tx => c.dst == code,
        });
        cable.map(|(src, c)| format!("the patch {src} -> {}", c.dst))
    }
}
