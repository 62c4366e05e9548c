//! Sequence-numbered generator and checker.
