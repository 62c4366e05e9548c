//! A newer program takes the place of a process, while packets flow.

use std::process::Command;
use std::time::Duration;

use protocol::detail::Detail;
use testbed::machine::{TempDir, cpu};
use testbed::panel::Builder;
use testbed::{Panel, Proc, TestPmd, proc, wait_for, wait_until};

use crate::load::{Load, assert_whole};
use crate::{LIMIT, carry, launch, launched, small, wait_carries};

/// The number before `ms` in what a process says of how long something took, behind `words`.
#[track_caller]
fn milliseconds(said: &str, words: &str) -> f64 {
    let rest = said
        .split(words)
        .nth(1)
        .unwrap_or_else(|| panic!("{words}: {said}"));
    let number = rest.split_whitespace().next().expect("a number");
    number.parse().unwrap_or_else(|e| panic!("{number}: {e}"))
}

/// Its patches with their CPUs, its components and its ports.
fn all_of(panel: &Panel, id: u32) -> Vec<String> {
    said(panel.detail(id))
}

fn said(detail: Detail) -> Vec<String> {
    let patches = detail.patches.iter();
    let patches = patches.map(|p| format!("{} -> {} on {}", p.src, p.dst, p.cpu));
    let components = detail.components.iter().map(|c| {
        let ends = |side: &[protocol::detail::ComponentPortDetail]| {
            let names = side.iter().map(|end| end.port.clone());
            names.collect::<Vec<_>>().join(",")
        };
        format!(
            "{} {} {} {} {}",
            c.name,
            c.kind,
            c.cpu,
            ends(&c.rx),
            ends(&c.tx)
        )
    });
    let mut ports: Vec<String> = detail.ports.iter().map(|p| p.name.clone()).collect();
    // Those that both processes can have open come first now.
    ports.sort();
    patches
        .chain(components)
        .chain(ports)
        .chain([detail.status])
        .collect()
}

/// A panel with one nfv, whose capture files lie in `folder`.
fn with_files(folder: &TempDir) -> Builder {
    let folder = folder.path().display().to_string();
    small().nfv_on(1, cpu(0)).env("SPP_PCAP_DIR", &folder)
}

#[test]
fn rings_lose_nothing_when_newer_programs_take_over_again_and_again() {
    let mut panel = small().nfv_on(1, cpu(0)).nfv_on(2, cpu(1)).start();
    carry(&panel, 1, 0, 1);
    carry(&panel, 2, 2, 3);
    panel.ok("nfv 1 add nullpmd:1");
    panel.ok("latency on ring:0 ring:1 every 7");
    let before = all_of(&panel, 1);
    let own = Load::start(&panel, 9, 0, 1, "");
    let beside = Load::start(&panel, 10, 2, 3, "");
    let mut waits = Vec::new();
    let mut incarnations = vec![panel.detail(1).incarnation];
    for _ in 0..10 {
        let told = panel.upgrade_nfv(1);
        waits.push(milliseconds(&told, "waited for "));
        assert!(told.contains("no sockets and capture files"), "{told}");
        wait_carries(&panel, 1, "ring:0");
        assert_eq!(all_of(&panel, 1), before);
        let detail = panel.detail(1);
        assert!(
            !incarnations.contains(&detail.incarnation),
            "{incarnations:?}"
        );
        incarnations.push(detail.incarnation);
        assert_eq!(detail.latencies[0].every, Some(7));
    }
    // What was changed before is changed on.
    panel.ok("nfv 1 unpatch ring:0");
    panel.ok("nfv 1 patch ring:0 ring:1");
    let sent = [own, beside].map(|load| assert_whole(&load.end()));
    println!("{sent:?} sent and received, none lost; packets waited for {waits:?} ms");
    panel.finish();
}

#[test]
fn a_guest_is_served_again_soon_whoever_made_the_socket() {
    let mut panel = small().nfv_on(1, cpu(0)).start();
    panel.ok("nfv 1 add vhost:1");
    // The peer makes this one, and the panel connects.
    panel.ok("nfv 1 add vhost:2 client");
    panel.ok("nfv 1 add nullpmd:1");
    panel.ok("nfv 1 patch vhost:2 nullpmd:1");
    let theirs = panel.socket(2);
    let mut server = TestPmd::builder("server")
        .vdev(format!(
            "virtio_user0,path={},server=1,queues=1,queue_size=512",
            theirs.display()
        ))
        .args(["--txd=512", "--rxd=512"])
        .mode("txonly")
        .cpu(cpu(1))
        .start();
    server.start();
    wait_carries(&panel, 1, "vhost:2");
    let mut times = Vec::new();
    for _ in 0..3 {
        let told = panel.upgrade_nfv(1);
        times.push(milliseconds(&told, "were closed for "));
        // Sockets of the panel's are there again, and the guest that makes its own is connected.
        assert!(panel.socket(1).exists());
        panel.wait_link(1, "vhost:2", "up");
        wait_carries(&panel, 1, "vhost:2");
    }
    println!("sockets were closed for {times:?} ms");
    server.quit();
    panel.finish();
}

