//! spp-nfv: a secondary that moves packets between ports as it is told.

#![forbid(unsafe_code)]

mod options;

use std::process::ExitCode;

use process::commands::Console;
use process::events::{Answer, End, Process, Then};
use process::report::{self, Identity};
use process::secondary::{self, Secondary};
use process::{Error, VERSION, desk, events, link::Link, logging, sweep};
use protocol::command::{NfvCommand, PanelCommand};
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

fn start() -> Result<(), Error> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let start = options::parse(&args)?;
    logging::start(start.log_level);
    sys::signal::block_all()?;
    let Secondary {
        info,
        identity,
        console,
        area,
        leases,
        folder,
    } = secondary::start(&start.options)?;
    let (to, events) = events::queue()?;
    let workers: Vec<String> = console
        .board
        .hands()
        .iter()
        .map(|h| h.cpu.to_string())
        .collect();
    log::info!(
        "nfv {} of panel {} is ready: worker on CPU {}, {}",
        identity.id,
        start.options.file_prefix,
        workers.join(", "),
        report::status(&console.board)
    );
    let controller = start.controller.or(info.controller_secondary);
    let link = controller
        .map(|address| Link::start(address, to))
        .transpose()?;
    if link.is_none() {
        log::warn!(
            "the primary announces no controller (--no-ctl): this process takes no commands"
        );
    }
    sys::proc::sd_notify("READY=1")?;
    let mut nfv = Nfv {
        identity,
        console,
        area,
    };
    if events::run(&mut nfv, events) == End::Command
        && let Err(e) = desk::say_leaving(folder.path(), nfv.identity.id)
    {
        log::debug!("the primary was not told that this process leaves: {e}");
    }
    drop(link);
    if nfv.console.shut() {
        leases.let_go();
        sweep::leave(
            &folder,
            &start.options.file_prefix,
            start.options.huge_dir.as_deref(),
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => process::fail("spp-nfv", &e),
    }
}
