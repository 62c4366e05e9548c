//! What can be set of a component while it runs: `component set NAME KEY VALUE`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ComponentKind;
use crate::filter::{Filter, FilterError};
use crate::quotable;

/// Seconds after which a learned address is forgotten, unless said.
pub const LEARN_SECONDS: u32 = 300;

/// Longest time that a learned address can be kept, in seconds: as long as bridges of the kernel allow.
pub const MAX_LEARN_SECONDS: u32 = 1_000_000;

/// Fewest bytes of a packet that a copy can be cut to: its Ethernet header.
pub const MIN_SNAP: u32 = 14;

/// Most of them: no frame is longer.
pub const MAX_SNAP: u32 = 65_535;

/// Why words are no setting.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SettingError {
    /// No such key.
    #[error("'{0}' cannot be set: a mirror has copy, snap and filter, a classifier has learn")]
    Key(String),
    /// Not of this type of component.
    #[error("a {kind} has no {key}")]
    NotOfKind {
        /// What the component does.
        kind: &'static str,
        /// What was to be set.
        key: &'static str,
    },
    /// No filter.
    #[error("filter: {0}")]
    Filter(#[from] FilterError),
    /// No value of this key.
    #[error("'{value}' is no value of {key}: {wanted}")]
    Value {
        /// What was to be set.
        key: &'static str,
        /// What was given.
        value: String,
        /// What can be.
        wanted: &'static str,
    },
}

/// How a mirror copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum CopyMode {
    /// All copies share the bytes of the packet.
    Shallow,
    /// Each copy has its own.
    Deep,
}

impl CopyMode {
    /// The word of the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shallow => "shallow",
            Self::Deep => "deep",
        }
    }
}

impl FromStr for CopyMode {
    type Err = SettingError;

    fn from_str(word: &str) -> Result<Self, SettingError> {
        match word {
            "shallow" => Ok(Self::Shallow),
            "deep" => Ok(Self::Deep),
            _ => Err(SettingError::Value {
                key: "copy",
                value: quotable(word),
                wanted: "shallow or deep",
            }),
        }
    }
}

/// One thing that is set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Setting {
    /// `copy shallow|deep`, of a mirror.
    Copy(CopyMode),
    /// `snap BYTES|off`, of a mirror: copies are cut to so many bytes.
    Snap(Option<u32>),
    /// `filter EXPR|off`, of a mirror: only what it lets through is copied.
    Filter(Option<Filter>),
    /// `learn on [SECONDS]|off`, of a classifier: addresses are learned, and forgotten after so many seconds.
    Learn(Option<u32>),
}

impl Setting {
    /// Reads the words behind the name of a component.
    ///
    /// # Errors
    /// [`SettingError`]
    pub fn parse(words: &[&str]) -> Result<Self, SettingError> {
        let (key, values) = words.split_first().unwrap_or((&"", &[]));
        let wrong = |key, wanted| SettingError::Value {
            key,
            value: quotable(&values.join(" ")),
            wanted,
        };
        let number = |text: &str, least: u32, most: u32| {
            let number = text.parse::<u32>().ok();
            number.filter(|number| (least..=most).contains(number) && !text.starts_with('+'))
        };
        match (*key, values) {
            ("copy", [mode]) => mode.parse().map(Self::Copy),
            ("copy", _) => Err(wrong("copy", "shallow or deep")),
            ("snap", ["off"]) => Ok(Self::Snap(None)),
            ("snap", [bytes]) if number(bytes, MIN_SNAP, MAX_SNAP).is_some() => {
                Ok(Self::Snap(number(bytes, MIN_SNAP, MAX_SNAP)))
            }
            ("snap", _) => Err(wrong("snap", "14 to 65535 bytes, or off")),
            ("filter", ["off"]) => Ok(Self::Filter(None)),
            ("filter", words) => Ok(Self::Filter(Some(words.join(" ").parse()?))),
            ("learn", ["off"]) => Ok(Self::Learn(None)),
            ("learn", ["on"]) => Ok(Self::Learn(Some(LEARN_SECONDS))),
            ("learn", ["on", seconds]) if number(seconds, 1, MAX_LEARN_SECONDS).is_some() => {
                Ok(Self::Learn(number(seconds, 1, MAX_LEARN_SECONDS)))
            }
            ("learn", _) => Err(wrong("learn", "on, on with 1 to 1000000 seconds, or off")),
            (key, _) => Err(SettingError::Key(quotable(key))),
        }
    }

