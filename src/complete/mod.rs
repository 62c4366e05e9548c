//! Completion of a line, from the table of commands and the running system.

mod container;
mod files;
mod flow;
mod lab;
mod launch;
mod system;
mod traffic;

use std::time::Duration;

use protocol::filter::Key;
use protocol::impair::NAMES;
use protocol::port::PortName;

use crate::client::Client;
use crate::commands::spec::{Action, Arg, Command, Offer, Place, Ports, Target, Values};
use crate::commands::table::COMMANDS;
use crate::commands::{DOCTOR_OPTIONS, find, split};
use crate::session::Session;
use crate::session::config::Config;
use crate::session::plugins::Plugins;
use crate::session::servers::Servers;

/// A key press is not to wait for a controller that is slow.
const CONNECT_LIMIT: Duration = Duration::from_millis(300);
const READ_LIMIT: Duration = Duration::from_millis(700);

/// Finds what a word can go on with.
#[derive(Debug)]
pub struct Completion {
    client: Client,
    config: Config,
    servers: Servers,
    plugins: Plugins,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Where the word begins that they replace, in bytes.
    pub start: usize,
    /// Full words, a blank after those that are complete.
    pub words: Vec<String>,
    /// What stands for something that only the user knows, such as `NAME`.
    pub hints: Vec<String>,
    /// Why nothing was found.
    pub note: Option<String>,
}

impl Completion {
    /// Asks the controller that `client` asks, with shorter limits; knows what `session` does.
    pub fn new(client: &Client, session: &Session) -> Self {
        Self {
            client: client.with_other_limits(CONNECT_LIMIT, READ_LIMIT),
            config: session.config.clone(),
            servers: session.servers.clone(),
            plugins: session.plugins.clone(),
        }
    }

    /// Candidates for the last word of `head`, the line up to the cursor.
    pub fn complete(&self, head: &str) -> Candidates {
        let first = split(head).into_iter().next().unwrap_or_default();
        let outer = COMMANDS.iter().find(|command| command.is(&first));
        if outer.is_some_and(Command::quotes) && head.trim_start().len() > first.len() {
            let (start, before) = files::split(head);
            let mut found = self.next(&before, &head[start..]);
            found.start = start;
            return found;
        }
        let start = head
            .rfind(|c: char| c.is_whitespace() || c == ';')
            .map_or(0, |at| at + 1);
        let (before, word) = head.split_at(start);
        let mut found = self.next(&split(before), word);
        found.start = start;
        found.words.retain(|candidate| candidate.starts_with(word));
        found.hints.retain(|candidate| candidate.starts_with(word));
        found
    }

    fn next(&self, before: &[String], word: &str) -> Candidates {
        let Some((first, rest)) = before.split_first() else {
            let mut found = forms(COMMANDS, &[]);
            found.words.extend(self.plugins.names().map(complete));
            return found;
        };
        let Some(command) = COMMANDS.iter().find(|command| command.is(first)) else {
            return Candidates::default();
        };
        let after_semicolon = |rest: &[String]| match rest.split_first() {
            Some((word, rest)) if word == ";" => rest.to_vec(),
            _ => rest.to_vec(),
        };
        match command.action {
            Action::Run(_) => self.inner(COMMANDS, Target::Shell, before, word),
            Action::Primary(inner) => {
                self.inner(inner, Target::Primary, &after_semicolon(rest), word)
            }
            Action::Secondary(target, inner) => match rest.split_first() {
                None => self.ids(command.name),
                Some((id, rest)) => match id.parse() {
                    Ok(id) => self.inner(inner, target(id), &after_semicolon(rest), word),
                    Err(_) => Candidates::default(),
                },
            },
        }
    }

    fn inner(
        &self,
        commands: &'static [Command],
        target: Target,
        rest: &[String],
        word: &str,
    ) -> Candidates {
        let mut found = match find(commands, rest) {
            Some((command, args)) => self.arguments(command, target, args, word),
            None => Candidates::default(),
        };
        let forms = forms(commands, rest).words.into_iter();
        let further: Vec<String> = forms
            .filter(|form| form.starts_with(word) && !found.words.contains(form))
            .collect();
        found.words.extend(further);
        found
    }

