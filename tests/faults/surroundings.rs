//! Odd environments.
