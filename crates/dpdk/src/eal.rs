//! The Environment Abstraction Layer: its options as typed parameters, its start, its lcores.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::path::PathBuf;

use dpdk_sys as ffi;
use sys::proc::address_space_limit;
use thiserror::Error;

use crate::errno_text;

mod plain;
mod start;

use start::start;

/// What a failure for want of memory may come of.
fn too_little(errno: i32) -> String {
    match address_space_limit() {
        Some(bytes) if errno == libc::ENOMEM => format!(
            "; this process may have {} MB of address space, and DPDK reserves more than 64 GB: raise the limit (ulimit -v, LimitAS=)",
            bytes >> 20
        ),
        _ => String::new(),
    }
}

/// Why EAL did not start.
#[derive(Debug, Error)]
pub enum EalError {
    /// An option that EAL would misread or that has no meaning.
    #[error("{option} {value:?}: {reason}")]
    Option {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What is wrong with it.
        reason: String,
    },
    /// `rte_eal_init` refused.
    #[error("DPDK's EAL did not start: {} (errno {errno}); its own messages are above{}", errno_text(*.errno), too_little(*.errno))]
    Init {
        /// Positive errno.
        errno: i32,
    },
    /// There is one EAL a process.
    #[error("EAL was started before in this process")]
    Twice,
}

/// Whether this process owns the shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessType {
    /// Creates the shared memory.
    Primary,
    /// Attaches to it.
    Secondary,
}

/// EAL's options (`rte_eal_init`, DPDK's Linux guide, "EAL parameters").
#[derive(Debug, Clone)]
pub struct EalConfig {
    /// Primary or secondary.
    pub process: ProcessType,
    /// `--file-prefix`: names the panel.
    pub file_prefix: String,
    /// Lcore ids and the CPUs that they run on; the first is the main lcore.
    pub lcores: Vec<(u32, u32)>,
    /// Megabytes of hugepage memory, fixed at start; `None` leaves it to EAL. Primary only.
    pub memory_mb: Option<u32>,
    /// Mount of hugetlbfs, if not EAL's own choice.
    pub huge_dir: Option<PathBuf>,
    /// Whether PCI devices are probed.
    pub pci: bool,
    /// Virtual devices (`--vdev`). Primary only.
    pub vdevs: Vec<String>,
    /// Memory without hugepages, private to the process: for unit tests.
    pub private_memory: bool,
    /// Arguments that are passed as they are.
    pub extra: Vec<String>,
}

impl EalConfig {
    /// Options with which a process of `prefix` starts on one lcore.
    pub fn new(process: ProcessType, prefix: &str, lcores: Vec<(u32, u32)>) -> Self {
        EalConfig {
            process,
            file_prefix: prefix.to_string(),
            lcores,
            memory_mb: None,
            huge_dir: None,
            pci: false,
            vdevs: Vec::new(),
            private_memory: false,
            extra: Vec::new(),
        }
    }

    /// The argument vector for `rte_eal_init`, or why there is none.
    pub fn arguments(&self) -> Result<Vec<String>, EalError> {
        let bad = |option, value: &str, reason: &str| {
            Err(EalError::Option {
                option,
                value: value.to_string(),
                reason: reason.to_string(),
            })
        };
        if self.file_prefix.is_empty() || self.file_prefix.contains(['/', '%', '\0']) {
            return bad(
                "--file-prefix",
                &self.file_prefix,
                "a name without '/' and '%' is needed",
            );
        }
        let Some(main) = self.lcores.first() else {
            return bad("--lcores", "", "at least one lcore is needed");
        };
        for (i, (id, _)) in self.lcores.iter().enumerate() {
            if *id >= ffi::SPP_MAX_LCORE {
                return bad("--lcores", &id.to_string(), "lcore ids end at 127");
            }
            if self.lcores[..i].iter().any(|(other, _)| other == id) {
                return bad("--lcores", &id.to_string(), "named twice");
            }
        }
        let map: Vec<String> = self
            .lcores
            .iter()
            .map(|(id, cpu)| format!("{id}@{cpu}"))
            .collect();
        let mut args: Vec<String> =
            vec!["spp".into(), format!("--file-prefix={}", self.file_prefix)];
        args.push(format!("--lcores={}", map.join(",")));
        args.push(format!("--main-lcore={}", main.0));
        let named = |name: &str| {
            self.extra
                .iter()
                .any(|a| a == name || a.starts_with(&format!("{name}=")))
        };
        args.push(
            match self.process {
                ProcessType::Primary => "--proc-type=primary",
                ProcessType::Secondary => "--proc-type=secondary",
            }
            .into(),
        );
        if !named("--telemetry") && !named("--no-telemetry") {
            args.push("--no-telemetry".into());
        }
        if !self.pci {
            args.push("--no-pci".into());
            if !named("--iova-mode") {
                args.push("--iova-mode=va".into());
            }
        }
        if self.private_memory {
            args.extend(["--no-huge", "--no-shconf"].map(String::from));
            args.push(format!("-m{}", self.memory_mb.unwrap_or(64)));
        } else if let Some(mb) = self.memory_mb {
            args.push(format!("-m{mb}"));
            if !named("--socket-limit") && !named("--legacy-mem") {
                args.push(format!("--socket-limit={mb}"));
            }
        }
        if let Some(dir) = &self.huge_dir {
            args.push(format!("--huge-dir={}", dir.display()));
        }
        args.extend(self.vdevs.iter().map(|v| format!("--vdev={v}")));
        args.extend(self.extra.iter().cloned());
        Ok(args)
    }
}

/// Proof that the calling thread is an EAL lcore. It cannot leave its thread.
#[derive(Debug)]
pub struct Lcore {
    id: u32,
    _stays_here: PhantomData<*const ()>,
}

