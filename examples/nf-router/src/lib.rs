//! An IPv6 router: what becomes of each frame is decided here, on plain bytes and without DPDK, so that all of it can be tried in
//! unit tests. The program around it (`main.rs`) moves bursts.
#![forbid(unsafe_code)]

pub mod counters;
pub mod icmp;
pub mod nd;
pub mod neighbours;
pub mod options;
pub mod port;
pub mod router;
pub mod routes;
pub mod wire;
