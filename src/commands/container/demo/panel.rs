//! The panel of a demo, and the generator of its packets.

use std::path::Path;

use super::stage::Stage;
use crate::failure::Failure;

impl Stage<'_, '_> {
    /// Starts the controller and the primary, and waits until they know each other.
    pub fn panel(&mut self, rings: u32) -> Result<(), Failure> {
        self.step("The panel: its controller and its primary")?;
        let [primary, secondary, rest] = self.names.ports.map(|port| port.to_string());
        self.start(
            "spp-ctl",
            "ctl",
            &[
                "--primary-port",
                &primary,
                "--secondary-port",
                &secondary,
                "--api-port",
                &rest,
            ],
            false,
        )?;
        let memory = self.settings.memory.to_string();
        let node = self.layout.as_ref().and_then(|layout| layout.node);
        // On the node where the workers are.
        let memory = match node {
            Some(node) => [
                "--socket-mem".to_owned(),
                format!("{}{memory}", "0,".repeat(node as usize)),
            ],
            None => ["-m".to_owned(), memory],
        };
        let (rings, common) = (rings.to_string(), self.common());
        let mut words = vec![
            "-p",
            "0x1",
            "--vdev",
            "net_null0",
            "-n",
            &rings,
            "--ctl-port",
            &primary,
        ];
        words.extend(memory.iter().map(String::as_str));
        words.extend(common.iter().map(String::as_str));
        self.start("spp-primary", "primary", &words, false)?;
        self.command("wait pri")
    }

    /// Options of every process of the panel.
    pub(super) fn common(&self) -> [String; 6] {
        [
            "--file-prefix",
            &self.names.stem,
            "--vhost-dir",
            &self.folder().display().to_string(),
            "--huge-dir",
            &self.settings.huge_dir.display().to_string(),
        ]
        .map(str::to_owned)
    }

    /// Where the panel's sockets are.
    pub fn folder(&self) -> &Path {
        &self.names.folder
    }

    /// Starts nfv processes, and patches each from its first port to its second.
    pub fn workers(&mut self, patches: &[(&str, &str)]) -> Result<(), Failure> {
        self.step(&format!("{} nfv processes in containers", patches.len()))?;
        let port = self.names.ports[1].to_string();
        let common = self.common();
        for id in 1..=patches.len() {
            let id = id.to_string();
            let mut words = vec!["-i", &id, "--ctl-port", &port];
            words.extend(common.iter().map(String::as_str));
            self.start("spp-nfv", &format!("nfv{id}"), &words, false)?;
            self.command(&format!("wait nfv {id}"))?;
        }
        self.step("Ports and patches")?;
        for (id, (source, destination)) in (1..).zip(patches) {
            for line in [
                format!("add {source}"),
                format!("add {destination}"),
                format!("patch {source} {destination}"),
                "forward".to_owned(),
            ] {
                self.command(&format!("nfv {id} {line}"))?;
            }
        }
        Ok(())
    }

    /// Starts spp-traffic in a container.
    pub fn traffic(&mut self, name: &str, own: &[&str], rest: &[&str]) -> Result<String, Failure> {
        let (common, buffers) = (self.common(), self.settings.buffers.to_string());
        let mut words = own.to_vec();
        words.extend(["--show-buffers", &buffers]);
        words.extend(common.iter().map(String::as_str));
        words.extend(["--", "--json"]);
        words.extend(rest);
        self.start("spp-traffic", name, &words, true)
    }
}
