//! The commands that nfv and the primary's forwarder have in common, carried out on a board.

use std::sync::Arc;

use dpdk::vhost::Mode;
use panel::cables::PatchView;
use panel::{Board, Port};
use protocol::command::{PanelCommand, VhostMode};
use protocol::desired::{Desired, DesiredPatch, DesiredPort};
use protocol::impair::Impairment;
use protocol::port::PortName;

use crate::ports::{Opener, code};
use crate::probes::Traces;
use crate::{Error, report};

/// Ports and patches of a process, and what opening more of them takes.
pub struct Console {
    /// The board.
    pub board: Board,
    /// Opens ports.
    pub opener: Opener,
    /// Whether a patch adds the rings that it names.
    pub attach_rings: bool,
    /// Its traces.
    pub traces: Traces,
}

/// Who makes the socket of a port, if it is vhost's.
fn mode(port: &Port) -> Option<VhostMode> {
    port.vhost_mode().map(|mode| match mode {
        Mode::Server => VhostMode::Server,
        Mode::Client => VhostMode::Client,
    })
}

impl Console {
    /// Puts the ports on the board that are there from the start.
    pub fn add_present(&mut self) {
        for port in self.opener.present() {
            let code = port.code();
            if let Err(e) = self.board.add(port) {
                log::warn!("{code}: {e}");
            }
        }
    }

    /// Carries out a command about latencies or traces and gives its answer; `None` if `text` is none.
    pub fn probe(&mut self, text: &str) -> Option<String> {
        self.traces.command(&mut self.board, text)
    }

    /// Its ports, patches and whether it forwards.
    pub fn has(&self) -> Desired {
        let board = &self.board;
        let name = |code| report::name(board, code).parse::<PortName>().ok();
        let port = |port: &Arc<Port>| {
            let mode = mode(port);
            let port = name(port.code()).filter(|p| !matches!(p, PortName::Phy { .. }))?;
            Some(DesiredPort { port, mode })
        };
        let patch = |patch: &PatchView| {
            Some(DesiredPatch {
                src: name(patch.src)?,
                dst: name(patch.dst)?,
                cpu: Some(patch.cpu),
                with: patch.impaired.map(|(with, _)| with),
            })
        };
        Desired {
            forwarding: Some(board.forwarding()),
            ports: board.ports().iter().filter_map(port).collect(),
            patches: board.patches().iter().filter_map(patch).collect(),
            ..Desired::default()
        }
    }

    /// To be called now and then.
    pub fn tick(&mut self) {
        self.traces.tick(&mut self.board);
    }

    /// Carries out a command that changes something. `Ok(None)` means that it is none of them.
    pub fn change(&mut self, command: &PanelCommand) -> Result<Option<()>, Error> {
        self.forget_gone();
        match command {
            PanelCommand::Add { port, mode } => self.add(*port, *mode)?,
            PanelCommand::Del(port) => {
                let code = code(*port)?;
                if self.board.port(code).is_some_and(|p| p.stays())
                    || matches!(port, PortName::Phy { .. })
                {
                    return Err(Error::Refused(format!(
                        "{port} cannot be deleted: it stays as long as the primary runs; unpatch it instead"
                    )));
                }
                for (src, dst) in self.board.del(code)? {
                    log::info!("del {port}: the patch {src} -> {dst} was taken out");
                }
                if matches!(port, PortName::Tap(_)) {
                    // Who else uses it keeps it; the last one to delete it removes it.
                    if let Err(e) = self.opener.remove(*port) {
                        log::info!(
                            "{port} is no longer a port of this process; its device stays: {e}"
                        );
                    }
                }
            }
            PanelCommand::Patch {
                src,
                dst,
                cpu,
                with,
            } => self.patch(*src, *dst, *cpu, *with)?,
            PanelCommand::PatchReset => self.board.reset()?,
            PanelCommand::Unpatch(src) => self.board.unpatch(code(*src)?)?,
            PanelCommand::Forward => self.board.set_forwarding(true)?,
            PanelCommand::Stop => self.board.set_forwarding(false)?,
            PanelCommand::Clear => self.board.clear(),
            _ => return Ok(None),
        }
        Ok(Some(()))
    }

