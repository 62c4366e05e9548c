//! Flow rules of the primary, end to end: what drivers refuse, what cannot be understood, and rules that packets hit.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

#[path = "../common/fake.rs"]
mod fake;
#[path = "../common/hand.rs"]
mod hand;
mod hits;
mod refusals;
