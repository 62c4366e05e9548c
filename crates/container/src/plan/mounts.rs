//! What a container sees of the host.

use std::path::{Path, PathBuf};

use super::{Mount, Planner, RUNTIME};
use crate::app::Role;
use crate::uid::Uid;
use crate::{Error, Result};

impl Planner<'_> {
    pub(super) fn sockets(&self, ports: &[Uid]) -> Vec<PathBuf> {
        let folder = self.vhost_dir();
        ports
            .iter()
            .filter_map(|port| port.socket(folder))
            .collect()
    }

    pub(super) fn vhost_dir(&self) -> &Path {
        Path::new(self.given.value("--vhost-dir").unwrap_or("/tmp"))
    }

    pub(super) fn mounts(
        &self,
        ports: &[Uid],
        prefix: Option<&str>,
        huge_dir: Option<&Path>,
    ) -> Result<Vec<Mount>> {
        let mut mounts = Vec::new();
        if let Some(folder) = huge_dir {
            mounts.push(Mount::new(folder.display().to_string(), "/dev/hugepages"));
        }
        let vhost_dir = self.vhost_dir().display().to_string();
        match (self.app.role, prefix) {
            // It makes the folder of its panel itself.
            (Role::Primary, _) => {
                mounts.push(Mount::new(RUNTIME, RUNTIME));
                mounts.push(Mount::new(&vhost_dir, &vhost_dir));
            }
            (Role::Secondary, Some(prefix)) => {
                let folder = format!("{RUNTIME}/{prefix}");
                mounts.push(Mount::new(&folder, &folder));
                mounts.push(Mount::new(&vhost_dir, &vhost_dir));
            }
            _ => {}
        }
        let of_option = self
            .given
            .value("--out-dir")
            .map(|dir| Mount::new(dir, dir));
        mounts.extend(of_option.filter(|mount| !mounts.contains(mount)));
        for text in self.app.mounts.iter().map(String::as_str) {
            mounts.push(volume(text)?);
        }
        for text in self.given.all("--volume") {
            mounts.push(volume(text)?);
        }
        if matches!(self.app.role, Role::Guest | Role::Plain) {
            for port in ports {
                if let (Some(host), Some(guest)) =
                    (port.socket(self.vhost_dir()), port.guest_socket())
                {
                    mounts.push(Mount::new(host.display().to_string(), guest));
                }
            }
        }
        Ok(mounts)
    }
}

/// What `-v` names.
fn volume(text: &str) -> Result<Mount> {
    match text.split_once(':') {
        Some((host, guest)) if host.starts_with('/') && guest.starts_with('/') => {
            Ok(Mount::new(host, guest))
        }
        _ => Err(Error::usage(format!(
            "-v {text}: write /HOST:/GUEST, or /HOST:/GUEST:ro"
        ))),
    }
}
