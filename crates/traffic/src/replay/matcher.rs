//! Packets of a capture, recognised by all their bytes.

use std::sync::Arc;

use super::Capture;

/// What arrived of a capture that was sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContentTotals {
    /// Packets that are as one of those sent, each counted once.
    pub received: u64,
    /// Packets sent of which nothing like them arrived.
    pub lost: u64,
    /// Packets like one of those sent, but more of them than were sent.
    pub duplicated: u64,
    /// Of those that arrived, how many came behind a later one.
    pub reordered: u64,
}

/// Takes in what arrives. How many there are of each content is exact, the order is a guess that errs only if more than half
/// of a capture is missing at once or the same bytes are in it several times.
pub struct Matcher {
    capture: Arc<Capture>,
    /// For each content, its places in the capture in rising order: `places[starts[c]..starts[c + 1]]`.
    starts: Vec<u32>,
    places: Vec<u32>,
    /// For each content, how many arrived.
    arrived: Vec<u64>,
    /// The place that is expected next.
    next: u64,
    known: u64,
    reordered: u64,
    foreign: u64,
}

impl Matcher {
    /// Nothing has arrived yet.
    #[must_use]
    pub fn new(capture: Arc<Capture>) -> Self {
        let contents = capture.contents.len();
        let mut starts = vec![0u32; contents + 1];
        for content in &capture.order {
            starts[*content as usize + 1] += 1;
        }
        for content in 0..contents {
            starts[content + 1] += starts[content];
        }
        let mut free = starts.clone();
        let mut places = vec![0; capture.order.len()];
        for (place, content) in capture.order.iter().enumerate() {
            let free = &mut free[*content as usize];
            places[*free as usize] = place as u32;
            *free += 1;
        }
        Self {
            starts,
            places,
            arrived: vec![0; contents],
            next: 0,
            known: 0,
            reordered: 0,
            foreign: 0,
            capture,
        }
    }

    /// Takes in a packet; false if the capture has none like it.
    pub fn take(&mut self, packet: &[u8]) -> bool {
        let Some(content) = self
            .capture
            .known
            .get(packet)
            .map(|content| *content as usize)
        else {
            self.foreign += 1;
            return false;
        };
        self.known += 1;
        self.arrived[content] += 1;
        let places = &self.places[self.starts[content] as usize..self.starts[content + 1] as usize];
        let packets = self.capture.packets();
        let (round, expected) = (self.next / packets, self.next % packets);
        // The nearest of its places from the expected one on, if need be in the next round.
        let at = places.partition_point(|place| u64::from(*place) < expected);
        let ahead = match (places.get(at), places.first()) {
            (Some(place), _) => u64::from(*place) - expected,
            (None, Some(place)) => u64::from(*place) + packets - expected,
            (None, None) => 0,
        };
        let behind_is_nearer = ahead > packets / 2 && self.next > 0;
        if behind_is_nearer {
            self.reordered += 1;
        } else {
            self.next = round * packets + expected + ahead + 1;
        }
        true
    }

    /// What arrived of the first `sent` packets of the capture played again and again.
    #[must_use]
    pub fn totals(&self, sent: u64) -> ContentTotals {
        let packets = self.capture.packets();
        let (rounds, rest) = (sent / packets, sent % packets);
        let mut totals = ContentTotals {
            reordered: self.reordered,
            ..ContentTotals::default()
        };
        for (content, arrived) in self.arrived.iter().enumerate() {
            let places =
                &self.places[self.starts[content] as usize..self.starts[content + 1] as usize];
            let begun = places.partition_point(|place| u64::from(*place) < rest) as u64;
            let sent = rounds * places.len() as u64 + begun;
            totals.received += sent.min(*arrived);
            totals.lost += sent.saturating_sub(*arrived);
            totals.duplicated += arrived.saturating_sub(sent);
        }
        totals
    }

    /// Packets that are as some of the capture, however often they came.
    #[must_use]
    pub fn known(&self) -> u64 {
        self.known
    }

    /// Packets that are as none of the capture.
    #[must_use]
    pub fn foreign(&self) -> u64 {
        self.foreign
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::tests::{file, read};
    use proptest::prelude::*;

    fn packet(number: u8) -> Vec<u8> {
        vec![number; 60]
    }

    fn matcher(numbers: &[u8]) -> Matcher {
        let packets: Vec<_> = numbers.iter().map(|n| packet(*n)).collect();
        let timed: Vec<(u64, &[u8])> = packets.iter().map(|p| (0, &p[..])).collect();
        Matcher::new(Arc::new(read(&file(&timed), false).unwrap()))
    }

    fn after(captured: &[u8], arrived: &[u8], sent: u64) -> ContentTotals {
        let mut matcher = matcher(captured);
        for number in arrived {
            assert!(matcher.take(&packet(*number)));
        }
        matcher.totals(sent)
    }

    fn totals(received: u64, lost: u64, duplicated: u64, reordered: u64) -> ContentTotals {
        ContentTotals {
            received,
            lost,
            duplicated,
            reordered,
        }
    }

    #[test]
    fn what_happened_on_the_way_shows() {
        let all = [1, 2, 3, 2, 4, 5, 6, 7, 8];
        assert_eq!(after(&all, &all, 9), totals(9, 0, 0, 0));
        // Twice round, cut off in the third.
        let twice = [all, all].concat();
        assert_eq!(after(&all, &twice, 18), totals(18, 0, 0, 0));
        assert_eq!(after(&all, &twice, 20), totals(18, 2, 0, 0));
        assert_eq!(
            after(&all, &[1, 2, 3, 4, 5, 6, 7, 8], 9),
            totals(8, 1, 0, 0)
        );
        assert_eq!(
            after(&all, &[1, 2, 3, 2, 5, 4, 6, 7, 8], 9),
            totals(9, 0, 0, 1)
        );
        assert_eq!(
            after(&all, &[1, 1, 2, 3, 2, 4, 5, 6, 7, 8], 9),
            totals(9, 0, 1, 1)
        );
        assert_eq!(after(&[1], &[1, 1, 1], 3), totals(3, 0, 0, 0));
        let mut other = matcher(&all);
        assert!(!other.take(&packet(9)) && !other.take(&packet(1)[..59]));
        assert_eq!((other.known(), other.foreign()), (0, 2));
    }

    proptest! {
        /// Whatever arrives in whatever order: how many of each is exact.
        #[test]
        fn every_packet_is_accounted_for(
            captured in prop::collection::vec(0..20u8, 1..40), fates in prop::collection::vec(0..5u8, 0..100),
        ) {
            let mut arrived = Vec::new();
            let mut model = totals(0, 0, 0, 0);
            for (at, fate) in fates.iter().enumerate() {
                let number = captured[at % captured.len()];
                match fate {
                    0 => model.lost += 1,
                    _ => {
                        arrived.push(number);
                        model.received += 1;
                    }
                }
            }
            let found = after(&captured, &arrived, fates.len() as u64);
            prop_assert_eq!(ContentTotals { reordered: 0, ..found }, model);
            if model.lost == 0 {
                prop_assert_eq!(found.reordered, 0);
            }
        }
    }
}
