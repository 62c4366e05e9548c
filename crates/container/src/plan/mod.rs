//! From words to what is to be started.

mod auto;
mod eal;
mod mounts;
mod rights;
mod rules;

use std::path::PathBuf;

use crate::app::{App, Form, Role, Rule};
use crate::build::{Dist, Target};
use crate::options::Given;
use crate::uid::Uid;
use crate::{Error, Result, cpus, pktgen};

/// Names of the labels by which containers of SPP are known, and what they use.
pub mod label {
    /// The application.
    pub const APP: &str = "spp.app";
    /// Ports of the panel.
    pub const PORTS: &str = "spp.ports";
    /// Sockets of these ports on the host.
    pub const SOCKETS: &str = "spp.sockets";
    /// CPUs.
    pub const LCORES: &str = "spp.lcores";
    /// The CPU of its main thread, which others may use, too.
    pub const MAIN: &str = "spp.main";
    /// lcore ids of a process that is not SPP's, on the memory of a panel.
    pub const LCORE_IDS: &str = "spp.lcore-ids";
    /// The process of a panel that it is: `nfv:1`.
    pub const PROCESS: &str = "spp.process";
    /// Name of its memory.
    pub const PREFIX: &str = "spp.prefix";
    /// The folder of the network of `spp lab` that it is in.
    pub const LAB: &str = "spp.lab";
}

/// Where DPDK's processes of one panel meet, for root.
pub(crate) const RUNTIME: &str = "/var/run/dpdk";

/// Something of the host that the container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// On the host.
    pub host: String,
    /// In the container; `:ro` may follow.
    pub guest: String,
}

impl Mount {
    fn new(host: impl Into<String>, guest: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            guest: guest.into(),
        }
    }

    /// As docker takes it.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}:{}", self.host, self.guest)
    }
}

/// What an application may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Privilege {
    /// Everything.
    All,
    /// These capabilities, SPP's list of system calls, a root that is only read.
    Least(Vec<String>),
    /// What the engine gives to any container, and these capabilities.
    Usual(Vec<String>),
}

/// A container that is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The application's name.
    pub app: String,
    /// The container's name; the engine chooses one otherwise.
    pub name: Option<String>,
    /// The image.
    pub image: String,
    /// Which of ours that is, if it is one of those that `build` makes.
    pub target: Option<Target>,
    /// The command stays with it.
    pub foreground: bool,
    /// It has a terminal even if nobody sits at it.
    pub terminal: bool,
    /// What it may do.
    pub privilege: Privilege,
    /// What it sees of the host.
    pub mounts: Vec<Mount>,
    /// Devices of the host.
    pub devices: Vec<String>,
    /// docker's network.
    pub network: Option<String>,
    /// The user in it.
    pub user: Option<String>,
    /// Its working folder.
    pub workdir: Option<String>,
    /// What starts the program, in the place of the image's own; nothing: that is left alone.
    pub entrypoint: Vec<String>,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Ports of the panel.
    pub ports: Vec<Uid>,
    /// Sockets on the host that have to be there, and that take one peer each.
    pub sockets: Vec<PathBuf>,
    /// CPUs.
    pub cpus: Vec<u32>,
    /// Of these the one with its main thread, which others may use, too: where it was laid out so.
    pub main: Option<u32>,
    /// lcore ids that no other process of the panel may have: of a secondary that is not SPP's, which leases none.
    pub lcore_ids: Vec<u32>,
    /// The process of a panel that it is: `nfv:1`.
    pub process: Option<String>,
    /// CPUs that others use are no obstacle.
    pub share_cpus: bool,
    /// Name of its memory.
    pub prefix: Option<String>,
    /// Megabytes of hugepages that it takes, if any.
    pub huge_megabytes: Option<u64>,
    /// The mount of hugetlbfs, if it gets one.
    pub huge_dir: Option<PathBuf>,
    /// What it writes when it is ready: one of these.
    pub ready: Vec<String>,
    /// What it writes when others can talk to it, too: one of these.
    pub settled: Vec<String>,
    /// The folder of the network of `spp lab` that it is in.
    pub lab: Option<String>,
}

impl Plan {
    /// The plan for `app` with these words. `id` makes its memory's name unique: 16 hexadecimal digits.
    ///
    /// # Errors
    /// What cannot be, with the reason.
    pub fn new(app: &App, given: &Given, id: &str) -> Result<Self> {
        Planner { app, given, id }.plan()
    }

