//! `spp lab` with the kernel's real namespaces, bridges and links, and real programs in them.

#![allow(clippy::expect_used, clippy::panic)]

mod capture;
mod cycles;
mod examples;
mod kills;
mod network;
mod refused;
mod size;
