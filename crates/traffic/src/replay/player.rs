//! What is to be sent of a capture, and when.

use std::sync::Arc;

use super::Capture;

/// When packets are due.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// As the port and a rate allow.
    Free,
    /// As they were captured, so many times as fast.
    Times(f64),
}

/// Sends a capture, again and again.
pub(crate) struct Player {
    capture: Arc<Capture>,
    pace: Pace,
    next: u64,
}

impl Player {
    pub(crate) fn new(capture: Arc<Capture>, pace: Pace) -> Self {
        Self {
            capture,
            pace,
            next: 0,
        }
    }

    /// The packet `ahead` of the next one.
    pub(crate) fn packet(&self, ahead: usize) -> &[u8] {
        self.capture.packet(self.next + ahead as u64)
    }

    /// The port took so many.
    pub(crate) fn pass(&mut self, count: usize) {
        self.next += count as u64;
    }

    /// How many of the next `most` packets are due, so long after the start.
    pub(crate) fn due(&self, now_ns: u64, most: usize) -> usize {
        let Pace::Times(factor) = self.pace else {
            return most;
        };
        let due = |ahead: &usize| {
            let due = self.capture.due_ns(self.next + *ahead as u64);
            due.is_none_or(|due| due as f64 <= now_ns as f64 * factor)
        };
        (0..most).take_while(due).count()
    }

    pub(crate) fn longest(&self) -> usize {
        self.capture.longest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::tests::{file, read};

    #[test]
    fn packets_are_due_in_their_time_and_those_nobody_took_come_again() {
        let (a, b) = ([1; 60], [2; 60]);
        let capture = Arc::new(read(&file(&[(0, &a), (1000, &b), (2000, &a)]), true).unwrap());
        let mut player = Player::new(capture.clone(), Pace::Times(2.0));
        let due: Vec<usize> = [0, 499, 500, 1000, 1500, 2000]
            .iter()
            .map(|ns| player.due(*ns, 4))
            .collect();
        assert_eq!(due, [1, 1, 2, 3, 4, 4]);
        player.pass(1);
        assert_eq!(
            (player.packet(0), player.packet(1), player.packet(2)),
            (&b[..], &a[..], &a[..])
        );
        assert_eq!(player.due(499, 32), 0);
        assert_eq!(Player::new(capture, Pace::Free).due(0, 32), 32);
    }
}
