//! What a pcap does with its commands.

use std::time::Duration;

use capture::{Capture, Target};
use panel::{Area, Port, PortCode, PortKind};
use process::commands::Console;
use process::events::{Answer, Process, Then};
use process::report::{self, Identity};
use process::service::{Service, Shut};
use process::{Error, VERSION};
use protocol::command::component::Refusal;
use protocol::command::{CaptureCommand, Change, NfvCommand, PanelCommand};
use protocol::desired::Desired;
use protocol::detail::{Counters, Detail, PatchDetail, PortDetail};
use protocol::port::PortName;
use protocol::reply::{ClientId, ProcessKind, VfReply};
use protocol::rest::{CaptureCore, CaptureStatus, CapturedPort};

/// How long `start` waits for the files of the run before.
const BEFORE: Duration = Duration::from_secs(2);
/// How long the end waits for what has been received to be written.
const DRAIN: Duration = Duration::from_secs(30);

/// A pcap.
pub struct Pcap {
    identity: Identity,
    console: Console,
    area: Area,
    capture: Option<Capture>,
    port: PortCode,
    sink: PortCode,
    /// The CPUs of the writers as shown.
    writers: Vec<u32>,
    /// Ends the process when the capture fails: nobody reads the stream any more.
    stream: bool,
    over: bool,
    /// It begins by itself.
    at_once: bool,
}

/// Makes sure that a capture of this port can take the place of another one: both have the port open for a moment.
///
/// # Errors
/// Only one process can have it open.
pub fn can_succeed(port: PortName) -> Result<(), Error> {
    match port {
        PortName::Vhost(_) | PortName::Memif(_) | PortName::Pcap(_) => Err(Error::Usage(format!(
            "--take-over: {port} can be open in one process only: end the capture of it and start it again"
        ))),
        _ => Ok(()),
    }
}

impl Pcap {
    /// Opens the port, and puts the capture beside it.
    ///
    /// # Errors
    /// The port cannot be opened or polled here.
    pub fn new(
        identity: Identity,
        mut console: Console,
        area: Area,
        capture: Capture,
        port: PortName,
        mut shown: Vec<u32>,
        at_once: bool,
    ) -> Result<Self, Error> {
        console.opener.may_poll(port)?;
        let code = process::ports::code(port)?;
        if console.board.port(code).is_none() {
            let opened = console.opener.open(port, None)?;
            console.board.add(opened)?;
        }
        let several = console.board.ports().iter().any(|p| {
            let other = p.code();
            (other.kind(), other.number()) == (code.kind(), code.number()) && other.queue() > 0
        });
        if several && port.queue().is_none() {
            return Err(Error::Usage(format!(
                "-c {port}: it has several queues: name one, for instance -c {port} nq 0"
            )));
        }
        let sink = PortCode::new(PortKind::Capture, identity.id as u16, 0);
        console.board.add(Port::sink(sink, capture.sink()))?;
        // Writers that run anywhere are shown where the main thread is.
        if shown.is_empty() {
            shown = vec![identity.main_lcore; capture.names().len()];
        }
        let stream = !matches!(capture.target(), Target::Folder { .. });
        Ok(Pcap {
            identity,
            console,
            area,
            capture: Some(capture),
            port: code,
            sink,
            writers: shown,
            stream,
            over: false,
            at_once,
        })
    }

    /// Begins to capture; if that goes on already, nothing changes.
    ///
    /// # Errors
    /// A file cannot be made, or somebody else takes packets out of the port.
    pub fn start(&mut self) -> Result<(), Error> {
        let Some(capture) = self.capture.as_mut().filter(|c| !c.running()) else {
            return Ok(());
        };
        capture
            .begin(BEFORE)
            .map_err(|e| Error::Refused(e.to_string()))?;
        let patched = self
            .console
            .board
            .patch(self.port, self.sink, None, None)
            .and_then(|()| self.console.board.set_forwarding(true));
        if let Err(e) = patched {
            capture.end(true);
            capture.wait_written(BEFORE);
            return Err(e.into());
        }
        log::info!("capturing {}", capture.names().join(", "));
        Ok(())
    }

    /// Ends the capture: what has been received is still written.
    ///
    /// # Errors
    /// The worker does not leave the port; the capture goes on.
    pub fn stop(&mut self) -> Result<(), Error> {
        let Some(capture) = self.capture.as_mut().filter(|c| c.running()) else {
            return Ok(());
        };
        self.console.board.unpatch(self.port)?;
        capture.end(false);
        Ok(())
    }

