//! What the host has: hugepages, sockets with peers, its distribution.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, Result};

/// Where things of ours are kept: `$SPP_CACHE`, `$XDG_CACHE_HOME/spp`, `~/.cache/spp`.
pub fn cache() -> PathBuf {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("SPP_CACHE").unwrap_or_else(|| {
        let base = set("XDG_CACHE_HOME");
        base.unwrap_or_else(|| set("HOME").unwrap_or_else(|| "/tmp".into()).join(".cache"))
            .join("spp")
    })
}

/// Id and version of this host's distribution, such as `debian` and `12`.
pub fn distribution() -> (String, String) {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_matches('"').to_owned())
            .unwrap_or_default()
    };
    (field("ID="), field("VERSION_ID="))
}

/// The shared libraries that these files load, and the loader.
///
/// # Errors
/// One is missing, or there is no `ldd`.
pub fn libraries(files: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let output = Command::new("ldd")
        .args(files)
        .output()
        .map_err(|error| Error::io("run", Path::new("ldd"), error))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.contains("not found")) {
        return Err(Error::refused(format!(
            "a library of SPP's programs is missing on this host: {}",
            line.trim()
        )));
    }
    // `libx.so => /lib/libx.so (0x…)`, and the loader with its path alone.
    let path = |line: &str| {
        let word = match line.split_once("=>") {
            Some((_, after)) => after.split_whitespace().next(),
            None => line.split_whitespace().next(),
        };
        word.filter(|word| word.starts_with('/') && !word.ends_with(':'))
            .map(PathBuf::from)
    };
    Ok(text.lines().filter_map(path).collect())
}

/// Writes a file of ours unless it is there as it should be.
pub(crate) fn keep(path: &Path, text: &str) -> Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| Error::io("make", folder, error))?;
    }
    // Whole or not at all for whoever reads it meanwhile.
    let new = path.with_extension(format!("new{}", std::process::id()));
    std::fs::write(&new, text)
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(|error| Error::io("write", path, error))
}

/// The file with a list of system calls, for docker's command line; it is written unless it is there.
///
/// # Errors
/// It cannot be written.
pub fn profile(text: &str) -> Result<PathBuf> {
    let path = cache().join("container/seccomp.json");
    keep(&path, text)?;
    Ok(path)
}

/// Where the processes of a panel meet.
#[must_use]
pub fn runtime(prefix: &str) -> PathBuf {
    Path::new(crate::plan::RUNTIME).join(prefix)
}

/// Removes what a panel that nobody uses any more left: files in the mount of hugetlbfs, and its runtime folder. After an orderly
/// end there is nothing.
///
/// # Errors
/// Something cannot be removed.
pub fn sweep(prefix: &str, huge_dir: &Path) -> Result<()> {
    let gone = |outcome: std::io::Result<()>, path: &Path| match outcome {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("remove", path, error))
        }
        _ => Ok(()),
    };
    let start = format!("{prefix}map_");
    for entry in std::fs::read_dir(huge_dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&start) {
            gone(std::fs::remove_file(entry.path()), &entry.path())?;
        }
    }
    let folder = runtime(prefix);
    gone(std::fs::remove_dir_all(&folder), &folder)
}

/// Whether somebody is connected to this UNIX socket, by the kernel's table of sockets: one that was accepted has the
/// listener's path.
pub fn has_peer(table: &str, socket: &Path) -> bool {
    const CONNECTED: &str = "03";
    let path = socket.display().to_string();
    table.lines().skip(1).any(|line| {
        // Number, references, protocol, flags, type, state, inode, path.
        let mut fields = line.split_whitespace().skip(5);
        let state = fields.next();
        let named = fields.nth(1);
        state == Some(CONNECTED) && named == Some(path.as_str())
    })
}

/// The kernel's table of UNIX sockets.
pub fn unix_sockets() -> String {
    std::fs::read_to_string("/proc/net/unix").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_socket_has_a_peer_when_somebody_is_connected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sock1");
        let listener = UnixListener::bind(&path).unwrap();
        assert!(!has_peer(&unix_sockets(), &path));
        let peer = UnixStream::connect(&path).unwrap();
        let accepted = listener.accept().unwrap();
        assert!(has_peer(&unix_sockets(), &path));
        drop((peer, accepted));
        assert!(!has_peer(&unix_sockets(), &path));
    }

    #[test]
    fn a_file_is_kept_as_it_should_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.json");
        for text in ["one", "one", "two"] {
            keep(&path, text).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let left = std::fs::read_dir(folder.path().join("a")).unwrap().count();
        assert_eq!(left, 1);
    }
}
