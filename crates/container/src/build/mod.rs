//! Images: docker's command, and the folder that it builds from.

mod base;
mod context;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::options::{self, Given};
use crate::{Error, Result, host};

pub use base::{Base, import_line};
pub use context::Context;

/// Where things are in images.
const HOME: &str = "/root";
/// What the original called its builds' target; kept for scripts that read it.
const RTE_TARGET: &str = "x86_64-native-linuxapp-gcc";
const DPDK_REPO: &str = "http://dpdk.org/git/dpdk";
const PKTGEN_REPO: &str = "http://dpdk.org/git/apps/pktgen-dpdk";
const SPP_REPO: &str = "http://dpdk.org/git/apps/spp";
/// Variables that images are built with if they are set here.
const PROXIES: [&str; 3] = ["http_proxy", "https_proxy", "no_proxy"];

/// What an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// testpmd and DPDK's samples.
    Dpdk,
    /// pktgen.
    Pktgen,
    /// SPP's programs.
    Spp,
    /// Suricata.
    Suricata,
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "dpdk" => Ok(Self::Dpdk),
            "pktgen" => Ok(Self::Pktgen),
            "spp" => Ok(Self::Spp),
            "suricata" => Ok(Self::Suricata),
            _ => Err(Error::usage(format!(
                "'{text}' is no target (there are: dpdk, pktgen, spp, suricata)"
            ))),
        }
    }
}

impl Target {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dpdk => "dpdk",
            Self::Pktgen => "pktgen",
            Self::Spp => "spp",
            Self::Suricata => "suricata",
        }
    }

    /// The name of its image.
    pub fn image(self, dist: &Dist) -> String {
        format!("sppc/{}-{}:{}", self.name(), dist.name, dist.version)
    }
}

/// A distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dist {
    /// `debian` or `ubuntu`.
    pub name: String,
    /// `12`, `24.04`, `latest`.
    pub version: String,
}

impl Dist {
    /// What `--dist-name` and `--dist-ver` say: debian of the host's version, or ubuntu's latest, if not said.
    pub fn of(given: &Given) -> Self {
        let name = given.value("--dist-name").unwrap_or("debian").to_owned();
        let version = match (given.value("--dist-ver"), name.as_str()) {
            (Some(version), _) => version.to_owned(),
            (None, "debian") => match host::distribution() {
                (id, version) if id == "debian" && !version.is_empty() => version,
                _ => "latest".to_owned(),
            },
            (None, _) => "latest".to_owned(),
        };
        Self { name, version }
    }

    /// The image that the distribution itself publishes.
    pub fn image(&self) -> String {
        format!("{}:{}", self.name, self.version)
    }
}

/// An image that is to be built.
#[derive(Debug, Clone)]
pub struct Build {
    /// What it is for.
    pub target: Target,
    /// Its distribution.
    pub dist: Dist,
    /// Its name.
    pub image: String,
    /// What it begins with; nothing for an image without a distribution.
    pub base: Option<Base>,
    /// The folder it is built from.
    pub context: Context,
    /// Only env.sh is wanted.
    pub only_envsh: bool,
    /// Only the command is wanted.
    pub dry_run: bool,
    arguments: Vec<(&'static str, String)>,
}

impl Build {
    /// What these words ask for. `has_image` says whether the engine has an image: the distribution's is taken if so.
    ///
    /// # Errors
    /// Words that cannot be understood, or ask for what there is not.
    pub fn new(words: &[String], has_image: impl Fn(&str) -> bool) -> Result<Self> {
        let given = Given::read("build", &options::of_build()?, words)?;
        if let Some(word) = given.rest.first() {
            return Err(Error::usage(format!("'{word}' has no meaning here")));
        }
        let target: Target = given.value("--target").unwrap_or_default().parse()?;
        let dist = Dist::of(&given);
        let dpdk_source = given.typed("--dpdk-repo") || given.typed("--dpdk-branch");
        let own = |kind: &str| given.typed(&format!("--{}-{kind}", target.name()));
        let source = dpdk_source || own("repo") || own("branch") || target == Target::Pktgen;
        if target == Target::Suricata && source && !given.typed("--suricata-repo") {
            return Err(Error::usage(
                "Suricata from a repository needs --suricata-repo URL: there is none that everybody uses",
            ));
        }
        let bin_dir = match given.value("--bin-dir") {
            Some(folder) if target == Target::Dpdk || (target == Target::Spp && !source) => {
                Some(PathBuf::from(folder))
            }
            Some(_) => {
                return Err(Error::usage(
                    "--bin-dir is for the images spp and dpdk, which have programs of this host in them",
                ));
            }
            None => None,
        };
        let image = match given.value("--container-image") {
            Some(image) => image.to_owned(),
            None => target.image(&dist),
        };
        let base = match target {
            Target::Spp if !source => None,
            _ => Some(Base::choose(given.value("--base"), &dist, has_image)?),
        };
        let context = Context {
            folder: host::cache().join("container").join(format!(
                "{}-{}-{}",
                target.name(),
                dist.name,
                dist.version
            )),
            target,
            source,
            bin_dir,
        };
        let arguments = arguments(&given, target, source, dpdk_source);
        Ok(Self {
            target,
            dist,
            image,
            base,
            context,
            only_envsh: given.typed("--only-envsh"),
            dry_run: given.typed("--dry-run"),
            arguments,
        })
    }

