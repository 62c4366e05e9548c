//! The configuration of the shell: twelve keys, their checks, and the file that may set them.

use std::path::Path;

use serde_norway::{Mapping, Value};

use crate::failure::Failure;

/// An entry of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub key: &'static str,
    /// Its value, as text.
    pub value: String,
    /// What it is for.
    pub description: String,
    check: Check,
}

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    Any,
    Number,
    Seconds,
    Memory,
    CapturedPort,
    Size,
}

/// Keys in the order in which they are shown: default, check, description.
const KEYS: [(&str, &str, Check, &str); 12] = [
    (
        "max_secondary",
        "16",
        Check::Number,
        "The maximum number of secondary processes",
    ),
    ("prompt", "spp > ", Check::Any, "Command prompt"),
    ("sec_mem", "-m 512", Check::Memory, "Mem size"),
    (
        "sec_m_lcore",
        "2",
        Check::Number,
        "Shared master lcore among secondaries",
    ),
    (
        "sec_wait_launch",
        "0.5",
        Check::Seconds,
        "Wait for launching secondary process in sec",
    ),
    (
        "sec_vhost_cli",
        "",
        Check::Any,
        "Vhost client mode, activated if set any of values",
    ),
    (
        "sec_nfv_nof_lcores",
        "1",
        Check::Number,
        "Default num of lcores for workers of spp_nfv",
    ),
    (
        "sec_vf_nof_lcores",
        "3",
        Check::Number,
        "Default num of lcores for workers of spp_vf",
    ),
    (
        "sec_mirror_nof_lcores",
        "2",
        Check::Number,
        "Default num of lcores for workers of spp_mirror",
    ),
    (
        "sec_pcap_nof_lcores",
        "2",
        Check::Number,
        "Default num of lcores for workers of spp_pcap",
    ),
    (
        "sec_pcap_port",
        "phy:0",
        Check::CapturedPort,
        "Default captured port",
    ),
    (
        "topo_size",
        "60%",
        Check::Size,
        "Percentage or ratio of topo",
    ),
];

/// The configuration of a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    entries: Vec<Entry>,
}

impl Default for Config {
    fn default() -> Self {
        let entry = |(key, value, check, description): (&'static str, &str, Check, &str)| Entry {
            key,
            value: value.to_owned(),
            description: description.to_owned(),
            check,
        };
        Self {
            entries: KEYS.map(entry).into(),
        }
    }
}

impl Config {
    /// Reads a file of the original's form (`KEY: {val: VALUE, desc: TEXT}`); keys that it does not
    /// name keep their defaults.
    ///
    /// # Errors
    /// What is wrong, in words with the file, the key and the value; nothing of it is taken then.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::refused(format!(
                "Error: No config file found!\n{error}: '{}'",
                std::path::absolute(path)
                    .as_deref()
                    .unwrap_or(path)
                    .display()
            ))
        })?;
        Self::read(&path.display().to_string(), &text)
    }

    /// Reads the text of a file with the name `shown`, as [`Config::load`] does.
    pub fn read(shown: &str, text: &str) -> Result<Self, Failure> {
        let wrong =
            |reason: String| Failure::usage(format!("Error: config file '{shown}': {reason}"));
        let form = || "every key has the form KEY: {val: VALUE, desc: TEXT}".to_owned();
        let value: Value =
            serde_norway::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let empty = Mapping::new();
        let members = match &value {
            Value::Mapping(members) => members,
            Value::Null => &empty,
            _ => return Err(wrong(form())),
        };
        let mut config = Self::default();
        for (key, entry) in members {
            let key = key.as_str().ok_or_else(|| wrong(form()))?;
            let value = entry
                .get("val")
                .ok_or_else(|| wrong(format!("'{key}' has no val: {}", form())))?;
            let value = scalar(value)
                .ok_or_else(|| wrong(format!("the val of '{key}' is no text or number")))?;
            let Some(known) = config.entries.iter_mut().find(|known| known.key == key) else {
                let known: Vec<_> = KEYS.iter().map(|(key, ..)| *key).collect();
                return Err(wrong(format!(
                    "there is no key '{key}' (there are: {})",
                    known.join(", ")
                )));
            };
            if let Err(reason) = known.check.accepts(&value) {
                return Err(wrong(format!(
                    "Invalid value \"{value}\" for \"{key}\": {reason}"
                )));
            }
            known.value = value;
            if let Some(description) = entry.get("desc").and_then(Value::as_str) {
                known.description = description.to_owned();
            }
        }
        Ok(config)
    }

    /// All entries in their order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The value of a key; empty if there is no such key.
    pub fn get(&self, key: &str) -> &str {
        self.entries
            .iter()
            .find(|entry| entry.key == key)
            .map_or("", |entry| &entry.value)
    }

    /// A value as a number; 0 if it is none, which the checks exclude.
    pub fn number(&self, key: &str) -> usize {
        self.get(key).parse().unwrap_or(0)
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// Unknown keys, and values that do not fit.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), Failure> {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.key == key) else {
            return Err(Failure::usage(format!(
                "There is no key \"{}\" (`config` lists them)",
                crate::commands::quote(key)
            )));
        };
        entry.check.accepts(value).map_err(|reason| {
            Failure::usage(format!(
                "Invalid value \"{value}\" for \"{key}\"\n({reason})"
            ))
        })?;
        entry.value = value.to_owned();
        Ok(())
    }
}