    fn status_word(&self) -> &'static str {
        match &self.capture {
            Some(capture) if capture.running() => "running",
            _ => "idle",
        }
    }

    fn status(&self) -> CaptureStatus {
        let port = report::name(&self.console.board, self.port);
        let receivers = self.console.board.hands().iter().map(|hand| CaptureCore {
            core: hand.cpu,
            role: "receive".into(),
            rx_port: Some(vec![CapturedPort { port: port.clone() }]),
            filename: None,
        });
        let names = self.capture.as_ref().map(Capture::names);
        let writers = self.writers.iter().zip(names.unwrap_or_default());
        let writers = writers.map(|(cpu, name)| CaptureCore {
            core: *cpu,
            role: "write".into(),
            rx_port: None,
            filename: Some(name),
        });
        CaptureStatus {
            client_id: self.identity.id,
            status: self.status_word().into(),
            main_lcore: self.identity.main_lcore,
            core: receivers.chain(writers).collect(),
        }
    }

    /// The port and the capture only, and what the writers lost among the drops.
    fn detail(&self) -> Detail {
        let mut detail = report::detail(&self.identity, Some(&self.console.board), &self.area);
        detail.status = match self.status_word() {
            "idle" => "idling",
            word => word,
        }
        .into();
        let capture = self.capture.as_ref().map(Capture::report);
        let port = report::name(&self.console.board, self.port);
        let totals = self.console.board.port_totals(self.port);
        detail.ports.retain(|p: &PortDetail| p.name == port);
        let sink = self.sink.to_string();
        let rx = report::counters(&totals);
        let mut through = report::counters(&self.console.board.port_totals(self.sink));
        if let Some(capture) = &self.capture {
            let left = capture.left();
            through.drops.filtered += left.filtered;
            through.drops.io_error += left.lost;
            through.tx_packets = through.tx_packets.saturating_sub(left.lost);
        }
        detail.ports.push(PortDetail {
            name: sink.clone(),
            link: "-".into(),
            info: capture
                .as_ref()
                .map_or_else(String::new, |c| c.target.clone()),
            source: false,
            destination: self.console.board.sends_to(self.sink),
            counters: through,
        });
        let cpu = self.console.board.hands().first().map_or(0, |h| h.cpu);
        detail.patches = vec![PatchDetail {
            src: port,
            dst: sink,
            cpu,
            impaired: None,
            counters: Counters {
                rx_packets: rx.rx_packets,
                rx_bytes: rx.rx_bytes,
                ..through
            },
        }];
        detail.capture = capture;
        detail
    }

    /// The commands that every process knows.
    fn common(&mut self, text: &str) -> Result<Answer, Refusal> {
        let word = text.split_ascii_whitespace().next().unwrap_or_default();
        if !["_get_client_id", "_framing", "_detail", "status", "exit"].contains(&word) {
            return Err(Refusal::COMMAND);
        }
        let Ok(NfvCommand::Panel(command)) = NfvCommand::parse(text) else {
            return Err(Refusal::Format);
        };
        let done = VfReply::new(Ok::<(), String>(())).to_json();
        Ok(match command {
            PanelCommand::Framing => Answer {
                text: done,
                then: Then::Newline,
            },
            PanelCommand::Exit => Answer {
                text: done,
                then: Then::End,
            },
            PanelCommand::Detail => Answer::of(protocol::json::compact(&self.detail())),
            PanelCommand::Status => Answer::of(VfReply::status(&self.status()).to_json()),
            _ => {
                let Identity {
                    id, incarnation, ..
                } = &self.identity;
                Answer::of(ClientId::new(ProcessKind::Pcap, *id, VERSION, incarnation).to_json())
            }
        })
    }
}

impl Service for Pcap {
    fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    fn has(&self) -> Desired {
        let running = self.capture.as_ref().is_some_and(Capture::running);
        Desired {
            capture: Some(running),
            ..Desired::default()
        }
    }

    fn apply(&mut self, change: &Change) -> Result<(), String> {
        let result = match change {
            Change::Capture(CaptureCommand::Start) => self.start(),
            Change::Capture(CaptureCommand::Stop) => self.stop(),
            other => return Err(format!("a pcap has no such command: {other}")),
        };
        result.map_err(|e| e.to_string())
    }

    fn unplug(&mut self) -> Result<(), Error> {
        self.stop()
    }

    /// What it captures into is its own, and is not handed over.
    fn exclusive(&mut self) -> Vec<PortName> {
        Vec::new()
    }

    fn begin(&mut self) -> Result<(), Error> {
        if self.at_once { self.start() } else { Ok(()) }
    }

    fn summary(&mut self) -> String {
        let hands = self.console.board.hands().iter();
        let cpus: Vec<String> = hands.map(|h| h.cpu.to_string()).collect();
        format!(
            "receiver of {} on CPU {}, {}",
            self.port,
            cpus.join(", "),
            self.status_word()
        )
    }

    fn shut(&mut self) -> Shut {
        let stopped = self.stop().inspect_err(|e| log::error!("ending: {e}"));
        let complete = match self.capture.take() {
            Some(capture) if stopped.is_ok() => capture.shut(DRAIN),
            _ => false,
        };
        Shut {
            ended: self.console.shut(),
            complete,
        }
    }
}

impl Process for Pcap {
    fn command(&mut self, text: &str) -> Answer {
        let command = match CaptureCommand::parse(text) {
            Ok(command) => command,
            Err(Refusal::Format) => {
                return Answer::of(VfReply::new(Err(Refusal::Format)).to_json());
            }
            Err(_) => {
                let answer = self.common(text);
                return answer.unwrap_or_else(|e| Answer::of(VfReply::new(Err(e)).to_json()));
            }
        };
        let result = match command {
            CaptureCommand::Start => self.start(),
            CaptureCommand::Stop => self.stop(),
        };
        if let Err(e) = &result {
            log::warn!("{text}: {e}");
        }
        Answer::of(VfReply::new(result).to_json())
    }

    fn tick(&mut self) {
        let failed = self.capture.as_mut().is_some_and(Capture::tick);
        if !failed {
            return;
        }
        match self.stop() {
            Ok(()) => log::error!("the capture was stopped by an error"),
            Err(e) => log::error!("the capture failed and cannot be stopped: {e}"),
        }
        self.over = self.stream;
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn pause(&self) -> Duration {
        Duration::from_millis(100)
    }
}
