//! Commands of a `vf` or `mirror`, carried out: wholly or not at all.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use panel::area::Direction as Side;
use panel::line::Stage;
use panel::mirror::{self, MirrorOptions};
use panel::vlan::Vlan;
use panel::{BoardError, Classifier, EntryError, EntryView, Function, PortCode, PortKind, Rule};
use protocol::command::component::{
    ClassifierEntry, ClassifierMac, ComponentCommand, ComponentKind, CopyMode, Refusal, Rejection,
    Setting, Settings, VlanTag,
};
use protocol::port::PortName;
use protocol::reply::{ProcessKind, VfReply};

use super::known::side;
use super::{Components, MOST};
use crate::Error;
use crate::ports::code;

/// What happens to packets at a port.
type Stages = Vec<Arc<dyn Stage>>;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// A word of it does not fit what is there.
    #[error("{0}")]
    Word(Rejection),
    /// It failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Fault {
    /// The answer.
    pub(super) fn reply(self) -> VfReply {
        match self {
            Fault::Word(rejected) => VfReply::rejected(rejected),
            Fault::Failed(error) => VfReply::done(Err(error)),
        }
    }
}

impl From<BoardError> for Fault {
    fn from(error: BoardError) -> Self {
        Fault::Failed(error.into())
    }
}

impl From<EntryError> for Fault {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::Exists { .. } | EntryError::NotFound { .. } => Fault::Word(Rejection {
                refusal: Refusal::PORT,
                reason: Some(error.to_string()),
            }),
            EntryError::Board(error) => error.into(),
            full => Fault::Failed(Error::Refused(full.to_string())),
        }
    }
}

impl Components {
    /// Carries a command out.
    ///
    /// # Errors
    /// It cannot be; nothing was changed.
    pub(super) fn carry_out(&mut self, command: &ComponentCommand) -> Result<(), Fault> {
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
            ComponentCommand::AddEntry(entry) => {
                let (rule, port) = rule(entry)?;
                Ok(self.console.board.add_entry(rule, port)?)
            }
            ComponentCommand::DelEntry(entry) => {
                let (rule, port) = rule(entry)?;
                // A port that is not open has no entries.
                self.known_entry_port(port, rule)?;
                Ok(self.console.board.del_entry(rule, port)?)
            }
        }
    }

    fn known_entry_port(&self, port: PortCode, rule: Rule) -> Result<(), Fault> {
        match self.console.board.port(port) {
            Some(_) => Ok(()),
            None => Err(EntryError::NotFound { rule, port }.into()),
        }
    }

    fn start(&mut self, name: &str, cpu: u32, kind: ComponentKind) -> Result<(), Fault> {
        let options = self.mirror_options(&Settings::default());
        let board = &mut self.console.board;
        if board.components().len() >= MOST {
            return Err(Fault::Failed(Error::Refused(format!(
                "there are {MOST} components, more are not possible: start a further process"
            ))));
        }
        let function = match kind {
            ComponentKind::Forward => Function::Forward,
            ComponentKind::Merge => Function::Merge,
            ComponentKind::Classifier => Function::Classifier(Classifier::new()),
            ComponentKind::Mirror => Function::Mirror(options),
        };
        Ok(board.start(name, function, cpu)?)
    }

    fn stop(&mut self, name: &str) -> Result<(), Fault> {
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
    ) -> Result<(), Fault> {
        let code = code(port)?;
        let stages = self.stages(tag);
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

    fn detach(&mut self, name: &str, port: PortName, side: Side) -> Result<(), Fault> {
        // As in the original, one that is not attached is detached.
        let Ok(code) = code(port) else { return Ok(()) };
        if self.user(code, side).as_deref() == Some(name) {
            self.console.board.detach(name, code, side)?;
            self.tidy();
        }
        Ok(())
    }

    fn set(&mut self, name: &str, setting: &Setting) -> Result<(), Fault> {
        let mut settings = self.settings.get(name).cloned().unwrap_or_default();
        settings.take(setting);
        match setting {
            Setting::Copy(_) | Setting::Snap(_) | Setting::Filter(_) => {
                let options = self.mirror_options(&settings);
                self.console.board.set_mirror(name, options)?;
            }
            Setting::Learn(seconds) => {
                let ageing = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                self.console.board.set_learning(name, ageing)?;
            }
        }
        self.settings.insert(name.to_owned(), settings);
        Ok(())
    }

    /// What a mirror with these settings copies, and how.
    fn mirror_options(&self, settings: &Settings) -> MirrorOptions {
        MirrorOptions {
            mode: match settings.copy.unwrap_or(self.copy) {
                CopyMode::Shallow => mirror::CopyMode::Shallow,
                CopyMode::Deep => mirror::CopyMode::Deep,
            },
            snap: settings.snap.and_then(NonZeroU32::new),
            filter: settings.filter.clone(),
        }
    }

    /// What happens to packets at a port with this tag operation. A mirror only shows it, as the original does.
    fn stages(&self, tag: Option<VlanTag>) -> Stages {
        match (self.kind, tag) {
            (ProcessKind::Vf, Some(tag)) => vec![Arc::new(Vlan::new(&tag))],
            _ => Vec::new(),
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
        if idle.is_empty() {
            return;
        }
        // Entries belong to ports: one that has some stays until they are deleted.
        let (entries, _) = self.console.board.entries(0, usize::MAX);
        for code in idle {
            let given = |entry: &EntryView| entry.port == code && !entry.learned;
            if !entries.iter().any(given) {
                self.console.close(code);
            }
        }
    }
}

/// An entry as the board has it.
fn rule(entry: &ClassifierEntry) -> Result<(Rule, PortCode), Fault> {
    let mac = match entry.mac {
        ClassifierMac::Default => None,
        ClassifierMac::Address(address) => Some(address),
    };
    let rule = Rule::new(entry.vlan, mac).ok_or(Fault::Word(Refusal::VLAN_ID.into()))?;
    Ok((rule, code(entry.port)?))
}
