//! From words to the arguments that an entry of the table asks for.

use protocol::port::PortName;

use protocol::command::component::{ClassifierMac, ComponentName};

use crate::commands::quote;
use crate::commands::spec::{Arg, Command, Place, Target, Values};
use crate::failure::Failure;

/// A value that was given for an argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// For [`Values::Port`].
    Port(PortName),
    /// For every kind of single word.
    Word(String),
    /// For [`Values::Number`].
    Number(u64),
    /// For [`Values::Seconds`].
    Seconds(f64),
    /// For [`Values::Rest`], [`Values::Files`] and [`Values::Command`].
    Words(Vec<String>),
}

/// The arguments of one command line, checked against the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Args {
    /// Whom the command is for.
    pub target: Target,
    /// The line after the command's name, as it was typed.
    pub text: String,
    given: Vec<(&'static str, Given)>,
}

impl Args {
    /// Reads the words after the command's name. Messages name the word and say what is expected.
    pub fn parse(
        command: &Command,
        prefix: &str,
        target: Target,
        words: &[String],
        text: &str,
    ) -> Result<Self, Failure> {
        let usage = || format!("\nUsage: {}", command.usage(prefix));
        let (options, mut words) = split_options(command, words)
            .map_err(|text| Failure::usage(format!("{text}{}", usage())))?;
        let mut given = Vec::new();
        for arg in command.args {
            let value = match arg.place {
                Place::Option(option) => {
                    let Some((_, word)) = options.iter().find(|(name, _)| *name == option) else {
                        continue;
                    };
                    take(arg, std::slice::from_ref(word)).map(|(value, _)| value)
                }
                Place::After(keyword) => {
                    if words.first() != Some(&keyword) {
                        continue;
                    }
                    words = words.split_off(1);
                    if words.is_empty() {
                        Err(format!("'{keyword}' is to be followed by {}.", arg.name))
                    } else {
                        take_from(arg, &mut words)
                    }
                }
                Place::Optional if words.is_empty() => continue,
                Place::Required(missing) if words.is_empty() => Err(missing.to_owned()),
                Place::Optional | Place::Required(_) => take_from(arg, &mut words),
            };
            let value = value.map_err(|text| Failure::usage(format!("{text}{}", usage())))?;
            given.push((arg.name, value));
        }
        if !words.is_empty() {
            let text = format!("'{}' has no meaning here.", quote(&words.join(" ")));
            return Err(Failure::usage(format!("{text}{}", usage())));
        }
        Ok(Self {
            target,
            text: text.to_owned(),
            given,
        })
    }

    fn get(&self, name: &str) -> Option<&Given> {
        self.given
            .iter()
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// A port that the table says is required.
    pub fn port(&self, name: &str) -> Result<&PortName, Failure> {
        match self.get(name) {
            Some(Given::Port(port)) => Ok(port),
            _ => Err(Failure::usage(format!("{name} is required."))),
        }
    }

    /// A word that the table says is required.
    pub fn required(&self, name: &str) -> Result<&str, Failure> {
        self.word(name)
            .ok_or_else(|| Failure::usage(format!("{name} is required.")))
    }

    /// A word, if it was given.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Given::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// A number, if it was given.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.get(name) {
            Some(Given::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// Seconds, if they were given.
    pub fn seconds(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Given::Seconds(seconds)) => Some(*seconds),
            _ => None,
        }
    }

    /// Words that the command looks at itself.
    pub fn words(&self, name: &str) -> &[String] {
        match self.get(name) {
            Some(Given::Words(words)) => words,
            _ => &[],
        }
    }
}

type Options<'a> = Vec<(&'static str, &'a str)>;

/// Takes `--option VALUE` and `--option=VALUE` out of the words.
fn split_options<'a>(
    command: &Command,
    words: &'a [String],
) -> Result<(Options<'a>, Vec<&'a str>), String> {
    let names: Vec<&'static str> = command
        .args
        .iter()
        .filter_map(|arg| match arg.place {
            Place::Option(name) => Some(name),
            _ => None,
        })
        .collect();
    let mut options = Options::new();
    let mut rest = Vec::new();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let Some(name) = names.iter().find(|known| **known == name) else {
            rest.push(word);
            continue;
        };
        let value = match value.or_else(|| words.next()) {
            Some(value) => value,
            None => return Err(format!("{name} is to be followed by a value.")),
        };
        if options.iter().any(|(known, _)| known == name) {
            return Err(format!("{name} is given twice."));
        }
        options.push((name, value));
    }
    Ok((options, rest))
}

fn take_from(arg: &Arg, words: &mut Vec<&str>) -> Result<Given, String> {
    let (value, used) = take(arg, words)?;
    words.drain(..used);
    Ok(value)
}

/// Reads one value from the front of `words`, which are not empty; says how many words it took.
fn take(arg: &Arg, words: &[&str]) -> Result<(Given, usize), String> {
    let Some(word) = words.first().copied() else {
        return Err(format!("{} is required.", arg.name));
    };
    let one = |value| Ok((value, 1));
    match arg.values {
        Values::Port(_) => {
            let (port, used) = PortName::take(words).map_err(|error| format!("{error}."))?;
            Ok((Given::Port(port), used.min(words.len())))
        }
        Values::Choice(choices) if choices.contains(&word) => one(Given::Word(word.to_owned())),
        Values::Choice(choices) => Err(format!(
            "'{}' is not one of {}.",
            quote(word),
            choices.join(", ")
        )),
        Values::FileOr(_) | Values::File | Values::Folder | Values::Word | Values::Plugin => {
            one(Given::Word(word.to_owned()))
        }
        Values::Component | Values::NewComponent => match word.parse::<ComponentName>() {
            Ok(name) => one(Given::Word(name.to_string())),
            Err(error) => Err(format!("{error}.")),
        },
        Values::Mac => match word.parse::<ClassifierMac>() {
            Ok(mac) => one(Given::Word(mac.to_string())),
            Err(error) => Err(format!("{error}.")),
        },
        Values::Number(least, most) => number(arg, word, least, most),
        Values::IdleCpu => number(arg, word, 0, 4095),
        Values::Seconds(least) => {
            match word
                .parse()
                .ok()
                .filter(|seconds| (least..=86_400.0).contains(seconds))
            {
                Some(seconds) => one(Given::Seconds(seconds)),
                None => Err(format!(
                    "{} '{}' is not a time in seconds from {least} to 86400.",
                    arg.name,
                    quote(word)
                )),
            }
        }
        Values::Rest(_) | Values::Files | Values::Command => Ok((
            Given::Words(words.iter().map(|word| (*word).to_owned()).collect()),
            words.len(),
        )),
    }
}

fn number(arg: &Arg, word: &str, least: u64, most: u64) -> Result<(Given, usize), String> {
    match word.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok((Given::Number(number), 1)),
        _ => Err(format!(
            "{} '{}' is not a whole number from {least} to {most}.",
            arg.name,
            quote(word)
        )),
    }
}
