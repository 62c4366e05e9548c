//! Sizes of frames: one, a range, or several with weights.

use std::str::FromStr;

use crate::frame::{MAX_SIZE, MIN_SIZE};
use crate::packet::mix;

/// Most frames of one round through a list of sizes.
const LONGEST_ROUND: u64 = 10_000;
/// What most people mean by IMIX: 7 small frames, 4 of medium size, 1 long one; without FCS.
const IMIX: &str = "60*7,590*4,1514";

/// Sizes of a flow's frames, in bytes without FCS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sizes {
    /// In this order, again and again; one or more.
    Round(Vec<usize>),
    /// From the first to the last, and again.
    Range(usize, usize),
    /// Any of this range.
    Random(usize, usize),
}

impl Sizes {
    /// Frames of one size.
    #[must_use]
    pub fn one(size: usize) -> Self {
        Self::Round(vec![size])
    }

    /// The size, if it is always the same.
    #[must_use]
    pub fn fixed(&self) -> Option<usize> {
        let (smallest, largest) = (self.smallest(), self.largest());
        (smallest == largest).then_some(largest)
    }

    /// The smallest size.
    #[must_use]
    pub fn smallest(&self) -> usize {
        match self {
            Self::Round(sizes) => sizes.iter().copied().min().unwrap_or_default(),
            Self::Range(first, _) | Self::Random(first, _) => *first,
        }
    }

    /// The largest size.
    #[must_use]
    pub fn largest(&self) -> usize {
        match self {
            Self::Round(sizes) => sizes.iter().copied().max().unwrap_or_default(),
            Self::Range(_, last) | Self::Random(_, last) => *last,
        }
    }

    /// The average over many frames.
    #[must_use]
    pub fn mean(&self) -> f64 {
        match self {
            Self::Round(sizes) => sizes.iter().sum::<usize>() as f64 / sizes.len().max(1) as f64,
            Self::Range(first, last) | Self::Random(first, last) => (first + last) as f64 / 2.0,
        }
    }

    /// The size of frame `sequence`.
    #[must_use]
    pub fn of(&self, sequence: u64, seed: u64) -> usize {
        match self {
            Self::Round(sizes) if sizes.len() == 1 => sizes[0],
            Self::Round(sizes) => sizes[(sequence % sizes.len() as u64) as usize],
            Self::Range(first, last) => first + (sequence % (last - first + 1) as u64) as usize,
            Self::Random(first, last) => {
                let span = (last - first + 1) as u128;
                first + ((u128::from(mix(seed, sequence)) * span) >> 64) as usize
            }
        }
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("imix") {
            return IMIX.parse();
        }
        let inner = text
            .strip_prefix("random(")
            .and_then(|rest| rest.strip_suffix(')'));
        if let Some((first, last)) = inner.unwrap_or(text).split_once('-') {
            let (first, last) = (size(first)?, size(last)?);
            if first > last {
                return Err(format!(
                    "'{text}' goes downwards: write the smaller size first"
                ));
            }
            return Ok(match inner {
                Some(_) => Self::Random(first, last),
                None => Self::Range(first, last),
            });
        }
        let mut weighted = Vec::new();
        for part in text.split(',') {
            let (bytes, weight) = part.split_once('*').unwrap_or((part, "1"));
            let weight: u64 = weight
                .parse()
                .ok()
                .filter(|weight| (1..=LONGEST_ROUND).contains(weight))
                .ok_or_else(|| format!("'{part}': the weight is 1 to {LONGEST_ROUND}"))?;
            weighted.push((size(bytes)?, weight));
        }
        if weighted.iter().map(|(_, weight)| weight).sum::<u64>() > LONGEST_ROUND {
            return Err(format!(
                "the weights add up to more than {LONGEST_ROUND}: take smaller ones of the same ratio"
            ));
        }
        Ok(Self::Round(spread(&weighted)))
    }
}

fn size(text: &str) -> Result<usize, String> {
    let known = "give one (64), a range (64-1518, random(64-1518)), several with weights (64*7,594*4,1514), or imix";
    match text.parse() {
        Ok(size) if (MIN_SIZE..=MAX_SIZE).contains(&size) => Ok(size),
        Ok(size) => Err(format!(
            "a frame of {size} bytes: {MIN_SIZE} to {MAX_SIZE} are possible (without FCS)"
        )),
        Err(_) => Err(format!("'{text}' is not a size: {known}")),
    }
}

/// One round in which each size comes as often as its weight says, as evenly as it goes.
fn spread(weighted: &[(usize, u64)]) -> Vec<usize> {
    let total: u64 = weighted.iter().map(|(_, weight)| weight).sum();
    let mut credit = vec![0i64; weighted.len()];
    let mut round = Vec::new();
    for _ in 0..total {
        let mut most = 0;
        for (i, (_, weight)) in weighted.iter().enumerate() {
            credit[i] += *weight as i64;
            if credit[i] > credit[most] {
                most = i;
            }
        }
        credit[most] -= total as i64;
        round.push(weighted[most].0);
    }
    round
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(text: &str) -> Vec<usize> {
        let sizes: Sizes = text.parse().unwrap();
        (0..6).map(|k| sizes.of(k, 1)).collect()
    }

    #[test]
    fn sizes_come_in_their_turn() {
        assert_eq!(sizes("64"), [64; 6]);
        assert_eq!(sizes("64-66"), [64, 65, 66, 64, 65, 66]);
        assert_eq!(sizes("64,1514"), [64, 1514, 64, 1514, 64, 1514]);
        assert_eq!(sizes("64*3,1514*1"), [64, 64, 1514, 64, 64, 64]);
        let imix: Sizes = "IMIX".parse().unwrap();
        assert_eq!((imix.smallest(), imix.largest()), (60, 1514));
        assert_eq!(imix.mean().round(), 358.0);
        assert_eq!("70".parse::<Sizes>().unwrap().fixed(), Some(70));
        assert_eq!(imix.fixed(), None);
    }

    #[test]
    fn random_sizes_are_repeatable_and_of_their_range() {
        let sizes: Sizes = "random(64-70)".parse().unwrap();
        let drawn = |seed| (0..1000).map(|k| sizes.of(k, seed)).collect::<Vec<_>>();
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        for size in 64..=70 {
            assert!(drawn(1).contains(&size), "{size}");
        }
        assert!(drawn(1).iter().all(|size| (64..=70).contains(size)));
    }

    #[test]
    fn refusals_say_what_is_possible() {
        for (text, words) in [
            ("59", "60 to 9600"),
            ("9601", "60 to 9600"),
            ("100-64", "downwards"),
            ("big", "imix"),
            ("", "imix"),
            ("64*0", "weight"),
            ("64*9999,65*9999", "add up"),
            ("random(64", "imix"),
        ] {
            let refused = text.parse::<Sizes>().unwrap_err();
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }
}
