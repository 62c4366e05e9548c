//! What the engine tells of containers of ours, by their labels.

use bollard::models::ContainerSummary;

use crate::plan::label;

/// A container of SPP.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The beginning of its id.
    pub id: String,
    /// The application in it.
    pub app: String,
    /// Its image.
    pub image: String,
    /// It runs.
    pub running: bool,
    /// Since when, or how it ended, in the engine's words.
    pub status: String,
    /// Ports of the panel that it holds.
    pub ports: Vec<String>,
    /// Their sockets on the host.
    pub sockets: Vec<String>,
    /// Its CPUs.
    pub cpus: Vec<u32>,
    /// Of these the one with its main thread, if others may use it, too.
    pub main: Option<u32>,
    /// lcore ids of a process that is not SPP's, on the memory of a panel.
    pub lcore_ids: Vec<u32>,
    /// The process of a panel that it is: `nfv:1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Name of its memory.
    pub prefix: Option<String>,
    /// The folder of the network of `spp lab` that it is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lab: Option<String>,
}

impl Container {
    /// Which run of a panel's primary its memory is of, as that announces it; `None` if no primary does.
    #[must_use]
    pub fn panel(&self) -> Option<String> {
        let runtime = registry::folder::runtime_dir(self.prefix.as_deref()?).ok()?;
        let folder = registry::folder::Folder::open(&runtime).ok()?;
        Some(registry::announce::last(&folder)?.incarnation.to_string())
    }

    /// CPUs that it does not want to share.
    pub fn own_cpus(&self) -> impl Iterator<Item = u32> + '_ {
        let cpus = self.cpus.iter().copied();
        cpus.filter(|cpu| Some(*cpu) != self.main)
    }

    pub(super) fn of(summary: ContainerSummary) -> Self {
        let labels = summary.labels.unwrap_or_default();
        let list = |name: &str| -> Vec<String> {
            let text = labels.get(name).map(String::as_str).unwrap_or_default();
            let parts = text.split(',').filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        let numbers = |name: &str| -> Vec<u32> {
            let parts = list(name);
            parts.iter().filter_map(|part| part.parse().ok()).collect()
        };
        let names = summary.names.unwrap_or_default();
        let id = summary.id.unwrap_or_default();
        Self {
            name: names
                .first()
                .map(|name| name.trim_start_matches('/').to_owned())
                .unwrap_or_default(),
            id: id.chars().take(12).collect(),
            app: labels.get(label::APP).cloned().unwrap_or_default(),
            image: summary.image.unwrap_or_default(),
            running: summary
                .state
                .is_some_and(|state| state.to_string() == "running"),
            status: summary.status.unwrap_or_default(),
            ports: list(label::PORTS),
            sockets: list(label::SOCKETS),
            cpus: numbers(label::LCORES),
            main: numbers(label::MAIN).first().copied(),
            lcore_ids: numbers(label::LCORE_IDS),
            process: labels.get(label::PROCESS).cloned(),
            prefix: labels.get(label::PREFIX).cloned(),
            lab: labels.get(label::LAB).cloned(),
        }
    }
}
