//! What a controller gives up: it runs no program, makes no new connection, and has the files that it is told of.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sys::capabilities::Capability;
use sys::landlock::{Allowed, Strength};
use sys::seccomp::Sockets;

use crate::Config;

/// Gives up capabilities and files beside those of `config` and `token`, for the calling thread and those that it will start: to be
/// called when its ports are open, before it serves. What cannot be given up is said, and no reason not to start.
pub fn before_serving(config: &Config, token: Option<&Path>) {
    let tls = config.tls.iter().flat_map(|t| [&t.certificate, &t.key]);
    let mut read: Vec<PathBuf> = tls.cloned().chain(token.map(Path::to_owned)).collect();
    let mut write: Vec<PathBuf> = config.state.iter().cloned().collect();
    // The kernel writes a core file as who crashed.
    write.extend(sys::cores::folder());
    // A rule is for a folder that is there; why one cannot be made is said by who opens it.
    for folder in &write {
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    }
    let mut keep = 0;
    if read.iter().chain(&write).any(|p| sys::owner::is_foreign(p)) {
        keep |= Capability::DAC_OVERRIDE.bit();
    }
    match sys::capabilities::keep_only(keep) {
        Ok(left) => log::debug!("capabilities: {}", sys::capabilities::names(left)),
        Err(e) => log::warn!("capabilities are kept: {e}"),
    }
    // What this process is, and the machine's CPUs.
    read.extend(["/proc/self".into(), config.cpu_dir.clone()]);
    let allowed = Allowed {
        read: Some(read),
        write,
        connect: Vec::new(),
        bind: Vec::new(),
    };
    match sys::landlock::restrict(&allowed) {
        Ok(Strength::Whole) => log::debug!("Landlock: {allowed:?}"),
        Ok(Strength::Part) => log::info!("Landlock: this kernel enforces a part of the rules"),
        Ok(Strength::None) => log::info!("this kernel has no Landlock: files are not confined"),
        Err(e) => log::warn!("files are not confined: {e}"),
    }
}

/// Gives up system calls, for the whole process: to be called when the controller serves.
pub fn when_serving() {
    match sys::seccomp::confine(Sockets::None) {
        Ok(true) => {}
        Ok(false) => log::warn!("this kernel has no seccomp: system calls are not confined"),
        Err(e) => log::warn!("system calls are not confined: {e}"),
    }
}
