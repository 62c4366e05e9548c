//! Containers on a running panel: packets counted at both ends.

use std::process::Command;

use testbed::machine::{self, cpu};
use testbed::{Panel, Proc, huge, wait_until};

use crate::engine::{Containers, LIMIT, Pmd, docker, engine, inspect, spp};

/// Sends for a while and accounts for every packet: what was sent has arrived, or the panel counted it as dropped.
#[track_caller]
fn packets_pass(panel: &Panel, sender: &mut Pmd, receiver: &mut Pmd) {
    let before = receiver.counter("RX-packets");
    receiver.command("start");
    sender.command("start");
    wait_until("packets in the receiver's container", LIMIT, || {
        receiver.counter("RX-packets") > before + 10_000
    });
    sender.command("stop");
    let sent = sender.counter("TX-packets");
    panel.wait_accounted(sent, || receiver.counter("RX-packets"));
    receiver.command("stop");
}

#[test]
fn packets_pass_from_container_to_container_through_a_panel_of_the_host() {
    if !engine("packets_pass_from_container_to_container_through_a_panel_of_the_host") {
        return;
    }
    let panel = Panel::builder().memory(256).nfv_on(1, cpu(0)).start();
    for line in [
        "nfv 1 add vhost:1",
        "nfv 1 add vhost:2",
        "nfv 1 patch vhost:1 vhost:2",
    ] {
        panel.ok(line);
    }
    let folder = panel.vhost_dir();
    let containers = Containers::new();
    let mut receiver = containers.testpmd("rx", cpu(1), 2, &folder, "rxonly");
    let mut sender = containers.testpmd("tx", cpu(0), 1, &folder, "txonly");
    let list = spp(&["container", "ps"]).success();
    for (name, port) in [("rx", "vhost:2"), ("tx", "vhost:1")] {
        let line = list
            .lines()
            .find(|line| line.starts_with(&containers.name(name)));
        assert!(line.is_some_and(|line| line.contains(port)), "{list}");
    }
    packets_pass(&panel, &mut sender, &mut receiver);
    sender.quit();
    receiver.quit();
    panel.finish();
}

/// Each of the four is PID 1 of a namespace of its own until it settles on another PID, with a primary on the host.
#[test]
fn four_processes_of_a_panel_in_containers_pass_packets_and_one_comes_back_after_a_kill() {
    if !engine(
        "four_processes_of_a_panel_in_containers_pass_packets_and_one_comes_back_after_a_kill",
    ) {
        return;
    }
    let panel = Panel::builder().memory(256).start();
    let containers = Containers::new();
    let names: Vec<String> = (1..=4)
        .map(|id| containers.nfv(&panel, id, cpu(id as usize)))
        .collect();
    for name in &names {
        let pid_mode = inspect(name)["HostConfig"]["PidMode"].clone();
        assert_eq!(pid_mode, "", "it shares no processes");
    }
    let wire = |id: u32| {
        let (src, dst) = match id {
            1 => ("vhost:1".to_owned(), "ring:0".to_owned()),
            4 => ("ring:2".to_owned(), "vhost:2".to_owned()),
            _ => (format!("ring:{}", id - 2), format!("ring:{}", id - 1)),
        };
        for port in [&src, &dst] {
            panel.ok(&format!("nfv {id} add {port}"));
        }
        panel.ok(&format!("nfv {id} patch {src} {dst}"));
        panel.ok(&format!("nfv {id} forward"));
    };
    (1..=4).for_each(wire);
    let folder = panel.vhost_dir();
    let mut receiver = containers.testpmd("rx", cpu(1), 2, &folder, "rxonly");
    let mut sender = containers.testpmd("tx", cpu(0), 1, &folder, "txonly");
    packets_pass(&panel, &mut sender, &mut receiver);

    // What a process of SPP holds its controller knows, and no other one.
    let ports = |list: String| {
        let mut lines = list.lines();
        let line = lines.find(|line| line.starts_with(&format!("{} ", names[0])));
        let columns = line.unwrap_or_default().split_whitespace();
        columns.skip(2).take(2).collect::<Vec<_>>().join(" ")
    };
    let told = ports(panel.spp(&["container", "ps"]).success());
    assert!(told.starts_with("vhost:1,ring:0 "), "{told}");
    let not_told = ports(spp(&["container", "ps"]).success());
    assert_eq!(not_told, "? (nfv:1)");

    docker(&["kill", &names[1]]).success();
    wait_until("the panel to miss nfv 2", LIMIT, || {
        panel.ok("status").contains("nfv:2: gone")
    });
    // The same command again: the container that has died makes way.
    containers.nfv(&panel, 2, cpu(0));
    wire(2);
    let before = receiver.counter("RX-packets");
    receiver.command("start");
    sender.command("start");
    wait_until("packets after the return", LIMIT, || {
        receiver.counter("RX-packets") > before + 10_000
    });
    sender.quit();
    receiver.quit();
    let mut words = vec!["container", "stop"];
    words.extend(names.iter().map(String::as_str));
    spp(&words).success();
    let left = spp(&["container", "ps", "-a"]).success();
    assert!(
        names.iter().all(|name| !left.contains(name.as_str())),
        "{left}"
    );
    panel.finish();
}

