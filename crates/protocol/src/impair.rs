//! What a patch does to the packets on it: `with delay 100ms jitter 5ms loss 0.1% rate 1Mbit/s seed 7`.
//!
//! A patch without it passes packets on at once and whole. With it, the patch is a link with a character: what is on the
//! way is held by the worker that runs it.

mod measure;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::quotable;
pub use measure::{Rate, Share, Time};

/// mbufs that a patch holds at most unless it is said.
pub const DEFAULT_LIMIT: u32 = 1024;
/// Most mbufs that can be asked for.
pub const MAX_LIMIT: u32 = 1 << 20;
/// Longest delay, jitter included.
pub const LONGEST: Time = Time::seconds(60);
/// The names of its properties.
pub const NAMES: [&str; 9] = [
    "delay",
    "jitter",
    "loss",
    "rate",
    "reorder",
    "duplicate",
    "corrupt",
    "limit",
    "seed",
];
/// How it is written.
pub const USAGE: &str = "with delay TIME jitter TIME loss SHARE rate RATE reorder SHARE duplicate SHARE corrupt SHARE \
                         limit MBUFS seed NUMBER: one or more of them, such as with delay 100ms loss 0.1% rate 1Mbit/s";

/// Why words are no impairment.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImpairError {
    /// There are none.
    #[error("nothing stands behind 'with': write {USAGE}")]
    Empty,
    /// A word is no name of a property.
    #[error("'{0}' is nothing that a patch can have: write {USAGE}")]
    Unknown(String),
    /// One stands there twice.
    #[error("{0} stands there twice: one of them is enough")]
    Twice(&'static str),
    /// One has no value.
    #[error("{name} has no value: write {example}")]
    NoValue {
        /// The property.
        name: &'static str,
        /// How it is written.
        example: &'static str,
    },
    /// A value is not written as one, or out of its range.
    #[error("{name} '{word}': {reason}")]
    Value {
        /// The property.
        name: &'static str,
        /// The value.
        word: String,
        /// What it has to be.
        reason: String,
    },
    /// More jitter than delay.
    #[error(
        "jitter {jitter} is more than the delay of {delay}: packets cannot leave before they came"
    )]
    Jitter {
        /// Jitter.
        jitter: Time,
        /// Delay.
        delay: Time,
    },
    /// Packets that overtake others need those to wait.
    #[error("reorder needs a delay: packets overtake those that wait")]
    Reorder,
}

/// What a patch does to the packets on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Properties", into = "Properties")]
pub struct Impairment {
    /// Time from arrival to departure.
    pub delay: Time,
    /// Most by which the delay of a packet is longer or shorter, evenly distributed. Packets keep their order.
    pub jitter: Time,
    /// Share of packets that are lost.
    pub loss: Share,
    /// Bits of Ethernet frames, without check sequence, that leave in a second; packets wait for those before them.
    pub rate: Option<Rate>,
    /// Share of packets that overtake all that wait.
    pub reorder: Share,
    /// Share of packets that leave twice.
    pub duplicate: Share,
    /// Share of packets with one wrong bit.
    pub corrupt: Share,
    /// mbufs that it holds at most; packets beyond them are dropped. [`DEFAULT_LIMIT`] if it is not said.
    pub limit: Option<u32>,
    /// Where the sequences begin by which packets are chosen: equal seeds choose alike.
    pub seed: u64,
}

/// The members of an [`Impairment`] as they are written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Impairment))]
#[serde(default, deny_unknown_fields)]
pub struct Properties {
    /// `100ms`: time from arrival to departure, at most 60s.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "100ms"))]
    pub delay: Option<Time>,
    /// `5ms`: most by which the delay of a packet is longer or shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "5ms"))]
    pub jitter: Option<Time>,
    /// `0.1%`: share of packets that are lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "0.1%"))]
    pub loss: Option<Share>,
    /// `1Mbit/s`: bits of frames that leave in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "1Mbit/s"))]
    pub rate: Option<Rate>,
    /// `1%`: share of packets that overtake all that wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "1%"))]
    pub reorder: Option<Share>,
    /// `1%`: share of packets that leave twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "1%"))]
    pub duplicate: Option<Share>,
    /// `1%`: share of packets with one wrong bit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, example = "1%"))]
    pub corrupt: Option<Share>,
    /// mbufs that it holds at most, 1 to 1048576; 1024 if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 1_048_576))]
    pub limit: Option<u32>,
    /// Where the sequences begin by which packets are chosen; 0 if it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl TryFrom<Properties> for Impairment {
    type Error = ImpairError;

    fn try_from(it: Properties) -> Result<Self, ImpairError> {
        if it == Properties::default() {
            return Err(ImpairError::Empty);
        }
        let all = Impairment {
            delay: it.delay.unwrap_or_default(),
            jitter: it.jitter.unwrap_or_default(),
            loss: it.loss.unwrap_or_default(),
            rate: it.rate,
            reorder: it.reorder.unwrap_or_default(),
            duplicate: it.duplicate.unwrap_or_default(),
            corrupt: it.corrupt.unwrap_or_default(),
            limit: it.limit,
            seed: it.seed.unwrap_or_default(),
        };
        for (name, time) in [("delay", all.delay), ("jitter", all.jitter)] {
            if time > LONGEST {
                return Err(ImpairError::Value {
                    name,
                    word: time.to_string(),
                    reason: format!("at most {LONGEST} are possible"),
                });
            }
        }
        if all.jitter > all.delay {
            let (jitter, delay) = (all.jitter, all.delay);
            return Err(ImpairError::Jitter { jitter, delay });
        }
        if all.reorder != Share::default() && all.delay == Time::default() {
            return Err(ImpairError::Reorder);
        }
        match all.limit {
            Some(limit) if !(1..=MAX_LIMIT).contains(&limit) => Err(ImpairError::Value {
                name: "limit",
                word: limit.to_string(),
                reason: format!("it has to be 1 to {MAX_LIMIT} mbufs"),
            }),
            _ => Ok(all),
        }
    }
}

