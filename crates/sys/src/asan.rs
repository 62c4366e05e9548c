//! What a build with AddressSanitizer needs in all programs (`--cfg asan`, as of `scripts/asan.sh`).

/// Asked by the sanitizer when a program starts: what DPDK keeps until the end is no leak, and looking for leaks needs what a confined
/// process may not do. In a container nobody else would say so.
// SAFETY: the sanitizer's runtime declares it so, and has none but a weak one.
#[unsafe(no_mangle)]
extern "C" fn __asan_default_options() -> *const std::ffi::c_char {
    c"detect_leaks=0".as_ptr()
}
