//! The folder in which DPDK keeps what processes share beside hugepages.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use registry::folder::{Folder, FolderError};
use registry::needs::RUNTIME_KILOBYTES;
use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};

use crate::finding::size;
use crate::{Finding, Host};

const NAME: &str = "runtime";
/// So many processes want to have room.
const PROCESSES: u64 = 16;
/// A process makes some two dozen files.
const INODES: u64 = 1024;

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let base = &host.runtime;
    let shown = base.display();
    // What is there above it, if it is not there itself.
    let Some(there) = base.ancestors().find(|path| path.exists()) else {
        return vec![Finding::fail(
            NAME,
            format!("{shown}: nothing of this path exists"),
        )];
    };
    let mut findings = vec![place(host, there)];
    let prefix = host.file_prefix.as_deref().unwrap_or("spp");
    match Folder::open(&base.join(prefix)) {
        Err(error @ FolderError::Untrusted { .. }) => {
            let FolderError::Untrusted { path, .. } = &error else {
                return findings;
            };
            let remedy = format!("ls -ld {}", path.display());
            findings.push(Finding::fail(NAME, error.to_string()).remedy(remedy));
        }
        Err(FolderError::Io { path, source, .. }) => {
            findings.push(host.unseen(NAME, &path.display().to_string(), &source));
        }
        Ok(_) | Err(_) => {}
    }
    findings.push(room(there));
    findings
}

/// Whether a panel can make its folder.
fn place(host: &Host, there: &Path) -> Finding {
    let base = &host.runtime;
    let rights = Access::WRITE_OK | Access::EXEC_OK;
    let writable = accessat(CWD, there, rights, AtFlags::EACCESS).is_ok() && there.is_dir();
    let mode = match std::fs::metadata(there) {
        Ok(meta) => format!("user {}, mode {:04o}", meta.uid(), meta.mode() & 0o7777),
        Err(error) => error.to_string(),
    };
    let exists = there == base;
    let found = match (exists, writable) {
        (true, _) => format!("{}: {mode}", base.display()),
        (false, true) => format!("{} is made by the first panel", base.display()),
        (false, false) => format!(
            "{} cannot be made in {} ({mode})",
            base.display(),
            there.display()
        ),
    };
    let finding = match writable {
        true => Finding::ok(NAME, found),
        false if exists => Finding::fail(
            NAME,
            format!("{found}, cannot be written by user {}", host.user()),
        ),
        false => Finding::fail(NAME, found),
    };
    let finding = finding
        .with("path", base.display().to_string())
        .with("exists", exists)
        .with("writable", writable);
    match (writable, host.is_root()) {
        (true, _) => finding,
        (false, true) => finding.root(format!("ls -ld {}", there.display())),
        (false, false) => {
            finding.root(format!("scripts/setup.sh --runtime --user {}", host.user()))
        }
    }
}

/// Bytes and files that still fit.
fn room(there: &Path) -> Finding {
    let shown = there.display();
    let stat = match statvfs(there) {
        Ok(stat) => stat,
        Err(error) => {
            return Finding::warn(NAME, format!("the room in {shown} cannot be seen: {error}"));
        }
    };
    let bytes = stat.f_bavail.saturating_mul(stat.f_frsize);
    // Some file systems count no files.
    let files = (stat.f_files > 0).then_some(stat.f_favail);
    judge(&shown.to_string(), bytes, files)
}

fn judge(shown: &str, bytes: u64, files: Option<u64>) -> Finding {
    let process = RUNTIME_KILOBYTES << 10;
    let free = size(bytes);
    let finding = if bytes < process {
        Finding::fail(
            NAME,
            format!(
                "{free} are free in {shown}: a process does not start with less than {}",
                size(process)
            ),
        )
    } else if bytes < process * PROCESSES {
        let enough = bytes / process;
        Finding::warn(
            NAME,
            format!("{free} are free in {shown}: room for {enough} processes"),
        )
    } else if let Some(files) = files.filter(|files| *files < INODES) {
        Finding::warn(
            NAME,
            format!("{files} more files fit into {shown}: a process makes some twenty"),
        )
    } else {
        let files = files.map_or_else(String::new, |files| format!(", for {files} files"));
        Finding::ok(NAME, format!("{free} are free in {shown}{files}"))
    };
    let finding = finding.with("free", bytes).with("free-files", files);
    match finding.state {
        crate::State::Ok => finding,
        _ => finding.remedy(format!("df -h -i {shown}; du -sh {shown}/*")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, about, all_ok};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_folder_that_is_there_or_can_be_made_is_good() {
        let made = Made::new();
        let found = check(&made.host);
        about(&found, "is made by the first panel");
        all_ok(&found);
        made.folder("/run/dpdk");
        let found = check(&made.host);
        about(&found, "run/dpdk: user");
        all_ok(&found);
    }

    #[test]
    fn a_folder_that_others_can_write_to_is_not() {
        let made = Made::new();
        made.folder("/run/dpdk/spp");
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(&made.host.runtime, open).unwrap();
        let found = check(&made.host);
        assert_eq!(about(&found, "cannot be trusted").state, State::Fail);
        let made = Made::new();
        made.file("/run/dpdk", "a file");
        assert_eq!(check(&made.host)[0].state, State::Fail);
    }

    #[test]
    fn room_is_judged_by_what_processes_need() {
        for (bytes, files, state) in [
            (0, None, State::Fail),
            (4 << 20, None, State::Warn),
            (1 << 30, Some(3), State::Warn),
            (1 << 30, None, State::Ok),
            (u64::MAX, Some(u64::MAX), State::Ok),
        ] {
            assert_eq!(
                judge("/run", bytes, files).state,
                state,
                "{bytes} {files:?}"
            );
        }
    }
}