    /// A container of an image that need not know DPDK: one that `build` makes, by its target's name, or any other. It has the rights
    /// that the engine gives, no network, and no program yet.
    #[must_use]
    pub fn of_image(image: &str) -> Self {
        let target = image.parse::<Target>().ok();
        Self {
            app: image.to_owned(),
            name: None,
            image: match target {
                Some(target) => target.image(&Dist::of(&Given::default())),
                None => image.to_owned(),
            },
            target,
            foreground: false,
            terminal: false,
            privilege: Privilege::Usual(Vec::new()),
            mounts: Vec::new(),
            devices: Vec::new(),
            network: Some("none".to_owned()),
            user: None,
            workdir: None,
            entrypoint: Vec::new(),
            command: Vec::new(),
            ports: Vec::new(),
            sockets: Vec::new(),
            cpus: Vec::new(),
            main: None,
            lcore_ids: Vec::new(),
            process: None,
            share_cpus: false,
            prefix: None,
            huge_megabytes: None,
            huge_dir: None,
            ready: Vec::new(),
            settled: Vec::new(),
            lab: None,
        }
    }

    /// The labels that the container gets.
    pub fn labels(&self) -> Vec<(&'static str, String)> {
        let mut labels = vec![(label::APP, self.app.clone())];
        let mut add = |name, values: Vec<String>| {
            if !values.is_empty() {
                labels.push((name, values.join(",")));
            }
        };
        add(
            label::PORTS,
            self.ports.iter().map(ToString::to_string).collect(),
        );
        let sockets = self.sockets.iter();
        add(
            label::SOCKETS,
            sockets.map(|path| path.display().to_string()).collect(),
        );
        add(
            label::LCORES,
            self.cpus.iter().map(ToString::to_string).collect(),
        );
        add(
            label::MAIN,
            self.main.iter().map(ToString::to_string).collect(),
        );
        add(
            label::LCORE_IDS,
            self.lcore_ids.iter().map(ToString::to_string).collect(),
        );
        add(label::PROCESS, self.process.iter().cloned().collect());
        add(label::PREFIX, self.prefix.iter().cloned().collect());
        add(label::LAB, self.lab.iter().cloned().collect());
        labels
    }
}

struct Planner<'a> {
    app: &'a App,
    given: &'a Given,
    id: &'a str,
}

