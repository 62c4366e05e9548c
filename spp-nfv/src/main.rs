//! spp-nfv: a secondary that moves packets between ports as it is told.

#![forbid(unsafe_code)]

mod options;

use std::process::ExitCode;

use process::VERSION;
use process::commands::Console;
use process::events::{Answer, Process, Then};
use process::report::{self, Identity};
use process::service::{self, Service};
use protocol::command::{Change, NfvCommand, PanelCommand};
use protocol::desired::Desired;
use protocol::reply::{ClientId, NfvStatus, ProcessKind, Simple};

/// What an nfv does with its commands.
struct Nfv {
    identity: Identity,
    console: Console,
    area: panel::Area,
}

impl Nfv {
    fn status(&self) -> String {
        let board = &self.console.board;
        NfvStatus {
            client_id: self.identity.id,
            status: report::status(board).to_string(),
            main_lcore: self.identity.main_lcore,
            lcores: self.identity.lcores.clone(),
            ports: report::port_names(board),
            patches: report::patch_names(board),
        }
        .to_json()
    }

    fn hello(&self) -> String {
        ClientId::new(
            ProcessKind::Nfv,
            self.identity.id,
            VERSION,
            &self.identity.incarnation,
        )
        .to_json()
    }

    fn detail(&self) -> String {
        protocol::json::compact(&report::detail(
            &self.identity,
            Some(&self.console.board),
            &self.area,
        ))
    }
}

impl Process for Nfv {
    fn tick(&mut self) {
        self.console.tick();
    }

    fn command(&mut self, text: &str) -> Answer {
        if let Some(answer) = self.console.probe(text) {
            return Answer::of(answer);
        }
        let command = match NfvCommand::parse(text) {
            Ok(command) => command,
            Err(e) => return Answer::of(Simple::refused(&e).to_json()),
        };
        let done = |result: Result<(), String>| Simple::nfv(&command, result).to_json();
        match &command {
            NfvCommand::SetClientId(id) if *id == i64::from(self.identity.id) => {
                Answer::of(done(Ok(())))
            }
            NfvCommand::SetClientId(_) => Answer::of(done(Err(format!(
                "this process keeps its id {}: start it with another --sec-id",
                self.identity.id
            )))),
            NfvCommand::Panel(panel) => match panel {
                PanelCommand::GetClientId => Answer::of(self.hello()),
                PanelCommand::Framing => Answer {
                    text: done(Ok(())),
                    then: Then::Newline,
                },
                PanelCommand::Status => Answer::of(self.status()),
                PanelCommand::Detail => Answer::of(self.detail()),
                PanelCommand::Exit => Answer {
                    text: done(Ok(())),
                    then: Then::End,
                },
                change => {
                    let result = self
                        .console
                        .change(change)
                        .map(|_| ())
                        .map_err(|e| e.to_string());
                    if let Err(e) = &result {
                        log::warn!("{text}: {e}");
                    }
                    Answer::of(done(result))
                }
            },
        }
    }
}

impl Service for Nfv {
    fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    fn has(&self) -> Desired {
        self.console.has()
    }

    fn apply(&mut self, change: &Change) -> Result<(), String> {
        let Change::Panel(command) = change else {
            return Err(format!("an nfv has no such command: {change}"));
        };
        let result = self.console.change(command);
        result.map(|_| ()).map_err(|e| e.to_string())
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let run = options::parse(&args).and_then(|start| {
        service::run(start, |identity, console, area| {
            Ok(Nfv {
                identity,
                console,
                area,
            })
        })
    });
    match run {
        Ok(_) => process::ended(),
        Err(e) => process::fail("spp-nfv", &e),
    }
}
