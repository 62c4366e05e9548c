//! The runtime folder of a panel: where DPDK keeps what the processes of one file prefix share,
//! and in it our own sub-folder.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The longest file prefix.
pub const MAX_PREFIX: usize = 64;

/// Our folder inside DPDK's.
pub(crate) const SUBFOLDER: &str = "spp";

/// Why there is no runtime folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file prefix that cannot be a folder's name.
    #[error(
        "the file prefix '{0}' cannot be used: 1 to {MAX_PREFIX} of the characters \
         A-Z a-z 0-9 . _ - and neither '.' nor '..'"
    )]
    Prefix(String),
    /// The folder is not there: no primary of this file prefix has ever run here.
    #[error(
        "{0} does not exist: no primary of this file prefix has run here \
         (start spp-primary, or name its --file-prefix)"
    )]
    Missing(PathBuf),
    /// The folder belongs to somebody else, or others may write into it.
    #[error("{path} cannot be trusted: {reason} (remove it, or use another --file-prefix)")]
    Untrusted {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The kernel refused.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The kernel's reason.
        source: io::Error,
    },
}

impl FolderError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }
}

/// Where DPDK keeps the runtime files of this file prefix, by DPDK's own rule: below
/// `$RUNTIME_DIRECTORY` (systemd) if set, else `/var/run` for root, else `$XDG_RUNTIME_DIR` if
/// set, else `/tmp`; there in `dpdk/PREFIX`.
///
/// # Errors
/// [`FolderError::Prefix`].
pub fn runtime_dir(prefix: &str) -> Result<PathBuf, FolderError> {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    let root = sys::proc::real_uid() == 0;
    runtime_dir_of(
        prefix,
        root,
        named("RUNTIME_DIRECTORY"),
        named("XDG_RUNTIME_DIR"),
    )
}

fn runtime_dir_of(
    prefix: &str,
    root: bool,
    service: Option<PathBuf>,
    user: Option<PathBuf>,
) -> Result<PathBuf, FolderError> {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let fits = (1..=MAX_PREFIX).contains(&prefix.len());
    if !fits || !prefix.bytes().all(allowed) || prefix == "." || prefix == ".." {
        return Err(FolderError::Prefix(
            prefix.chars().take(MAX_PREFIX + 1).collect(),
        ));
    }
    let base = match (service, user) {
        (Some(service), _) => service,
        (None, _) if root => PathBuf::from("/var/run"),
        (None, Some(user)) => user,
        (None, None) => PathBuf::from("/tmp"),
    };
    Ok(base.join("dpdk").join(prefix))
}

