//! Descriptions of packets: `eth(dst=52:54:00:00:00:01)/vlan(id=100-110)/ipv4(dst=random)/udp(dport=1000-2000)`.
//!
//! Layers from the outside to the inside, each with the fields that are not to have their usual values. A value is one, a range
//! that is counted through (`A-B`), or a random one (`random`, `random(A-B)`).

mod fields;
mod parse;

pub(crate) use fields::{Known, Sum};

/// A description that makes sense; made from text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub(crate) layers: Vec<Layer>,
}

/// A layer and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    pub(crate) kind: Kind,
    pub(crate) settings: Vec<Setting>,
}

/// What there is one on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Eth,
    Vlan,
    Ipv4,
    Ipv6,
    Udp,
    Tcp,
    Icmp,
}

/// A field and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) field: &'static Known,
    pub(crate) value: Value,
}

/// The values of a field, from frame to frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    pub(crate) first: u128,
    pub(crate) last: u128,
    pub(crate) random: bool,
}

impl Packet {
    /// UDP over IPv4 with the usual values.
    #[must_use]
    pub fn usual() -> Self {
        let layer = |kind| Layer {
            kind,
            settings: Vec::new(),
        };
        Self {
            layers: [Kind::Eth, Kind::Ipv4, Kind::Udp].map(layer).to_vec(),
        }
    }
}

impl Value {
    /// The value in frame `sequence`; `seed` is of this field alone.
    pub(crate) fn of(&self, sequence: u64, seed: u64) -> u128 {
        let more = self.last - self.first;
        if !self.random {
            // Sequence numbers have 48 bits: a longer range does not come to its end.
            return match u64::try_from(more) {
                Ok(u64::MAX) | Err(_) => self.first + u128::from(sequence),
                Ok(more) => self.first + u128::from(sequence % (more + 1)),
            };
        }
        let drawn = mix(seed, sequence);
        match u64::try_from(more) {
            Ok(more) => self.first + ((u128::from(drawn) * (u128::from(more) + 1)) >> 64),
            Err(_) => {
                let wide = u128::from(drawn) << 64 | u128::from(mix(!seed, sequence));
                self.first + more.checked_add(1).map_or(wide, |span| wide % span)
            }
        }
    }
}

/// A number that looks random, but is the same for the same two (the finisher of SplitMix64).
pub(crate) fn mix(seed: u64, n: u64) -> u64 {
    let mut x = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_stay_in_their_range(
            first in any::<u128>(), last in any::<u128>(), random in any::<bool>(),
            sequence in 0..1u64 << 48, seed in any::<u64>(),
        ) {
            let value = Value { first: first.min(last), last: first.max(last), random };
            prop_assert!((value.first..=value.last).contains(&value.of(sequence, seed)));
            let narrow = Value { first: 5, last: 5 + u128::from(first as u16), random };
            prop_assert!((narrow.first..=narrow.last).contains(&narrow.of(sequence, seed)));
        }
    }

    #[test]
    fn what_is_counted_begins_anew_after_the_last() {
        let value = Value {
            first: 7,
            last: 9,
            random: false,
        };
        let seen: Vec<u128> = (0..5).map(|k| value.of(k, 0)).collect();
        assert_eq!(seen, [7, 8, 9, 7, 8]);
        let all = Value {
            first: 0,
            last: u128::MAX,
            random: false,
        };
        assert_eq!(all.of(5, 0), 5);
    }
}
