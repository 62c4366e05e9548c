//! Wrong tokens, by the address that they came from.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens from an address within [`WINDOW`] until it is told to wait.
pub(super) const ALLOWED: u32 = 10;

/// Time in which wrong tokens are counted, and for which an address is blocked.
const WINDOW: Duration = Duration::from_secs(60);

/// Addresses that are remembered. The one that failed longest ago makes room for another.
const REMEMBERED: usize = 4096;

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    since: Instant,
}

/// Counts wrong tokens.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    failures: Mutex<HashMap<IpAddr, Failures>>,
}

/// A host has one IPv4 address, but a whole network of IPv6 ones.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let network = v6.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
        other => other,
    }
}

impl Attempts {
    /// Seconds for which wrong tokens from `address` are told to wait, if it sent too many.
    pub fn blocked(&self, address: IpAddr) -> Option<u64> {
        self.blocked_at(address, Instant::now())
    }

    fn blocked_at(&self, address: IpAddr, now: Instant) -> Option<u64> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let known = failures.get(&network(address))?;
        let left = WINDOW.checked_sub(now.saturating_duration_since(known.since))?;
        (known.count >= ALLOWED && !left.is_zero()).then(|| left.as_secs() + 1)
    }

    /// `address` sent a wrong token. Says whether it is blocked from now on.
    pub fn failed(&self, address: IpAddr) -> bool {
        self.failed_at(address, Instant::now())
    }

    fn failed_at(&self, address: IpAddr, now: Instant) -> bool {
        let address = network(address);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED && !failures.contains_key(&address) {
            failures.retain(|_, known| now.saturating_duration_since(known.since) < WINDOW);
            let oldest = failures.iter().min_by_key(|(_, known)| known.since);
            if let (true, Some((&oldest, _))) = (failures.len() >= REMEMBERED, oldest) {
                failures.remove(&oldest);
            }
        }
        let fresh = Failures {
            count: 0,
            since: now,
        };
        let known = failures.entry(address).or_insert(fresh);
        if now.saturating_duration_since(known.since) >= WINDOW {
            *known = fresh;
        }
        known.count += 1;
        if known.count == ALLOWED {
            // The block lasts from the last failure on.
            known.since = now;
        }
        known.count == ALLOWED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_blocked_for_a_while_and_others_are_not() {
        let attempts = Attempts::default();
        let (bad, good) = (address("192.0.2.1"), address("192.0.2.2"));
        let start = Instant::now();
        for number in 1..=ALLOWED {
            assert_eq!(attempts.blocked_at(bad, start), None, "{number}");
            assert_eq!(attempts.failed_at(bad, start), number == ALLOWED);
        }
        assert_eq!(attempts.blocked_at(bad, start), Some(61));
        assert_eq!(attempts.blocked_at(good, start), None);
        let later = start + WINDOW - Duration::from_millis(1);
        assert_eq!(attempts.blocked_at(bad, later), Some(1));
        assert_eq!(attempts.blocked_at(bad, start + WINDOW), None);
        assert!(!attempts.failed_at(bad, start + WINDOW));
        assert_eq!(attempts.blocked_at(bad, start + WINDOW), None);
    }

    #[test]
    fn failures_far_apart_do_not_block() {
        let attempts = Attempts::default();
        let mut now = Instant::now();
        for _ in 0..ALLOWED * 3 {
            assert!(!attempts.failed_at(address("192.0.2.1"), now));
            now += WINDOW / (ALLOWED - 1) + Duration::from_millis(1);
        }
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_mapped_addresses_as_what_they_are() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for number in 0..ALLOWED {
            attempts.failed_at(address(&format!("2001:db8::{number}")), now);
            attempts.failed_at(address("::ffff:192.0.2.1"), now);
        }
        assert!(
            attempts
                .blocked_at(address("2001:db8::ffff"), now)
                .is_some()
        );
        assert!(
            attempts
                .blocked_at(address("2001:db8:0:1::1"), now)
                .is_none()
        );
        assert!(attempts.blocked_at(address("192.0.2.1"), now).is_some());
        assert!(attempts.blocked_at(address("::1"), now).is_none());
    }

    #[test]
    fn memory_has_a_bound() {
        let attempts = Attempts::default();
        let now = Instant::now();
        for number in 0..2 * REMEMBERED as u32 {
            let from = IpAddr::from(number.to_be_bytes());
            attempts.failed_at(from, now + Duration::from_micros(number.into()));
        }
        assert_eq!(attempts.failures.lock().unwrap().len(), REMEMBERED);
    }
}
