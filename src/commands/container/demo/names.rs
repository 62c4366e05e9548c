//! Names, places and ports of a demo.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use container::engine::Engine;
use container::host;

use super::super::run;
use crate::failure::Failure;

/// Names, places and ports that nobody else has.
pub struct Names {
    /// What all names begin with; the panel's own name.
    pub(super) stem: String,
    /// Where the panel makes its sockets.
    pub(super) folder: PathBuf,
    /// Ports of the controller: for the primary, for secondaries, for REST.
    pub(super) ports: [u16; 3],
}

impl Names {
    /// Those of `stem`, or of one that nobody has.
    pub fn new(stem: Option<&str>, engine: &Engine) -> Result<Self, Failure> {
        let stem = match stem {
            Some(stem) => stem.to_owned(),
            None => format!("demo-{}", &run::unique()?[..6]),
        };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let begins = stem
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        if !begins || stem.len() > 32 || !stem.bytes().all(allowed) {
            return Err(Failure::usage(format!(
                "--name '{stem}': 1 to 32 of the characters A-Z a-z 0-9 . _ -, the first a letter or digit"
            )));
        }
        let start = format!("{stem}-");
        let all = engine.list(true)?;
        if let Some(there) = all.iter().find(|c| c.name.starts_with(&start)) {
            return Err(Failure::refused(format!(
                "there is a container {} already: give another --name, or end that one (spp container stop {})",
                there.name, there.name
            )));
        }
        let runtime = host::runtime(&stem);
        if runtime.exists() {
            return Err(Failure::refused(format!(
                "there is a panel {stem} already, or was ({} is there): give another --name",
                runtime.display()
            )));
        }
        let folder = PathBuf::from(format!("/tmp/spp-{stem}"));
        fs::create_dir(&folder).map_err(|error| {
            Failure::refused(format!(
                "cannot make {}: {error} (give another --name)",
                folder.display()
            ))
        })?;
        let ports = free_ports().inspect_err(|_| {
            // It is empty.
            let _ = fs::remove_dir(&folder);
        })?;
        Ok(Self {
            stem,
            folder,
            ports,
        })
    }
}

/// Three TCP ports of the loopback address on which nobody listens now.
fn free_ports() -> Result<[u16; 3], Failure> {
    let mut held = Vec::new();
    let mut ports = [0; 3];
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}
