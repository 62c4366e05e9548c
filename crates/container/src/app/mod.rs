//! Applications: one file each. Those that come with SPP are compiled in; a user's are in a folder.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::options::{Given, Opt};
use crate::{Error, Result, options};

/// How an application stands to the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A DPDK process of its own memory: a guest of the panel.
    #[default]
    Guest,
    /// The primary of a panel.
    Primary,
    /// A process on the memory of a panel's primary.
    Secondary,
    /// A program that gets no EAL options.
    Plain,
}

/// What is checked of the options as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Every port of `--port-mask` is one of `-d`.
    Ports,
    /// `--port-mask` has an even number of ports.
    EvenPorts,
    /// The queues of `--config` begin at 0 for each port, without a gap, and there are no more of them than `-nq`.
    Queues,
    /// Its lcores are laid out over the ports if `--matrix` is not given.
    Matrix,
}

/// How an option of the application is handed on, unless the option says so itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Style {
    /// `--option VALUE`
    #[default]
    Words,
    /// `--option=VALUE`
    Equals,
}

/// How it is told of its memory and its CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// By EAL's options, with `--` behind them.
    #[default]
    Eal,
    /// By options of its own: `--file-prefix` and `--lcores`.
    Own,
}

/// An application, as its file says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct App {
    /// Its name: that of the file.
    #[serde(skip)]
    pub name: String,
    /// Where the file is; nothing for those compiled in.
    #[serde(skip)]
    pub file: Option<PathBuf>,
    /// What it is, in a line.
    #[serde(default)]
    pub summary: String,
    /// A target of `build` (dpdk, pktgen, spp, suricata), or an image.
    pub image: String,
    /// The program in the image.
    pub binary: String,
    /// Words that it always gets.
    #[serde(default)]
    pub args: Vec<String>,
    /// How it stands to the panel.
    #[serde(default)]
    pub role: Role,
    /// How it is told of its memory and its CPUs.
    #[serde(default)]
    pub form: Form,
    /// Its lcores beside the main one, where `--lcores auto` lays them out.
    #[serde(default = "one")]
    pub workers: u32,
    /// For a process that is not SPP's on the memory of a panel: the program in the image that gives it a PID which no other process of
    /// the panel has. Empty: none does.
    #[serde(default = "entry")]
    pub entry: String,
    /// Its main lcore moves packets, too.
    #[serde(default)]
    pub main_works: bool,
    /// Its workers rest when there is nothing to do, so that several may share a CPU.
    #[serde(default)]
    pub rests: bool,
    /// EAL options that it always gets.
    #[serde(default)]
    pub eal: Vec<String>,
    /// Name of its memory; one of its own for each container if not said.
    #[serde(default)]
    pub file_prefix: Option<String>,
    /// Files and folders of the host, `HOST:GUEST` with `:ro` if need be.
    #[serde(default)]
    pub mounts: Vec<String>,
    /// Capabilities beside those that every DPDK process needs.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// docker's network, if not none.
    #[serde(default)]
    pub network: Option<String>,
    /// The user in it, `UID:GID`, if nobody says.
    #[serde(default)]
    pub user: Option<String>,
    /// What it writes when it is ready. Without it, a container that lives for a second counts as started.
    #[serde(default)]
    pub ready: Option<String>,
    /// What it writes when others can talk to it, too: waited for a little, once it is ready.
    #[serde(default)]
    pub settled: Option<String>,
    /// It reads a terminal, and ends when there is none: its input stays open.
    #[serde(default)]
    pub terminal: bool,
    /// Why no image of ours has it any more.
    #[serde(default)]
    pub gone: Option<String>,
    /// How its options are handed on.
    #[serde(default)]
    pub style: Style,
    /// What is checked of its options as a whole.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Options of which only one may be given.
    #[serde(default)]
    pub exclusive: Vec<Vec<String>>,
    /// Pairs: the first option needs the second.
    #[serde(default)]
    pub needs: Vec<[String; 2]>,
    /// Its own options.
    #[serde(default, rename = "option")]
    pub options: Vec<Opt>,
}

