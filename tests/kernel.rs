//! Hosts with the kernel's own stack, reached through devices of DPDK: which of them a worker
//! process can poll, and which only the primary.

#![allow(clippy::expect_used, clippy::panic)]

mod hosts;

use std::time::Duration;

use hosts::move_data;
use testbed::machine::{self, TempDir, cpu};
use testbed::{Netns, Panel, TestPmd, netns, wait_until};

const LIMIT: Duration = Duration::from_secs(30);

/// A veth pair of which one end is a host's; gives the name of the other, which stays here and goes
/// with the host.
fn veth(host: &Netns, address: &str) -> String {
    let (ours, theirs) = (machine::unique("ka"), machine::unique("kb"));
    netns::ip(&[
        "link", "add", &ours, "type", "veth", "peer", "name", &theirs,
    ]);
    host.take(&theirs, address);
    netns::ip(&["link", "set", &ours, "up"]);
    ours
}

fn two_cpus() -> String {
    format!("{},{}", cpu(0), cpu(1))
}

#[test]
fn hosts_reach_each_other_through_tap_ports_of_a_worker_process() {
    let (left, right) = (machine::unique("ta"), machine::unique("tb"));
    let (one, two) = (Netns::new(), Netns::new());
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--vdev"])
        .primary_args([format!("net_tap1,iface={left}")])
        .primary_args(["--vdev".to_owned(), format!("net_tap2,iface={right}")])
        .pages(128)
        .nfv(1)
        .start();
    one.take(&left, "10.1.0.1/24");
    two.take(&right, "10.1.0.2/24");
    panel.ok("nfv 1 patch tap:1 tap:2");
    panel.ok("nfv 1 patch tap:2 tap:1");
    one.wait_ping("10.1.0.2");
    two.wait_ping("10.1.0.1");
    move_data(&one, &two, "10.1.0.2", 8_000_000);
    move_data(&two, &one, "10.1.0.1", 8_000_000);
    let detail = panel.detail(1);
    for name in ["tap:1", "tap:2"] {
        let port = detail.ports.iter().find(|port| port.name == name);
        let port = port.unwrap_or_else(|| panic!("no {name}: {detail:?}"));
        assert!(port.counters.rx_bytes > 8_000_000, "{port:?}");
        assert!(port.counters.tx_bytes > 8_000_000, "{port:?}");
    }
    panel.finish();
}

#[test]
fn hosts_reach_each_other_through_packet_sockets_of_the_primary() {
    let (one, two) = (Netns::new(), Netns::new());
    let (left, right) = (veth(&one, "10.2.0.1/24"), veth(&two, "10.2.0.2/24"));
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--lcores", &two_cpus(), "--vdev"])
        .primary_args([format!("net_af_packet0,iface={left}")])
        .primary_args(["--vdev".to_owned(), format!("net_af_packet1,iface={right}")])
        .pages(128)
        .start();
    for line in [
        "pri patch phy:0 phy:1",
        "pri patch phy:1 phy:0",
        "pri forward",
    ] {
        panel.ok(line);
    }
    one.wait_ping("10.2.0.2");
    move_data(&one, &two, "10.2.0.2", 4_000_000);
    move_data(&two, &one, "10.2.0.1", 4_000_000);
    panel.finish();
}

#[test]
fn a_host_behind_a_port_of_the_primary_reaches_one_behind_a_worker_process() {
    let (one, two) = (Netns::new(), Netns::new());
    let left = veth(&one, "10.3.0.1/24");
    let right = machine::unique("tc");
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--lcores", &two_cpus(), "--vdev"])
        .primary_args([format!("net_af_packet0,iface={left}")])
        .primary_args(["--vdev".to_owned(), format!("net_tap1,iface={right}")])
        .pages(128)
        .nfv(1)
        .start();
    two.take(&right, "10.3.0.2/24");
    // The way that the refusal recommends: a ring between the primary and the worker process.
    let reason = panel.refused("nfv 1 patch phy:0 tap:1");
    assert!(reason.contains("ring"), "{reason}");
    for line in [
        "pri add ring:0",
        "pri add ring:1",
        "pri patch phy:0 ring:0",
        "pri patch ring:1 phy:0",
        "pri forward",
        "nfv 1 patch ring:0 tap:1",
        "nfv 1 patch tap:1 ring:1",
    ] {
        panel.ok(line);
    }
    one.wait_ping("10.3.0.2");
    move_data(&one, &two, "10.3.0.2", 4_000_000);
    panel.finish();
}

