//! How a panel is to be started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::machine::{self, TempDir};
use crate::{Panel, huge};

/// How a panel is to be started. Made by [`Panel::builder`].
#[derive(Debug, Clone, Default)]
pub struct Builder {
    pub(super) primary: Vec<String>,
    pub(super) nfvs: BTreeMap<u32, Nfv>,
    pub(super) env: Vec<(String, String)>,
    pages: Option<u64>,
    pub(super) vhost_folder: Option<String>,
    pub(super) bin_dir: Option<PathBuf>,
    pub(super) keeps_state: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Nfv {
    /// Another program than `spp-nfv`.
    pub(super) bin: Option<&'static str>,
    pub(super) args: Vec<String>,
    pub(super) cpu: Option<u32>,
}

impl Builder {
    /// More arguments for the primary.
    pub fn primary_args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.primary.extend(args.into_iter().map(Into::into));
        self
    }

    /// The primary's memory in megabytes (what it takes by itself, 512, if not said).
    pub fn memory(mut self, megabytes: u64) -> Self {
        self.pages = Some(megabytes / 2);
        self.primary_args(["--memory".to_owned(), megabytes.to_string()])
    }

    /// The vhost sockets are made in a folder of this name, inside the panel's own.
    pub fn vhost_folder(mut self, name: &str) -> Self {
        self.vhost_folder = Some(name.to_owned());
        self
    }

    /// A worker process with this id.
    pub fn nfv(mut self, id: u32) -> Self {
        self.nfvs.entry(id).or_default();
        self
    }

    /// A worker process with this id that has components. Whatever is said of worker processes holds for it, too.
    pub fn vf(mut self, id: u32) -> Self {
        self.nfvs.entry(id).or_default().bin = Some("spp-vf");
        self
    }

    /// Likewise, one that copies packets.
    pub fn mirror(mut self, id: u32) -> Self {
        self.nfvs.entry(id).or_default().bin = Some("spp-mirror");
        self
    }

    /// A worker process with this id, bound to a CPU.
    pub fn nfv_on(mut self, id: u32, cpu: u32) -> Self {
        self.nfvs.entry(id).or_default().cpu = Some(cpu);
        self
    }

    /// More arguments for a worker process.
    pub fn nfv_args<S: Into<String>>(mut self, id: u32, args: impl IntoIterator<Item = S>) -> Self {
        self.nfvs
            .entry(id)
            .or_default()
            .args
            .extend(args.into_iter().map(Into::into));
        self
    }

    /// A variable in the environment of all its processes.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Hugepages of 2 MB that must be free before (256 if not said, for the primary's 512 MB).
    pub fn pages(mut self, pages: u64) -> Self {
        self.pages = Some(pages);
        self
    }

    /// The controller keeps the desired state, in a folder of this panel's: a process that was killed
    /// and is started again gets back what it had.
    pub fn keeps_state(mut self) -> Self {
        self.keeps_state = true;
        self
    }

    /// Takes the binaries from this folder instead of the one that the test was built into: another
    /// build, to be compared with.
    pub fn bin_dir(mut self, folder: &Path) -> Self {
        self.bin_dir = Some(folder.to_owned());
        self
    }

    /// Starts the primary (and by it the controller), then the workers; waits until the controller
    /// lists them all.
    ///
    /// # Panics
    /// If that takes over half a minute for one of them, or one ends.
    #[track_caller]
    pub fn start(self) -> Panel {
        huge::need(self.pages.unwrap_or(256));
        let [primary, secondaries, rest] = machine::free_ports();
        let mut panel = Panel {
            prefix: machine::unique("t"),
            ports: [primary, secondaries, rest],
            dir: Some(TempDir::new()),
            primary: None,
            nfvs: BTreeMap::new(),
            killed: false,
            primary_killed: false,
            finished: false,
            plan: self,
        };
        std::fs::create_dir_all(panel.vhost_dir()).expect("the folder of vhost sockets");
        panel.start_primary();
        for id in panel.plan.nfvs.keys().copied().collect::<Vec<_>>() {
            panel.start_nfv(id);
        }
        panel
    }
}
