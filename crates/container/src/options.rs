//! Options as data: those of every application (`options/run.toml`), of `build` (`options/build.toml`), and those that the
//! file of an application adds; and the words of a command line read by them.
//!
//! The original's options have names such as `-nq` and `-fg`, which readers of command lines take for `-n q`: here a word
//! is a name as a whole, or it is none.

use serde::Deserialize;

use crate::check::Check;
use crate::{Error, Result};

/// Options of every launcher.
const RUN: &str = include_str!("../options/run.toml");
/// Options of `build`.
const BUILD: &str = include_str!("../options/build.toml");
/// Options of `demo`.
const DEMO: &str = include_str!("../options/demo.toml");

/// A name such as `-p` or `--port-mask`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> std::result::Result<Self, String> {
        let letters = text.trim_start_matches('-');
        let dashes = text.len() - letters.len();
        let good = letters
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        match (1..=2).contains(&dashes) && !letters.is_empty() && good {
            true => Ok(Self(text)),
            false => Err(format!(
                "'{text}' is no name of an option: -x or --xyz, of letters, digits, - and _"
            )),
        }
    }
}

impl Name {
    /// As it is typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An option that can be typed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Opt {
    /// Its names; the last one is what it is called in messages and what the application gets.
    pub names: Vec<Name>,
    /// What its value is; without it, the option is a switch.
    #[serde(default)]
    pub value: Option<String>,
    /// What it says, for the help.
    #[serde(default)]
    pub help: String,
    /// It has to be there.
    #[serde(default)]
    pub required: bool,
    /// It may be given more than once.
    #[serde(default)]
    pub many: bool,
    /// Its value if it is not typed.
    #[serde(default)]
    pub default: Option<String>,
    /// What the application gets: words with `{}` for the value, empty for nothing. If not said: the last name, and the
    /// value as a word of its own.
    #[serde(default)]
    pub give: Option<String>,
    /// What its value must be.
    #[serde(default)]
    pub check: Option<Check>,
}

impl Opt {
    /// The name in messages.
    pub fn name(&self) -> &str {
        self.names.last().map_or("", Name::as_str)
    }

    fn is(&self, word: &str) -> bool {
        self.names.iter().any(|name| name.as_str() == word)
    }

    /// The words that the application gets for this value.
    pub fn given(&self, value: &str) -> Vec<String> {
        match (&self.give, &self.value) {
            (Some(give), _) => give
                .split_whitespace()
                .map(|word| word.replace("{}", value))
                .collect(),
            (None, Some(_)) => vec![self.name().to_owned(), value.to_owned()],
            (None, None) => vec![self.name().to_owned()],
        }
    }

    /// A line of the help: names and value.
    pub fn usage(&self) -> String {
        let names: Vec<&str> = self.names.iter().map(Name::as_str).collect();
        match &self.value {
            Some(value) => format!("{} {value}", names.join(", ")),
            None => names.join(", "),
        }
    }
}

/// A file with options.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "option")]
    options: Vec<Opt>,
}

fn builtin(text: &str) -> Result<Vec<Opt>> {
    toml::from_str::<File>(text)
        .map(|file| file.options)
        .map_err(|error| Error::usage(format!("the built-in options cannot be read: {error}")))
}

/// The options of every launcher.
///
/// # Errors
/// The built-in file is wrong, which a test would have seen.
pub fn of_run() -> Result<Vec<Opt>> {
    builtin(RUN)
}

/// The options of `build`.
///
/// # Errors
/// As [`of_run`].
pub fn of_build() -> Result<Vec<Opt>> {
    builtin(BUILD)
}

/// The options of `demo`.
///
/// # Errors
/// As [`of_run`].
pub fn of_demo() -> Result<Vec<Opt>> {
    builtin(DEMO)
}

/// Words that were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    values: Vec<(String, String)>,
    defaults: Vec<(String, String)>,
    /// The words after `--`.
    pub rest: Vec<String>,
}

