//! Command lines of the original's start scripts, by its spelling of the names, and `launch`.

use std::os::unix::net::UnixDatagram;

use testbed::machine::cpu;
use testbed::{Proc, http, machine, wait_until};

use crate::hand::Hand;
use crate::{LIMIT, small};

/// The controller, started alone as the original's is.
fn controller(hand: &Hand) -> Proc {
    let [p, s, r] = hand.ports;
    hand.start("spp-ctl", &format!("-b 127.0.0.1 -p {p} -s {s} -a {r}"))
}

#[test]
fn the_originals_command_lines_start_a_panel_that_idles() {
    let hand = Hand::new();
    for name in ["primary", "nfv"] {
        let old = hand.dir.join(&format!("spp_{name}"));
        std::os::unix::fs::symlink(machine::bin(&format!("spp-{name}")), old).expect("a link");
    }
    let mut ctl = controller(&hand);
    let [p, s, _] = hand.ports;
    let prefix = &hand.prefix;
    let huge = testbed::huge::mount().display().to_string();
    let (one, two) = (cpu(0), cpu(1));
    let mut primary = hand.start(
        hand.dir.join("spp_primary"),
        &format!(
            "-l {one} -n 4 --socket-mem 256 --huge-dir {huge} --proc-type primary --file-prefix {prefix} \
             --no-pci --vdev net_null0 --vdev net_null1 -- -p 0x1 -n 8 -s 127.0.0.1:{p}"
        ),
    );
    primary.wait_output("is ready", LIMIT);
    let mut nfv = hand.start(
        hand.dir.join("spp_nfv"),
        &format!(
            "--lcores 0@{one},1@{two} -n 4 -m 64 --proc-type secondary --file-prefix {prefix} \
             -- -n 3 -s 127.0.0.1:{s}"
        ),
    );
    hand.wait_ok("wait nfv 3");
    let get =
        |path: &str| http::request(hand.rest(), "GET", path, &[], "", LIMIT).expect("an answer");
    let status = get("/v1/nfvs/3");
    assert_eq!(status.status, 200, "{}", status.body);
    assert_eq!(
        status.json(),
        serde_json::json!({"client-id": 3, "status": "idling", "master-lcore": 0, "lcores": [0, 1],
                           "ports": ["phy:0"], "patches": []})
    );
    // The mask leaves one port; -n says how many rings.
    let primary_status = get("/v1/primary/status").json();
    assert_eq!(
        primary_status["phy_ports"].as_array().map(Vec::len),
        Some(1)
    );
    assert_eq!(
        primary_status["ring_ports"].as_array().map(Vec::len),
        Some(8)
    );
    assert!(
        primary_status.get("forwarder").is_none(),
        "one lcore is no forwarder"
    );

    // It attaches no ring by itself, and does not forward until it is told to.
    let told = hand.spp("nfv 3 patch phy:0 ring:7").failure();
    assert!(told.contains("ring:7 is not added"), "{told}");
    hand.wait_ok("nfv 3 add ring:7");
    hand.wait_ok("nfv 3 patch phy:0 ring:7");
    let sent = || get("/v1/primary/status").json()["ring_ports"][7]["tx"].as_u64();
    assert_eq!(sent(), Some(0));
    hand.wait_ok("nfv 3 forward");
    wait_until("packets in the ring", LIMIT, || sent() > Some(0));

    for proc in [&mut nfv, &mut primary, &mut ctl] {
        assert!(proc.terminate(LIMIT).success());
    }
    hand.wait_nothing_left();
}

#[test]
fn the_originals_primary_with_a_mask_of_no_port_is_refused() {
    let hand = Hand::new();
    let prefix = &hand.prefix;
    let line = |mask: &str| {
        format!(
            "-l {} -m 256 --file-prefix {prefix} --no-pci --vdev net_null0 -- -p {mask} -n 8 -s 127.0.0.1:{}",
            cpu(0),
            hand.ports[0]
        )
    };
    for (mask, words) in [
        ("0x2", "-p 0x2 selects no port"),
        ("0", "selects no port"),
        ("zz", "is no hexadecimal mask"),
    ] {
        let told = hand.run("spp-primary", &line(mask)).failure();
        assert!(told.contains(words), "{told}");
        hand.wait_nothing_left();
    }
}

