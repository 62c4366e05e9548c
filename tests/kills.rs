//! Workers killed at any instant: the others go on, and the pool is whole to the last mbuf.

#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use testbed::http::Connection;
use testbed::{Netns, Panel, Proc, Random, TestPmd, huge, machine, proc, wait_for, wait_until};

const LIMIT: Duration = Duration::from_secs(60);
/// What vhost had allocated of DPDK's shared heap in a process is lost with it, in bytes.
const MOST_LOST: u64 = 2 << 20;

/// How many kills: with `SPP_TEST_KILLS` another number than the suite has time for.
fn kills(in_the_suite: usize) -> usize {
    std::env::var("SPP_TEST_KILLS").map_or(in_the_suite, |text| text.parse().expect("a number"))
}

fn spawn(panel: &Panel, id: u32) -> Proc {
    Proc::spawn(&format!("spp-nfv {id}"), &mut panel.nfv_command(id))
}

/// Carries a command of REST out as soon as the process is there to do it.
fn put(rest: &mut Connection, path: &str, body: &str) {
    let mut last = String::new();
    let done = testbed::wait::poll(LIMIT, || {
        let answer = rest.request("PUT", path, body).expect("an answer");
        last = format!("{}: {}", answer.status, answer.body);
        (answer.status == 204).then_some(())
    });
    assert!(done.is_some(), "PUT {path} {body}: {last}");
}

