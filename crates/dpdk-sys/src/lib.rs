//! Raw FFI to the system's DPDK.