    /// docker's command, one option a line.
    pub fn lines(&self) -> Vec<Vec<String>> {
        let mut lines = vec![vec!["docker".to_owned(), "build".to_owned()]];
        let mut argument = |name: &str, value: &str| {
            lines.push(vec!["--build-arg".to_owned(), format!("{name}={value}")]);
        };
        for name in PROXIES {
            if let Some(value) = std::env::var(name).ok().filter(|value| !value.is_empty()) {
                argument(name, &value);
            }
        }
        if let Some(base) = &self.base {
            argument("base", base.image());
        }
        for (name, value) in &self.arguments {
            argument(name, value);
        }
        for (name, value) in self.labels() {
            lines.push(vec!["--label".to_owned(), format!("{name}={value}")]);
        }
        lines.push(vec!["-f".to_owned(), path(&self.context.dockerfile())]);
        lines.push(vec!["-t".to_owned(), self.image.clone()]);
        lines.push(vec![path(&self.context.folder)]);
        lines
    }

    /// What the image is labelled with.
    fn labels(&self) -> Vec<(&'static str, String)> {
        let mut labels = vec![
            ("spp.target", self.target.name().to_owned()),
            ("spp.version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        if self.base.is_some() {
            labels.push((
                "spp.dist",
                format!("{} {}", self.dist.name, self.dist.version),
            ));
        }
        labels
    }

    /// The text of env.sh.
    pub fn envsh(&self) -> String {
        envsh(self.target)
    }
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

/// Folder of the application's source in the image.
fn directory(target: Target, repo: Option<&str>) -> String {
    let last = repo
        .map(|repo| repo.trim_end_matches('/'))
        .and_then(|repo| repo.rsplit('/').next())
        .map(|last| last.strip_suffix(".git").unwrap_or(last))
        .filter(|last| !last.is_empty());
    let default = match target {
        Target::Dpdk => "dpdk",
        Target::Pktgen => "pktgen-dpdk",
        Target::Spp => "spp",
        Target::Suricata => "suricata",
    };
    last.unwrap_or(default).to_owned()
}

/// The arguments of the Dockerfile, in the original's order.
fn arguments(
    given: &Given,
    target: Target,
    source: bool,
    dpdk_source: bool,
) -> Vec<(&'static str, String)> {
    let branch = |name: &str| {
        let branch = given.value(name).map(|branch| format!("-b {branch}"));
        branch.unwrap_or_default()
    };
    let mut arguments = vec![("home_dir", HOME.to_owned())];
    if !source {
        return match target {
            Target::Spp => Vec::new(),
            _ => arguments,
        };
    }
    let dpdk_repo = match (given.value("--dpdk-repo"), dpdk_source) {
        (Some(repo), _) => repo.to_owned(),
        (None, true) => DPDK_REPO.to_owned(),
        // The distribution's package.
        (None, false) => String::new(),
    };
    let sdk = directory(Target::Dpdk, given.value("--dpdk-repo"));
    arguments.extend([
        ("rte_sdk", format!("{HOME}/{sdk}")),
        ("rte_target", RTE_TARGET.to_owned()),
        ("dpdk_repo", dpdk_repo),
        ("dpdk_branch", branch("--dpdk-branch")),
    ]);
    let mut own = |names: [&'static str; 3], repo: Option<&str>, default: &str, branch: String| {
        arguments.extend([
            (names[0], repo.unwrap_or(default).to_owned()),
            (names[1], branch),
            (names[2], directory(target, repo)),
        ]);
    };
    match target {
        Target::Dpdk => {}
        Target::Pktgen => own(
            ["pktgen_repo", "pktgen_branch", "pktgen_dir"],
            given.value("--pktgen-repo"),
            PKTGEN_REPO,
            branch("--pktgen-branch"),
        ),
        Target::Spp => own(
            ["spp_repo", "spp_branch", "spp_dir"],
            given.value("--spp-repo"),
            SPP_REPO,
            branch("--spp-branch"),
        ),
        Target::Suricata => own(
            ["suricata_repo", "suricata_branch", "suricata_dir"],
            given.value("--suricata-repo"),
            "",
            branch("--suricata-branch"),
        ),
    }
    arguments
}

/// The text of env.sh.
fn envsh(target: Target) -> String {
    let mut text = format!("export RTE_SDK={HOME}/dpdk\nexport RTE_TARGET={RTE_TARGET}\n");
    let variable = match target {
        Target::Dpdk => return text,
        Target::Pktgen => "PKTGEN_DIR",
        Target::Spp => "SPP_DIR",
        Target::Suricata => "SURICATA_DIR",
    };
    let directory = directory(target, None);
    text.push_str(&format!("export {variable}={HOME}/{directory}\n"));
    text
}
