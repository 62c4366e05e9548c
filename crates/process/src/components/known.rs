//! What a `vf` or `mirror` has, asked while a command is read.

use panel::area::Direction as Side;
use panel::{BoardError, PortCode};
use protocol::command::component::{ClassifierEntry, ComponentName, Direction, Known, Setting};
use protocol::port::PortName;

use super::Components;
use crate::ports::code;
use crate::report;

/// The side as the board calls it.
pub(super) fn side(dir: Direction) -> Side {
    match dir {
        Direction::Rx => Side::Rx,
        Direction::Tx => Side::Tx,
    }
}

impl Components {
    /// The component that uses a port on a side.
    pub(super) fn user(&self, port: PortCode, side: Side) -> Option<String> {
        let components = self.console.board.components();
        let uses = |c: &&panel::rack::ComponentView<'_>| {
            let ends = if side == Side::Rx { &c.rx } else { &c.tx };
            ends.iter().any(|end| end.port == port)
        };
        components.iter().find(uses).map(|c| c.name.to_owned())
    }

    /// The code of a port that can be a component's.
    pub(super) fn known_port(&self, port: PortName) -> Result<PortCode, String> {
        let PortName::Phy {
            port: number,
            queue,
        } = port
        else {
            return code(port).map_err(|e| e.to_string());
        };
        let phys = self.console.opener.info.phys();
        let phy = phys.iter().find(|phy| phy.number == number);
        let Some(phy) = phy else {
            return Err(format!(
                "{port} does not exist: see status for the physical ports"
            ));
        };
        let queues = phy.rx_queues.max(phy.tx_queues);
        match queue {
            None if queues > 1 => Err(format!(
                "{port} has {queues} queues: name one, such as {port}nq0"
            )),
            Some(_) if queues <= 1 => Err(format!(
                "phy:{number} has a single queue: write phy:{number}"
            )),
            _ => code(port).map_err(|e| e.to_string()),
        }
    }

    fn function_of(
        &self,
        name: &ComponentName,
    ) -> Option<protocol::command::component::ComponentKind> {
        let components = self.console.board.components();
        let found = components.iter().find(|c| c.name == name.as_str());
        found.map(|c| report::kind(c.function))
    }
}

impl Known for Components {
    fn starts(&self, name: &ComponentName) -> Result<(), String> {
        match self.function_of(name) {
            Some(_) => Err(BoardError::ComponentExists(name.to_string()).to_string()),
            None => Ok(()),
        }
    }

    fn has(&self, name: &ComponentName) -> Result<(), String> {
        match self.function_of(name) {
            Some(_) => Ok(()),
            None => Err(BoardError::NoComponent(name.to_string()).to_string()),
        }
    }

    fn sets(&self, name: &ComponentName, setting: &Setting) -> Result<(), String> {
        let kind = self.function_of(name);
        kind.map_or(Ok(()), |kind| {
            setting.check(kind).map_err(|e| e.to_string())
        })
    }

    fn attaches(&self, port: PortName, free: bool) -> Result<(), String> {
        let code = self.known_port(port)?;
        let users = [Side::Rx, Side::Tx].map(|side| self.user(code, side));
        match users {
            [Some(rx), Some(tx)] if free => Err(format!(
                "{port} is used in both directions: component {rx} receives from it, {tx} sends to it"
            )),
            _ => Ok(()),
        }
    }

    fn attaches_at(&self, port: PortName, dir: Direction, free: bool) -> Result<(), String> {
        let code = self.known_port(port)?;
        if let PortName::Phy {
            port: number,
            queue,
        } = port
        {
            let phys = self.console.opener.info.phys();
            let phy = phys.iter().find(|phy| phy.number == number);
            let queues = phy.map_or(0, |phy| match dir {
                Direction::Rx => phy.rx_queues,
                Direction::Tx => phy.tx_queues,
            });
            if queue.unwrap_or(0) >= queues {
                return Err(format!("{port} has {queues} {} queues", dir.word()));
            }
        }
        match self.user(code, side(dir)) {
            Some(by) if free => Err(BoardError::InUse {
                port: code,
                direction: side(dir),
                by: format!("component {by}"),
            }
            .to_string()),
            _ => Ok(()),
        }
    }

    fn enters(&self, entry: &ClassifierEntry) -> Result<(), String> {
        let code = self.known_port(entry.port)?;
        if self.console.board.port(code).is_none() {
            return Err(format!(
                "{} is not known here: attach it to a component first",
                entry.port
            ));
        }
        Ok(())
    }
}
