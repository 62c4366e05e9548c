//! The start of EAL.

use std::ffi::{CStr, CString, c_char, c_int};
use std::sync::atomic::{AtomicBool, Ordering};

use dpdk_sys as ffi;

use super::EalError;
use crate::asan::BASE;

static STARTED: AtomicBool = AtomicBool::new(false);

/// Calls `rte_eal_init`, once a process, with the program's name and its arguments; gives the words that EAL has left alone.
pub(super) fn start(args: &[String]) -> Result<Vec<String>, EalError> {
    if STARTED.swap(true, Ordering::SeqCst) {
        return Err(EalError::Twice);
    }
    load_pool_operations();
    crate::log_sink::install();
    let said = args.iter().any(|arg| arg.starts_with("--base-virtaddr"));
    let args = args.iter().map(String::as_str);
    let args: Vec<&str> = args.chain(BASE.filter(|_| !said)).collect();
    log::debug!("EAL arguments: {}", args.join(" "));
    let mut owned = Vec::with_capacity(args.len());
    for arg in args {
        owned.push(CString::new(arg).map_err(|_| EalError::Option {
            option: "EAL argument",
            value: arg.to_owned(),
            reason: "contains a NUL byte".into(),
        })?);
    }
    let mut argv: Vec<*mut c_char> = owned.iter().map(|a| a.as_ptr().cast_mut()).collect();
    argv.push(std::ptr::null_mut());
    // SAFETY: argv holds `owned.len()` valid strings and a terminating NULL; EAL permutes the
    // pointers but does not write to the strings. Called once a process (STARTED).
    let ret = unsafe { ffi::rte_eal_init(owned.len() as c_int, argv.as_mut_ptr()) };
    // EAL keeps pointers into its arguments.
    std::mem::forget(owned);
    let Ok(parsed) = usize::try_from(ret) else {
        // SAFETY: reads a thread-local number.
        let errno = unsafe { ffi::spp_errno() };
        return Err(EalError::Init { errno });
    };
    // The program's name has moved to the last place of what was parsed.
    let left = argv.iter().skip(parsed + 1).filter(|arg| !arg.is_null());
    // SAFETY: EAL has moved our strings, which stay, and put the name among them.
    let word = |arg: &*mut c_char| unsafe { CStr::from_ptr(*arg) }.to_string_lossy();
    Ok(left.map(|arg| word(arg).into_owned()).collect())
}

/// Registers the ring pool operations before any plugin does, so that they have one index in every
/// process (the index is stored in shared memory). The library stays loaded.
fn load_pool_operations() {
    let Ok(name) = CString::new(ffi::MEMPOOL_RING_LIB) else {
        return;
    };
    if name.is_empty() {
        return;
    }
    // SAFETY: loads a library whose constructor only registers the operations.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if handle.is_null() {
        log::debug!(
            "{} cannot be loaded by name; EAL's plugins have to bring it",
            ffi::MEMPOOL_RING_LIB
        );
    }
}
