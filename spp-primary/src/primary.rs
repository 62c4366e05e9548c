//! What the primary does with its commands.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dpdk::ethdev::EthDev;
use panel::Board;
use panel::area::{Area, Direction, PanelTotals};
use process::commands::Console;
use process::devices::{FOREIGN_POOL, Phy, PortInfo};
use process::events::{Answer, Process, Then};
use process::ports::Plug;
use process::report::{self, Identity};
use process::watch::{Watch, hanging};
use process::{Error, VERSION, desk};
use protocol::command::probe::ProbeCommand;
use protocol::command::{PanelCommand, PrimaryCommand};
use protocol::detail::{PoolAudit, PoolDetail, RingDetail};
use protocol::port::PortName;
use protocol::reply::{
    ClientId, ForwarderStatus, PhyPortStatus, PrimaryStatus, ProcessKind, Queues, RingPortStatus,
    Simple,
};
use protocol::wire;
use registry::folder::Folder;

use crate::children::ControllerChild;
use crate::flow::Flows;
use crate::heap::Heap;
use crate::house::House;
use crate::launch::Launcher;
use crate::plugs::Plugs;
use crate::reaper::Estate;

/// Time between two looks for dead workers.
const REAP: Duration = Duration::from_millis(50);
/// Time between two updates of what foreign readers see.
const COUNT: Duration = Duration::from_secs(1);

/// A running primary.
pub struct Primary {
    /// Who we are.
    pub identity: Identity,
    /// The forwarder, if there are lcores for it.
    pub console: Option<Console>,
    /// What we own.
    pub estate: Estate,
    /// Our own lcore.
    pub house: House,
    /// The panel's folder.
    pub folder: Folder,
    /// Physical ports.
    pub phys: Vec<Phy>,
    /// Their flow rules.
    pub flows: Flows,
    /// What foreign readers see.
    pub info: &'static PortInfo,
    /// The controller, if we watch it.
    pub controller: Option<ControllerChild>,
    /// Whether we are connected to it.
    pub connected: Arc<AtomicBool>,
    /// What was launched.
    pub launcher: Launcher,
    /// Makes and removes devices.
    pub plugs: Plugs,
    /// Gives signs of life, and watches the forwarder's workers.
    pub _watch: Watch,
    /// Names holders of lcore ids.
    pub holder: panel::board::HolderName,
    /// mbufs that came back from dead workers.
    pub recovered: u64,
    /// Likewise, of the foreign processes' pool.
    pub recovered_foreign: u64,
    /// PIDs of ended processes whose files are to be removed.
    pub litter: BTreeSet<u32>,
    /// How full DPDK's heap is.
    pub heap: Heap,
    /// What the last audit of the pool found.
    pub audit: Option<PoolAudit>,
    /// Counts at the last `clear`.
    pub base: PanelTotals,
    /// Whether the controller reads lines: then a reply may be longer than the original's controller takes.
    pub lines: bool,
    /// Print counters every second.
    pub monitor: bool,
    /// When foreign readers' counters were brought up to date.
    pub counted: Instant,
}

fn no_forwarder() -> Error {
    Error::Refused("this primary has no forwarder: start it with two or more lcores (--lcores 0,1), or use an nfv".into())
}

impl Primary {
    /// What rings and devices counted since the last `clear`.
    fn counts(&self) -> PanelTotals {
        self.estate.area.panel_totals().since(&self.base)
    }

    fn ring_numbers(&self) -> Range<u16> {
        0..self.estate.rings.len() as u16
    }