/// What images of ours have for it.
pub const ENTRY: &str = "spp-entry";

fn entry() -> String {
    ENTRY.to_owned()
}

fn one() -> u32 {
    1
}

/// The files that come with SPP.
const BUILTIN: &[(&str, &str)] = &[
    ("helloworld", include_str!("../../apps/helloworld.toml")),
    ("l2fwd", include_str!("../../apps/l2fwd.toml")),
    ("l3fwd", include_str!("../../apps/l3fwd.toml")),
    ("l3fwd-acl", include_str!("../../apps/l3fwd-acl.toml")),
    (
        "load-balancer",
        include_str!("../../apps/load-balancer.toml"),
    ),
    ("pktgen", include_str!("../../apps/pktgen.toml")),
    ("spp-ctl", include_str!("../../apps/spp-ctl.toml")),
    ("spp-mirror", include_str!("../../apps/spp-mirror.toml")),
    ("spp-nfv", include_str!("../../apps/spp-nfv.toml")),
    ("spp-pcap", include_str!("../../apps/spp-pcap.toml")),
    ("spp-primary", include_str!("../../apps/spp-primary.toml")),
    ("spp-traffic", include_str!("../../apps/spp-traffic.toml")),
    ("spp-vf", include_str!("../../apps/spp-vf.toml")),
    ("suricata", include_str!("../../apps/suricata.toml")),
    ("testpmd", include_str!("../../apps/testpmd.toml")),
];

impl App {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`Error::App`] with the line and the reason.
    pub fn read(path: &Path, text: &str) -> Result<Self> {
        let at = |offset: usize, reason: String| Error::App {
            path: path.to_owned(),
            line: text[..offset.min(text.len())].matches('\n').count() + 1,
            reason,
        };
        let mut app: App = toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            at(offset, error.message().to_owned())
        })?;
        app.name = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        for option in &mut app.options {
            if app.style == Style::Equals && option.give.is_none() && option.value.is_some() {
                option.give = Some(format!("{}={{}}", option.name()));
            }
        }
        match app.mistake()? {
            Some((word, reason)) => {
                // The word as it stands there, in quotes.
                let offset = text.find(&format!("\"{word}\"")).unwrap_or(0);
                Err(at(offset, reason))
            }
            None => Ok(app),
        }
    }

    /// What is wrong with it although every entry is right by itself: the word concerned, and the reason.
    fn mistake(&self) -> Result<Option<(String, String)>> {
        let common = options::of_run()?;
        let mut seen: Vec<&str> = Vec::new();
        for option in &self.options {
            if option.names.is_empty() {
                let reason = "an option without a name".to_owned();
                return Ok(Some((String::new(), reason)));
            }
            for name in option.names.iter().map(options::Name::as_str) {
                let known = common.iter().flat_map(|o| &o.names);
                if known.into_iter().any(|known| known.as_str() == name) {
                    let reason = format!("'{name}' is an option of every application");
                    return Ok(Some((name.to_owned(), reason)));
                }
                if seen.contains(&name) {
                    return Ok(Some((name.to_owned(), format!("'{name}' is there twice"))));
                }
                seen.push(name);
            }
        }
        let named = self.exclusive.iter().flatten();
        for name in named.chain(self.needs.iter().flatten()) {
            if !self.options.iter().any(|option| option.name() == name) {
                let reason = format!("'{name}' is none of the options (their last names count)");
                return Ok(Some((name.clone(), reason)));
            }
        }
        for mount in &self.mounts {
            if mount.split(':').count() < 2 || !mount.starts_with('/') {
                let reason = format!("'{mount}' is not /HOST:/GUEST or /HOST:/GUEST:ro");
                return Ok(Some((mount.clone(), reason)));
            }
        }
        let words = [("image", &self.image), ("binary", &self.binary)];
        let empty = words.iter().find(|(_, value)| value.is_empty());
        Ok(empty.map(|(name, _)| (String::new(), format!("'{name}' is empty"))))
    }

    /// Whether its image is one of those that `build` makes.
    pub fn target(&self) -> Option<crate::build::Target> {
        self.image.parse().ok()
    }

    /// Whether it is a process on the memory of a panel that knows nothing of SPP: it leases neither a PID nor lcore ids.
    pub fn is_foreign_secondary(&self) -> bool {
        self.role == Role::Secondary && self.target() != Some(crate::build::Target::Spp)
    }

    /// All its options: those of every launcher, and its own.
    ///
    /// # Errors
    /// As [`options::of_run`].
    pub fn all_options(&self) -> Result<Vec<Opt>> {
        let mut all = options::of_run()?;
        all.extend(self.options.iter().cloned());
        Ok(all)
    }

    /// Reads words by its options.
    ///
    /// # Errors
    /// As [`Given::read`]; options that exclude or need each other.
    pub fn given(&self, words: &[String]) -> Result<Given> {
        let given = Given::read(&self.name, &self.all_options()?, words)?;
        for group in &self.exclusive {
            let typed: Vec<&str> = group.iter().map(String::as_str).collect();
            let typed: Vec<&str> = typed.into_iter().filter(|name| given.typed(name)).collect();
            if let [first, second, ..] = typed[..] {
                return Err(Error::usage(format!(
                    "{first} and {second} cannot be given together"
                )));
            }
        }
        for [option, needed] in &self.needs {
            if given.typed(option) && !given.typed(needed) {
                return Err(Error::usage(format!("{option} is given without {needed}")));
            }
        }
        Ok(given)
    }
}