#[test]
fn a_new_program_that_fails_leaves_all_as_it_was() {
    let folder = TempDir::new();
    let mut panel = with_files(&folder).start();
    carry(&panel, 1, 0, 1);
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 add pcap:1");
    panel.ok("nfv 1 patch vhost:1 ring:2");
    panel.ok("latency on ring:0 ring:1");
    let before = all_of(&panel, 1);
    let incarnation = panel.detail(1).incarnation;
    let load = Load::start(&panel, 9, 0, 1, "");
    let same = |panel: &Panel| {
        assert_eq!(all_of(panel, 1), before);
        let detail = panel.detail(1);
        assert_eq!(
            (detail.incarnation, detail.latencies.len()),
            (incarnation.clone(), 1)
        );
        assert!(panel.socket(1).exists());
        wait_carries(panel, 1, "ring:0");
    };
    let failed = |panel: &Panel, id: u32, more: &[&str]| {
        let mut command = panel.nfv_command(id);
        command.arg("--take-over").args(more);
        proc::run(&mut command, LIMIT).failure()
    };

    // In the middle, when the old one has given up all: it cannot open the capture files.
    for _ in 0..3 {
        let told = failed(&panel, 1, &["--pcap-dir", "/nonexistent"]);
        assert!(told.contains("/nonexistent/spp-rx1.pcap"), "{told}");
        panel.nfv(1).wait_output("all is as it was", LIMIT);
        same(&panel);
    }
    // Before: there are no workers where patches are.
    let elsewhere = format!("7@{}", cpu(0));
    let told = failed(&panel, 1, &["--lcores", &elsewhere]);
    assert!(told.contains("name others with --lcores"), "{told}");
    same(&panel);
    let told = failed(&panel, 5, &[]);
    assert!(told.contains("no process with the id 5 runs"), "{told}");
    let load_is = failed(&panel, 9, &[]);
    assert!(
        load_is.contains("the id 9 is that of traffic:9"),
        "{load_is}"
    );
    // A second one of the same id is still refused.
    let told = proc::run(&mut panel.nfv_command(1), LIMIT).failure();
    assert!(told.contains("id 1 is held by nfv:1"), "{told}");
    let sent = assert_whole(&load.end());
    println!("{sent} sent and received beside seven that failed");
    // And the next one succeeds.
    panel.upgrade_nfv(1);
    assert_eq!(all_of(&panel, 1), before);
    panel.finish();
}

#[test]
fn a_new_program_that_is_killed_or_hangs_leaves_all_as_it_was() {
    let mut panel = small().nfv_on(1, cpu(0)).start();
    carry(&panel, 1, 0, 1);
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 patch vhost:1 ring:2");
    let before = all_of(&panel, 1);
    let incarnation = panel.detail(1).incarnation;
    let load = Load::start(&panel, 9, 0, 1, "");
    // At moments all over its start; some of them are after its end as a beginner.
    for step in 0..12u64 {
        let mut command = panel.nfv_command(1);
        let mut new = Proc::spawn("next", command.arg("--take-over"));
        std::thread::sleep(Duration::from_millis(40 + 15 * step));
        new.kill();
        // It was too late if it had taken over: then it was killed as the process that it was. The old one says so last.
        let mut taken = false;
        wait_until(
            "the old one to have all, or to have given it away",
            LIMIT,
            || {
                taken = panel
                    .nfv(1)
                    .output()
                    .contains("has taken the place of this one");
                let now = panel.details().into_iter().find(|it| it.client_id == 1);
                let now = now.and_then(|it| it.detail).map(said);
                taken || now.as_ref() == Some(&before)
            },
        );
        if taken {
            println!("stopped at step {step}: it had taken over");
            break;
        }
        assert_eq!(panel.detail(1).incarnation, incarnation);
        wait_carries(&panel, 1, "ring:0");
    }
    drop(load);
    panel.kill_nfv(1);
    panel.start_nfv(1);
    panel.finish();
}

