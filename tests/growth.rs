//! What is added and taken away, started and ended many times, leaves nothing behind.

#![allow(clippy::expect_used, clippy::panic)]

use std::time::Duration;

use testbed::http::Connection;
use testbed::machine::TempDir;
use testbed::{Panel, Proc, huge, wait_for, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
/// Until allocators, caches and tables have the size that they keep.
const WARM_UP: u32 = 300;
const ROUNDS: u32 = 1000;

/// What a process uses.
#[derive(Debug, Clone, Copy)]
struct Use {
    descriptors: usize,
    maps: usize,
    /// Memory of its own in kB: no hugepages, and no pages of files, which the kernel takes away and brings back
    /// as it likes.
    resident: u64,
    /// Hugepages of it, in kB.
    huge: u64,
    threads: u64,
}

impl Use {
    fn of(pid: u32) -> Self {
        let read =
            |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}")).expect("it runs");
        let status = read("status");
        let number = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|rest| rest.split_whitespace().next());
            word.and_then(|word| word.parse().ok())
                .unwrap_or_else(|| panic!("no {name} in {status}"))
        };
        Self {
            descriptors: std::fs::read_dir(format!("/proc/{pid}/fd"))
                .expect("it runs")
                .count(),
            maps: read("maps").lines().count(),
            resident: number("RssAnon:"),
            huge: number("HugetlbPages:"),
            threads: number("Threads:"),
        }
    }

    /// What a process uses when nothing of the last rounds is left to be done: it may just have had a lease or a
    /// connection open, but not for long.
    fn after(pid: u32, before: Self) -> Self {
        let end = std::time::Instant::now() + LIMIT;
        loop {
            let now = Self::of(pid);
            if now.descriptors <= before.descriptors || std::time::Instant::now() > end {
                return now;
            }
            std::thread::yield_now();
        }
    }

    /// Some pages and maps come and go with stacks and the allocator; what grew by a page a round would be
    /// 4 MB here.
    fn assert_not_above(self, before: Self, what: &str) {
        println!("{what}: {before:?}, then {self:?}");
        assert!(
            self.descriptors <= before.descriptors,
            "{what}: descriptors"
        );
        assert!(self.maps <= before.maps + 4, "{what}: memory maps");
        assert!(
            self.resident <= before.resident + 1024,
            "{what}: resident memory"
        );
        assert!(self.huge <= before.huge, "{what}: hugepages");
        assert!(self.threads <= before.threads, "{what}: threads");
    }
}

/// Sends a command that has to succeed.
fn done(rest: &mut Connection, method: &str, path: &str, body: &str) {
    let answer = rest.request(method, path, body).expect("an answer");
    assert_eq!(
        answer.status, 204,
        "{method} {path} {body}: {}",
        answer.body
    );
}

/// Bytes of DPDK's heap in use.
fn heap(panel: &Panel) -> u64 {
    panel
        .detail(0)
        .heap
        .expect("the primary knows its heap")
        .allocated
}

fn builder() -> testbed::panel::Builder {
    Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8"])
        .pages(128)
}

fn panel() -> Panel {
    builder().start()
}

