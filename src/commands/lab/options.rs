//! Words of these commands: options, and the rest.

use std::ops::RangeInclusive;
use std::time::Duration;

use lab::Running;

use crate::commands::args::Args;
use crate::commands::words::{NO_PROGRAM, Words};
use crate::context::Context;
use crate::failure::Failure;

/// Least and most seconds that an option takes.
const LEAST: f64 = 0.1;
const MOST: f64 = 86_400.0;

/// What was typed after the command's name.
pub struct Taken {
    command: &'static str,
    usage: &'static str,
    values: Vec<(String, String)>,
    flags: Vec<String>,
    /// The network that is meant if none is named.
    usual: Option<String>,
    /// What is no option.
    pub words: Vec<String>,
}

impl Taken {
    /// Takes the words apart: options of `with_value` are followed by one, those of `flags` are not.
    pub fn new(
        context: &mut Context,
        args: &Args,
        command: &'static str,
        usage: &'static str,
        with_value: &[&str],
        flags: &[&str],
    ) -> Result<Self, Failure> {
        let typed = Words::take(context, args, usage, NO_PROGRAM);
        let mut taken = Self {
            command,
            usage,
            values: Vec::new(),
            flags: Vec::new(),
            usual: context.session.network.clone(),
            words: Vec::new(),
        };
        if typed.help {
            return Err(taken.refuse(""));
        }
        let mut words = typed.words.into_iter();
        while let Some(word) = words.next() {
            if with_value.contains(&word.as_str()) {
                match words.next() {
                    Some(value) => taken.values.push((word, value)),
                    None => {
                        return Err(
                            taken.refuse(&format!("'{word}' is to be followed by a value."))
                        );
                    }
                }
            } else if flags.contains(&word.as_str()) {
                taken.flags.push(word);
            } else if word.starts_with('-') {
                return Err(taken.refuse(&format!("'{word}' is no option here.")));
            } else {
                taken.words.push(word);
            }
        }
        Ok(taken)
    }

    /// A refusal with the usage.
    pub fn refuse(&self, text: &str) -> Failure {
        let usage = self.usage;
        Failure::usage(
            format!("{text}\nUsage: lab {} {usage}", self.command)
                .trim()
                .to_owned(),
        )
    }

    /// The value of an option.
    pub fn value(&self, option: &str) -> Option<&str> {
        let mut all = self.values.iter().rev();
        all.find(|(name, _)| name == option)
            .map(|(_, value)| value.as_str())
    }

    /// The value of an option that takes a number.
    pub fn number(&self, option: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Failure> {
        let Some(text) = self.value(option) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (least, most) = range.into_inner();
                let range = match most {
                    u64::MAX => format!("{least} on"),
                    most => format!("{least} to {most}"),
                };
                Err(self.refuse(&format!("{option} takes a number from {range}.")))
            }
        }
    }

    /// The value of an option that takes seconds.
    pub fn seconds(&self, option: &str) -> Result<Option<Duration>, Failure> {
        let Some(text) = self.value(option) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(seconds) if (LEAST..=MOST).contains(&seconds) => {
                Ok(Some(Duration::from_secs_f64(seconds)))
            }
            _ => Err(self.refuse(&format!("{option} takes seconds from {LEAST} to {MOST}."))),
        }
    }

    /// Whether an option was given.
    pub fn flag(&self, option: &str) -> bool {
        self.flags.iter().any(|flag| flag == option)
    }

    /// The one word: a file.
    pub fn file(&self) -> Result<&str, Failure> {
        match self.words.as_slice() {
            [file] => Ok(file),
            [] => Err(self.refuse("Which file?")),
            [_, word, ..] => Err(self.refuse(&format!("'{word}' has no meaning here."))),
        }
    }

    /// No word is left over.
    pub fn nothing(&self) -> Result<(), Failure> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => Err(self.refuse(&format!("'{word}' has no meaning here."))),
        }
    }

    /// The numbers of the nodes that are named, or of all.
    pub fn nodes(&self, network: &Running) -> Result<Vec<usize>, Failure> {
        Ok(match self.words.as_slice() {
            [] => (0..network.nodes().len()).collect(),
            names => names
                .iter()
                .map(|name| network.node(name))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The network of `-n`, or the one that is meant without.
    pub fn network(&self) -> Result<Running, Failure> {
        self.named(self.value("-n"))
    }

    /// The network of this name, or the one that is meant without.
    pub fn named(&self, name: Option<&str>) -> Result<Running, Failure> {
        named(name.or(self.usual.as_deref()))
    }
}

/// The network of this name, or the only one, entered if it is in a user namespace.
pub fn named(name: Option<&str>) -> Result<Running, Failure> {
    let running = match name {
        Some(name) => Running::find(name)?,
        None => Running::only()?,
    };
    running.enter()?;
    Ok(running)
}
