//! The folder that docker builds an image from: Dockerfile, env.sh, and for SPP's own image the programs of this host with the
//! libraries and drivers that they use.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Target, envsh};
use crate::app::ENTRY;
use crate::{Error, Result, host};

/// The Dockerfile of a target, from packages and from a repository; pktgen is in no package.
fn template(target: Target, source: bool) -> &'static str {
    match (target, source) {
        (Target::Dpdk, false) => include_str!("../../images/dpdk/Dockerfile"),
        (Target::Dpdk, true) => include_str!("../../images/dpdk/Dockerfile.source"),
        (Target::Pktgen, _) => include_str!("../../images/pktgen/Dockerfile.source"),
        (Target::Spp, false) => include_str!("../../images/spp/Dockerfile"),
        (Target::Spp, true) => include_str!("../../images/spp/Dockerfile.source"),
        (Target::Suricata, false) => include_str!("../../images/suricata/Dockerfile"),
        (Target::Suricata, true) => include_str!("../../images/suricata/Dockerfile.source"),
    }
}

/// Programs of SPP that an image has. The lab, benches and tests have no place in it.
const PROGRAMS: [&str; 9] = [
    "spp",
    "spp-ctl",
    ENTRY,
    "spp-mirror",
    "spp-nfv",
    "spp-pcap",
    "spp-primary",
    "spp-traffic",
    "spp-vf",
];

/// A folder that an image is built from.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where it is.
    pub folder: PathBuf,
    pub(super) target: Target,
    pub(super) source: bool,
    pub(super) bin_dir: Option<PathBuf>,
}

impl Context {
    /// Its Dockerfile.
    pub fn dockerfile(&self) -> PathBuf {
        self.folder.join(match self.source {
            true => "Dockerfile.source",
            false => "Dockerfile",
        })
    }

    /// Writes env.sh; says where.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_envsh(&self) -> Result<PathBuf> {
        let path = self.folder.join("env.sh");
        host::keep(&path, &envsh(self.target))?;
        Ok(path)
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Something cannot be written, or a program or library is missing.
    pub fn write(&self) -> Result<()> {
        self.write_envsh()?;
        host::keep(&self.dockerfile(), template(self.target, self.source))?;
        match self.target {
            Target::Spp if !self.source => self.lay_out(),
            Target::Dpdk => {
                let place = self.folder.join(ENTRY);
                strip(&self.program(ENTRY)?, &place)
            }
            _ => Ok(()),
        }
    }

    /// A program of SPP on this host.
    fn program(&self, name: &str) -> Result<PathBuf> {
        let from = match &self.bin_dir {
            Some(folder) => folder.clone(),
            None => std::env::current_exe()
                .ok()
                .and_then(|exe| Some(exe.parent()?.to_owned()))
                .unwrap_or_default(),
        };
        let path = from.join(name);
        match path.is_file() {
            true => Ok(path),
            false => Err(Error::refused(format!(
                "{} is not there: build SPP (cargo build --release --workspace --bins), or name the folder with --bin-dir",
                path.display()
            ))),
        }
    }

    /// The programs of this host, their libraries and DPDK's drivers, as they will lie in the image.
    fn lay_out(&self) -> Result<()> {
        let root = self.folder.join("root");
        match std::fs::remove_dir_all(&root) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io("remove", &root, error)),
        }
        for folder in ["usr/local/bin", "run", "tmp", "etc", "var"] {
            make(&root.join(folder))?;
        }
        link(Path::new("../run"), &root.join("var/run"))?;
        let mut programs = Vec::new();
        for name in PROGRAMS {
            let path = self.program(name)?;
            let to = root.join("usr/local/bin").join(name);
            strip(&path, &to)?;
            let other = name.replace('-', "_");
            if other != name {
                link(Path::new(name), &root.join("usr/local/bin").join(other))?;
            }
            programs.push(path);
        }
        // Where these are links on the host (to usr/lib and usr/lib64) programs name their loader and libraries through them.
        for name in ["lib", "lib64", "bin"] {
            if let Ok(target) = std::fs::read_link(Path::new("/").join(name)) {
                link(&target, &root.join(name))?;
            }
        }
        let drivers = drivers(&programs)?;
        let mut files = host::libraries(&programs)?;
        files.extend(host::libraries(&drivers)?);
        files.extend(drivers);
        for file in &files {
            bring(file, &root)?;
        }
        if let Some(busybox) = shell() {
            bring(&busybox, &root)?;
            link(Path::new("busybox"), &root.join("usr/bin/sh"))?;
        }
        date(&root, epoch())
    }
}

