//! The host that is looked at.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::Finding;

/// No file of the kernel that is read here is longer.
const LONGEST: u64 = 4 << 20;

/// Where to look, and for what.
#[derive(Clone, Debug)]
pub struct Host {
    /// Below this are `/proc`, `/sys`, `/dev` and `/etc`.
    pub root: PathBuf,
    /// The folder with the runtime folders of all panels of this user; an error says why there is none.
    pub runtime: PathBuf,
    /// The panel that was named.
    pub file_prefix: Option<String>,
    /// The effective user.
    pub uid: u32,
    /// The version of DPDK that SPP was built with, or `unknown`.
    pub dpdk: String,
    /// One of SPP's programs that is linked with DPDK.
    pub program: PathBuf,
    /// The version of Landlock that the kernel says it has.
    pub landlock: Option<u32>,
    /// Remove what dead processes left.
    pub clean: bool,
}

impl Host {
    /// This host. `program`: one of SPP's that is linked with DPDK; `dpdk`: the version it was built with.
    ///
    /// # Errors
    /// The file prefix cannot be one.
    pub fn here(
        file_prefix: Option<String>,
        program: PathBuf,
        dpdk: &str,
    ) -> Result<Self, registry::folder::FolderError> {
        let prefix = file_prefix.as_deref().unwrap_or("spp");
        let runtime = registry::folder::runtime_dir(prefix)?;
        Ok(Self {
            root: "/".into(),
            runtime: runtime.parent().unwrap_or(&runtime).to_owned(),
            file_prefix,
            uid: sys::proc::effective_uid(),
            dpdk: dpdk.to_owned(),
            program,
            landlock: sys::landlock::version(),
            clean: false,
        })
    }

    /// Where a file of the kernel is.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file of the kernel as text, without blanks around it.
    pub(crate) fn read(&self, path: &str) -> io::Result<String> {
        text(&self.at(path))
    }

    /// Likewise; `None` if it cannot be read.
    pub(crate) fn word(&self, path: &str) -> Option<String> {
        self.read(path).ok()
    }

    /// Names in a folder of the kernel, in order; none if it cannot be read.
    pub(crate) fn list(&self, path: &str) -> Vec<String> {
        names(&self.at(path))
    }

    /// The word by which a command of ours is given as root.
    pub(crate) fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// That something cannot be seen.
    pub(crate) fn unseen(&self, name: &'static str, what: &str, error: &io::Error) -> Finding {
        let finding = Finding::warn(name, format!("{what} cannot be seen: {error}"));
        match error.kind() {
            io::ErrorKind::PermissionDenied if !self.is_root() => {
                finding.root(format!("spp doctor {name}"))
            }
            _ => finding,
        }
    }

    /// The user's name, or number.
    pub(crate) fn user(&self) -> String {
        let uid = self.uid.to_string();
        let passwd = self.word("/etc/passwd").unwrap_or_default();
        let entry = passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == uid).then(|| name.to_owned())
        });
        entry.unwrap_or(uid)
    }
}

/// How a Debian is told to start its kernel with these options, too.
pub(crate) fn boot_with(options: &str) -> String {
    format!(
        "mkdir -p /etc/default/grub.d && echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {options}\"' >> /etc/default/grub.d/spp.cfg && update-grub   # and reboot"
    )
}

/// A short file as text.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
}

/// The number that a file holds.
pub(crate) fn number(path: &Path) -> Option<u64> {
    text(path).ok()?.parse().ok()
}

/// Names in a folder, in order.
pub(crate) fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// The name of what a link points to.
pub(crate) fn link(path: &Path) -> Option<String> {
    let target = std::fs::read_link(path).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}
