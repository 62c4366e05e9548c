//! What a build with AddressSanitizer needs (`--cfg asan`, as of `scripts/asan.sh`); nothing of it is in any other.

/// Where DPDK's memory lies if nobody says: where DPDK wants it by itself, the sanitizer has its shadow.
pub(crate) const BASE: Option<&str> = match cfg!(asan) {
    true => Some("--base-virtaddr=0x200000000000"),
    false => None,
};