#[test]
fn the_monitor_prints_the_counters_of_ports_and_rings() {
    let hand = Hand::new();
    let mut ctl = controller(&hand);
    let line = format!(
        "-l {},{} -m 256 --file-prefix {} --no-pci --vdev net_null0 -- -p 1 -n 2 -s 127.0.0.1:{} --disp-stats",
        cpu(0),
        cpu(1),
        hand.prefix,
        hand.ports[0]
    );
    let mut primary = hand.start("spp-primary", &line);
    primary.wait_output("Port 0 - rx:", LIMIT);
    primary.wait_output("Client  1 - rx:", LIMIT);
    hand.wait_ok("pri status");
    let told = hand.spp("pri add ring:0").failure();
    assert!(told.contains("No forwarder is running."), "{told}");
    assert!(primary.terminate(LIMIT).success());
    assert!(ctl.terminate(LIMIT).success());
    hand.wait_nothing_left();
}

#[test]
fn the_primary_launches_a_process() {
    let mut panel = small().start();
    let secondaries = panel.control()[1];
    let (one, two) = (cpu(0), cpu(1));
    let told = panel.ok(&format!(
        "pri launch nfv 5 --lcores 0@{one},1@{two} -m 64 --no-pci --file-prefix {} -- -n 5 -s {secondaries}",
        panel.prefix()
    ));
    assert!(told.contains("Send request to launch nfv:5."), "{told}");
    panel.ok("wait nfv 5");
    // As the original's: it idles.
    assert_eq!(panel.detail(5).status, "idling");
    let log = testbed::huge::runtime_dir(panel.prefix()).join("log/spp_nfv-5.log");
    let log = std::fs::read_to_string(&log).expect("its log");
    assert!(log.contains("nfv 5 of panel"), "{log}");
    panel.ok("nfv 5 add nullpmd:0");

    for (line, words) in [
        (
            "pri launch nfv 0 -l 0 -- -n 0 -s 127.0.0.1:1",
            "is not 1 to 127",
        ),
        ("pri launch sh 1 -l 0 -- -n 1", "'sh' is not supported"),
        ("pri launch nfv 6 -l 0", "--"),
    ] {
        let told = panel.refused(line);
        assert!(told.contains(words), "{line}: {told}");
    }
    let again = format!(
        "pri launch nfv 5 --lcores 0@{one} --file-prefix {} -- -n 5 -s {secondaries}",
        panel.prefix()
    );
    let told = panel.refused(&again);
    assert!(told.contains("Secondary ID 5 is already used!"), "{told}");
    panel.ok("nfv 5 exit");
    panel
        .primary()
        .wait_output("spp-nfv 5 ended: exit status: 0", LIMIT);
    panel.finish();
}

#[test]
fn readiness_is_announced_to_the_service_manager() {
    let hand = Hand::new();
    let path = hand.dir.join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(LIMIT)).expect("a limit");
    let hear = |wanted: &str| {
        let mut bytes = [0; 512];
        let count = manager.recv(&mut bytes).expect("a message");
        let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
        assert!(text.contains(wanted), "{text}");
    };
    let mut command = hand.command("spp-primary", &hand.primary("--no-ctl"));
    let mut primary = Proc::spawn("spp-primary", command.env("NOTIFY_SOCKET", &path));
    hear("READY=1");
    // Ready means ready: a secondary that does not wait finds everything.
    let mut command = hand.command("spp-nfv", &hand.nfv(1, "--wait 0"));
    let mut nfv = Proc::spawn("spp-nfv", command.env("NOTIFY_SOCKET", &path));
    hear("READY=1");
    assert!(nfv.terminate(LIMIT).success());
    assert!(primary.terminate(LIMIT).success());
    hear("STOPPING=1");
    hand.wait_nothing_left();
}
