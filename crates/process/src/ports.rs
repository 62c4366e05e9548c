//! Opening ports by their names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dpdk::Ring;
use dpdk::ethdev::{EthDev, EthInfo};
use dpdk::vhost::{Mode, Vhost};
use panel::bell::Ringer;
use panel::memif::Memif;
use panel::pcap::Pcap;
use panel::port::Stay;
use panel::{Area, Port, PortCode, PortKind};
use protocol::command::VhostMode;
use protocol::port::PortName;
use sys::owner::{Owner, settle_socket};

use crate::Error;
use crate::devices::{
    PortInfo, is_runtime, refusal_in_secondary, runtime_name, tap_interface, virtual_port,
};

/// How often a secondary asks for a device of the primary.
const ATTACH_TRIES: u32 = 3;

/// What is needed to open a port.
pub struct Opener {
    /// The panel's shared memory.
    pub area: Area,
    /// Wakes workers.
    pub ringer: Ringer,
    /// Lcore ids of our workers.
    pub lcores: Vec<u32>,
    /// Rings of the panel.
    pub rings: u32,
    /// Where vhost sockets lie.
    pub vhost_dir: PathBuf,
    /// Whose the sockets are, if not this process's user's.
    pub vhost_owner: Option<Owner>,
    /// Where capture files lie.
    pub pcap_dir: PathBuf,
    /// How much of capture files another process has taken out that gives them to this one, by the numbers of their ports.
    pub go_on: BTreeMap<u16, u64>,
    /// Who makes a vhost socket unless the command says.
    pub vhost_mode: VhostMode,
    /// Physical ports.
    pub info: &'static PortInfo,
    /// Makes and removes virtual devices.
    pub plug: Plugger,
    /// Whether this process is a secondary, which cannot poll every device.
    pub secondary: bool,
}

/// The code of a port name; a queue is for physical ports only.
pub fn code(name: PortName) -> Result<PortCode, Error> {
    let kind = match name {
        PortName::Phy { .. } => PortKind::Phy,
        PortName::Ring(_) => PortKind::Ring,
        PortName::Vhost(_) => PortKind::Vhost,
        PortName::Pcap(_) => PortKind::Pcap,
        PortName::Nullpmd(_) => PortKind::Nullpmd,
        PortName::Tap(_) => PortKind::Tap,
        PortName::Memif(_) => PortKind::Memif,
    };
    let queue = name.queue().unwrap_or(0);
    let queue = u8::try_from(queue)
        .ok()
        .filter(|q| usize::from(*q) < panel::area::QUEUES);
    let queue = queue.ok_or_else(|| {
        Error::Refused(format!(
            "{name}: queues 0 to {} can be patched",
            panel::area::QUEUES - 1
        ))
    })?;
    Ok(PortCode::new(kind, name.number(), queue))
}

impl Opener {
    /// Name of a ring in shared memory.
    pub fn ring_name(number: u32) -> String {
        format!("eth_ring{number}")
    }

    /// Checks that `name` can be added here, opens it and gives it.
    pub fn open(&self, name: PortName, mode: Option<VhostMode>) -> Result<Port, Error> {
        if mode.is_some() && !matches!(name, PortName::Vhost(_)) {
            return Err(Error::Refused(format!(
                "{name} has no server or client mode: only vhost ports have"
            )));
        }
        let code = code(name)?;
        match name {
            PortName::Ring(n) => self.ring(code, n),
            PortName::Vhost(n) => self.vhost(code, n, mode.unwrap_or(self.vhost_mode)),
            PortName::Nullpmd(_) => Ok(Port::null(code)),
            PortName::Phy { .. } => Err(Error::Refused(format!(
                "{name} cannot be added: physical ports are there from the start of the primary (spp-primary --vdev … or a NIC)"
            ))),
            PortName::Tap(n) => self.virtual_device(code, name, n),
            PortName::Memif(n) => self.memif(code, n),
            PortName::Pcap(n) => {
                let file = |side: &str| self.pcap_dir.join(format!("spp-{side}{n}.pcap"));
                let (rx, tx) = (file("rx"), file("tx"));
                let files = match self.go_on.get(&n) {
                    Some(taken) => Pcap::go_on(&rx, &tx, *taken),
                    None => Pcap::open(&rx, &tx),
                };
                let files = files.map_err(|e| Error::Refused(e.to_string()))?;
                Ok(Port::pcap(code, files))
            }
        }
    }