    fn status(&self) -> PrimaryStatus {
        let forwarder = self.console.as_ref().map(|c| ForwarderStatus {
            status: report::status(&c.board).to_string(),
            ports: report::port_names(&c.board),
            patches: report::patch_names(&c.board),
        });
        let counts = self.counts();
        let phy_ports = self
            .phys
            .iter()
            .map(|phy| {
                let t = counts.device(phy.number);
                let mac = phy.device.info().map(|i| i.mac).unwrap_or_default();
                PhyPortStatus {
                    id: phy.number,
                    eth: mac.map(|b| format!("{b:02x}")).join(":"),
                    rx: t.rx_packets,
                    tx: t.tx_packets,
                    tx_drop: t.drops.iter().sum(),
                    nof_queues: Queues {
                        rx: phy.rx_queues,
                        tx: phy.tx_queues,
                    },
                    flow: self
                        .flows
                        .of_port(phy.number)
                        .map(|(id, rule)| rule.object(id))
                        .collect(),
                }
            })
            .collect();
        let ring = |id| {
            let t = counts.ring(id);
            RingPortStatus {
                id,
                rx: t.rx_packets,
                rx_drop: 0,
                tx: t.tx_packets,
                tx_drop: t.drops.iter().sum(),
            }
        };
        let ring_ports = self.ring_numbers().map(ring).collect();
        let mut lcores = self.identity.lcores.clone();
        lcores.sort_unstable();
        PrimaryStatus {
            main_lcore: self.identity.main_lcore,
            lcores,
            forwarder,
            phy_ports,
            ring_ports,
        }
    }

    fn detail(&self) -> String {
        let board: Option<&Board> = self.console.as_ref().map(|c| &c.board);
        let mut detail = report::detail(&self.identity, board, &self.estate.area);
        for (i, ring) in self.estate.rings.iter().enumerate() {
            let ends = self.estate.area.ring_ends(i as u16);
            let holder = |direction| {
                ends.and_then(|e| Area::holder(e, direction))
                    .map(|l| (self.holder)(l))
                    .unwrap_or_default()
            };
            detail.rings.push(RingDetail {
                name: format!("ring:{i}"),
                capacity: ring.capacity(),
                used: ring.used(),
                producer: holder(Direction::Tx),
                consumer: holder(Direction::Rx),
            });
        }
        detail.pools.push(PoolDetail {
            name: crate::boot::POOL.to_string(),
            size: self.estate.pool.size(),
            free: self.estate.pool.free(),
            recovered: self.recovered,
            audit: self.audit,
        });
        detail.pools.push(PoolDetail {
            name: FOREIGN_POOL.to_string(),
            size: self.estate.foreign.size(),
            free: self.estate.foreign.free_foreign(),
            recovered: self.recovered_foreign,
            audit: None,
        });
        detail.launched = self.launcher.details();
        detail.heap = self.heap.detail();
        protocol::json::compact(&detail)
    }

    fn change(&mut self, command: &PanelCommand) -> Result<(), Error> {
        if *command == PanelCommand::Clear {
            self.base = self.estate.area.panel_totals();
            if let Some(console) = &mut self.console {
                console.board.clear();
            }
            return Ok(());
        }
        let console = self.console.as_mut().ok_or_else(no_forwarder)?;
        console.change(command).map(|_| ())
    }

    /// Counts the pool's mbufs if no worker is left, so that each must lie somewhere.
    fn audit(&mut self) {
        let found = match self.estate.audit(&self.folder, &self.house) {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(e) => return log::error!("the audit of the pool: {e}"),
        };
        let (missing, twice) = (found.missing, found.twice);
        if twice > 0 || (missing > 0 && EthDev::all().is_empty()) {
            log::error!(
                "the pool is not whole: {missing} mbufs are missing, {twice} are in two places (last owners: {:?})",
                found.owners
            );
        } else {
            log::debug!("the pool is whole; {missing} mbufs are with devices");
        }
        self.audit = Some(PoolAudit {
            number: self.audit.map_or(0, |last| last.number) + 1,
            missing,
            twice,
        });
    }

    /// What other processes ask at the desk.
    fn plug(&self, plug: Plug, port: &str) -> Result<(), Error> {
        let port: PortName = port
            .parse()
            .map_err(|e: protocol::port::PortError| Error::Refused(e.to_string()))?;
        self.plugs.run(plug, port)
    }

    fn print_counters(&self) {
        print!("\x1b[2J\x1b[H");
        let counts = self.counts();
        for phy in &self.phys {
            let t = counts.device(phy.number);
            println!(
                "Port {} - rx: {:10} tx: {:10} tx_drop: {:10}",
                phy.number,
                t.rx_packets,
                t.tx_packets,
                t.drops.iter().sum::<u64>()
            );
        }
        for i in self.ring_numbers() {
            let t = counts.ring(i);
            println!(
                "Client {i:2} - rx: {:10} rx_drop: {:10} tx: {:10} tx_drop: {:10}",
                t.rx_packets,
                0,
                t.tx_packets,
                t.drops.iter().sum::<u64>()
            );
        }
    }
}