    /// Takes ports from the board whose devices were removed by the primary; none of them is patched.
    pub fn forget_gone(&mut self) {
        let gone = |p: &&std::sync::Arc<panel::Port>| !p.is_present();
        let codes: Vec<panel::PortCode> = self
            .board
            .ports()
            .iter()
            .filter(gone)
            .map(|p| p.code())
            .collect();
        self.take_back(&codes);
    }

    fn add(
        &mut self,
        port: PortName,
        mode: Option<protocol::command::VhostMode>,
    ) -> Result<(), Error> {
        let code = code(port)?;
        if let Some(there) = self.board.port(code) {
            let same = mode.is_none() || mode == self::mode(there);
            return match port {
                // The original answers a repeated add of these as done, and it is.
                PortName::Ring(_) | PortName::Vhost(_) | PortName::Tap(_) | PortName::Memif(_)
                    if same =>
                {
                    Ok(())
                }
                _ => Err(panel::BoardError::Exists(code).into()),
            };
        }
        let port = self.opener.open(port, mode)?;
        Ok(self.board.add(port)?)
    }

    /// Opens a port unless it is on the board; whether it was opened.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn have(&mut self, port: PortName) -> Result<bool, Error> {
        if self.board.port(code(port)?).is_some() {
            return Ok(false);
        }
        let port = self.opener.open(port, None)?;
        self.board.add(port)?;
        Ok(true)
    }

    /// Takes a port from the board that nobody uses.
    pub fn close(&mut self, code: panel::PortCode) {
        if let Err(e) = self.board.del(code) {
            log::warn!("{code}: {e}");
        }
        if code.kind() == panel::PortKind::Tap
            && let Err(e) = self.opener.remove(PortName::Tap(code.number()))
        {
            log::info!("{code} is no longer a port of this process; its device stays: {e}");
        }
    }

    fn patch(
        &mut self,
        src: PortName,
        dst: PortName,
        cpu: Option<u32>,
        with: Option<Impairment>,
    ) -> Result<(), Error> {
        for port in [src, dst] {
            self.opener.may_poll(port)?;
        }
        let mut added = Vec::new();
        if self.attach_rings {
            for port in [src, dst] {
                if matches!(port, PortName::Ring(_)) && self.board.port(code(port)?).is_none() {
                    let attached = self
                        .opener
                        .open(port, None)
                        .and_then(|p| Ok(self.board.add(p)?));
                    if let Err(e) = attached {
                        self.take_back(&added);
                        return Err(e);
                    }
                    added.push(code(port)?);
                }
            }
        }
        let result = self.board.patch(code(src)?, code(dst)?, cpu, with);
        if result.is_err() {
            self.take_back(&added);
        } else if let Some(words) = with.and_then(|with| with.warning()) {
            log::warn!("patch {src} {dst}: {words}");
        }
        Ok(result?)
    }

    /// Takes all patches out, closes all ports and ends the workers. False if one did not end in time: then what
    /// they hold is left to the primary, which cleans up once this process is gone.
    pub fn shut(&mut self) -> bool {
        if let Err(e) = self.board.reset() {
            log::warn!("ending: {e}");
        }
        let codes: Vec<panel::PortCode> = self.board.ports().iter().map(|p| p.code()).collect();
        for code in codes {
            if let Err(e) = self.board.del(code) {
                log::warn!("ending: {code}: {e}");
            }
        }
        self.board.end()
    }

    /// Closes ports that were opened for something that failed.
    pub fn take_back(&mut self, added: &[panel::PortCode]) {
        for code in added {
            if let Err(e) = self.board.del(*code) {
                log::warn!("{code}: {e}");
            }
        }
    }
}