    /// A port as [`Opener::open`] gives it, or a physical one, which is there.
    ///
    /// # Errors
    /// It cannot be opened, there is none of this name, or a worker of this process may not poll it.
    pub fn take(&self, name: PortName) -> Result<Port, Error> {
        self.may_poll(name)?;
        if !matches!(name, PortName::Phy { .. }) {
            return self.open(name, None);
        }
        let wanted = code(name)?;
        let mut there = self.physical();
        let found = there.iter().position(|port| port.code() == wanted);
        found.map(|at| there.swap_remove(at)).ok_or_else(|| {
            let names: Vec<String> = there.iter().map(|port| port.code().to_string()).collect();
            let names = match names.is_empty() {
                true => "no physical ports".to_owned(),
                false => names.join(", "),
            };
            Error::Refused(format!(
                "{name} does not exist: this primary has {names} (start it with a NIC or --vdev …)"
            ))
        })
    }

    /// All ports that are there without being added: physical ports and virtual devices of the primary.
    pub fn present(&self) -> Vec<Port> {
        let mut ports = self.physical();
        for (kind, number, device, info) in virtual_devices() {
            let Some(ends) = self.area.queue_ends(device.port(), 0) else {
                continue;
            };
            ports.push(Port::device(
                PortCode::new(kind, number, 0),
                device,
                &info,
                self.stay(&info),
                0,
                ends,
            ));
        }
        ports
    }

    /// Each queue of each physical port.
    fn physical(&self) -> Vec<Port> {
        let mut ports = Vec::new();
        for phy in self.info.phys() {
            let Ok(info) = phy.device.info() else {
                continue;
            };
            for queue in 0..phy.rx_queues.max(phy.tx_queues).max(1) {
                let Some(ends) = self.area.queue_ends(phy.device.port(), queue) else {
                    continue;
                };
                let code = PortCode::new(PortKind::Phy, phy.number, queue as u8);
                ports.push(Port::device(
                    code,
                    phy.device,
                    &info,
                    Stay::Lasting,
                    queue,
                    ends,
                ));
            }
        }
        ports
    }

    /// Checks that a worker of this process may poll the port; all but some devices can be.
    pub fn may_poll(&self, name: PortName) -> Result<(), Error> {
        if !self.secondary {
            return Ok(());
        }
        let device = match name {
            PortName::Phy { port, .. } => {
                let phys = self.info.phys();
                phys.into_iter()
                    .find(|p| p.number == port)
                    .map(|p| p.device)
            }
            PortName::Tap(number) | PortName::Memif(number) => {
                let kind = code(name)?.kind();
                let found = virtual_devices()
                    .into_iter()
                    .find(|(k, n, ..)| *k == kind && *n == number);
                found.map(|(_, _, device, _)| device)
            }
            _ => None,
        };
        // That there is no such device is the board's to say.
        let reason = match device {
            Some(device) => refusal_in_secondary(&device.info()?),
            None => None,
        };
        reason.map_or(Ok(()), |why| Err(Error::Refused(format!("{name}: {why}"))))
    }

    fn ring(&self, code: PortCode, n: u16) -> Result<Port, Error> {
        if u32::from(n) >= self.rings {
            return Err(Error::Refused(format!(
                "ring:{n} does not exist: this primary has ring:0..ring:{} (start it with --rings N)",
                self.rings.saturating_sub(1)
            )));
        }
        let ring = Ring::lookup(&Self::ring_name(u32::from(n)))?;
        let ends = self.area.ring_ends(n).ok_or_else(|| {
            Error::Refused(format!(
                "ring:{n} is beyond the {} rings that a panel can have",
                panel::area::RINGS
            ))
        })?;
        Ok(Port::ring(code, ring, ends))
    }

    fn vhost(&self, code: PortCode, n: u16, mode: VhostMode) -> Result<Port, Error> {
        let path = self.vhost_dir.join(format!("sock{n}"));
        let path = path.to_str().ok_or_else(|| {
            Error::Refused(format!(
                "the vhost folder {} is not valid UTF-8",
                self.vhost_dir.display()
            ))
        })?;
        if mode == VhostMode::Server {
            clear_stale_socket(Path::new(path))?;
        }
        let side = match mode {
            VhostMode::Server => Mode::Server,
            VhostMode::Client => Mode::Client,
        };
        let vhost = Vhost::open(path, side, self.waker())?;
        if mode == VhostMode::Server {
            settle_socket(Path::new(path), self.vhost_owner)?;
        }
        Ok(Port::vhost(code, vhost))
    }

    fn memif(&self, code: PortCode, n: u16) -> Result<Port, Error> {
        let path = self.vhost_dir.join(format!("memif{n}"));
        clear_stale_socket(&path)?;
        let memif = Memif::open(&path, self.waker())?;
        settle_socket(&path, self.vhost_owner)?;
        Ok(Port::memif(code, memif))
    }

    /// Wakes our workers when a peer has come.
    fn waker(&self) -> Box<dyn Fn() + Send + Sync> {
        let (ringer, lcores) = (self.ringer.clone(), self.lcores.clone());
        Box::new(move || lcores.iter().for_each(|l| ringer.ring(*l)))
    }