impl From<Impairment> for Properties {
    fn from(it: Impairment) -> Self {
        let time = |time: Time| (time != Time::default()).then_some(time);
        let share = |share: Share| (share != Share::default()).then_some(share);
        let all = Properties {
            delay: time(it.delay),
            jitter: time(it.jitter),
            loss: share(it.loss),
            rate: it.rate,
            reorder: share(it.reorder),
            duplicate: share(it.duplicate),
            corrupt: share(it.corrupt),
            limit: it.limit,
            seed: (it.seed != 0).then_some(it.seed),
        };
        if all == Properties::default() {
            // Something has to stand there: it holds no packet back, and is one all the same.
            return Properties {
                delay: Some(it.delay),
                ..all
            };
        }
        all
    }
}

impl Impairment {
    /// Reads the words behind `with`.
    ///
    /// # Errors
    /// [`ImpairError`] in words for the user.
    pub fn of_words(words: &[&str]) -> Result<Self, ImpairError> {
        let mut all = Properties::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next().copied();
            match *word {
                "delay" => set(&mut all.delay, "delay", "delay 100ms", value)?,
                "jitter" => set(&mut all.jitter, "jitter", "jitter 5ms", value)?,
                "loss" => set(&mut all.loss, "loss", "loss 0.1%", value)?,
                "rate" => set(&mut all.rate, "rate", "rate 1Mbit/s", value)?,
                "reorder" => set(&mut all.reorder, "reorder", "reorder 1%", value)?,
                "duplicate" => set(&mut all.duplicate, "duplicate", "duplicate 1%", value)?,
                "corrupt" => set(&mut all.corrupt, "corrupt", "corrupt 1%", value)?,
                "limit" => set(&mut all.limit, "limit", "limit 1024", value)?,
                "seed" => set(&mut all.seed, "seed", "seed 7", value)?,
                other => return Err(ImpairError::Unknown(quotable(other))),
            }
        }
        all.try_into()
    }

    /// Why not so much can pass as is asked: the limit is too low for what is on the way at this rate, in frames of 1514 bytes.
    pub fn warning(&self) -> Option<String> {
        const FRAME: u128 = 1514 * 8;
        let rate = u128::from(self.rate?.bits());
        let way = u128::from(self.delay.as_nanos()) + u128::from(self.jitter.as_nanos());
        let needed = (rate * way / 1_000_000_000).div_ceil(FRAME) + 1;
        let most = u128::from(self.most_mbufs());
        (needed > most).then(|| {
            let reached = most * FRAME * 1_000_000_000 / way.max(1) / 1000;
            format!(
                "a rate of {} cannot be reached: with this delay {needed} packets of 1514 bytes are on the way, and limit {most} lets {reached} kbit/s through (choose limit {needed})",
                self.rate.map_or(String::new(), |rate| rate.to_string()),
            )
        })
    }

    /// mbufs that it holds at most.
    pub fn most_mbufs(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }
}

fn set<T: FromStr<Err: fmt::Display>>(
    slot: &mut Option<T>,
    name: &'static str,
    example: &'static str,
    value: Option<&str>,
) -> Result<(), ImpairError> {
    let word = value.ok_or(ImpairError::NoValue { name, example })?;
    if slot.is_some() {
        return Err(ImpairError::Twice(name));
    }
    let value = word.parse().map_err(|reason: T::Err| ImpairError::Value {
        name,
        word: quotable(word),
        reason: reason.to_string(),
    })?;
    *slot = Some(value);
    Ok(())
}

/// The words behind `with`.
impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = Properties::from(*self);
        let mut first = true;
        let mut word = |name: &str, value: Option<&dyn fmt::Display>| match value {
            Some(value) => {
                let blank = if std::mem::take(&mut first) { "" } else { " " };
                write!(f, "{blank}{name} {value}")
            }
            None => Ok(()),
        };
        fn shown<T: fmt::Display>(value: &Option<T>) -> Option<&dyn fmt::Display> {
            value.as_ref().map(|value| value as &dyn fmt::Display)
        }
        word("delay", shown(&all.delay))?;
        word("jitter", shown(&all.jitter))?;
        word("loss", shown(&all.loss))?;
        word("rate", shown(&all.rate))?;
        word("reorder", shown(&all.reorder))?;
        word("duplicate", shown(&all.duplicate))?;
        word("corrupt", shown(&all.corrupt))?;
        word("limit", shown(&all.limit))?;
        word("seed", shown(&all.seed))
    }
}

/// Reads the words behind `with`.
impl FromStr for Impairment {
    type Err = ImpairError;

    fn from_str(text: &str) -> Result<Self, ImpairError> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        Self::of_words(&words)
    }
}