/// Adds and deletes a port in process 1 so many times, after so many to warm up.
fn come_and_go(panel: &mut Panel, port: &str, mode: &str, warm_up: u32, rounds: u32) {
    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    let processes = [panel.nfv(1).pid(), panel.primary().pid()];
    let mut round = || {
        for action in ["add", "del"] {
            let mode = if action == "add" { mode } else { "" };
            let body = format!(r#"{{"action":"{action}","port":"{port}"{mode}}}"#);
            done(&mut rest, "PUT", "/v1/nfvs/1/ports", &body);
        }
    };
    (0..warm_up).for_each(|_| round());
    let before = processes.map(Use::of);
    let start = std::time::Instant::now();
    (0..rounds).for_each(|_| round());
    println!("{port}: {rounds} rounds in {:?}", start.elapsed());
    for (pid, before) in processes.into_iter().zip(before) {
        Use::after(pid, before).assert_not_above(before, &format!("{port} of process {pid}"));
    }
    // The primary looks at it once a second: what it said first may be of a moment when the port was there.
    let told = std::time::Instant::now();
    let heap_then = wait_for("the primary to look at the heap", LIMIT, || {
        Some(heap(panel)).filter(|_| told.elapsed() > Duration::from_secs(2))
    });
    (0..10).for_each(|_| round());
    wait_until(
        &format!("DPDK's heap to be as before {port}"),
        LIMIT,
        || heap(panel) == heap_then,
    );
    assert!(panel.detail(1).ports.is_empty());
}

#[test]
fn a_thousand_additions_of_every_port_leave_nothing_behind() {
    let captures = TempDir::new();
    let dir = captures.path().display().to_string();
    let mut panel = builder()
        .nfv_args(1, ["--pcap-dir".to_owned(), dir])
        .start();
    for (port, mode) in [
        ("ring:0", ""),
        ("vhost:1", r#","mode":"server""#),
        ("vhost:2", r#","mode":"client""#),
        ("nullpmd:1", ""),
        ("memif:1", ""),
        ("pcap:1", ""),
    ] {
        come_and_go(&mut panel, port, mode, WARM_UP, ROUNDS);
    }
    panel.finish();
}

/// A hundred, because the kernel takes up to a second to forget an interface.
#[test]
fn a_hundred_additions_of_a_tap_port_leave_nothing_behind() {
    let mut panel = panel();
    panel.start_nfv(1);
    come_and_go(&mut panel, "tap:1", "", 20, 100);
    panel.finish();
}

#[test]
fn a_thousand_patches_leave_nothing_behind() {
    let mut panel = panel();
    panel.start_nfv(1);
    panel.ok("nfv 1 add vhost:1");
    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    let pid = panel.nfv(1).pid();
    let mut round = || {
        for (src, dst) in [("ring:0", "vhost:1"), ("vhost:1", "ring:1")] {
            let body = format!(r#"{{"src":"{src}","dst":"{dst}"}}"#);
            done(&mut rest, "PUT", "/v1/nfvs/1/patches", &body);
        }
        for src in ["ring:0", "vhost:1"] {
            done(
                &mut rest,
                "DELETE",
                &format!("/v1/nfvs/1/patches/{src}"),
                "",
            );
        }
    };
    (0..WARM_UP).for_each(|_| round());
    let (before, heap_before) = (Use::of(pid), heap(&panel));
    (0..ROUNDS).for_each(|_| round());
    Use::after(pid, before).assert_not_above(before, "the nfv");
    assert_eq!(heap(&panel), heap_before, "DPDK's heap");
    let rings = panel.detail(0).rings;
    assert!(
        rings
            .iter()
            .all(|ring| ring.producer.is_empty() && ring.consumer.is_empty())
    );
    panel.finish();
}

/// Paths of all files in the panel's runtime folder but for those of lcore ids, one lease and one bell each:
/// how many of them were ever in use at once is a matter of timing, and the next with that id uses them.
fn runtime_files(panel: &Panel) -> Vec<String> {
    let mut folders = vec![huge::runtime_dir(panel.prefix())];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .expect("the runtime folder")
            .flatten()
        {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => files.push(path.display().to_string()),
            }
        }
    }
    files.retain(|file| !file.contains("lcore-") && !file.contains("/bell-"));
    files.sort();
    files
}

#[test]
fn two_hundred_starts_and_ends_of_a_worker_leave_nothing_behind() {
    const AT_ONCE: u32 = 8;
    let mut panel = panel();
    // So many start and end at once.
    let round = |panel: &Panel, kill: bool| {
        let mut workers: Vec<Proc> = (1..=AT_ONCE)
            .map(|id| Proc::spawn(&format!("spp-nfv {id}"), &mut panel.nfv_command(id)))
            .collect();
        for worker in &mut workers {
            worker.wait_output("is ready", LIMIT);
        }
        for worker in &mut workers {
            if kill {
                worker.kill();
            } else {
                worker.signal(testbed::proc::Signal::TERM);
            }
        }
        for worker in &mut workers {
            let status = worker.wait_exit(LIMIT);
            assert_eq!(status.success(), !kill, "{status}");
        }
    };
    for _ in 0..4 {
        round(&panel, false);
        round(&panel, true);
    }
    let settled = |panel: &Panel| {
        wait_for("the runtime folder to be swept", LIMIT, || {
            let files = runtime_files(panel);
            let of_secondary =
                |file: &String| file.contains("mp_socket_") || file.contains("/pid-");
            (!files.iter().any(of_secondary)).then_some(files)
        })
    };
    let files = settled(&panel);
    let (before, pages) = (
        Use::of(panel.primary().pid()),
        huge::files_of(panel.prefix()).len(),
    );
    let mut heaps = vec![heap(&panel)];
    for kill in [false, true] {
        // Two hundred orderly ends; a kill is what the other tests do, so fewer here.
        for _ in 0..if kill { 5 } else { 200 / AT_ONCE } {
            round(&panel, kill);
        }
        settled(&panel);
        heaps.push(heap(&panel));
    }
    let per_end = (heaps[1] as f64 - heaps[0] as f64) / 200.0;
    let per_kill = (heaps[2] as f64 - heaps[1] as f64) / f64::from(5 * AT_ONCE);
    println!("DPDK's heap: {per_end:.0} bytes lost per end, {per_kill:.0} per kill");
    assert!(
        per_end < 1024.0,
        "DPDK's heap loses {per_end:.0} bytes with every orderly end"
    );
    assert!(
        per_kill < 160.0 * 1024.0,
        "DPDK's heap loses {per_kill:.0} bytes with every kill"
    );
    // While it cleans up it has the leases of the dead open.
    assert_eq!(settled(&panel), files, "files in the runtime folder");
    Use::after(panel.primary().pid(), before).assert_not_above(before, "the primary");
    assert_eq!(huge::files_of(panel.prefix()).len(), pages);
    let pool = panel.detail(0).pools.remove(0);
    assert_eq!(pool.free, pool.size);
    panel.finish();
}