/// Where a user's files are if `--apps` does not say: `$XDG_CONFIG_HOME/spp/apps`, `~/.config/spp/apps`.
pub fn user_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let config = match (set("XDG_CONFIG_HOME"), set("HOME")) {
        (Some(config), _) => PathBuf::from(config),
        (None, Some(home)) => PathBuf::from(home).join(".config"),
        (None, None) => return None,
    };
    Some(config.join("spp/apps"))
}

/// The files `*.toml` of a folder; none if it is not there and nobody named it.
fn files(folder: &Path, named: bool) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(Error::io("read", folder, error)),
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    Ok(files)
}

fn load(path: PathBuf) -> Result<App> {
    let text = std::fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error))?;
    let mut app = App::read(&path, &text)?;
    app.file = Some(path);
    Ok(app)
}

fn builtin(name: &str, text: &str) -> Result<App> {
    App::read(Path::new(&format!("{name}.toml")), text)
}

/// All applications by name: a user's file comes before one of ours with its name. `folder`: what `--apps` says.
///
/// # Errors
/// A file that is wrong.
pub fn all(folder: Option<&Path>) -> Result<Vec<App>> {
    let mut apps = Vec::new();
    let user = user_folder();
    if let Some(path) = folder.or(user.as_deref()) {
        for path in files(path, folder.is_some())? {
            apps.push(load(path)?);
        }
    }
    for (name, text) in BUILTIN {
        if !apps.iter().any(|app: &App| app.name == *name) {
            apps.push(builtin(name, text)?);
        }
    }
    apps.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(apps)
}

/// The application of this name. Other files than its own are not looked into, so that a wrong one stops nobody.
///
/// # Errors
/// There is none, or its file is wrong.
pub fn find(name: &str, folder: Option<&Path>) -> Result<App> {
    let user = user_folder();
    let mut names: Vec<String> = BUILTIN.iter().map(|(name, _)| (*name).to_owned()).collect();
    if let Some(path) = folder.or(user.as_deref()) {
        for path in files(path, folder.is_some())? {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy());
            if stem.as_deref() == Some(name) {
                return load(path);
            }
            names.extend(stem.map(|stem| stem.into_owned()));
        }
    }
    if let Some((name, text)) = BUILTIN.iter().find(|(known, _)| *known == name) {
        return builtin(name, text);
    }
    names.sort();
    names.dedup();
    Err(Error::usage(format!(
        "There is no application '{name}' (there are: {}; one of your own is a file NAME.toml in {})",
        names.join(", "),
        user.unwrap_or_else(|| "the folder of --apps".into())
            .display()
    )))
}
