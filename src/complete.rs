//! Completion of a line, from the table of commands and the running system.

use std::time::Duration;

use protocol::port::PortName;
use protocol::reply::{NfvStatus, PatchPorts, PrimaryStatus};

use crate::client::Client;
use crate::commands::spec::{Action, Arg, Command, Place, Ports, Target, Values};
use crate::commands::status::in_order;
use crate::commands::table::{COMMANDS, SECONDARIES};
use crate::commands::{find, split};

/// A key press is not to wait for a controller that is slow.
const CONNECT_LIMIT: Duration = Duration::from_millis(300);
const READ_LIMIT: Duration = Duration::from_millis(700);

/// Finds what a word can go on with.
#[derive(Debug)]
pub struct Completion {
    client: Client,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Where the word begins that they replace, in bytes.
    pub start: usize,
    /// Full words, a blank after those that are complete.
    pub words: Vec<String>,
    /// Names of files are welcome too.
    pub files: bool,
}

impl Completion {
    /// Asks the controller that `client` asks, with shorter limits.
    pub fn new(client: &Client) -> Self {
        Self {
            client: client.limited(CONNECT_LIMIT, READ_LIMIT),
        }
    }

    /// Candidates for the last word of `head`, the line up to the cursor.
    pub fn complete(&self, head: &str) -> Candidates {
        let start = head
            .rfind(|c: char| c.is_whitespace() || c == ';')
            .map_or(0, |at| at + 1);
        let (before, word) = head.split_at(start);
        let mut found = self.next(&split(before), word);
        found.start = start;
        found.words.retain(|candidate| candidate.starts_with(word));
        found
    }

    fn next(&self, before: &[String], word: &str) -> Candidates {
        let Some((first, rest)) = before.split_first() else {
            return words(COMMANDS.iter().map(|command| command.name));
        };
        let Some(command) = COMMANDS.iter().find(|command| command.is(first)) else {
            return Candidates::default();
        };
        let after_semicolon = |rest: &[String]| match rest.split_first() {
            Some((word, rest)) if word == ";" => rest.to_vec(),
            _ => rest.to_vec(),
        };
        match command.action {
            Action::Run(_) => self.arguments(command, Target::Shell, rest, word),
            Action::Primary(inner) => {
                self.inner(inner, Target::Primary, &after_semicolon(rest), word)
            }
            Action::Nfv(inner) => match rest.split_first() {
                None => self.ids("nfv"),
                Some((id, rest)) => match id.parse() {
                    Ok(id) => self.inner(inner, Target::Nfv(id), &after_semicolon(rest), word),
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
        let Some((command, args)) = find(commands, rest) else {
            return match rest {
                [] => words(
                    commands
                        .iter()
                        .map(|c| c.name)
                        .filter(|name| !name.contains(' ')),
                ),
                _ => Candidates::default(),
            };
        };
        let mut found = self.arguments(command, target, args, word);
        if args.is_empty() {
            // The second word of a form such as `patch reset`.
            let prefix = format!("{} ", command.name);
            let forms = commands.iter().filter_map(|c| c.name.strip_prefix(&prefix));
            found.words.extend(forms.map(complete));
        }
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
            return self.values(arg, target, given);
        }
        if word.starts_with('-') {
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
        let mut left = left.as_slice();
        for arg in command.args.iter().filter(|arg| option(arg).is_none()) {
            if let Place::After(keyword) = arg.place {
                match left {
                    [] => return words([keyword].into_iter()),
                    [word] if *word == keyword => return self.values(arg, target, given),
                    [word, _, rest @ ..] if *word == keyword => left = rest,
                    _ => {}
                }
                continue;
            }
            if left.is_empty() || matches!(arg.values, Values::Rest | Values::Command) {
                return self.values(arg, target, given);
            }
            let used = match arg.values {
                Values::Port(_) => PortName::take(left).map_or(left.len(), |(_, used)| used),
                _ => 1,
            };
            left = left.get(used..).unwrap_or_default();
        }
        Candidates::default()
    }

    fn values(&self, arg: &Arg, target: Target, given: &[String]) -> Candidates {
        match arg.values {
            Values::Choice(choices) => words(choices.iter().copied()),
            Values::Number(..) | Values::Seconds(_) => Candidates::default(),
            Values::FileOr(choices) => Candidates {
                files: true,
                ..words(choices.iter().copied())
            },
            Values::Command => match find(COMMANDS, given) {
                Some((command, [])) => words(command.inner().iter().map(|inner| inner.name)),
                Some(_) => Candidates::default(),
                None => words(COMMANDS.iter().map(|command| command.name)),
            },
            Values::Rest if given.is_empty() => words(SECONDARIES.iter().copied()),
            Values::Rest => Candidates::default(),
            Values::Port(ports) => self.ports(ports, target),
        }
    }

    /// `1;`, `2;` of the registered processes of a type.
    fn ids(&self, wanted: &str) -> Candidates {
        let processes = in_order(&self.client.processes().unwrap_or_default());
        let ids = processes.into_iter().filter(|(kind, _)| kind == wanted);
        Candidates {
            words: ids.map(|(_, id)| format!("{id}; ")).collect(),
            ..Default::default()
        }
    }

    fn ports(&self, ports: Ports, target: Target) -> Candidates {
        let (known, patches) = match ports {
            Ports::New => {
                let kinds = ["ring:", "vhost:", "pcap:", "memif:", "nullpmd:", "tap:"];
                return Candidates {
                    words: kinds.map(str::to_owned).into(),
                    ..Default::default()
                };
            }
            _ => self.known(target),
        };
        let mut names = match ports {
            Ports::Patched => patches.into_iter().map(|patch| patch.src).collect(),
            Ports::Removable => known
                .into_iter()
                .filter(|port| !port.starts_with("phy:"))
                .collect(),
            Ports::Any | Ports::New => known,
        };
        if ports == Ports::Any {
            // A patch adds the rings that it names.
            let primary = self.client.detail(Target::Primary.id()).ok().flatten();
            let rings = primary
                .and_then(|primary| primary.detail)
                .map(|detail| detail.rings);
            names.extend(rings.unwrap_or_default().into_iter().map(|ring| ring.name));
        }
        let mut found = Candidates::default();
        for port in names
            .iter()
            .filter_map(|name| name.parse::<PortName>().ok())
        {
            let word = complete(&port.to_string());
            if !found.words.contains(&word) {
                found.words.push(word);
            }
        }
        found
    }

    /// Ports and patches of a process; none if it cannot be asked.
    fn known(&self, target: Target) -> (Vec<String>, Vec<PatchPorts>) {
        match target {
            Target::Nfv(_) => {
                let status = self.client.read(&target.path());
                status
                    .map(|status: NfvStatus| (status.ports, status.patches))
                    .unwrap_or_default()
            }
            Target::Primary | Target::Shell => {
                let status = self.client.read("/v1/primary/status").ok();
                let forwarder = status.and_then(|status: PrimaryStatus| status.forwarder);
                forwarder.map(|f| (f.ports, f.patches)).unwrap_or_default()
            }
        }
    }
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> Candidates {
    Candidates {
        words: words.map(complete).collect(),
        ..Candidates::default()
    }
}

/// A word that needs nothing more.
fn complete(word: &str) -> String {
    format!("{word} ")
}
