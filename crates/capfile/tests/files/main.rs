//! Capture files as others write and read them.

#![allow(clippy::unwrap_used, clippy::panic)] // All of it is test code.

mod encode;
mod read;
mod wireshark;
