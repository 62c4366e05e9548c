//! What end-to-end tests stand on: processes with captured output and a limit to every wait,
//! whole panels, and the peers that speak to them: testpmd, virtual machines, namespaces.
//!
//! Everything here **panics** when it cannot do what it was asked, with the thing, the limit and
//! the last lines of the process's output in the message: a test has no other use for an error.
//! Whatever a value started or made is ended and removed when the value is dropped, also when
//! the test fails; then the output of its processes is printed, too.
//!
//! Needs what `scripts/setup.sh --tests` installs.

#![forbid(unsafe_code)]
// A failure here is a failed test; there is nobody to hand an error to.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used)]

mod equipment;
pub mod http;
pub mod huge;
mod initramfs;
pub mod machine;
pub mod netns;
pub mod panel;
pub mod proc;
mod random;
mod skipped;
mod standstill;
pub mod testpmd;
pub mod vm;
pub mod wait;

pub use equipment::Equipment;
pub use netns::Netns;
pub use panel::Panel;
pub use proc::{Finished, Proc};
pub use random::Random;
pub use skipped::skipped;
pub use standstill::Standstills;
pub use testpmd::TestPmd;
pub use vm::{Nic, Vm};
pub use wait::{wait_for, wait_until};
