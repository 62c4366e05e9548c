//! `spp lab` with the kernel's real namespaces, bridges and links, and real programs in them.

#![allow(clippy::expect_used, clippy::panic)]

mod capture;
mod compare;
mod console;
mod containers;
mod cycles;
mod debug;
mod drops;
#[allow(dead_code, reason = "a part of it is for tests of panels")]
#[path = "../container/engine.rs"]
mod engine;
mod examples;
mod iperf;
mod kills;
mod network;
mod packets;
mod panels;
mod refused;
mod size;
mod switches;
mod trace;
mod user;
