//! The one door to the kernel beside DPDK.