    fn arguments(
        &self,
        command: &Command,
        target: Target,
        given: &[String],
        word: &str,
    ) -> Candidates {
        let option = |arg: &Arg| match arg.place {
            Place::Option(name) => Some(name),
            _ => None,
        };
        if let Some(last) = given.last()
            && let Some(arg) = command
                .args
                .iter()
                .find(|arg| option(arg) == Some(last.as_str()))
        {
            return self.values(arg, target, &[], word);
        }
        if word.starts_with('-') && command.args.iter().any(|arg| option(arg).is_some()) {
            let left = command.args.iter().filter_map(option);
            return words(left.filter(|name| !given.iter().any(|word| word == name)));
        }
        let mut left: Vec<&str> = Vec::new();
        let mut given_words = given.iter().map(String::as_str);
        while let Some(word) = given_words.next() {
            if command.args.iter().any(|arg| option(arg) == Some(word)) {
                given_words.next();
            } else {
                left.push(word);
            }
        }
        let takes_ports = command
            .args
            .iter()
            .any(|arg| matches!(arg.values, Values::Port(_)));
        let queues = if takes_ports {
            self.queues(target, &left)
        } else {
            Candidates::default()
        };
        if left.last() == Some(&"nq") {
            return queues;
        }
        let mut found = self.positional(command, target, &left, word);
        found.words.extend(queues.words);
        found
    }

    /// Values of the first argument that the words in `left` do not give.
    fn positional(
        &self,
        command: &Command,
        target: Target,
        left: &[&str],
        word: &str,
    ) -> Candidates {
        let mut left = left;
        for arg in command.args {
            match arg.place {
                Place::Option(_) => continue,
                Place::After(keyword) => {
                    match left {
                        [] => return words([keyword].into_iter()),
                        [given] if *given == keyword => {
                            return self.values(arg, target, &[], word);
                        }
                        [given, _, rest @ ..] if *given == keyword => left = rest,
                        _ => {}
                    }
                    continue;
                }
                _ => {}
            }
            if left.is_empty()
                || matches!(
                    arg.values,
                    Values::Rest(_) | Values::Command | Values::Files
                )
            {
                return self.values(arg, target, left, word);
            }
            let used = match arg.values {
                Values::Port(_) => PortName::take(left).map_or(left.len(), |(_, used)| used),
                _ => 1,
            };
            left = left.get(used..).unwrap_or_default();
        }
        Candidates::default()
    }

