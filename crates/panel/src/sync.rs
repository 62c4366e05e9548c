//! What threads share. In the crate `orderings` the same sources get loom's in its place.

pub use std::sync::{Arc, Mutex, PoisonError, atomic};
