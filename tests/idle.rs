//! Idle workers rest, busy ones do not, and a rest costs no packet.

#![allow(clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use testbed::{Panel, Proc, TestPmd, machine, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// CPU time that a process has used, in clock ticks (`utime` and `stime` of `/proc/PID/stat`), of which
/// there are 100 in a second.
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
    let number = |n: usize| -> u64 {
        let field = fields.split(' ').nth(n);
        field.and_then(|text| text.parse().ok()).expect("a number")
    };
    number(11) + number(12)
}

/// Share of a CPU that a process uses over three seconds of wall time.
fn share(pid: u32) -> f64 {
    let (before, begun) = (ticks(pid), Instant::now());
    std::thread::sleep(Duration::from_secs(3));
    (ticks(pid) - before) as f64 / 100.0 / begun.elapsed().as_secs_f64()
}

#[test]
fn an_idle_worker_rests_and_loses_nothing_when_woken() {
    let mut panel = Panel::builder()
        .primary_args(["--memory", "256"])
        .pages(192)
        .nfv(1)
        .start();
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 patch vhost:1 ring:0");
    panel.ok("nfv 1 patch ring:0 vhost:1");
    let pid = panel.nfv(1).pid();
    let used = share(pid);
    assert!(
        used < 0.05,
        "an idle nfv without a peer uses {used:.3} of a CPU"
    );

    // The same with a guest that is there and silent: it has to kick.
    let mut guest = TestPmd::builder("guest")
        .vhost_client(&panel.socket(1))
        .mode("io")
        .start();
    panel.wait_link(1, "vhost:1", "up");
    wait_until("the worker to rest", LIMIT, || {
        let before = panel.detail(1).workers[0].rests;
        let used = share(pid);
        used < 0.05 && panel.detail(1).workers[0].rests > before
    });

    // 32 packets wake the worker by the guest's kick; they come back by the bell of the ring that it
    // feeds itself, and go round between the two until the guest stops.
    guest.start_tx_first(1);
    wait_until("the packets to come back to the guest", LIMIT, || {
        guest.port_stats(0).rx_packets >= 320
    });
    guest.stop();
    let stats = guest.port_stats(0);
    let port = |name: &str| {
        let detail = panel.detail(1);
        let port = detail.ports.iter().find(|port| port.name == name);
        port.map(|port| port.counters).expect("the port")
    };
    wait_until("what is on its way to arrive", LIMIT, || {
        let vhost = port("vhost:1");
        panel.in_rings() == 0 && vhost.rx_packets == port("ring:0").rx_packets
    });
    assert_eq!(port("vhost:1").rx_packets, stats.tx_packets);
    let dropped = port("vhost:1").drops;
    assert_eq!(dropped.total(), dropped.full, "{dropped:?}");
    let sent_back = port("vhost:1").tx_packets + dropped.total();
    assert_eq!(sent_back, stats.tx_packets);
    guest.quit();
    panel.finish();
}

#[test]
fn the_first_packets_after_a_rest_arrive_whole_and_in_order() {
    let panel = Panel::builder()
        .primary_args(["--memory", "256"])
        .pages(128)
        .nfv(1)
        .nfv(2)
        .start();
    panel.ok("nfv 1 patch ring:0 ring:1");
    panel.ok("nfv 2 patch ring:1 ring:2");
    for round in 0..10 {
        // Both have gone to rest again since the last round.
        let rests = |id| panel.detail(id).workers[0].rests;
        let before = (rests(1), rests(2));
        wait_until("both workers to rest", LIMIT, || {
            rests(1) > before.0 && rests(2) > before.1
        });
        let mut command = panel.command(std::process::Command::new(machine::bin("spp-traffic")));
        command.args([
            "--file-prefix",
            panel.prefix(),
            "--sec-id",
            "9",
            "--tx",
            "ring:0",
        ]);
        // So few and so slowly that the workers rest between them, too.
        command.args([
            "--rx",
            "ring:2",
            "--count",
            "50",
            "--rate",
            "500",
            "--patience",
            "20",
        ]);
        let run = testbed::proc::run(&mut command, LIMIT);
        assert!(run.status.success(), "round {round}: {}", run.output);
        assert!(run.output.contains("sent 50 frames"), "{}", run.output);
    }
    assert_eq!(panel.dropped(), 0);
}

#[test]
fn a_busy_worker_never_rests() {
    let mut panel = Panel::builder()
        .primary_args(["--memory", "256"])
        .pages(128)
        .nfv_args(1, ["--poll", "busy"])
        .start();
    panel.ok("nfv 1 patch ring:0 ring:1");
    // On a busy machine it gets what is left of its CPU: so much as a loop bound to the same one, half each.
    let cpu = panel.detail(1).workers[0].cpu;
    let mut command = machine::on_cpu(cpu, "sh");
    command.args(["-c", "while :; do :; done"]);
    let spinner = Proc::spawn("the loop", &mut panel.command(command));
    let (worker, before) = (panel.nfv(1).pid(), ticks(spinner.pid()));
    let used = share(worker);
    let spun = (ticks(spinner.pid()) - before) as f64 / 300.0;
    assert!(
        used > spun * 0.5,
        "a busy nfv uses {used:.2} of a CPU, a loop on the same one {spun:.2}"
    );
    assert_eq!(panel.detail(1).workers[0].rests, 0);
    drop(spinner);
    panel.finish();
}