    /// Values of an argument, of which the words in `given` are there already.
    fn values(&self, arg: &Arg, target: Target, given: &[&str], word: &str) -> Candidates {
        let nothing = Candidates::default;
        match arg.values {
            Values::Choice(choices) => words(choices.iter().copied()),
            Values::Number(..) => hints(&[arg.name]),
            Values::NewComponent => hints(&["NAME"]),
            Values::Mac => Candidates {
                words: vec![complete("default")],
                ..hints(&["MAC_ADDR"])
            },
            Values::Seconds(_) | Values::Word => nothing(),
            Values::FileOr(choices) => {
                let mut found = words(choices.iter().copied().filter(|c| c.starts_with(word)));
                found.words.extend(files::names(word, false));
                found
            }
            Values::File | Values::Files => Candidates {
                words: files::names(word, false),
                ..nothing()
            },
            Values::Folder => Candidates {
                words: files::names(word, true),
                ..nothing()
            },
            Values::Plugin => words(self.plugins.available().iter().map(String::as_str)),
            Values::Command => {
                let given: Vec<String> = given.iter().map(|word| (*word).to_owned()).collect();
                match find(COMMANDS, &given) {
                    Some((command, rest)) => {
                        let mut found = forms(command.inner(), rest);
                        found.words.extend(forms(COMMANDS, &given).words);
                        found
                    }
                    None if given.is_empty() => {
                        let mut found = forms(COMMANDS, &[]);
                        found.words.extend(self.plugins.names().map(complete));
                        found
                    }
                    None => nothing(),
                }
            }
            Values::Port(ports) => self.ports(ports, target),
            Values::Component => self.components(target),
            Values::IdleCpu => self.idle_cpus(target),
            Values::Rest(Offer::VlanTag) => match given {
                [] => words(["add_vlantag", "del_vlantag"].into_iter()),
                ["add_vlantag"] => hints(&["VID"]),
                ["add_vlantag", _] => hints(&["PCP"]),
                _ => nothing(),
            },
            Values::Rest(Offer::Setting) => match (target, given) {
                (Target::Mirror(_), []) => words(["copy", "snap", "filter"].into_iter()),
                (_, []) => words(["learn"].into_iter()),
                (_, ["copy"]) => words(["shallow", "deep"].into_iter()),
                (_, ["learn"]) => words(["on", "off"].into_iter()),
                (_, ["learn", "on"]) => hints(&["SECONDS"]),
                (_, ["snap"]) => hints(&["BYTES", "off"]),
                (_, ["filter", pairs @ ..]) if pairs.len() % 2 == 0 => {
                    words(Key::ALL.iter().map(|key| key.word()))
                }
                _ => nothing(),
            },
            Values::Rest(Offer::Impairment) => match given.len() % 2 {
                0 => words(NAMES.into_iter().filter(|name| !given.contains(name))),
                _ => nothing(),
            },
            Values::Rest(Offer::Config) => match given {
                [] => words(self.config.entries().iter().map(|entry| entry.key)),
                _ => nothing(),
            },
            Values::Rest(Offer::Subgraph) => match given {
                [] => words(["add", "del"].into_iter()),
                ["add"] => hints(&["LABEL"]),
                ["add", ..] => self.ports(Ports::Any, target),
                _ => nothing(),
            },
            Values::Rest(Offer::Server) => self.servers(given),
            Values::Rest(Offer::Launch) => self.launch(given),
            Values::Rest(Offer::Flow) => self.flow(given),
            Values::Rest(Offer::Traffic) => self.traffic(given, word),
            Values::Rest(Offer::Doctor) => doctor(given),
            Values::Rest(Offer::Container(what)) => self.containers(what, given, word),
            Values::Rest(Offer::Lab(what)) => self.labs(what, given, word),
        }
    }

    fn servers(&self, given: &[&str]) -> Candidates {
        let list = self.servers.list();
        let places = |without_current: bool| {
            let current = self.servers.current();
            (0..list.len()).filter(move |place| !without_current || *place != current)
        };
        match given {
            [] => Candidates {
                words: places(false)
                    .map(|place| complete(&(place + 1).to_string()))
                    .chain(["list", "add", "del"].map(complete))
                    .collect(),
                ..Candidates::default()
            },
            ["del"] => Candidates {
                words: places(true)
                    .map(|place| complete(&(place + 1).to_string()))
                    .chain(places(true).map(|place| complete(&list[place].to_string())))
                    .collect(),
                ..Candidates::default()
            },
            _ => Candidates::default(),
        }
    }
}

/// Checks and options of `doctor`.
fn doctor(given: &[&str]) -> Candidates {
    if given.last() == Some(&"--file-prefix") {
        return hints(&["NAME"]);
    }
    let checks = doctor::CHECKS.iter().map(|check| check.name);
    let all = checks.chain(DOCTOR_OPTIONS);
    words(all.filter(|word| !given.contains(word)))
}

/// The next words of the commands whose names begin with `given`.
fn forms(commands: &[Command], given: &[String]) -> Candidates {
    let mut found = Candidates::default();
    for command in commands {
        let mut name = command.name.split(' ');
        if given.iter().all(|word| name.next() == Some(word.as_str()))
            && let Some(next) = name.next()
        {
            let word = complete(next);
            if !found.words.contains(&word) {
                found.words.push(word);
            }
        }
    }
    found
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> Candidates {
    Candidates {
        words: words.map(complete).collect(),
        ..Candidates::default()
    }
}

fn hints(hints: &[&str]) -> Candidates {
    Candidates {
        hints: hints.iter().map(|hint| complete(hint)).collect(),
        ..Candidates::default()
    }
}

/// A word that needs nothing more.
fn complete(word: &str) -> String {
    format!("{word} ")
}
