//! Sequence-numbered generator and checker.
//!
//! Every frame says of which flow it is, which one of it, and when it was made, so that what
//! arrives can be accounted for to the last frame: lost, doubled, out of order, damaged.

#![forbid(unsafe_code)]

mod check;
pub mod craft;
pub mod frame;
mod frames;
mod generator;
mod mark;
pub mod packet;
pub mod rate;
pub mod replay;
pub mod run;
pub mod size;
mod window;

pub use check::{CheckError, Checker, FlowTotals, Verdict};
pub use frames::Frames;
pub use generator::Generator;