impl Process for Primary {
    fn command(&mut self, text: &str) -> Answer {
        if let Some((plug, port)) = Plug::parse(text) {
            let result = self.plug(plug, port);
            return Answer::of(
                Simple::new(text.split(' ').next().unwrap_or_default(), result).to_json(),
            );
        }
        if let Some(answer) = self.console.as_mut().and_then(|c| c.probe(text)) {
            return Answer::of(answer);
        }
        if let Some(Ok(command)) = ProbeCommand::take(text) {
            return Answer::of(Simple::new(command.word(), Err(no_forwarder())).to_json());
        }
        if let Some(id) = desk::leaving(text) {
            return Answer::of(Simple::new("_leaving", self.launcher.leaving(id)).to_json());
        }
        let command = match PrimaryCommand::parse(text) {
            Ok(command) => command,
            Err(e) => return Answer::of(Simple::refused(&e).to_json()),
        };
        let done = |result: Result<(), Error>| {
            if let Err(e) = &result {
                log::warn!("{text}: {e}");
            }
            Simple::primary(&command, result).to_json()
        };
        match &command {
            PrimaryCommand::Launch { id, name, args } => {
                Answer::of(done(self.launcher.launch(id, name, args)))
            }
            PrimaryCommand::Unlaunch(id) => Answer::of(done(self.launcher.release(id))),
            PrimaryCommand::Upgrade(id) => Answer::of(done(self.launcher.upgrade(id))),
            PrimaryCommand::Flow(words) => Answer::of(self.flows.answer(words).to_json()),
            PrimaryCommand::Panel(panel) => match panel {
                PanelCommand::GetClientId => {
                    // A controller of ours begins with this; it asks for lines next.
                    self.lines = false;
                    Answer::of(
                        ClientId::new(ProcessKind::Primary, 0, VERSION, &self.identity.incarnation)
                            .to_json(),
                    )
                }
                PanelCommand::Framing => {
                    self.lines = true;
                    Answer {
                        text: done(Ok(())),
                        then: Then::Newline,
                    }
                }
                PanelCommand::Status => {
                    let limit = match self.lines {
                        true => wire::MAX_REPLY,
                        false => wire::PADDED_REPLY,
                    };
                    Answer::of(self.status().to_json_within(limit))
                }
                PanelCommand::Detail => Answer::of(self.detail()),
                PanelCommand::Exit => Answer {
                    text: done(Ok(())),
                    then: Then::End,
                },
                change => Answer::of(done(self.change(change))),
            },
        }
    }

    fn tick(&mut self) {
        match self.estate.reap(&self.folder, &self.house) {
            Ok(reaped) => {
                self.recovered += reaped.mbufs;
                self.recovered_foreign += reaped.foreign;
                self.litter.extend(&reaped.pids);
                if reaped.workers > 0 {
                    self.audit();
                }
            }
            Err(e) => log::error!("cleaning up after dead processes: {e}"),
        }
        let folder = &self.folder;
        self.litter
            .retain(|pid| !registry::pid::sweep(folder, *pid));
        if let Some(controller) = &mut self.controller {
            controller.watch(self.connected.load(Ordering::SeqCst));
        }
        if self.launcher.wants_look() {
            match hanging(&self.estate.area, &self.folder) {
                Ok(hanging) => self.launcher.watch(&hanging),
                Err(e) => log::error!("looking for what hangs: {e}"),
            }
        }
        self.launcher.tick();
        if let Some(console) = &mut self.console {
            console.tick();
        }
        if self.counted.elapsed() >= COUNT {
            self.counted = Instant::now();
            match self.estate.sweep(&self.house) {
                Ok(mbufs) => self.recovered += mbufs,
                Err(e) => log::error!("cleaning up after what was shared: {e}"),
            }
            self.heap.tick();
            self.info
                .count(&self.estate.area, self.estate.rings.len() as u32);
            if self.monitor {
                self.print_counters();
            }
        }
    }

    fn child_ended(&mut self) {
        self.launcher.reap();
        // At once: what it held is freed, and it is started again.
        self.tick();
    }

    fn pause(&self) -> Duration {
        REAP
    }
}
