//! Sequence-numbered generator and checker.
//!
//! Every frame says of which flow it is, which one of it, and when it was made, so that what
//! arrives can be accounted for to the last frame: lost, doubled, out of order, damaged.

#![forbid(unsafe_code)]

mod check;
pub mod frame;
mod generator;
pub mod run;
mod window;

pub use check::{CheckError, Checker, FlowTotals, Verdict};
pub use generator::Generator;