#[test]
fn a_primary_in_a_container_has_processes_in_others_and_leaves_nothing() {
    if !engine("a_primary_in_a_container_has_processes_in_others_and_leaves_nothing") {
        return;
    }
    huge::need(128);
    let [primary, secondaries, rest] = machine::free_ports();
    let mut command = Command::new(machine::bin("spp-ctl"));
    command.arg("--stateless");
    for (option, port) in [("-p", primary), ("-s", secondaries), ("-a", rest)] {
        command.args([option, &port.to_string()]);
    }
    let mut controller = Proc::spawn("spp-ctl", &mut command);
    controller.wait_output("listening", LIMIT);
    let prefix = machine::unique("t");
    let containers = Containers::new();
    let line = format!(
        "-l {} --share-lcores -m 256 -p 0x1 --vdev net_null0 --ctl-port {primary} --file-prefix {prefix}",
        cpu(0)
    );
    let first = containers.run("spp-primary", "primary", &line);
    let workers = [1, 2].map(|id| {
        let line = format!(
            "-i {id} --lcores 0@{cpu},1@{cpu} --share-lcores --file-prefix {prefix} --ctl-port {secondaries}",
            cpu = cpu(id)
        );
        containers.run("spp-nfv", &format!("nfv{id}"), &line)
    });
    let address = format!("127.0.0.1:{rest}");
    let ok = |line: &str| {
        let mut words = vec!["-b", &address];
        words.extend(line.split_whitespace());
        spp(&words).success()
    };
    for line in [
        "nfv 1 add ring:0",
        "nfv 2 add ring:0",
        "nfv 1 add nullpmd:0",
        "nfv 2 add nullpmd:0",
        "nfv 1 patch nullpmd:0 ring:0",
        "nfv 2 patch ring:0 nullpmd:0",
        "nfv 1 forward",
        "nfv 2 forward",
    ] {
        ok(line);
    }
    wait_until("packets from container to container", LIMIT, || {
        let status: serde_json::Value =
            serde_json::from_str(&ok("nfv 2 status --json")).expect("JSON");
        let found = status["details"]["detail"]["patches"][0]["rx-packets"].as_u64();
        found.is_some_and(|packets| packets > 10_000)
    });
    // The processes before the primary that they hang on.
    spp(&["container", "stop", &workers[0], &workers[1], &first]).success();
    let files = huge::files_of(&prefix);
    assert!(files.is_empty(), "hugepages are left: {files:?}");
    let folder = huge::runtime_dir(&prefix);
    assert!(!folder.exists(), "{} is left", folder.display());
    assert!(controller.terminate(LIMIT).success());
}
