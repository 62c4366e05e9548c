//! Giving up files and TCP ports (`landlock(7)`), for the calling thread and those that it starts.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::{Error, Result, outside};

/// The newest rights that are asked for; of those that the kernel does not know, nothing is restricted.
const NEWEST: ABI = ABI::V6;

/// What is still allowed.
#[derive(Clone, Debug, Default)]
pub struct Allowed {
    /// Files and folders that may be read, with all that is in them; `None`: everything.
    pub read: Option<Vec<PathBuf>>,
    /// Folders in which files may be made, written and removed; read, too. Those that do not exist are left out.
    pub write: Vec<PathBuf>,
    /// TCP ports to connect to.
    pub connect: Vec<u16>,
    /// TCP ports to bind; 0 stands for those that the kernel chooses.
    pub bind: Vec<u16>,
}

/// How much of it the kernel enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// All.
    Whole,
    /// What it knows of it.
    Part,
    /// Nothing: it has no Landlock.
    None,
}

/// The version of Landlock that the kernel has and has switched on; `None` if it has none.
#[must_use]
pub fn version() -> Option<u32> {
    u32::try_from(ask_version())
        .ok()
        .filter(|version| *version > 0)
}

/// The version, or -1 with an error of the system.
fn ask_version() -> i64 {
    /// `LANDLOCK_CREATE_RULESET_VERSION`
    const ASK: u32 = 1;
    // SAFETY: asked for the version, the call reads no memory and makes nothing.
    unsafe {
        nix::libc::syscall(
            nix::libc::SYS_landlock_create_ruleset,
            std::ptr::null::<u8>(),
            0usize,
            ASK,
        )
    }
}

/// Restricts the calling thread to what is `allowed`. It may no longer signal processes that are not restricted with it, nor reach
/// their abstract sockets, unless its supervisor listens on one.
///
/// # Errors
/// Whoever started this process does not let it confine itself, or the kernel refuses what it says it knows.
pub fn restrict(allowed: &Allowed) -> Result<Strength> {
    if ask_version() < 0 {
        outside::absent("landlock_create_ruleset")?;
        return Ok(Strength::None);
    }
    let restricted = rules(allowed)
        .map_err(|e| Error::call("confine this process by Landlock", std::io::Error::other(e)))?;
    Ok(match restricted {
        RulesetStatus::FullyEnforced => Strength::Whole,
        RulesetStatus::PartiallyEnforced => Strength::Part,
        RulesetStatus::NotEnforced => Strength::None,
    })
}

fn rules(allowed: &Allowed) -> std::result::Result<RulesetStatus, RulesetError> {
    let reading = AccessFs::from_read(NEWEST);
    let everything = AccessFs::from_all(NEWEST);
    let files = match allowed.read {
        Some(_) => everything,
        None => AccessFs::from_write(NEWEST),
    };
    let supervisor = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
    let scopes = match supervisor.as_encoded_bytes().first() {
        Some(b'@') => Scope::Signal.into(),
        _ => Scope::from_all(NEWEST),
    };
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(files)?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(scopes)?
        .create()?;
    if let Some(read) = &allowed.read {
        ruleset = ruleset.add_rules(path_beneath_rules(read, reading))?;
    }
    ruleset = ruleset.add_rules(path_beneath_rules(&allowed.write, files))?;
    for (ports, access) in [
        (&allowed.connect, AccessNet::ConnectTcp),
        (&allowed.bind, AccessNet::BindTcp),
    ] {
        for port in ports {
            ruleset = ruleset.add_rule(NetPort::new(*port, access))?;
        }
    }
    Ok(ruleset.restrict_self()?.ruleset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::ErrorKind;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_thread_has_only_what_it_is_allowed() {
        let (ours, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(other.path().join("secret"), "x").unwrap();
        let [good, bad] = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
        let port = |l: &TcpListener| l.local_addr().unwrap().port();
        let allowed = Allowed {
            read: Some(vec!["/proc/self/status".into(), "/no/such/file".into()]),
            write: vec![ours.path().into()],
            connect: vec![port(&good)],
            bind: vec![],
        };
        let (good, bad) = (port(&good), port(&bad));
        let (inside, outside) = (ours.path().to_owned(), other.path().to_owned());
        std::thread::spawn(move || {
            if restrict(&allowed).unwrap() != Strength::Whole {
                println!("skipped: this kernel has no Landlock, or an old one");
                return;
            }
            let refused = |result: std::io::Result<()>| {
                let kind = result.map_err(|e| e.kind());
                assert_eq!(kind, Err(ErrorKind::PermissionDenied));
            };
            fs::write(inside.join("file"), "y").unwrap();
            fs::rename(inside.join("file"), inside.join("file2")).unwrap();
            fs::remove_file(inside.join("file2")).unwrap();
            refused(fs::write(outside.join("file"), "y"));
            refused(fs::read(outside.join("secret")).map(drop));
            refused(fs::remove_file(outside.join("secret")));
            refused(TcpStream::connect(("127.0.0.1", bad)).map(drop));
            refused(TcpListener::bind(("127.0.0.1", 0)).map(drop));
            TcpStream::connect(("127.0.0.1", good)).unwrap();
        })
        .join()
        .unwrap();
        assert_eq!(fs::read(other.path().join("secret")).unwrap(), b"x");
    }
}
