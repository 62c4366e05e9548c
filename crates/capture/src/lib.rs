//! Packets out of the panel into capture files.
//!
//! A patch ends in the [`Capture`]'s sink: there the worker stamps packets, filters them and copies what is to
//! be kept into buffers that were there from the start ([`lane`]). Writers, which are threads without
//! mbufs, put the records into files. Whoever is too slow costs packets, which are counted, and never holds up the worker.
//!
//! At any time: received = filtered + written + lost + waiting.

#![forbid(unsafe_code)]

mod capture;
pub mod clock;
pub mod codec;
pub mod file;
pub mod intake;
pub mod lane;
pub mod plan;
pub mod stream;
pub mod tally;
pub mod writer;

pub use capfile::Format;
pub use capture::{Capture, CaptureError, Left};
pub use codec::Compress;
pub use plan::{OnError, Plan, Target};
