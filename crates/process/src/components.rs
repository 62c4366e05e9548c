//! The processes `vf` and `mirror`: components on lcores, told what to do over the wire.

mod carry;
mod known;
mod options;
mod show;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use panel::area::Direction;
use panel::{Area, PortCode};
use protocol::command::Change;
use protocol::command::component::{
    ComponentCommand, CopyMode, Rejection, Settings, VfCommand, VlanTag,
};
use protocol::desired::Desired;
use protocol::reply::{ClientId, ProcessKind, Simple, VfReply};

use crate::commands::Console;
use crate::events::{Answer, Process, Then};
use crate::report::{self, Identity};
use crate::service::Service;
use crate::{Error, VERSION};
pub use options::parse;

/// Most components of a process, as in the original.
const MOST: usize = 128;

/// Time after which a learned address is in force.
const LEARN_EVERY: Duration = Duration::from_millis(200);

/// A `vf` or `mirror`.
pub struct Components {
    kind: ProcessKind,
    identity: Identity,
    console: Console,
    area: Area,
    /// How mirrors copy that do not say it themselves.
    copy: CopyMode,
    /// What is done to tags, by port and side: no port is used twice on one side.
    tags: BTreeMap<(PortCode, Direction), VlanTag>,
    /// What is set, by component.
    settings: BTreeMap<String, Settings>,
}

/// Runs a `vf` or `mirror` whose command line (without the program's name) is `args`.
///
/// # Errors
/// It cannot start.
pub fn run(kind: ProcessKind, args: &[String]) -> Result<(), Error> {
    let (start, copy) = options::parse(kind, args)?;
    let make = |identity, console, area| {
        Ok(Components {
            kind,
            identity,
            console,
            area,
            copy,
            tags: BTreeMap::new(),
            settings: BTreeMap::new(),
        })
    };
    crate::service::run(start, make).map(drop)
}

impl Components {
    fn hello(&self) -> String {
        let Identity {
            id, incarnation, ..
        } = &self.identity;
        ClientId::new(self.kind, *id, VERSION, incarnation).to_json()
    }

    fn detail(&self) -> String {
        protocol::json::compact(&report::detail(
            &self.identity,
            Some(&self.console.board),
            &self.area,
        ))
    }

    fn make(&mut self, text: &str, change: &ComponentCommand) -> Answer {
        let reply = match self.carry_out(change) {
            Ok(()) => VfReply::done(Ok::<(), Error>(())),
            Err(fault) => {
                log::warn!("{text}: {fault}");
                fault.reply()
            }
        };
        Answer::of(reply.to_json())
    }
}

impl Process for Components {
    fn tick(&mut self) {
        self.console.tick();
        if let Err(e) = self.console.board.learn(Instant::now()) {
            log::warn!("learned addresses are not in force yet: {e}");
        }
    }

    fn pause(&self) -> Duration {
        LEARN_EVERY
    }

    fn command(&mut self, text: &str) -> Answer {
        self.console.forget_gone();
        if let Some(answer) = self.console.probe(text) {
            return Answer::of(answer);
        }
        let command = match VfCommand::read(text, self.kind, self) {
            Ok(command) => command,
            Err(Rejection { refusal, reason }) => {
                log::debug!("{text}: {refusal}");
                return Answer::of(VfReply::rejected(Rejection { refusal, reason }).to_json());
            }
        };
        let done = || VfReply::done(Ok::<(), Error>(())).to_json();
        match &command {
            VfCommand::GetClientId => Answer::of(self.hello()),
            VfCommand::Framing => Answer {
                text: Simple::new("_framing", Ok::<(), Error>(())).to_json(),
                then: Then::Newline,
            },
            VfCommand::Detail => Answer::of(self.detail()),
            VfCommand::Status => Answer::of(self.status().to_json()),
            VfCommand::List { offset, count } => Answer::of(self.list(*offset, *count).to_json()),
            VfCommand::Clear => {
                self.console.board.clear();
                Answer::of(done())
            }
            VfCommand::Exit => Answer {
                text: done(),
                then: Then::End,
            },
            VfCommand::Change(change) => self.make(text, change),
        }
    }
}

impl Service for Components {
    fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    fn has(&self) -> Desired {
        self.desired()
    }

    fn apply(&mut self, change: &Change) -> Result<(), String> {
        let Change::Component(command) = change else {
            return Err(format!("a {} has no such command: {change}", self.kind));
        };
        self.carry_out(command).map_err(|e| e.to_string())
    }

    fn unplug(&mut self) -> Result<(), Error> {
        self.console.board.unplug()?;
        self.settings.clear();
        self.tags.clear();
        Ok(())
    }
}