/// Our folder of one panel, seen to be ours alone.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The primary's way: makes `spp` (mode 0700) in this runtime folder, and the runtime folder
    /// itself, unless they are there.
    ///
    /// # Errors
    /// It cannot be made, or is there but not ours alone.
    pub fn create(runtime_dir: &Path) -> Result<Self, FolderError> {
        let path = runtime_dir.join(SUBFOLDER);
        for above in path.ancestors().skip(1).take(2) {
            not_planted(above)?;
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(|e| FolderError::io("make the folder", &path, e))?;
        Self::trusted(path)
    }

    /// A secondary's way: opens what the primary made.
    ///
    /// # Errors
    /// [`FolderError::Missing`] if no primary made it; it is not ours alone.
    pub fn open(runtime_dir: &Path) -> Result<Self, FolderError> {
        Self::trusted(runtime_dir.join(SUBFOLDER))
    }

    fn trusted(path: PathBuf) -> Result<Self, FolderError> {
        // Where no folder of the system's is, DPDK's lies in one where everybody can make some.
        for above in path.ancestors().skip(1).take(2) {
            not_planted(above)?;
        }
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(e) if e.kind() == ErrorKind::NotFound => return Err(FolderError::Missing(path)),
            Err(e) => return Err(FolderError::io("examine", &path, e)),
        };
        let us = sys::proc::effective_uid();
        let reason = if !meta.is_dir() {
            "it is not a folder".to_owned()
        } else if meta.uid() != us && us != 0 {
            format!("it belongs to user {}, we are user {us}", meta.uid())
        } else if meta.mode() & 0o022 != 0 {
            format!("others may write into it (mode {:o})", meta.mode() & 0o777)
        } else {
            return Ok(Self { path });
        };
        Err(FolderError::Untrusted { path, reason })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// Checks that a folder, if it is there, is none that somebody else made or can replace: no link, not of another user, and if others
/// may write into it, not what is ours.
pub(crate) fn not_planted(path: &Path) -> Result<(), FolderError> {
    let Ok(meta) = fs::symlink_metadata(path) else {
        // Whoever opens it says why.
        return Ok(());
    };
    let us = sys::proc::effective_uid();
    let reason = if !meta.is_dir() {
        "it is not a folder".to_owned()
    } else if us != 0 && meta.uid() != us && meta.uid() != 0 {
        format!("it belongs to user {}, we are user {us}", meta.uid())
    } else if meta.mode() & 0o1002 == 0o002 {
        format!("others may write into it (mode {:o})", meta.mode() & 0o777)
    } else {
        return Ok(());
    };
    let path = path.to_owned();
    Err(FolderError::Untrusted { path, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_place_follows_dpdks_rule() {
        let of = |root, service: Option<&str>, user: Option<&str>| {
            runtime_dir_of("spp", root, service.map(Into::into), user.map(Into::into)).unwrap()
        };
        assert_eq!(
            of(true, None, Some("/run/user/0")),
            Path::new("/var/run/dpdk/spp")
        );
        assert_eq!(
            of(false, None, Some("/run/user/5")),
            Path::new("/run/user/5/dpdk/spp")
        );
        assert_eq!(of(false, None, None), Path::new("/tmp/dpdk/spp"));
        assert_eq!(
            of(true, Some("/run/svc"), None),
            Path::new("/run/svc/dpdk/spp")
        );
    }

    #[test]
    fn bad_prefixes_are_refused() {
        let long = "x".repeat(65);
        for bad in ["", ".", "..", "a/b", "../x", "a b", "ä", "a\n", "a*", &long] {
            assert!(
                matches!(runtime_dir(bad), Err(FolderError::Prefix(_))),
                "{bad}"
            );
        }
        for good in ["spp", "spp-1.2_x", "...", &"x".repeat(64)] {
            assert!(runtime_dir(good).unwrap().ends_with(good), "{good}");
        }
    }

    #[test]
    fn the_folder_is_made_private_and_found_again() {
        let base = tempfile::tempdir().unwrap();
        let runtime = base.path().join("dpdk/spp");
        assert!(matches!(
            Folder::open(&runtime),
            Err(FolderError::Missing(_))
        ));
        let made = Folder::create(&runtime).unwrap();
        for path in [made.path(), &runtime] {
            assert_eq!(
                fs::metadata(path).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
        assert_eq!(Folder::open(&runtime).unwrap().path(), made.path());
        Folder::create(&runtime).unwrap();
    }

    #[test]
    fn a_planted_folder_above_is_not_trusted() {
        let base = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let dpdk = base.path().join("dpdk");
        let refused = |runtime: &Path| {
            let told = Folder::create(runtime).unwrap_err().to_string();
            assert!(told.contains("cannot be trusted"), "{told}");
        };
        std::os::unix::fs::symlink(elsewhere.path(), &dpdk).unwrap();
        refused(&dpdk.join("spp"));
        fs::remove_file(&dpdk).unwrap();
        fs::create_dir(&dpdk).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dpdk.join("spp")).unwrap();
        refused(&dpdk.join("spp"));
        fs::remove_file(dpdk.join("spp")).unwrap();
        fs::set_permissions(&dpdk, fs::Permissions::from_mode(0o777)).unwrap();
        refused(&dpdk.join("spp"));
        fs::set_permissions(&dpdk, fs::Permissions::from_mode(0o755)).unwrap();
        Folder::create(&dpdk.join("spp")).unwrap();
    }

    #[test]
    fn a_folder_of_others_is_not_trusted() {
        let base = tempfile::tempdir().unwrap();
        let path = base.path().join("spp");
        fs::write(&path, "").unwrap();
        assert!(matches!(
            Folder::open(base.path()),
            Err(FolderError::Untrusted { .. })
        ));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/tmp", &path).unwrap();
        assert!(matches!(
            Folder::create(base.path()),
            Err(FolderError::Untrusted { .. })
        ));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o770)).unwrap();
        let error = Folder::open(base.path()).unwrap_err().to_string();
        assert!(error.contains("mode 770"), "{error}");
    }
}