impl Given {
    /// Reads `words` by these options; `what` is for messages.
    ///
    /// # Errors
    /// A word that is no option, a value that is missing, superfluous or not what the option takes, an option that is
    /// missing or given twice.
    pub fn read(what: &str, options: &[Opt], words: &[String]) -> Result<Self> {
        let mut given = Given::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if word == "--" {
                given.rest = words.cloned().collect();
                break;
            }
            let (name, inline) = match word.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (word.as_str(), None),
            };
            let Some(option) = options.iter().find(|option| option.is(name)) else {
                return Err(Error::usage(format!(
                    "'{name}' is no option of {what} (--help lists them; words for the program itself come after --)"
                )));
            };
            let value = match (&option.value, inline) {
                (None, None) => String::new(),
                (None, Some(_)) => {
                    return Err(Error::usage(format!("{name} takes no value: '{word}'")));
                }
                (Some(_), Some(value)) => value.to_owned(),
                (Some(value), None) => words.next().cloned().ok_or_else(|| {
                    Error::usage(format!("{name} is to be followed by its value, {value}"))
                })?,
            };
            if !option.many && given.typed(option.name()) {
                return Err(Error::usage(format!("{} is given twice", option.name())));
            }
            if let Some(check) = &option.check {
                check
                    .value(&value)
                    .map_err(|reason| Error::usage(format!("{name} '{value}': {reason}")))?;
            }
            given.values.push((option.name().to_owned(), value));
        }
        for option in options {
            if given.typed(option.name()) {
                continue;
            }
            if let Some(default) = &option.default {
                let name = option.name().to_owned();
                given.defaults.push((name, default.clone()));
            } else if option.required {
                return Err(Error::usage(format!(
                    "{} is missing: {}",
                    option.usage(),
                    option.help
                )));
            }
        }
        Ok(given)
    }

    /// Whether the option of this name was typed.
    pub fn typed(&self, name: &str) -> bool {
        self.values.iter().any(|(known, _)| known == name)
    }

    /// Puts a value in the place of what was typed.
    pub fn set(&mut self, name: &str, value: &str) {
        self.values.retain(|(known, _)| known != name);
        self.values.push((name.to_owned(), value.to_owned()));
    }

    /// The value that was typed, or the default.
    pub fn value(&self, name: &str) -> Option<&str> {
        let all = self.values.iter().chain(&self.defaults);
        all.into_iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values that were typed.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of = move |(known, _): &&(String, String)| known == name;
        self.values
            .iter()
            .filter(of)
            .map(|(_, value)| value.as_str())
    }

    /// A number, typed or the default.
    ///
    /// # Errors
    /// It is none.
    pub fn number(&self, name: &str) -> Result<Option<u32>> {
        let number = |text: &str| {
            text.parse()
                .map_err(|_| Error::usage(format!("{name} '{text}' is not a number")))
        };
        self.value(name).map(number).transpose()
    }

    /// What an application gets for these of its options, in their order.
    pub fn for_application(&self, options: &[Opt]) -> Vec<String> {
        let mut words = Vec::new();
        for option in options {
            let typed: Vec<&str> = self.all(option.name()).collect();
            match (typed.as_slice(), self.value(option.name())) {
                ([], Some(default)) => words.extend(option.given(default)),
                _ => words.extend(typed.iter().flat_map(|value| option.given(value))),
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        shlex::split(text).unwrap()
    }

    #[test]
    fn the_built_in_options_are_whole_and_differ() {
        for options in [of_run().unwrap(), of_build().unwrap(), of_demo().unwrap()] {
            let names: Vec<_> = options.iter().flat_map(|o| &o.names).collect();
            for (at, name) in names.iter().enumerate() {
                assert!(!names[..at].contains(name), "{name:?}");
            }
            assert!(options.iter().all(|option| !option.help.is_empty()));
        }
    }

    #[test]
    fn options_of_one_dash_and_several_letters_are_whole_words() {
        let given = Given::read(
            "x",
            &of_run().unwrap(),
            &words("-nq 2 -fg -d 1,2 --name=a -l 0 -- -nq --x"),
        )
        .unwrap();
        assert_eq!(given.value("--nof-queues"), Some("2"));
        assert!(given.typed("--foreground") && !given.typed("--dry-run"));
        assert_eq!(given.value("--name"), Some("a"));
        assert_eq!(given.value("--mem"), Some("1024"));
        assert_eq!(given.rest, ["-nq", "--x"]);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, reason) in [
            ("-z", "'-z' is no option of x"),
            ("-l", "-l is to be followed by its value"),
            ("--mem 1 -m 2", "--mem is given twice"),
            ("-m x", "-m 'x'"),
            ("--dry-run=1", "--dry-run takes no value"),
        ] {
            let error = Given::read("x", &of_run().unwrap(), &words(text)).unwrap_err();
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
    }
}
