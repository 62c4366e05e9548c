//! Names, ports, CPUs and folders that no other test has.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A short name that nothing else on this machine has while this test runs: `stem`, the process
/// id and a number. Good as a file prefix, a namespace or (at 15 bytes at most, so with a stem
/// of up to three letters) a network device.
pub fn unique(stem: &str) -> String {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{stem}{:x}n{number}", std::process::id())
}

/// Below the range from which the kernel takes ports for outgoing connections, so that none of
/// those can come between choosing a port and listening on it.
const PORTS: std::ops::Range<u32> = 20_000..32_000;

/// `N` TCP ports of the loopback address on which nobody listens. None is given out twice by
/// one test process.
pub fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: Mutex<Option<u32>> = Mutex::new(None);
    let mut next = NEXT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let span = PORTS.end - PORTS.start;
    // Test processes that run at the same time begin at different places.
    let mut at = next.unwrap_or_else(|| std::process::id().wrapping_mul(601) % span);
    let mut ports = [0; N];
    let mut found = 0;
    for _ in 0..span {
        if found == N {
            break;
        }
        let port = (PORTS.start + at) as u16;
        at = (at + 1) % span;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            ports[found] = port;
            found += 1;
        }
    }
    *next = Some(at);
    assert_eq!(
        found, N,
        "no {N} free TCP ports on 127.0.0.1 between {PORTS:?}"
    );
    ports
}

/// Whether somebody listens on this TCP port of an IPv4 address of ours. Looks without touching: a
/// trial connection would use up a listener that takes one, a trial bind would be in its way.
pub fn is_listening(port: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("/proc/net/tcp");
    let wanted = format!(":{port:04X}");
    table.lines().skip(1).any(|line| {
        // Number, local address, remote address, state; 0A is LISTEN.
        let fields: Vec<_> = line.split_whitespace().take(4).collect();
        matches!(fields[..], [_, local, _, "0A"] if local.ends_with(&wanted))
    })
}

/// CPUs that this process may use.
pub fn cpus() -> Vec<u32> {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let list = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .expect("Cpus_allowed_list in /proc/self/status");
    parse_cpus(list.trim())
}

fn parse_cpus(list: &str) -> Vec<u32> {
    let number = |text: &str| text.parse::<u32>().expect("a CPU number");
    list.split(',')
        .flat_map(|part| match part.split_once('-') {
            Some((first, last)) => number(first)..=number(last),
            None => number(part)..=number(part),
        })
        .collect()
}

/// The `n`th CPU that we may use, counted round if there are fewer. Two threads that poll belong
/// on different ones.
pub fn cpu(n: usize) -> u32 {
    let cpus = cpus();
    cpus[n % cpus.len()]
}

/// `program` bound to one CPU (by `taskset`).
pub fn on_cpu(cpu: u32, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(cpu.to_string()).arg(program);
    command
}

/// The folder of cargo's profile (`target/debug`) that this test was built into: the binaries
/// under test lie there.
///
/// # Panics
/// If this is not a test executable of cargo.
pub fn bin_dir() -> PathBuf {
    let exe = std::env::current_exe().expect("path of the test executable");
    let deps = exe.parent().expect("its folder");
    match deps.file_name().and_then(|name| name.to_str()) {
        Some("deps") => deps.parent().expect("folder of deps").to_owned(),
        _ => panic!("{} is not in a folder 'deps' of cargo's", exe.display()),
    }
}

/// A binary of this project.
///
/// # Panics
/// If it was not built.
pub fn bin(name: &str) -> PathBuf {
    let path = bin_dir().join(name);
    assert!(
        path.is_file(),
        "{} does not exist: build it first (cargo build --workspace --bins)",
        path.display()
    );
    path
}

/// Where `scripts/setup.sh --tests` puts the guests' kernel.
pub(crate) fn cache_dir() -> PathBuf {
    let var = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    var("SPP_CACHE").unwrap_or_else(|| {
        var("XDG_CACHE_HOME")
            .unwrap_or_else(|| var("HOME").unwrap_or_else(|| "/tmp".into()).join(".cache"))
            .join("spp")
    })
}

/// A folder of this test's own in the system's temporary folder, with a short path (a socket's
/// has 107 bytes at most). Removed with all that is in it on drop.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes it.
    #[expect(clippy::new_without_default, reason = "it has an effect")]
    pub fn new() -> Self {
        let path = std::env::temp_dir().join(unique("spp-"));
        std::fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self(path)
    }

    /// Its path.
    pub fn path(&self) -> &std::path::Path {
        &self.0
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_ports_differ() {
        assert_ne!(unique("a"), unique("a"));
        let mut ports = [free_ports::<3>(), free_ports::<3>()].concat();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 6);
        for port in ports {
            assert!(!is_listening(port));
            let _listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
            assert!(is_listening(port));
        }
    }

    #[test]
    fn a_name_of_three_letters_fits_a_device() {
        // The longest process id of Linux is 2^22.
        assert!(format!("abc{:x}n{}", 1 << 22, 9999).len() <= 15);
    }

    #[test]
    fn cpu_lists_are_read() {
        assert_eq!(parse_cpus("0"), [0]);
        assert_eq!(parse_cpus("0-2,5,8-9"), [0, 1, 2, 5, 8, 9]);
        assert_eq!(cpu(0), cpus()[0]);
        assert_eq!(cpu(cpus().len()), cpus()[0]);
    }

    #[test]
    fn a_temporary_folder_goes() {
        let dir = TempDir::new();
        let path = dir.path().to_owned();
        std::fs::write(dir.join("file"), "x").expect("written");
        drop(dir);
        assert!(!path.exists());
    }
}