#[test]
fn components_and_tables_lose_nothing_when_a_newer_program_takes_over() {
    let mut panel = small().vf(1).start();
    let on = panel.detail(1).workers[0].cpu;
    for line in [
        format!("component start cls {on} classifier"),
        format!("component start fwd {on} forward"),
        "port add ring:0 rx cls".into(),
        "port add ring:1 tx cls".into(),
        "port add ring:2 tx cls".into(),
        "port add ring:3 rx fwd".into(),
        "port add ring:4 tx fwd add_vlantag 7 3".into(),
        "component set cls learn on 300".into(),
        "classifier_table add mac default ring:1".into(),
        "classifier_table add mac 02:00:00:00:00:99 ring:2".into(),
        "classifier_table add mac 02:00:00:00:00:98 ring:5".into(),
    ] {
        // The last entry waits for its port, which has to be open.
        if line.ends_with("ring:5") {
            panel.ok(&format!("vf 1 component start wait {on} merge"));
            panel.ok("vf 1 port add ring:5 tx wait");
        }
        panel.ok(&format!("vf 1 {line}"));
    }
    let table = |panel: &Panel| panel.http("GET", "/v1/vfs/1/classifier_table", "").body;
    let status = |panel: &Panel| panel.http("GET", "/v1/vfs/1", "").body;
    let (before, entries) = (all_of(&panel, 1), status(&panel));
    let load = Load::start(&panel, 9, 0, 1, "");
    let mut waits = Vec::new();
    for _ in 0..5 {
        waits.push(milliseconds(&panel.upgrade_nfv(1), "waited for "));
        assert_eq!(all_of(&panel, 1), before);
        assert_eq!(status(&panel), entries, "{}", table(&panel));
    }
    let sent = assert_whole(&load.end());
    println!("{sent} sent and received, none lost; packets waited for {waits:?} ms");
    panel.finish();
}

#[test]
fn capture_files_are_read_and_written_on_where_the_old_program_was() {
    const FRAMES: u32 = 400_000;
    let folder = TempDir::new();
    let mut panel = with_files(&folder).start();
    let frame = |number: u32| {
        let mut frame = [0; 60];
        frame[..4].copy_from_slice(&number.to_be_bytes());
        frame
    };
    let mut writer = capfile::Writer::create(&folder.join("spp-rx1.pcap")).expect("a file");
    for number in 0..FRAMES {
        writer.write_packet(0, &[&frame(number)]).expect("room");
    }
    drop(writer);
    panel.ok("nfv 1 stop");
    panel.ok("nfv 1 add pcap:1");
    panel.ok("nfv 1 patch pcap:1 pcap:1");
    panel.ok("nfv 1 forward");
    panel.ok("nfv 1 stop");
    let before = panel.port(1, "pcap:1").counters.rx_packets;
    assert!(0 < before && before < u64::from(FRAMES), "{before}");
    panel.upgrade_nfv(1);
    assert_eq!(panel.detail(1).status, "idling");
    panel.ok("nfv 1 forward");
    let rest = u64::from(FRAMES) - before;
    wait_until("the rest of the file", LIMIT, || {
        panel.port(1, "pcap:1").counters.tx_packets == rest
    });
    println!("{before} packets by the old program, {rest} by the new one");
    panel.ok("nfv 1 del pcap:1");
    let written = folder.join("spp-tx1.pcap");
    let file = std::fs::File::open(&written).expect("a file");
    let mut reader = capfile::Reader::new(file, &written).expect("a capture");
    for number in 0..FRAMES {
        let packet = reader.next_packet().expect("whole").expect("a packet");
        assert_eq!(packet.data, frame(number), "number {number}");
    }
    assert!(reader.next_packet().expect("whole").is_none());
    // Added anew it begins anew.
    panel.ok("nfv 1 add pcap:1");
    assert_eq!(std::fs::metadata(&written).expect("a file").len(), 24);
    panel.finish();
}

#[test]
fn a_launched_process_is_replaced_by_a_command_and_supervised_on() {
    let panel = small().nfv_on(2, cpu(0)).start();
    launch(&panel, 1, "on-failure", &[]);
    carry(&panel, 1, 0, 1);
    let before = all_of(&panel, 1);
    let load = Load::start(&panel, 9, 0, 1, "");
    let mut pid = launched(&panel, 1).pid;
    for _ in 0..3 {
        let told = panel.ok("pri upgrade 1");
        let now = launched(&panel, 1);
        assert_eq!((now.state.as_str(), now.restarts), ("running", 0));
        assert_eq!(now.upgrade.as_deref(), Some("done"));
        assert_ne!(now.pid, pid);
        pid = now.pid;
        let pid = pid.expect("it runs").to_string();
        assert!(
            told.contains(&format!("nfv 1 runs as process {pid} now")),
            "{told}"
        );
        wait_until("the new one to be registered", LIMIT, || {
            panel.detail(1).pid.to_string() == pid
        });
        assert_eq!(all_of(&panel, 1), before);
    }
    let sent = assert_whole(&load.end());
    println!("{sent} sent and received, none lost");
    // Killed, it is started again as before.
    proc::run(
        Command::new("kill").args(["-KILL", &pid.expect("it runs").to_string()]),
        LIMIT,
    )
    .success();
    wait_for("a new start", LIMIT, || {
        let now = launched(&panel, 1);
        (now.restarts == 1 && now.state == "running").then_some(())
    });
    wait_until("all that it had", LIMIT, || all_of(&panel, 1) == before);
    for (line, words) in [
        (
            "pri upgrade 2",
            "no process with the id 2 was launched here",
        ),
        ("pri upgrade 128", "1 to 127"),
    ] {
        let told = panel.refused(line);
        assert!(told.contains(words), "{line}: {told}");
    }
    panel.ok("nfv 1 exit");
    panel.finish();
}