impl Check {
    /// Says what is expected of a value that is not right.
    fn accepts(self, value: &str) -> Result<(), &'static str> {
        let digits = |text: &str| {
            (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        let (right, expected) = match self {
            Self::Any => (true, ""),
            Self::Number => (digits(value), "expected: a whole number"),
            Self::Seconds => (
                value
                    .parse::<f64>()
                    .is_ok_and(|seconds| (0.0..=86_400.0).contains(&seconds)),
                "expected: a time in seconds, such as 0.5",
            ),
            Self::Memory => (
                match value.split_once(' ') {
                    Some(("-m", size)) => digits(size) && size.bytes().any(|byte| byte != b'0'),
                    Some(("--socket-mem", sizes)) => {
                        sizes.split(',').all(digits)
                            && sizes.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
                    }
                    _ => false,
                },
                "expected: -m MEGABYTES or --socket-mem MEGABYTES,MEGABYTES,…",
            ),
            Self::CapturedPort => (
                value
                    .split_once(':')
                    .is_some_and(|(kind, number)| matches!(kind, "phy" | "ring") && digits(number)),
                "expected: phy:N or ring:N",
            ),
            Self::Size => (
                match value.strip_suffix('%') {
                    Some(percent) => {
                        digits(percent)
                            && percent
                                .parse::<u32>()
                                .is_ok_and(|percent| (1..=100).contains(&percent))
                    }
                    None => value == "1" || value.strip_prefix("0.").is_some_and(digits),
                },
                "expected: 1% to 100%, 0.x or 1",
            ),
        };
        if right { Ok(()) } else { Err(expected) }
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Config, Failure> {
        let path = std::env::temp_dir().join(format!(
            "spp-config-{}-{:?}.yml",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::write(&path, text).unwrap();
        let config = Config::load(&path);
        std::fs::remove_file(&path).unwrap();
        config
    }

    #[test]
    fn values_are_checked() {
        let mut config = Config::default();
        for (key, good, bad) in [
            ("max_secondary", &["4"][..], &["", "x", "-1", "4 "][..]),
            (
                "sec_mem",
                &[
                    "-m 1",
                    "--socket-mem 1024,1024",
                    "--socket-mem 0,512",
                    "--socket-mem 512",
                ],
                &[
                    "-m",
                    "-m x",
                    "-m 0",
                    "--socket-mem 0,0",
                    "--socket-mem 1,,2",
                    "512",
                    "--socket-mem ",
                ],
            ),
            (
                "sec_wait_launch",
                &["0", "0.5", "20"],
                &["x", "-1", "NaN", "inf"],
            ),
            (
                "sec_pcap_port",
                &["phy:0", "ring:12"],
                &["vhost:1", "phy:", "phy"],
            ),
            (
                "topo_size",
                &["1%", "100%", "0.5", "1"],
                &["0%", "101%", "2", "%", "x%"],
            ),
            ("prompt", &["", "$ "], &[]),
        ] {
            for value in good {
                config.set(key, value).unwrap();
                assert_eq!(config.get(key), *value);
            }
            for value in bad {
                let error = config.set(key, value).unwrap_err().to_string();
                let start = format!("Invalid value \"{value}\" for \"{key}\"\n");
                assert!(error.starts_with(&start), "{error}");
                assert_eq!(config.get(key), *good.last().unwrap(), "it stays");
            }
        }
        assert!(config.set("nosuch", "1").is_err());
    }

    #[test]
    fn a_file_of_the_original_is_read_and_checked() {
        let config = file(
            "max_secondary:\n  val: 8\n  desc: \"How many\"\nsec_wait_launch: {val: 0.25, desc: x}\n\
             sec_vhost_cli:\n  val:\nprompt:\n  val: \"> \"\n",
        )
        .unwrap();
        assert_eq!(
            (config.get("max_secondary"), config.number("max_secondary")),
            ("8", 8)
        );
        assert_eq!(config.entries()[0].description, "How many");
        assert_eq!(config.get("sec_wait_launch"), "0.25");
        assert_eq!(
            (config.get("prompt"), config.get("sec_vhost_cli")),
            ("> ", "")
        );
        assert_eq!(config.get("topo_size"), "60%");
        assert_eq!(file("").unwrap(), Config::default());
        for (text, reason) in [
            (
                "max_secondary: {val: x}",
                "Invalid value \"x\" for \"max_secondary\"",
            ),
            ("nosuch: {val: 1}", "there is no key 'nosuch'"),
            ("max_secondary: 4", "has no val"),
            ("max_secondary: {val: [1]}", "is no text or number"),
            ("- 1", "every key has the form"),
            ("a: b: c", "config file"),
            ("1: {val: 2}", "every key has the form"),
        ] {
            let error = file(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
        let error = Config::load(Path::new("nosuch.yml"))
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("Error: No config file found!\n"),
            "{error}"
        );
        assert!(error.contains("/nosuch.yml'"), "{error}");
    }
}