/// Seconds since 1970 that files in an image have as their time: the same files make the same layer.
/// [`SOURCE_DATE_EPOCH`](https://reproducible-builds.org/specs/source-date-epoch/) says otherwise.
fn epoch() -> i64 {
    let said = std::env::var("SOURCE_DATE_EPOCH").ok();
    said.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Gives all below `folder`, and itself, this time; links, and not what they lead to.
fn date(folder: &Path, seconds: i64) -> Result<()> {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
    let time = Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    let read = |error| Error::io("read", folder, error);
    for entry in std::fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        match entry.file_type().map_err(read)?.is_dir() {
            true => date(&entry.path(), seconds)?,
            false => utimensat(CWD, entry.path(), &times, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|error| Error::io("date", &entry.path(), error.into()))?,
        }
    }
    utimensat(CWD, folder, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| Error::io("date", folder, error.into()))
}

fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Error::io("make", folder, error))
}

fn link(target: &Path, place: &Path) -> Result<()> {
    if let Some(folder) = place.parent() {
        make(folder)?;
    }
    std::os::unix::fs::symlink(target, place).map_err(|error| Error::io("link", place, error))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        make(folder)?;
    }
    std::fs::copy(from, to)
        .map(|_| ())
        .map_err(|error| Error::io("copy", from, error))
}

/// Copies a file to its place below `root`, and the links that lead to it as links: a driver that came twice, as two files
/// with its two names, would be loaded twice.
fn bring(file: &Path, root: &Path) -> Result<()> {
    let mut path = file.to_owned();
    // A chain of links is never as long.
    for _ in 0..40 {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            break;
        };
        let folder = folder
            .canonicalize()
            .map_err(|error| Error::io("find", folder, error))?;
        let place = root
            .join(folder.strip_prefix("/").unwrap_or(&folder))
            .join(name);
        if std::fs::symlink_metadata(&place).is_ok() {
            return Ok(());
        }
        let Ok(target) = std::fs::read_link(folder.join(name)) else {
            return copy(&folder.join(name), &place);
        };
        link(&target, &place)?;
        path = folder.join(target);
    }
    Err(Error::refused(format!(
        "{} is a link that leads nowhere",
        file.display()
    )))
}

/// Copies a program without what only debuggers want, if `strip` is there.
fn strip(from: &Path, to: &Path) -> Result<()> {
    let stripped = Command::new("strip").arg("-o").arg(to).arg(from).output();
    match stripped {
        Ok(output) if output.status.success() => Ok(()),
        _ => copy(from, to),
    }
}

/// A shell for who looks around in the image; it needs no library.
fn shell() -> Option<PathBuf> {
    let path = PathBuf::from("/bin/busybox");
    let needs = Command::new("ldd").arg(&path).output().ok()?;
    (!needs.status.success()).then_some(path)
}

/// DPDK's drivers, in a folder beside its libraries, and the links to them among the libraries: some are loaded by name.
fn drivers(programs: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let eal = host::libraries(programs)?
        .into_iter()
        .find(|path| path.to_string_lossy().contains("/librte_eal.so"));
    let libraries = eal.as_deref().and_then(Path::parent);
    let mut drivers = Vec::new();
    for version in libraries
        .iter()
        .flat_map(|folder| entries(&folder.join("dpdk")))
    {
        drivers.extend(entries(&version));
    }
    if drivers.is_empty() {
        return Err(Error::refused(
            "DPDK's drivers were not found beside its libraries (LIB/dpdk/pmds-*)",
        ));
    }
    let leads_there =
        |path: &PathBuf| std::fs::read_link(path).is_ok_and(|target| target.starts_with("dpdk"));
    let links = libraries.iter().flat_map(|folder| entries(folder));
    drivers.extend(links.filter(leads_there));
    Ok(drivers)
}

/// What is in a folder; nothing if it is not there.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn everything_has_the_time_that_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        make(&folder.path().join("a/b")).unwrap();
        std::fs::write(folder.path().join("a/b/file"), "text").unwrap();
        link(Path::new("/etc/passwd"), &folder.path().join("a/link")).unwrap();
        let before = std::fs::metadata("/etc/passwd").unwrap().mtime();
        date(folder.path(), 1_700_000_000).unwrap();
        for name in ["", "a", "a/b", "a/b/file", "a/link"] {
            let file = std::fs::symlink_metadata(folder.path().join(name)).unwrap();
            assert_eq!(file.mtime(), 1_700_000_000, "{name}");
        }
        assert_eq!(std::fs::metadata("/etc/passwd").unwrap().mtime(), before);
    }
}
