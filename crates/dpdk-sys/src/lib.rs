//! Raw FFI to the system's DPDK: what bindgen reads from its headers and a C shim for what is
//! static inline, thread-local or laid out differently from version to version.
//!
//! DPDK 22.11, 24.11 and 25.11 build from this source; whatever differs between them stays here.
//! Everything is `unsafe`; the safe face is the crate `dpdk`.

#![allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals
)]
#![allow(
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    unsafe_op_in_unsafe_fn
)]

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));

/// File name of the library with the ring pool operations; empty if it was not found at build time.
pub const MEMPOOL_RING_LIB: &str = env!("SPP_MEMPOOL_RING_LIB");

/// Version of the DPDK that this was built against, such as `22.11.11`.
pub const BUILD_VERSION: &str = env!("SPP_DPDK_BUILD_VERSION");
