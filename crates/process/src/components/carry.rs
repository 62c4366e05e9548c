//! Commands of a `vf` or `mirror`, carried out: wholly or not at all.

use std::sync::Arc;

use panel::area::Direction as Side;
use panel::line::Stage;
use panel::{Function, PortCode, PortKind};
use protocol::command::component::{ComponentCommand, ComponentKind, Setting, VlanTag};
use protocol::port::PortName;
use protocol::reply::ProcessKind;

use super::known::side;
use super::{Components, MOST};
use crate::Error;
use crate::ports::code;

/// What happens to packets at a port.
type Stages = Vec<Arc<dyn Stage>>;

impl Components {
    /// Carries a command out.
    ///
    /// # Errors
    /// It cannot be; nothing was changed.
    pub(super) fn carry_out(&mut self, command: &ComponentCommand) -> Result<(), Error> {
        match command {
            ComponentCommand::Start { name, core, kind } => self.start(name.as_str(), *core, *kind),
            ComponentCommand::Stop(name) => self.stop(name.as_str()),
            ComponentCommand::Attach {
                name,
                port,
                dir,
                vlan,
            } => self.attach(name.as_str(), *port, side(*dir), *vlan),
            ComponentCommand::Detach { name, port, dir } => {
                self.detach(name.as_str(), *port, side(*dir))
            }
            ComponentCommand::Set { name, setting } => self.set(name.as_str(), setting),
            ComponentCommand::AddEntry(_) | ComponentCommand::DelEntry(_)
                if self.kind == ProcessKind::Mirror =>
            {
                // The original's mirror takes them, and has no table.
                Ok(())
            }
            ComponentCommand::AddEntry(_) | ComponentCommand::DelEntry(_) => {
                Err(Error::Refused("there is no table".into()))
            }
        }
    }

    fn start(&mut self, name: &str, cpu: u32, kind: ComponentKind) -> Result<(), Error> {
        let board = &mut self.console.board;
        if board.components().len() >= MOST {
            return Err(Error::Refused(format!(
                "there are {MOST} components, more are not possible: start a further process"
            )));
        }
        let function = match kind {
            ComponentKind::Forward => Function::Forward,
            ComponentKind::Merge => Function::Merge,
            ComponentKind::Classifier | ComponentKind::Mirror => {
                return Err(Error::Refused("not yet".into()));
            }
        };
        Ok(board.start(name, function, cpu)?)
    }

    fn stop(&mut self, name: &str) -> Result<(), Error> {
        // As in the original, one that does not exist is stopped.
        if self
            .console
            .board
            .components()
            .iter()
            .any(|c| c.name == name)
        {
            self.console.board.stop(name)?;
            self.settings.remove(name);
            self.tidy();
        }
        Ok(())
    }

    fn attach(
        &mut self,
        name: &str,
        port: PortName,
        side: Side,
        tag: Option<VlanTag>,
    ) -> Result<(), Error> {
        let code = code(port)?;
        let stages = self.stages(tag)?;
        if self.user(code, side).as_deref() == Some(name) {
            self.console.board.equip(name, code, side, stages)?;
        } else {
            self.console.opener.may_poll(port)?;
            let opened = self.console.have(port)?;
            let attached = self.console.board.attach(name, code, side, stages);
            if let (Err(_), true) = (&attached, opened) {
                self.console.take_back(&[code]);
            }
            attached?;
        }
        match tag {
            Some(tag) => self.tags.insert((code, side), tag),
            None => self.tags.remove(&(code, side)),
        };
        Ok(())
    }

    fn detach(&mut self, name: &str, port: PortName, side: Side) -> Result<(), Error> {
        // As in the original, one that is not attached is detached.
        let Ok(code) = code(port) else { return Ok(()) };
        if self.user(code, side).as_deref() == Some(name) {
            self.console.board.detach(name, code, side)?;
            self.tidy();
        }
        Ok(())
    }

    fn set(&mut self, name: &str, setting: &Setting) -> Result<(), Error> {
        let mut settings = self.settings.get(name).cloned().unwrap_or_default();
        settings.take(setting);
        self.settings.insert(name.to_owned(), settings);
        Ok(())
    }

    /// What happens to packets at a port with this tag operation. A mirror only shows it, as the original does.
    fn stages(&self, tag: Option<VlanTag>) -> Result<Stages, Error> {
        match (self.kind, tag) {
            (ProcessKind::Vf, Some(_)) => Err(Error::Refused("not yet".into())),
            _ => Ok(Vec::new()),
        }
    }

    /// Forgets tags of ports that are no longer attached, and closes files, taps and the like that no component uses
    /// any more. Rings and vhost sockets stay, as in the original.
    fn tidy(&mut self) {
        let components = self.console.board.components();
        let mut used: Vec<(PortCode, Side)> = Vec::new();
        for component in &components {
            used.extend(component.rx.iter().map(|end| (end.port, Side::Rx)));
            used.extend(component.tx.iter().map(|end| (end.port, Side::Tx)));
        }
        self.tags.retain(|end, _| used.contains(end));
        let lasting = |kind| matches!(kind, PortKind::Phy | PortKind::Ring | PortKind::Vhost);
        let idle: Vec<PortCode> = self
            .console
            .board
            .ports()
            .iter()
            .filter(|p| !p.stays() && !lasting(p.code().kind()))
            .map(|p| p.code())
            .filter(|code| !used.iter().any(|(used, _)| used == code))
            .collect();
        for code in idle {
            self.console.close(code);
        }
    }
}