fn patch(rest: &mut Connection, id: u32, src: &str, dst: &str) {
    let body = format!(r#"{{"src":"{src}","dst":"{dst}"}}"#);
    put(rest, &format!("/v1/nfvs/{id}/patches"), &body);
}

fn add(rest: &mut Connection, id: u32, port: &str) {
    let body = format!(r#"{{"action":"add","port":"{port}"}}"#);
    put(rest, &format!("/v1/nfvs/{id}/ports"), &body);
}

/// Packets that the worker of a process has received.
fn packets(panel: &Panel, id: u32) -> u64 {
    panel
        .detail(id)
        .workers
        .iter()
        .map(|worker| worker.packets)
        .sum()
}

/// Waits until a process has moved packets since now: it is alive, and so is all that it needs.
fn goes_on(panel: &Panel, id: u32) {
    let before = packets(panel, id);
    wait_until(&format!("nfv {id} to go on"), LIMIT, || {
        packets(panel, id) > before
    });
}

/// Descriptors of a process.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("it runs")
        .count()
}

/// Files in the panel's runtime folder, leases and bells among them.
fn runtime_files(panel: &Panel) -> usize {
    fn count(folder: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(folder).expect("the runtime folder");
        let of = |entry: std::fs::DirEntry| {
            if entry.path().is_dir() {
                count(&entry.path())
            } else {
                1
            }
        };
        entries.flatten().map(of).sum()
    }
    count(&huge::runtime_dir(panel.prefix()))
}

/// What a panel uses of the machine.
#[derive(Debug)]
struct Traces {
    /// Descriptors of the processes that stay, by PID.
    descriptors: BTreeMap<u32, usize>,
    hugepage_files: usize,
    runtime_files: usize,
}

impl Traces {
    /// While no worker runs but those that stay.
    fn of(panel: &Panel) -> Self {
        let pids = proc::marked(panel.prefix());
        Traces {
            descriptors: pids
                .into_iter()
                .map(|pid| (pid, descriptors(pid)))
                .collect(),
            hugepage_files: huge::files_of(panel.prefix()).len(),
            runtime_files: runtime_files(panel),
        }
    }
}

/// Bytes of DPDK's heap in use, as the primary's next look at it says.
fn heap_in_use(panel: &Panel) -> u64 {
    let look = || panel.detail(0).heap.map(|heap| heap.allocated);
    let begun = std::time::Instant::now();
    // It looks once a second.
    wait_for("the primary to look at the heap", LIMIT, || {
        look().filter(|_| begun.elapsed() > Duration::from_secs(2))
    })
}

/// After the last worker every mbuf lies in the pool or in a ring, once, as the next audit after `audits` shows;
/// gives its number.
fn assert_whole(panel: &Panel, audits: u64) -> u64 {
    let pool = wait_for("the primary to audit the pool", LIMIT, || {
        let pool = panel.detail(0).pools.remove(0);
        let rings = panel.in_rings();
        let audited = pool.audit.is_some_and(|audit| audit.number > audits);
        (audited && u64::from(pool.free) + rings == u64::from(pool.size)).then_some(pool)
    });
    println!("{pool:?}, {} in rings", panel.in_rings());
    let audit = pool.audit.expect("an audit after the last worker");
    assert_eq!((audit.missing, audit.twice), (0, 0), "{pool:?}");
    for ring in panel.detail(0).rings {
        assert!(ring.used <= ring.capacity, "{ring:?} is torn");
        assert_eq!(
            (ring.producer.as_str(), ring.consumer.as_str()),
            ("", ""),
            "{ring:?}"
        );
    }
    audit.number
}

#[test]
fn a_hundred_kills_of_an_allocating_and_a_freeing_worker_cost_the_others_nothing() {
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8"])
        .pages(128)
        .start();
    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    // Allocates and frees all the time, through two rings of its own.
    let mut bystander = spawn(&panel, 3);
    patch_null(&mut rest, 3, "nullpmd:1", "ring:2");
    patch_null(&mut rest, 3, "ring:2", "nullpmd:1");
    let before = Traces::of(&panel);
    let heap = heap_in_use(&panel);

    let mut random = Random(1);
    let mut workers: BTreeMap<u32, Proc> = BTreeMap::new();
    let kills = kills(200);
    for _ in 0..kills.div_ceil(2) {
        for id in [1, 2] {
            workers.insert(id, spawn(&panel, id));
        }
        patch_null(&mut rest, 1, "nullpmd:1", "ring:0");
        patch_null(&mut rest, 2, "ring:0", "nullpmd:1");
        // What the dead left behind is in nobody's way: the ring is fed and emptied.
        goes_on(&panel, 1);
        goes_on(&panel, 2);
        for id in if random.below(2) == 0 { [1, 2] } else { [2, 1] } {
            // Not a wait for anything: any instant will do.
            std::thread::sleep(Duration::from_micros(random.below(3000) as u64));
            workers.remove(&id).expect("it runs").kill();
        }
        goes_on(&panel, 3);
    }
    wait_until("what the dead left to be cleaned up", LIMIT, || {
        let rings = panel.detail(0).rings;
        rings[0].producer.is_empty() && rings[0].consumer.is_empty()
    });
    let mut after = Traces::of(&panel);
    wait_until("descriptors to be no more than before", LIMIT, || {
        after = Traces::of(&panel);
        let same = after.descriptors.keys().eq(before.descriptors.keys());
        same && (after.descriptors.iter()).all(|(pid, n)| *n <= before.descriptors[pid])
    });
    assert_eq!(after.hugepage_files, before.hugepage_files);
    // Leases and bells of lcore ids that were in use; nothing for every kill.
    assert!(
        after.runtime_files < before.runtime_files + 20,
        "before {before:?}, after {after:?}"
    );
    assert!(bystander.terminate(LIMIT).success());
    let audits = assert_whole(&panel, 0);
    let lost = heap_in_use(&panel).saturating_sub(heap);
    println!("DPDK's heap: {lost} bytes more in use after {kills} kills");
    println!("before the kills {before:?}, after them {after:?}");
    assert!(lost < 200 * 1024, "{lost} bytes of the heap are lost");

    // The panel is as good as new: all can be patched and flows.
    let mut workers: Vec<Proc> = [1, 2].map(|id| spawn(&panel, id)).into();
    patch_null(&mut rest, 1, "nullpmd:1", "ring:0");
    patch_null(&mut rest, 2, "ring:0", "nullpmd:1");
    goes_on(&panel, 2);
    for worker in &mut workers {
        assert!(worker.terminate(LIMIT).success());
    }
    assert_whole(&panel, audits);
    panel.finish();
}

/// Patches, adding the nullpmd port that is named.
fn patch_null(rest: &mut Connection, id: u32, src: &str, dst: &str) {
    for port in [src, dst] {
        if port.starts_with("nullpmd") && !has(rest, id, port) {
            add(rest, id, port);
        }
    }
    patch(rest, id, src, dst);
}

fn has(rest: &mut Connection, id: u32, port: &str) -> bool {
    let path = format!("/v1/nfvs/{id}");
    let status = wait_for(&format!("nfv {id} to be listed"), LIMIT, || {
        let answer = rest.request("GET", &path, "").expect("an answer");
        (answer.status == 200).then(|| answer.json())
    });
    status["ports"]
        .as_array()
        .is_some_and(|ports| ports.iter().any(|name| name == port))
}

#[test]
fn a_worker_with_a_guest_is_killed_under_traffic_and_the_pool_stays_whole() {
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8"])
        .pages(192)
        .start();
    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    let mut sink = spawn(&panel, 2);
    patch_null(&mut rest, 2, "ring:0", "nullpmd:1");
    patch_null(&mut rest, 2, "nullpmd:1", "ring:1");
    let start = |rest: &mut Connection| {
        let worker = spawn(&panel, 1);
        has(rest, 1, "");
        let body = r#"{"action":"add","port":"vhost:1","mode":"client"}"#;
        put(rest, "/v1/nfvs/1/ports", body);
        patch(rest, 1, "vhost:1", "ring:0");
        patch(rest, 1, "ring:1", "vhost:1");
        worker
    };
    let mut worker = start(&mut rest);
    // The guest makes the socket, so that it is there for the next worker, too. It sends back what it gets.
    let device = format!(
        "virtio_user0,path={},queues=1,queue_size=512,server=1",
        panel.socket(1).display()
    );
    let mut guest = TestPmd::builder("guest")
        .vdev(device)
        .args(["--txd=512", "--rxd=512"])
        .mode("io")
        .start();
    guest.start();
    let mut random = Random(2);
    panel.wait_link(1, "vhost:1", "up");
    let heap = heap_in_use(&panel);
    let kills = kills(15);
    for _ in 0..kills {
        panel.wait_link(1, "vhost:1", "up");
        // Both ways: to the guest, and back from it.
        let flows = |port: &str| {
            let detail = panel.detail(1);
            let port = detail.patches.iter().find(|patch| patch.src == port);
            port.is_some_and(|patch| patch.counters.tx_packets > 0)
        };
        wait_until("traffic to and from the guest", LIMIT, || {
            flows("vhost:1") && flows("ring:1")
        });
        std::thread::sleep(Duration::from_micros(random.below(3000) as u64));
        worker.kill();
        goes_on(&panel, 2);
        worker = start(&mut rest);
    }
    panel.wait_link(1, "vhost:1", "up");
    goes_on(&panel, 1);
    let lost = heap_in_use(&panel).saturating_sub(heap);
    println!("DPDK's heap: {lost} bytes more in use after {kills} kills of a worker with a guest");
    assert!(
        lost < kills as u64 * MOST_LOST,
        "{lost} bytes of the heap are lost"
    );
    guest.stop();
    guest.quit();
    assert!(worker.terminate(LIMIT).success());
    assert!(sink.terminate(LIMIT).success());
    assert_whole(&panel, 0);
    panel.finish();
}

#[test]
fn a_worker_with_taps_is_killed_under_traffic_and_nothing_but_their_queues_is_missing() {
    let [left, right] = [machine::unique("ka"), machine::unique("kb")];
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8"])
        .primary_args(["--vdev".to_owned(), format!("net_tap1,iface={left}")])
        .primary_args(["--vdev".to_owned(), format!("net_tap2,iface={right}")])
        .pages(128)
        .start();
    let (one, two) = (Netns::new(), Netns::new());
    one.take(&left, "10.4.0.1/24");
    two.take(&right, "10.4.0.2/24");
    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    let start = |rest: &mut Connection| {
        let worker = spawn(&panel, 1);
        patch(rest, 1, "tap:1", "tap:2");
        patch(rest, 1, "tap:2", "tap:1");
        worker
    };
    // What is missing while no worker runs is what the devices receive into.
    let missing = |audits: u64| {
        wait_for("the primary to audit the pool", LIMIT, || {
            let audit = panel.detail(0).pools.remove(0).audit;
            audit.filter(|audit| audit.number > audits)
        })
    };
    let mut worker = start(&mut rest);
    one.wait_ping("10.4.0.2");
    let flood = |from: &Netns, to| {
        let mut command = from.command("ping");
        command.args(["-q", "-f", "-l", "64", "-s", "1000", to]);
        Proc::spawn("ping", &mut command)
    };
    let mut floods = [flood(&one, "10.4.0.2"), flood(&two, "10.4.0.1")];
    goes_on(&panel, 1);
    assert!(worker.terminate(LIMIT).success());
    let before = missing(0);
    let mut random = Random(3);
    let kills = kills(20);
    for _ in 0..kills {
        worker = start(&mut rest);
        goes_on(&panel, 1);
        std::thread::sleep(Duration::from_micros(random.below(3000) as u64));
        worker.kill();
    }
    // The queues are as good as new.
    worker = start(&mut rest);
    one.wait_ping("10.4.0.2");
    two.wait_ping("10.4.0.1");
    for ping in &mut floods {
        ping.interrupt(LIMIT);
    }
    // Every kill was followed by an audit of its own, unless the next worker came first.
    let audits = missing(0).number;
    assert!(worker.terminate(LIMIT).success());
    let after = missing(audits);
    println!("{kills} kills of a worker with two taps: before {before:?}, after {after:?}");
    assert_eq!(after.twice, 0);
    // One that dies within its driver may leave it with a buffer of which it knows nothing any more.
    assert!(after.missing <= before.missing + kills as u32, "{after:?}");
    panel.finish();
}
