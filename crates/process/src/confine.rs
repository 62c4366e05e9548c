//! What a process gives up, so that who breaks into it through a port gains little: capabilities and files before EAL starts
//! any thread, system calls when all is up.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use registry::announce::PanelInfo;
use sys::capabilities::Capability;
use sys::landlock::{Allowed, Strength};
use sys::owner::Owner;
use sys::seccomp::Sockets;

use crate::secondary::Options;

/// Of every process that may be confined.
#[derive(Args, Debug, Clone, Copy)]
pub struct Confining {
    /// Give up nothing: neither capabilities nor files nor system calls (to look for faults)
    #[arg(long, env = "SPP_NO_CONFINE")]
    no_confine: bool,
    /// Whose the sockets of vhost and memif ports are [default: the primary's option, else this process's user; mode 0600, with a
    /// group 0660]
    #[arg(long, value_name = "USER[:GROUP]", env = "SPP_VHOST_OWNER")]
    vhost_owner: Option<Owner>,
}

impl Confining {
    /// What the options say.
    pub fn confinement(&self) -> Confinement {
        Confinement {
            off: self.no_confine,
            owner: self.vhost_owner,
            files: Vec::new(),
        }
    }
}

/// How a process is to be confined.
#[derive(Debug, Clone, Default)]
pub struct Confinement {
    /// Not at all.
    pub off: bool,
    /// Whose its sockets are, if not its user's.
    pub owner: Option<Owner>,
    /// Files and folders beside the panel's that it writes.
    pub files: Vec<PathBuf>,
}

/// The host of an address that has to be looked up, if it is a name.
fn is_name(controller: &str) -> bool {
    let host = controller.rsplit_once(':').map_or(controller, |(h, _)| h);
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_err()
}

/// Where a secondary writes: what it shares with the panel, sockets, captures.
fn written(options: &Options, info: &PanelInfo, runtime: &Path) -> Vec<PathBuf> {
    let mounts = sys::hugepages::mounts().unwrap_or_default();
    let mut all: Vec<PathBuf> = mounts.into_iter().map(|m| m.path).collect();
    // The last process of a panel removes its folder.
    all.extend(runtime.parent().map(Path::to_owned));
    all.extend([info.vhost_dir.clone(), options.pcap_dir.clone()]);
    all.extend(options.confinement.files.iter().cloned());
    // The kernel writes a core file as who crashed.
    all.extend(sys::cores::folder());
    all
}

/// The capabilities that a secondary keeps.
fn kept(options: &Options, info: &PanelInfo, written: &[PathBuf], runtime: &Path) -> u64 {
    use Capability as C;
    let mut all = info.capabilities;
    let mut keep = |these: &[C]| these.iter().for_each(|c| all |= c.bit());
    if info.pci {
        keep(crate::capabilities::PCI);
    }
    // A socket that was given away is opened, replaced and removed by who is not its owner.
    if options.confinement.owner.or(info.vhost_owner).is_some() {
        keep(&[C::CHOWN, C::FOWNER, C::DAC_OVERRIDE]);
    }
    // The sockets of peers are theirs.
    let client = options.vhost_mode == protocol::command::VhostMode::Client;
    if client
        || written.iter().any(|p| sys::owner::is_foreign(p))
        || sys::owner::is_foreign(runtime)
    {
        keep(&[C::FOWNER, C::DAC_OVERRIDE]);
    }
    all
}

/// Gives up capabilities and files, for the calling thread and those that it will start: to be called before there are others.
/// What cannot be given up is said, and no reason not to start.
pub fn before_start(options: &Options, info: &PanelInfo, runtime: &Path) {
    if options.confinement.off {
        log::warn!("not confined (--no-confine): what breaks into this process has all its rights");
        return;
    }
    let mut allowed = Allowed {
        read: None,
        write: written(options, info, runtime),
        ..Allowed::default()
    };
    drop_capabilities(kept(options, info, &allowed.write, runtime));
    // Devices of the kernel; of these, permissions say who may do what. A thread is given its name through a file.
    allowed
        .write
        .extend(["/dev", "/proc/self/task"].map(PathBuf::from));
    if info.pci {
        allowed.write.push("/sys".into());
    }
    if let Some(address) = controller(options, info) {
        let port = address
            .rsplit_once(':')
            .and_then(|(_, p)| p.parse::<u16>().ok());
        allowed.connect.extend(port);
        // Long answers of name servers come by TCP.
        allowed.connect.extend(is_name(address).then_some(53));
    }
    match sys::landlock::restrict(&allowed) {
        Ok(Strength::Whole) => log::debug!("Landlock: only {:?} can be written", allowed.write),
        Ok(Strength::Part) => log::info!("Landlock: this kernel enforces a part of the rules"),
        Ok(Strength::None) => log::info!("this kernel has no Landlock: files are not confined"),
        Err(e) => log::warn!("files are not confined: {e}"),
    }
}

/// Keeps of the capabilities of the calling thread only these; says what cannot be done.
pub fn drop_capabilities(keep: u64) {
    match sys::capabilities::keep_only(keep) {
        Ok(left) => log::debug!("capabilities: {}", sys::capabilities::names(left)),
        Err(e) => log::warn!("capabilities are kept: {e}"),
    }
}

/// Where a secondary registers.
pub fn controller<'a>(options: &'a Options, info: &'a PanelInfo) -> Option<&'a str> {
    let own = options.controller.as_deref();
    own.or(info.controller_secondary.as_deref())
}

/// Gives up system calls, for the whole process: to be called when all that needs more is done.
pub fn after_start(options: &Options, info: &PanelInfo) {
    if options.confinement.off {
        return;
    }
    let names = controller(options, info).is_some_and(is_name);
    let sockets = if names {
        Sockets::TcpAndNames
    } else {
        Sockets::Tcp
    };
    match sys::seccomp::confine(sockets) {
        Ok(true) => {}
        Ok(false) => log::warn!("this kernel has no seccomp: system calls are not confined"),
        Err(e) => log::warn!("system calls are not confined: {e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_addresses() {
        for address in ["127.0.0.1:6666", "[::1]:6666", "10.0.0.1:1"] {
            assert!(!is_name(address), "{address}");
        }
        for name in ["localhost:6666", "panel.example:6666"] {
            assert!(is_name(name), "{name}");
        }
    }
}
