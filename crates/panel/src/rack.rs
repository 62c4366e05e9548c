//! Components on a board: started on a worker, wired to ports in each direction, while packets flow.

use std::sync::Arc;

use crate::area::{Direction, Totals};
use crate::board::{Board, BoardError, socket_ends};
use crate::code::PortCode;
use crate::line::Stage;
use crate::mirror::MirrorOptions;
use crate::wiring::{Function, Rig, Socket};

/// A port of a component as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct SocketView {
    /// The port.
    pub port: PortCode,
    /// What came in or went out here since the last clear. What the component dropped stands with the
    /// port that it came from, what a port refused with that port.
    pub totals: Totals,
}

/// A component as it is shown.
pub struct ComponentView<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it does.
    pub function: &'a Function,
    /// CPU of its worker.
    pub cpu: u32,
    /// What it needs before it moves packets; `None` if it runs.
    pub lacks: Option<&'static str>,
    /// Ports that it receives from, in the order of their attachment.
    pub rx: Vec<SocketView>,
    /// Ports that it sends to.
    pub tx: Vec<SocketView>,
}

impl Board {
    /// Starts a component without ports on the worker of `cpu`.
    ///
    /// # Errors
    /// [`BoardError::ComponentExists`], [`BoardError::NoWorker`]
    pub fn start(&mut self, name: &str, function: Function, cpu: u32) -> Result<(), BoardError> {
        if self.rig(name).is_ok() {
            return Err(BoardError::ComponentExists(name.into()));
        }
        let hand = self.hand_with_room(cpu)?;
        let mut wiring = self.wiring().clone();
        wiring.rigs.push(Rig {
            name: name.into(),
            function,
            hand,
            rx: Vec::new(),
            tx: Vec::new(),
            edition: self.next_edition(),
        });
        self.change(wiring)
    }

    /// Ends a component and takes its ports from it; they stay open.
    ///
    /// # Errors
    /// [`BoardError::NoComponent`], [`BoardError::Stuck`]
    pub fn stop(&mut self, name: &str) -> Result<(), BoardError> {
        self.rig(name)?;
        let mut wiring = self.wiring().clone();
        wiring.rigs.retain(|r| r.name != name);
        self.change(wiring)
    }

    /// Attaches an open port to a component, with what happens to packets there.
    ///
    /// # Errors
    /// [`BoardError::NoComponent`], [`BoardError::NoPort`], [`BoardError::InUse`] if the port is used in this
    /// direction, [`BoardError::TooManyPorts`], [`BoardError::Claimed`] by another process,
    /// [`BoardError::Full`] if the worker has no counters left
    pub fn attach(
        &mut self,
        name: &str,
        port: PortCode,
        direction: Direction,
        stages: Vec<Arc<dyn Stage>>,
    ) -> Result<(), BoardError> {
        let rig = self.rig(name)?;
        let (hand, most) = (rig.hand, rig.function.most(direction));
        let room = rig.sockets(direction).len() < most;
        if self.port(port).is_none() {
            return Err(BoardError::NoPort(port));
        }
        if let Some(by) = self.wiring().user_of(port, direction) {
            return Err(BoardError::InUse {
                port,
                direction,
                by,
            });
        }
        if !room {
            return Err(BoardError::TooManyPorts {
                name: name.into(),
                direction,
                most,
            });
        }
        let block = self.counters(hand, socket_ends(port, direction))?;
        self.edit(name, |rig| {
            rig.sockets_mut(direction).push(Socket {
                port,
                block,
                stages,
                learner: None,
            })
        })
    }

    /// Changes what happens to packets at an attached port.
    ///
    /// # Errors
    /// [`BoardError::NoComponent`], [`BoardError::NotAttached`], [`BoardError::Stuck`]
    pub fn equip(
        &mut self,
        name: &str,
        port: PortCode,
        direction: Direction,
        stages: Vec<Arc<dyn Stage>>,
    ) -> Result<(), BoardError> {
        self.attached(name, port, direction)?;
        self.edit(name, |rig| {
            let sockets = rig.sockets_mut(direction).iter_mut();
            sockets
                .filter(|s| s.port == port)
                .for_each(|s| s.stages = stages.clone());
        })
    }

    /// Changes what a mirror copies, and how, while packets flow.
    ///
    /// # Errors
    /// [`BoardError::NoComponent`], [`BoardError::NoMirror`], [`BoardError::Stuck`]
    pub fn set_mirror(&mut self, name: &str, options: MirrorOptions) -> Result<(), BoardError> {
        match &self.rig(name)?.function {
            Function::Mirror(same) if *same == options => return Ok(()),
            Function::Mirror(_) => {}
            _ => return Err(BoardError::NoMirror(name.into())),
        }
        self.edit(name, |rig| rig.function = Function::Mirror(options))
    }

    /// Takes a port from a component; it stays open.
    ///
    /// # Errors
    /// [`BoardError::NoComponent`], [`BoardError::NotAttached`], [`BoardError::Stuck`]
    pub fn detach(
        &mut self,
        name: &str,
        port: PortCode,
        direction: Direction,
    ) -> Result<(), BoardError> {
        self.attached(name, port, direction)?;
        self.edit(name, |rig| {
            rig.sockets_mut(direction).retain(|s| s.port != port)
        })
    }

    fn attached(&self, name: &str, port: PortCode, direction: Direction) -> Result<(), BoardError> {
        let sockets = self.rig(name)?.sockets(direction);
        if sockets.iter().any(|s| s.port == port) {
            return Ok(());
        }
        Err(BoardError::NotAttached {
            name: name.into(),
            port,
            direction,
        })
    }

    /// Changes one component.
    fn edit(&mut self, name: &str, edit: impl FnOnce(&mut Rig)) -> Result<(), BoardError> {
        let mut wiring = self.wiring().clone();
        let edition = self.next_edition();
        if let Some(rig) = wiring.rigs.iter_mut().find(|r| r.name == name) {
            edit(rig);
            rig.edition = edition;
        }
        self.change(wiring)
    }

    /// The worker of `cpu` with the fewest components: several may share a CPU.
    fn hand_with_room(&self, cpu: u32) -> Result<usize, BoardError> {
        let first = self.hand_on(cpu)?;
        let load = |hand: &usize| {
            self.wiring()
                .rigs
                .iter()
                .filter(|r| r.hand == *hand)
                .count()
        };
        let all = 0..self.hands().len();
        let least = all.filter(|h| self.hands()[*h].cpu == cpu).min_by_key(load);
        Ok(least.unwrap_or(first))
    }

    fn rig(&self, name: &str) -> Result<&Rig, BoardError> {
        let found = self.wiring().rigs.iter().find(|r| r.name == name);
        found.ok_or_else(|| BoardError::NoComponent(name.into()))
    }

    /// The components in the order of their starts.
    pub fn components(&self) -> Vec<ComponentView<'_>> {
        let views = |rig: &Rig, direction| {
            let view = |s: &Socket| SocketView {
                port: s.port,
                totals: self.socket_totals(s.port, direction),
            };
            rig.sockets(direction).iter().map(view).collect()
        };
        let view = |rig| {
            let rig: &Rig = rig;
            ComponentView {
                name: &rig.name,
                function: &rig.function,
                cpu: self.hands()[rig.hand].cpu,
                lacks: rig.lacks(),
                rx: views(rig, Direction::Rx),
                tx: views(rig, Direction::Tx),
            }
        };
        self.wiring().rigs.iter().map(view).collect()
    }
}