impl Planner<'_> {
    fn plan(&self) -> Result<Plan> {
        let given = self.given;
        if let (Some(reason), false) = (&self.app.gone, given.typed("--container-image")) {
            return Err(Error::usage(format!("{}: {reason}", self.app.name)));
        }
        let ports = match given.value("--dev-uids") {
            Some(text) => Uid::list(text)?,
            None => Vec::new(),
        };
        self.rules(&ports)?;
        self.virtio_limits(&ports)?;
        let with_eal = self.app.role != Role::Plain;
        let cpus = match with_eal {
            true => self.cpus()?,
            false => Vec::new(),
        };
        let prefix = with_eal.then(|| self.prefix());
        let huge = with_eal && !given.typed("--no-huge");
        let huge_dir = huge.then(|| PathBuf::from(given.value("--huge-dir").unwrap_or_default()));
        Ok(Plan {
            app: self.app.name.clone(),
            name: given.value("--name").map(str::to_owned),
            image: self.image()?,
            target: self.app.target(),
            foreground: given.typed("--foreground"),
            terminal: self.app.terminal,
            privilege: self.privilege(&ports),
            mounts: self.mounts(&ports, prefix.as_deref(), huge_dir.as_deref())?,
            devices: self.devices(&ports),
            network: self.network(&ports),
            user: self.user(&ports),
            workdir: given.value("--workdir").map(str::to_owned),
            entrypoint: Vec::new(),
            command: self.command(&ports, prefix.as_deref(), &cpus)?,
            sockets: match self.app.role {
                Role::Guest | Role::Plain => self.sockets(&ports),
                Role::Primary | Role::Secondary => Vec::new(),
            },
            ports,
            cpus,
            main: None,
            lcore_ids: match self.app.is_foreign_secondary() {
                true => self.lcore_ids()?,
                false => Vec::new(),
            },
            process: self.process(),
            share_cpus: given.typed("--share-lcores"),
            huge_megabytes: match self.app.role {
                Role::Guest | Role::Primary if huge => Some(self.megabytes()?),
                _ => None,
            },
            prefix,
            huge_dir,
            ready: alternatives(self.app.ready.as_ref()),
            settled: alternatives(self.app.settled.as_ref()),
            lab: None,
        })
    }

    /// The process of a panel that it will be, if it is a worker of SPP.
    fn process(&self) -> Option<String> {
        let kind = self.app.name.strip_prefix("spp-")?;
        let id = self.given.value("--sec-id")?;
        (self.app.role == Role::Secondary).then(|| format!("{kind}:{id}"))
    }

    fn cpus(&self) -> Result<Vec<u32>> {
        let bad = |option: &str, text: &str, reason: String| {
            Error::usage(format!("{option} {text}: {reason}"))
        };
        let value = |name| self.given.value(name);
        match (
            value("--lcores"),
            value("--core-mask"),
            value("--core-list"),
        ) {
            (Some(text), None, None) => cpus::map(text).map_err(|e| bad("--lcores", text, e)),
            (Some(_), _, _) => Err(Error::usage(
                "--lcores is given beside -l or -c: one of them",
            )),
            (None, Some(text), _) => cpus::mask(text).map_err(|e| bad("-c", text, e)),
            (None, None, Some(text)) => cpus::list(text).map_err(|e| bad("-l", text, e)),
            (None, None, None) => Err(Error::usage(
                "'core_mask or core_list' is not defined: name CPUs with -l, such as -l 1-2",
            )),
        }
    }

    /// Its lcore ids; on one CPU there may be several.
    fn lcore_ids(&self) -> Result<Vec<u32>> {
        match self.given.value("--lcores") {
            Some(map) => {
                cpus::ids(map).map_err(|reason| Error::usage(format!("--lcores {map}: {reason}")))
            }
            // By number as their CPUs.
            None => self.cpus(),
        }
    }

    fn prefix(&self) -> String {
        let given = self.given.value("--file-prefix");
        match given.or(self.app.file_prefix.as_deref()) {
            Some(prefix) => prefix.to_owned(),
            None => {
                let name = self.given.value("--name").unwrap_or(&self.app.name);
                format!("sppc-{name}-{}", self.id)
            }
        }
    }

    fn image(&self) -> Result<String> {
        if let Some(image) = self.given.value("--container-image") {
            return Ok(image.to_owned());
        }
        match self.app.image.parse::<Target>() {
            Ok(target) => Ok(target.image(&Dist::of(self.given))),
            Err(_) => Ok(self.app.image.clone()),
        }
    }

    fn megabytes(&self) -> Result<u64> {
        let sum = |text: &str| {
            text.split(',')
                .filter_map(|p| p.trim().parse::<u64>().ok())
                .sum()
        };
        match self.given.value("--socket-mem") {
            Some(text) => Ok(sum(text)),
            None => Ok(u64::from(self.given.number("--mem")?.unwrap_or(0))),
        }
    }

    fn command(&self, ports: &[Uid], prefix: Option<&str>, cpus: &[u32]) -> Result<Vec<String>> {
        let mut words = Vec::new();
        if self.app.is_foreign_secondary() && !self.app.entry.is_empty() {
            words.push(self.app.entry.clone());
        }
        words.push(self.app.binary.clone());
        match (prefix, self.app.form) {
            (Some(prefix), Form::Eal) => {
                words.extend(self.eal(ports, prefix)?);
                words.push("--".to_owned());
            }
            (Some(prefix), Form::Own) => {
                let lcores = match self.given.value("--lcores") {
                    Some(map) => map.to_owned(),
                    None => cpus::text(cpus),
                };
                let own = ["--file-prefix", prefix, "--lcores", &lcores];
                words.extend(own.map(str::to_owned));
            }
            (None, _) => {}
        }
        if self.app.rules.contains(&Rule::Matrix) && !self.given.typed("--matrix") {
            words.extend(["-m".to_owned(), pktgen::matrix(cpus, ports.len())?]);
        }
        words.extend(self.app.args.iter().cloned());
        words.extend(self.given.for_application(&self.app.options));
        if let Some(server) = self.controller()? {
            words.extend(["-s".to_owned(), server]);
        }
        if self.app.role == Role::Primary && self.given.typed("--vhost-dir") {
            let folder = self.vhost_dir().display().to_string();
            words.extend(["--vhost-dir".to_owned(), folder]);
        }
        words.extend(self.given.rest.iter().cloned());
        Ok(words)
    }

    /// Where a process of the panel finds its controller.
    fn controller(&self) -> Result<Option<String>> {
        let Some(port) = self.given.value("--ctl-port") else {
            return Ok(None);
        };
        let environment = std::env::var("SPP_CTL_IP").ok();
        let address = self.given.value("--ctl-ip").map(str::to_owned);
        let address = address.or(environment.filter(|address| !address.is_empty()));
        let address = address.unwrap_or_else(|| "127.0.0.1".to_owned());
        Ok(Some(format!("{address}:{port}")))
    }
}

/// The texts of an entry of which one is waited for.
fn alternatives(texts: Option<&String>) -> Vec<String> {
    texts
        .into_iter()
        .flat_map(|texts| texts.split('|').map(str::to_owned))
        .collect()
}
