//! What threads and processes of the panel share without locks, compiled a second time on loom's atomics, which try every order
//! in which the threads can meet, and every value that the memory model lets them see. The properties are in `tests/`.
//!
//! The sources are those of the panel itself.

#[path = "../../panel/src/doze.rs"]
pub mod doze;
#[path = "../../dpdk/src/magazine.rs"]
pub mod magazine;
#[path = "../../panel/src/moves.rs"]
pub mod moves;
#[path = "../../panel/src/published.rs"]
pub mod published;
#[path = "../../panel/src/tally.rs"]
pub mod tally;

/// What they share, from loom instead of the standard library.
pub mod sync {
    pub use loom::sync::{Arc, Mutex, atomic};
    pub use std::sync::PoisonError;
}
