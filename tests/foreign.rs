//! A DPDK secondary that knows nothing of us, as it was written for the original, sends and receives through the panel
//! with mbufs of its own pool.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use protocol::detail::PoolDetail;
use testbed::machine::cpu;
use testbed::{Panel, Proc, Random, proc, wait_for, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
/// For millions of frames, on a machine whose CPUs are all taken.
const MANY: Duration = Duration::from_secs(300);
/// mbufs of the foreign processes' pool.
const POOL: u64 = 2048;

/// The foreign process.
struct Foreign(Proc);

/// What it says of itself.
#[derive(Debug)]
struct Stats(BTreeMap<String, u64>);

impl Stats {
    fn get(&self, name: &str) -> u64 {
        self.0.get(name).copied().expect("a figure of this name")
    }
}

impl Foreign {
    /// Starts it on the first CPU with the lcore id 0: ids of ours are leased from the other end.
    fn start(panel: &Panel) -> Self {
        let binary = panel.dir().join("secondary");
        if !binary.exists() {
            compile(&binary);
        }
        let mut command = panel.command(Command::new(binary));
        command
            .arg(format!("--lcores=0@{}", cpu(0)))
            .args(["--proc-type=secondary", "--no-pci", "--no-telemetry"])
            .arg(format!("--file-prefix={}", panel.prefix()));
        let mut proc = Proc::spawn("foreign", &mut command);
        proc.wait_output("ready\n", LIMIT);
        Foreign(proc)
    }

    fn send(&mut self, frames: u64) {
        self.0.send(&format!("send {frames}"));
    }

    fn stats(&mut self) -> Stats {
        let from = self.0.position();
        self.0.send("stats");
        let text = self.0.wait_output_from(from, "end\n", LIMIT);
        let figures = text.split_whitespace().filter_map(|word| {
            let (name, value) = word.split_once('=')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Stats(figures.collect())
    }

    /// Waits until it has sent all that it was told to.
    fn wait_sent(&mut self, frames: u64) -> Stats {
        wait_for("the foreign process to have sent all", MANY, || {
            let stats = self.stats();
            (stats.get("sent") == frames).then_some(stats)
        })
    }

    fn goes_on(&mut self) {
        let before = self.stats().get("sent");
        wait_until("the foreign process to go on sending", LIMIT, || {
            self.stats().get("sent") > before + POOL
        });
    }

    fn quit(mut self) {
        self.0.send("quit");
        assert!(self.0.wait_exit(LIMIT).success());
    }
}

fn compile(binary: &Path) {
    let flags = proc::run(
        Command::new("pkg-config").args(["--cflags", "--libs", "libdpdk"]),
        LIMIT,
    )
    .success();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/secondary.c");
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-Wall", "-Werror", "-o"])
        .arg(binary)
        .arg(source)
        // Ahead of the plugins, so that the operations of its pool have the number that they have in the primary.
        .args([
            "-Wl,--no-as-needed",
            "-lrte_mempool_ring",
            "-Wl,--as-needed",
        ])
        .args(flags.split_whitespace());
    proc::run(&mut cc, LIMIT).success();
}

fn panel() -> testbed::panel::Builder {
    Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8"])
        .pages(128)
}

fn pool(panel: &Panel) -> PoolDetail {
    let pools = panel.detail(0).pools.into_iter();
    let mut pools = pools.filter(|pool| pool.name == "MProc_pktmbuf_pool");
    pools.next().expect("the pool of foreign processes")
}

/// Every mbuf of the foreign pool is free again, as the panel and the foreign process see it.
fn assert_whole(panel: &Panel, foreign: &mut Foreign) {
    wait_until("the foreign pool to be whole", LIMIT, || {
        u64::from(pool(panel).free) == POOL
    });
    wait_until("the foreign process to see it", LIMIT, || {
        foreign.stats().get("free") == POOL
    });
}

fn rate(stats: &Stats) -> u64 {
    stats.get("sent") * 1000 / stats.get("us").max(1)
}

#[test]
fn what_a_foreign_process_sends_comes_back_to_it() {
    let panel = panel().nfv_on(1, cpu(1)).start();
    panel.ok("nfv 1 patch ring:0 ring:1");
    let mut foreign = Foreign::start(&panel);
    let sent = 2000 * POOL;
    foreign.send(sent);
    let stats = foreign.wait_sent(sent);
    println!("{} packets/ms, {stats:?}", rate(&stats));
    panel.wait_accounted(sent, || foreign.stats().get("received"));
    assert_eq!(foreign.stats().get("bad"), 0);
    assert_whole(&panel, &mut foreign);
    foreign.quit();
    panel.finish();
}

#[test]
fn what_workers_free_of_a_foreign_process_is_its_own_again() {
    let panel = panel().nfv_on(1, cpu(1)).start();
    panel.ok("nfv 1 add nullpmd:1");
    panel.ok("nfv 1 patch ring:0 nullpmd:1");
    let mut foreign = Foreign::start(&panel);
    let sent = 1000 * POOL;
    foreign.send(sent);
    let stats = foreign.wait_sent(sent);
    println!("{} packets/ms, {stats:?}", rate(&stats));
    wait_until("all to be received", LIMIT, || {
        panel.patch(1, "ring:0").counters.tx_packets == sent
    });
    assert_whole(&panel, &mut foreign);
    foreign.quit();
    panel.finish();
}

#[test]
fn a_killed_worker_takes_nothing_from_a_foreign_process() {
    let mut panel = panel().nfv_on(1, cpu(1)).start();
    let patch = |panel: &Panel| {
        panel.ok("nfv 1 add nullpmd:1");
        panel.ok("nfv 1 patch ring:0 nullpmd:1");
    };
    patch(&panel);
    let mut foreign = Foreign::start(&panel);
    foreign.send(u64::from(u32::MAX));
    let mut random = Random(3);
    for _ in 0..30 {
        foreign.goes_on();
        // Not a wait for anything: any instant will do.
        std::thread::sleep(Duration::from_micros(random.below(3000) as u64));
        panel.kill_nfv(1);
        panel.start_nfv(1);
        patch(&panel);
    }
    foreign.goes_on();
    foreign.0.send("stop");
    assert_whole(&panel, &mut foreign);
    println!("{:?}, {:?}", foreign.stats(), pool(&panel));
    foreign.quit();
    panel.finish();
}

#[test]
fn a_killed_foreign_process_stops_nobody_of_ours() {
    let panel = panel().nfv_on(1, cpu(1)).nfv_on(2, cpu(1)).start();
    panel.ok("nfv 1 add nullpmd:1");
    panel.ok("nfv 1 patch ring:0 nullpmd:1");
    panel.ok("nfv 2 add nullpmd:1");
    panel.ok("nfv 2 patch nullpmd:1 ring:2");
    panel.ok("nfv 2 patch ring:2 nullpmd:1");
    let mut foreign = Foreign::start(&panel);
    foreign.send(u64::from(u32::MAX));
    foreign.goes_on();
    foreign.0.kill();

    let before = panel.patch(2, "ring:2").counters.tx_packets;
    wait_until("our own traffic to go on", LIMIT, || {
        panel.patch(2, "ring:2").counters.tx_packets > before
    });
    wait_until("what it has sent to be received", LIMIT, || {
        panel.detail(0).rings[0].used == 0
    });
    // Lost is what it had in hand: a burst, and what it may have been moving into its lcore's cache.
    wait_until("what it has sent to be freed", LIMIT, || {
        u64::from(pool(&panel).free) >= POOL - 32 - 544
    });
    println!("{:?}", pool(&panel));
    // Another one can attach, and sees the same.
    let mut next = Foreign::start(&panel);
    assert!(next.stats().get("free") >= POOL - 32 - 544);
    next.quit();
    panel.finish();
}
