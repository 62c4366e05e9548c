//! The options of DPDK's EAL.

use super::Planner;
use crate::app::Role;
use crate::uid::{Kind, Uid};
use crate::{Error, Result};

impl Planner<'_> {
    /// EAL's options, in the original's order; those that the original does not have come before the devices.
    pub(super) fn eal(&self, ports: &[Uid], prefix: &str) -> Result<Vec<String>> {
        let given = self.given;
        let mut words = Vec::new();
        let mut add = |parts: &[&str]| words.extend(parts.iter().map(|part| (*part).to_owned()));
        let value = |name| given.value(name);
        match (
            value("--lcores"),
            value("--core-mask"),
            value("--core-list"),
        ) {
            (Some(map), _, _) => add(&["--lcores", map]),
            (None, Some(mask), _) => add(&["-c", mask]),
            (None, None, list) => add(&["-l", list.unwrap_or_default()]),
        }
        add(&["-n", value("--nof-memchan").unwrap_or_default()]);
        match value("--socket-mem") {
            Some(memory) => add(&["--socket-mem", memory]),
            None => add(&["-m", value("--mem").unwrap_or_default()]),
        }
        add(&[
            "--proc-type",
            match self.app.role {
                Role::Primary => "primary",
                Role::Secondary => "secondary",
                Role::Guest | Role::Plain => "auto",
            },
        ]);
        let (left, used): (Vec<_>, Vec<_>) = (
            given.all("--pci-blacklist").collect(),
            given.all("--pci-whitelist").collect(),
        );
        if !left.is_empty() && !used.is_empty() {
            return Err(Error::usage(
                "-b and -w cannot be given together: DPDK takes a list of devices to use, or one to leave alone",
            ));
        }
        if self.app.role == Role::Guest {
            match given.typed("--no-huge") {
                true => add(&["--no-huge"]),
                // Its memory goes when it goes, even if it is killed.
                false => add(&["--in-memory"]),
            }
            add(&["--no-telemetry"]);
            if left.is_empty() && used.is_empty() {
                add(&["--no-pci", "--iova-mode=va"]);
            }
        }
        if self.app.is_foreign_secondary() {
            add(&["--no-telemetry"]);
            if left.is_empty() && used.is_empty() {
                add(&["--no-pci"]);
            }
        }
        add(&self.app.eal.iter().map(String::as_str).collect::<Vec<_>>());
        let queues = given.number("--nof-queues")?.unwrap_or(1);
        for port in ports {
            let device = match self.app.role {
                Role::Primary => port.primary_device(self.vhost_dir()),
                _ => port.application_device(queues),
            };
            if self.app.role != Role::Secondary {
                add(&["--vdev", &device]);
            }
        }
        for device in given.all("--vdev") {
            add(&["--vdev", device]);
        }
        left.iter().for_each(|address| add(&["-b", address]));
        used.iter().for_each(|address| add(&["-a", address]));
        // Without it every page is a file, and vhost takes eight.
        let vhost = ports.iter().any(|port| port.kind == Kind::Vhost);
        let by_itself = self.app.role == Role::Guest && vhost && !given.typed("--no-huge");
        if by_itself || given.typed("--single-file-segments") {
            add(&["--single-file-segments"]);
        }
        add(&["--file-prefix", prefix]);
        Ok(words)
    }
}