impl Lcore {
    /// The lcore id, 0..=127, by which DPDK indexes per-lcore data in shared memory.
    pub fn id(&self) -> u32 {
        self.id
    }
}

/// A started EAL. It is never cleaned up: `rte_eal_cleanup` in a secondary resets the devices of
/// every process, and what a process leaves behind is recovered by the primary in any case.
#[derive(Debug, Clone)]
pub struct Eal {
    lcores: Vec<u32>,
    process: ProcessType,
}

impl Eal {
    /// Starts EAL. The calling thread becomes the main lcore and is pinned to its CPU; the other
    /// lcores get threads that wait in [`Eal::launch`]. Signals should be blocked before, because
    /// EAL's threads inherit the mask.
    pub fn init(config: &EalConfig) -> Result<(Eal, Lcore), EalError> {
        start(&config.arguments()?)?;
        let lcores = config.lcores.iter().map(|(id, _)| *id).collect();
        Ok(Eal::started(lcores, config.process))
    }

    /// EAL with its lcores, and the calling thread as the main one: it has just called [`start`].
    fn started(lcores: Vec<u32>, process: ProcessType) -> (Eal, Lcore) {
        if process == ProcessType::Secondary {
            // The tables of service cores, 150 kB of the shared heap a process, which nobody gives back when
            // it dies. We have no service cores, and no driver of ours asks for them in a secondary.
            // SAFETY: EAL runs, and no service was registered or started in this process.
            unsafe { ffi::rte_service_finalize() };
        }
        // SAFETY: EAL runs, so the main lcore is set.
        let main = unsafe { ffi::spp_main_lcore() };
        (
            Eal { lcores, process },
            Lcore {
                id: main,
                _stays_here: PhantomData,
            },
        )
    }

    /// Lcore ids of this process; the first is the main lcore.
    pub fn lcores(&self) -> &[u32] {
        &self.lcores
    }

    /// Primary or secondary.
    pub fn process(&self) -> ProcessType {
        self.process
    }

    /// Runs `work` on the lcore `id` (not the main one) until it returns (`rte_eal_remote_launch`).
    /// Fails if the lcore does not belong to this process or is at work.
    pub fn launch<F>(&self, id: u32, work: F) -> Result<(), crate::Error>
    where
        F: FnOnce(Lcore) + Send + 'static,
    {
        unsafe extern "C" fn enter<F: FnOnce(Lcore)>(arg: *mut c_void) -> c_int {
            // SAFETY: `arg` is the box made in `launch`, handed to this one call.
            let work = unsafe { Box::from_raw(arg.cast::<F>()) };
            // SAFETY: reads a thread-local number.
            let id = unsafe { ffi::spp_lcore_id() };
            let lcore = Lcore {
                id,
                _stays_here: PhantomData,
            };
            // Unwinding must not cross into C.
            let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(lcore)));
            if ended.is_err() { -1 } else { 0 }
        }
        if !self.lcores.iter().skip(1).any(|l| *l == id) {
            return Err(crate::Error::Invalid(format!(
                "lcore {id} is not a worker lcore of this process"
            )));
        }
        let arg = Box::into_raw(Box::new(work));
        // SAFETY: the function and its argument fit each other; the lcore belongs to us.
        let ret = unsafe { ffi::rte_eal_remote_launch(Some(enter::<F>), arg.cast(), id) };
        if ret != 0 {
            // SAFETY: not launched, so the box is still ours.
            drop(unsafe { Box::from_raw(arg) });
            return Err(crate::Error::from_ret(format!("launching lcore {id}"), ret));
        }
        Ok(())
    }
}

/// Version of the DPDK library that runs, such as `22.11.11`.
pub fn dpdk_version() -> String {
    // SAFETY: returns a static string, at any time.
    let text = unsafe { CStr::from_ptr(ffi::rte_version()) }
        .to_string_lossy()
        .into_owned();
    text.trim_start_matches("DPDK ").to_string()
}

/// Whether the primary of this secondary is alive (`rte_eal_primary_proc_alive`).
pub fn primary_alive() -> bool {
    // SAFETY: looks at the lock of EAL's configuration file.
    unsafe { ffi::rte_eal_primary_proc_alive(std::ptr::null()) != 0 }
}

/// The time stamp counter.
#[inline(always)]
pub fn tsc() -> u64 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 CPU has the instruction.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(not(target_arch = "x86_64"))]
    // SAFETY: reads a counter.
    unsafe {
        ffi::spp_rdtsc()
    }
}

/// Cycles of the time stamp counter in a second (`rte_get_tsc_hz`); 0 before EAL runs.
pub fn tsc_hz() -> u64 {
    // SAFETY: reads a number that EAL measured at its start.
    unsafe { ffi::rte_get_tsc_hz() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_checked_before_eal_sees_them() {
        let good = EalConfig::new(ProcessType::Primary, "spp", vec![(127, 1), (126, 0)]);
        let args = good.arguments().unwrap();
        assert!(
            args.contains(&"--lcores=127@1,126@0".to_string()),
            "{args:?}"
        );
        assert!(args.contains(&"--main-lcore=127".to_string()));
        for lcores in [vec![], vec![(128, 0)], vec![(1, 0), (1, 1)]] {
            let config = EalConfig::new(ProcessType::Primary, "spp", lcores);
            assert!(config.arguments().is_err());
        }
        for prefix in ["", "a/b", "x%d"] {
            assert!(
                EalConfig::new(ProcessType::Primary, prefix, vec![(0, 0)])
                    .arguments()
                    .is_err()
            );
        }
    }
}