    /// The word before its value.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Copy(_) => "copy",
            Self::Snap(_) => "snap",
            Self::Filter(_) => "filter",
            Self::Learn(_) => "learn",
        }
    }

    /// Checks that a component of this type has it.
    ///
    /// # Errors
    /// [`SettingError::NotOfKind`]
    pub fn check(&self, kind: ComponentKind) -> Result<(), SettingError> {
        let of = match self {
            Self::Copy(_) | Self::Snap(_) | Self::Filter(_) => ComponentKind::Mirror,
            Self::Learn(_) => ComponentKind::Classifier,
        };
        if kind == of {
            return Ok(());
        }
        Err(SettingError::NotOfKind {
            kind: kind.word(),
            key: self.key(),
        })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Copy(mode) => write!(f, "copy {}", mode.word()),
            Self::Snap(Some(bytes)) => write!(f, "snap {bytes}"),
            Self::Snap(None) => f.write_str("snap off"),
            Self::Filter(Some(filter)) => write!(f, "filter {filter}"),
            Self::Filter(None) => f.write_str("filter off"),
            Self::Learn(Some(seconds)) => write!(f, "learn on {seconds}"),
            Self::Learn(None) => f.write_str("learn off"),
        }
    }
}

/// All that is set of a component; what is not set is off, or as the process does it by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Settings {
    /// How a mirror copies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<CopyMode>,
    /// Most bytes of a packet that a mirror copies, 14 to 65535.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snap: Option<u32>,
    /// What a mirror copies; without it, everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub filter: Option<Filter>,
    /// Seconds after which a classifier forgets the addresses that it learned; without it, it learns none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learn: Option<u32>,
}

impl Settings {
    /// The names of its members.
    pub const KEYS: [&str; 4] = ["copy", "snap", "filter", "learn"];

    /// Sets one thing.
    pub fn take(&mut self, setting: &Setting) {
        match setting {
            Setting::Copy(mode) => self.copy = Some(*mode),
            Setting::Snap(bytes) => self.snap = *bytes,
            Setting::Filter(filter) => self.filter.clone_from(filter),
            Setting::Learn(seconds) => self.learn = *seconds,
        }
    }

    /// What is to be set to come here from `other`. How copies are made stays as it is if it is not said here.
    pub fn since(&self, other: &Self) -> Vec<Setting> {
        let copy = self.copy.filter(|_| self.copy != other.copy);
        let snap = (self.snap != other.snap).then_some(Setting::Snap(self.snap));
        let filter = (self.filter != other.filter).then(|| Setting::Filter(self.filter.clone()));
        let learn = (self.learn != other.learn).then_some(Setting::Learn(self.learn));
        let all = [copy.map(Setting::Copy), snap, filter, learn];
        all.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any setting.
    pub fn any_setting() -> impl Strategy<Value = Setting> {
        prop_oneof![
            Just(Setting::Copy(CopyMode::Shallow)),
            Just(Setting::Copy(CopyMode::Deep)),
            proptest::option::of(MIN_SNAP..=MAX_SNAP).prop_map(Setting::Snap),
            prop_oneof![
                Just(None),
                Just(Some("proto tcp dport 80")),
                Just(Some("vlan 7"))
            ]
            .prop_map(|text| Setting::Filter(text.map(|text| text.parse().unwrap()))),
            proptest::option::of(1..=MAX_LEARN_SECONDS).prop_map(Setting::Learn),
        ]
    }

    proptest! {
        #[test]
        fn settings_read_back(setting in any_setting()) {
            let text = setting.to_string();
            let words: Vec<&str> = text.split(' ').collect();
            prop_assert_eq!(Setting::parse(&words), Ok(setting));
        }

        #[test]
        fn what_differs_leads_from_one_to_the_other(
            one in proptest::collection::vec(any_setting(), 0..5),
            two in proptest::collection::vec(any_setting(), 0..5),
        ) {
            let settings = |list: &[Setting]| {
                let mut all = Settings::default();
                list.iter().for_each(|setting| all.take(setting));
                all
            };
            let (from, to) = (settings(&one), settings(&two));
            let mut reached = from.clone();
            to.since(&from).iter().for_each(|setting| reached.take(setting));
            let wanted = Settings { copy: to.copy.or(from.copy), ..to };
            prop_assert_eq!(reached, wanted);
        }
    }

    #[test]
    fn what_is_no_setting_is_named() {
        let refused = |text: &str| {
            let words: Vec<&str> = text.split(' ').collect();
            Setting::parse(&words).unwrap_err().to_string()
        };
        assert!(refused("zap 1").contains("'zap' cannot be set"));
        for (text, wanted) in [
            ("copy", "shallow or deep"),
            ("copy flat", "shallow or deep"),
            ("snap 13", "14 to 65535"),
            ("snap 65536", "14 to 65535"),
            ("snap +20", "14 to 65535"),
            ("learn", "on, on with"),
            ("learn on 0", "on, on with"),
            ("learn on 1 2", "on, on with"),
            ("filter zap 1", "'zap' is no key of a filter"),
            ("filter", "a filter names at least one key"),
        ] {
            assert!(refused(text).contains(wanted), "{text}");
        }
        let learn = Setting::Learn(None).check(ComponentKind::Merge);
        assert_eq!(learn.unwrap_err().to_string(), "a merge has no learn");
    }
}
