//! DPDK's log into the `log` crate.

use std::ffi::c_char;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lines that DPDK may log in a second; a hostile vhost peer can make it log without end.
const LINES_A_SECOND: u32 = 200;

struct Budget {
    since: Option<Instant>,
    used: u32,
    lost: u64,
}

static BUDGET: Mutex<Budget> = Mutex::new(Budget {
    since: None,
    used: 0,
    lost: 0,
});

/// Takes one line from the budget. `try_lock`, because a worker may be logging: it never waits.
fn allowed() -> bool {
    let Ok(mut budget) = BUDGET.try_lock() else {
        return false;
    };
    let now = Instant::now();
    if budget
        .since
        .is_none_or(|s| now.duration_since(s) >= Duration::from_secs(1))
    {
        if budget.lost > 0 {
            log::warn!(target: "dpdk", "{} lines of DPDK's log were left out", budget.lost);
        }
        *budget = Budget {
            since: Some(now),
            used: 0,
            lost: 0,
        };
    }
    budget.used += 1;
    if budget.used > LINES_A_SECOND {
        budget.lost += 1;
    }
    budget.used <= LINES_A_SECOND
}

unsafe extern "C" fn sink(level: u32, text: *const c_char, len: usize) {
    // SAFETY: DPDK hands `len` bytes that are valid during this call.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
    let level = match level {
        0..=4 => log::Level::Error,
        5 => log::Level::Warn,
        6 => log::Level::Info,
        7 => log::Level::Debug,
        _ => log::Level::Trace,
    };
    if !log::log_enabled!(target: "dpdk", level) || !allowed() {
        return;
    }
    // Unwinding must not cross into C.
    let _ = std::panic::catch_unwind(|| {
        for line in String::from_utf8_lossy(bytes)
            .lines()
            .filter(|l| !l.trim().is_empty())
        {
            log::log!(target: "dpdk", level, "{}", line.trim_end());
        }
    });
}

/// Redirects DPDK's log (`rte_openlog_stream`). Before EAL starts, so that its messages come too.
pub fn install() {
    // SAFETY: `sink` is callable from any thread for the life of the process.
    let ret = unsafe { dpdk_sys::spp_log_to(Some(sink)) };
    if ret != 0 {
        log::warn!("DPDK's log stays on standard error: errno {}", -ret);
    }
}