    fn virtual_device(&self, code: PortCode, name: PortName, number: u16) -> Result<Port, Error> {
        let find = || {
            let all = virtual_devices().into_iter();
            all.rev()
                .find(|(kind, n, ..)| *kind == code.kind() && *n == number)
        };
        if find().is_none() {
            (self.plug)(Plug::In, name)?;
            if let (true, Some(device)) = (self.secondary, runtime_name(name)) {
                self.attach(name, &device)?;
            }
        }
        let found = find();
        let Some((_, _, device, info)) = found else {
            return Err(Error::Refused(format!(
                "{name} was made by the primary and is not seen here: start this process again"
            )));
        };
        let ends = self.area.queue_ends(device.port(), 0).ok_or_else(|| {
            Error::Refused(format!(
                "{name} is beyond the {} devices that a panel can have",
                panel::area::DEVICES
            ))
        })?;
        Ok(Port::device(code, device, &info, self.stay(&info), 0, ends))
    }

    /// Attaches to what the primary has made. A busy machine may miss the second that DPDK gives the primary
    /// to hand over the queues.
    fn attach(&self, name: PortName, device: &str) -> Result<(), Error> {
        let mut tries = (1..=ATTACH_TRIES).map(|_| EthDev::attach(device, ""));
        if tries.any(|attached| attached.is_ok()) {
            return Ok(());
        }
        if let Err(e) = (self.plug)(Plug::Out, name) {
            log::warn!("{name}: {e}");
        }
        Err(Error::Refused(format!(
            "{name}: the primary made {device} but did not hand over its queues in {ATTACH_TRIES} tries of a second: add it again when the machine is less busy"
        )))
    }

    fn stay(&self, info: &EthInfo) -> Stay {
        match (is_runtime(info), self.secondary) {
            (false, _) => Stay::Lasting,
            (true, false) => Stay::Ours,
            (true, true) => Stay::Attached {
                interface: tap_interface(info),
            },
        }
    }

    /// Has the device of a tap port removed that was added while the panel ran.
    pub fn remove(&self, name: PortName) -> Result<(), Error> {
        (self.plug)(Plug::Out, name)
    }
}

/// What is asked of the primary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plug {
    /// Make the device of a port.
    In,
    /// Remove it.
    Out,
}

impl Plug {
    /// The command for the primary's desk.
    pub fn command(self, port: PortName) -> String {
        format!(
            "{} {port}",
            if self == Plug::In { "_plug" } else { "_unplug" }
        )
    }

    /// The reverse of [`Plug::command`]; `None` for any other command.
    pub fn parse(text: &str) -> Option<(Plug, &str)> {
        match text.split_once(' ')? {
            ("_plug", port) => Some((Plug::In, port)),
            ("_unplug", port) => Some((Plug::Out, port)),
            _ => None,
        }
    }
}

/// Has the primary make or remove a device.
pub type Plugger = Box<dyn Fn(Plug, PortName) -> Result<(), Error> + Send>;

fn virtual_devices() -> Vec<(PortKind, u16, EthDev, EthInfo)> {
    let of = |device: EthDev| {
        let info = device.info().ok()?;
        let (kind, number) = virtual_port(&info)?;
        Some((kind, number, device, info))
    };
    EthDev::all().into_iter().filter_map(of).collect()
}

/// What connecting to a living socket of another type gives (EPROTOTYPE).
const WRONG_KIND: i32 = 91;

/// Removes the socket of a server that is dead. A living one, and anything that is no socket, is left alone.
fn clear_stale_socket(path: &Path) -> Result<(), Error> {
    use std::io::ErrorKind;
    use std::os::unix::fs::FileTypeExt;
    let shown = path.display();
    let refused = |words: String| Err(Error::Refused(words));
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        Err(e) => return refused(format!("{shown} cannot be examined: {e}")),
        Ok(meta) if !meta.file_type().is_socket() => {
            return refused(format!(
                "{shown} exists and is no socket: remove it, or choose another --vhost-dir"
            ));
        }
        Ok(_) => {}
    }
    match std::os::unix::net::UnixStream::connect(path) {
        // Of the other kind, vhost's or memif's, and served as well.
        Err(e) if e.raw_os_error() == Some(WRONG_KIND) => refused(format!(
            "the socket {shown} is served by another process: end it, or choose another number"
        )),
        Ok(_) => refused(format!(
            "the socket {shown} is served by another process: end it, or choose another number"
        )),
        Err(e) if e.kind() == ErrorKind::ConnectionRefused => match std::fs::remove_file(path) {
            Ok(()) => Ok(()),
            Err(e) => refused(format!("the stale socket {shown} cannot be removed: {e}")),
        },
        Err(e) => refused(format!("the socket {shown} cannot be examined: {e}")),
    }
}