#[test]
fn a_worker_process_refuses_devices_that_only_the_primary_can_poll() {
    let (one, two) = (Netns::new(), Netns::new());
    let (packet, xdp) = (veth(&one, "10.4.0.1/24"), veth(&two, "10.4.0.2/24"));
    let dir = TempDir::new();
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--vdev"])
        .primary_args([format!("net_af_packet0,iface={packet}")])
        .primary_args(["--vdev".to_owned(), format!("net_af_xdp0,iface={xdp}")])
        .primary_args([
            "--vdev".to_owned(),
            format!("net_vhost0,iface={}", dir.join("s").display()),
        ])
        .primary_args(["--vdev", "net_null0", "--vdev", "net_null1"])
        .pages(128)
        .nfv(1)
        .start();
    // All are listed, so that an operator finds them; phy:3 and phy:4 are the null devices.
    let listed: Vec<_> = panel.detail(1).ports.into_iter().map(|p| p.name).collect();
    assert_eq!(listed, ["phy:0", "phy:1", "phy:2", "phy:3", "phy:4"]);
    for (port, driver, instead) in [
        ("phy:0", "net_af_packet", "net_tap"),
        ("phy:1", "net_af_xdp", "net_tap"),
        ("phy:2", "net_vhost", "vhost:N"),
    ] {
        for line in [
            format!("nfv 1 patch {port} phy:3"),
            format!("nfv 1 patch phy:3 {port}"),
            format!("nfv 1 patch {port} {port}"),
            format!("nfv 1 patch {port} ring:0"),
        ] {
            let reason = panel.refused(&line);
            for word in [port, driver, instead, "primary", "ring"] {
                assert!(reason.contains(word), "{line}: no {word} in {reason}");
            }
        }
    }
    let detail = panel.detail(1);
    assert!(detail.patches.is_empty(), "{detail:?}");
    assert_eq!(detail.ports.len(), 5, "a refused patch attached a ring");
    // What a worker process can poll goes on.
    panel.ok("nfv 1 patch phy:3 phy:4");
    wait_until("packets between null devices", LIMIT, || {
        panel.detail(1).patches[0].counters.tx_packets > 1_000
    });
    panel.finish();
}

#[test]
fn the_primary_forwards_between_express_data_path_and_vhost_devices() {
    let host = Netns::new();
    let xdp = veth(&host, "10.5.0.1/24");
    let dir = TempDir::new();
    let socket = dir.join("s");
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--lcores", &two_cpus(), "--vdev"])
        .primary_args([format!("net_af_xdp0,iface={xdp}")])
        .primary_args([
            "--vdev".to_owned(),
            format!("net_vhost0,iface={}", socket.display()),
        ])
        .pages(192)
        .start();
    for line in [
        "pri patch phy:0 phy:1",
        "pri patch phy:1 phy:0",
        "pri forward",
    ] {
        panel.ok(line);
    }
    // Answers pings: whatever it is asked for, it is.
    let mut echo = TestPmd::builder("echo")
        .vhost_client(&socket)
        .mode("icmpecho")
        .start();
    echo.start();
    host.wait_ping("10.5.0.2");
    echo.stop();
    echo.quit();
    panel.finish();
}

#[test]
fn a_device_that_cannot_be_made_keeps_the_primary_from_starting() {
    let prefix = machine::unique("bad");
    let mut command = std::process::Command::new(machine::bin("spp-primary"));
    command
        .args(["--file-prefix", &prefix, "--memory", "256", "--no-ctl"])
        .args(["--vdev", "net_af_packet0,iface=not-there"]);
    let said = testbed::proc::run(&mut command, LIMIT).failure();
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains("--vdev net_af_packet0"), "{said}");
    assert!(testbed::huge::files_of(&prefix).is_empty());
    assert!(!testbed::huge::runtime_dir(&prefix).exists());
}
