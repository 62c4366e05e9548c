//! Frames that arrive, held against those that are expected.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;

use super::frames::{compared, is_housekeeping};
use crate::file::Part;

/// Frames that nobody expected which are kept, to say how they differ.
const KEPT: usize = 1024;

/// Numbers of packets that are named in a sentence.
const NAMED: usize = 8;

/// Bytes that are shown where two frames differ.
const SHOWN: usize = 8;

/// What is expected, and what of it has come.
pub(super) struct Comparison<'a> {
    except: &'a [Part],
    expected: Vec<Vec<u8>>,
    /// The numbers of those that have not come, by their bytes.
    missing: HashMap<Vec<u8>, VecDeque<usize>>,
    left: usize,
    highest: Option<usize>,
    /// The first that came after a later one: its number, and that of the later one.
    overtaken: Option<(usize, usize)>,
    others: Vec<Vec<u8>>,
    other: u64,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(expected: &[Vec<u8>], except: &'a [Part]) -> Self {
        let expected: Vec<Vec<u8>> = expected
            .iter()
            .map(|frame| compared(frame, except))
            .collect();
        let mut missing: HashMap<_, VecDeque<usize>> = HashMap::new();
        for (number, frame) in expected.iter().enumerate() {
            missing.entry(frame.clone()).or_default().push_back(number);
        }
        Self {
            except,
            left: expected.len(),
            expected,
            missing,
            highest: None,
            overtaken: None,
            others: Vec::new(),
            other: 0,
        }
    }

    /// A frame has come.
    pub(super) fn arrived(&mut self, frame: &[u8]) {
        let bytes = compared(frame, self.except);
        let waiting = self.missing.get_mut(&bytes);
        let Some(number) = waiting.and_then(VecDeque::pop_front) else {
            if !is_housekeeping(frame) {
                self.other += 1;
                if self.others.len() < KEPT {
                    self.others.push(bytes);
                }
            }
            return;
        };
        self.left -= 1;
        match self.highest {
            Some(highest) if highest > number => {
                self.overtaken.get_or_insert((number, highest));
            }
            _ => self.highest = Some(number),
        }
    }

    /// All that is expected has come.
    pub(super) fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// How many have come that were expected.
    pub(super) fn came(&self) -> usize {
        self.expected.len() - self.left
    }

    /// What is missing, and what came instead that is most like the first of it.
    pub(super) fn missing(&self) -> Option<String> {
        if self.is_complete() {
            return None;
        }
        let mut numbers: Vec<usize> = self.missing.values().flatten().copied().collect();
        numbers.sort_unstable();
        let mut names: Vec<String> = numbers.iter().map(|n| (n + 1).to_string()).collect();
        if names.len() > NAMED {
            names.truncate(NAMED);
            names.push("…".into());
        }
        let all = self.expected.len();
        let mut text = format!(
            "{} of {all} packets have not arrived: {}",
            self.left,
            names.join(", ")
        );
        if let Some(&first) = numbers.first()
            && let Some(words) = self.closest(first)
        {
            let _ = write!(text, "; {words}");
        }
        Some(text)
    }

    /// The order in which they came, if it is not that in which they are expected.
    pub(super) fn disorder(&self) -> Option<String> {
        let (number, highest) = self.overtaken?;
        Some(format!(
            "packet {} arrived after packet {}",
            number + 1,
            highest + 1
        ))
    }

    /// What came and was not expected.
    pub(super) fn unexpected(&self) -> Option<String> {
        let first = self.others.first()?;
        Some(format!(
            "{} packets arrived that are not expected, the first one with {} bytes: {}…",
            self.other,
            first.len(),
            hex(first, 0, 54)
        ))
    }

    /// How the frame that is most like an expected one differs from it.
    fn closest(&self, number: usize) -> Option<String> {
        let wanted = &self.expected[number];
        let different = |other: &Vec<u8>| {
            let pairs = wanted.iter().zip(other);
            pairs.filter(|(a, b)| a != b).count() + wanted.len().abs_diff(other.len())
        };
        let other = self.others.iter().min_by_key(|other| different(other))?;
        // Less than half of it is the same: something else.
        if different(other) > wanted.len() / 2 {
            return None;
        }
        let pairs = wanted.iter().zip(other);
        let at = pairs.take_while(|(a, b)| a == b).count();
        Some(format!(
            "what is most like packet {} has {} of {} bytes and from byte {at} on {}, expected {}",
            number + 1,
            other.len(),
            wanted.len(),
            hex(other, at, SHOWN),
            hex(wanted, at, SHOWN)
        ))
    }
}

fn hex(bytes: &[u8], from: usize, count: usize) -> String {
    let shown = bytes.iter().skip(from).take(count);
    let words: Vec<String> = shown.map(|byte| format!("{byte:02x}")).collect();
    match words.is_empty() {
        true => "nothing".into(),
        false => words.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(numbers: &[u8]) -> Vec<Vec<u8>> {
        numbers.iter().map(|number| vec![*number; 70]).collect()
    }

    fn compare(expected: &[u8], arriving: &[u8]) -> (Option<String>, Option<String>, bool) {
        let mut comparison = Comparison::new(&frames(expected), &[]);
        for frame in frames(arriving) {
            comparison.arrived(&frame);
        }
        assert_eq!(comparison.is_complete(), comparison.missing().is_none());
        (
            comparison.missing(),
            comparison.disorder(),
            comparison.unexpected().is_some(),
        )
    }

    #[test]
    fn what_comes_is_held_against_what_is_expected() {
        assert_eq!(compare(&[1, 2, 3], &[1, 2, 3]), (None, None, false));
        // The same one twice.
        assert_eq!(compare(&[1, 1], &[1, 1]), (None, None, false));
        assert_eq!(compare(&[1, 2], &[1, 2, 2]), (None, None, true));
        let (missing, disorder, others) = compare(&[1, 2, 3], &[1, 3]);
        assert_eq!(missing.unwrap(), "1 of 3 packets have not arrived: 2");
        assert_eq!((disorder, others), (None, false));
        let (missing, disorder, _) = compare(&[1, 2, 3], &[1, 3, 2]);
        assert_eq!(missing, None);
        assert_eq!(disorder.unwrap(), "packet 2 arrived after packet 3");
        let (missing, ..) = compare(&[1; 20], &[]);
        assert!(missing.unwrap().ends_with("1, 2, 3, 4, 5, 6, 7, 8, …"));
    }

    #[test]
    fn what_is_most_like_it_is_shown_where_it_differs() {
        let mut comparison = Comparison::new(&frames(&[1, 2]), &[]);
        let mut other = vec![2; 70];
        other[22] = 63;
        for frame in [vec![1; 70], vec![9; 70], other] {
            comparison.arrived(&frame);
        }
        let text = comparison.missing().unwrap();
        assert!(
            text.ends_with("packet 2 has 70 of 70 bytes and from byte 22 on 3f 02 02 02 02 02 02 02, expected 02 02 02 02 02 02 02 02"),
            "{text}"
        );
    }
}
