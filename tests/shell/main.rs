//! The command `spp` as people use it: at a real controller with played processes, in a terminal, in a
//! pipe, and completed by the system's shells.

#![allow(clippy::expect_used, clippy::panic)]

#[path = "../common/controller.rs"]
mod controller;
mod panel;
mod pipe;
mod system_shells;
mod terminal;

use panel::Panel;

#[test]
fn statuses_of_the_original_s_processes_look_as_recorded() {
    let panel = Panel::start("status");
    for (line, expected) in [
        (
            "vf 2; status",
            "Basic Information:
  - client-id: 2
  - ports: [phy:0 nq 0, phy:0 nq 1, phy:1, vhost:0, ring:1, ring:2, ring:3]
  - lcore_ids:
    - master: 3
    - slaves: [4, 4, 5, 6]
Classifier Table:
  - 100/default, vhost:0
  - 52:54:00:00:00:0A, ring:3
Components:
  - core:4 'fw' (type: forward)
    - rx: phy:0 nq 0
    - tx: ring:1 (vlan operation: add, id: 100, pcp: 3)
  - core:4 'mg' (type: merge)
    - rx: phy:0 nq 1
    - rx: ring:2
    - tx: phy:1
  - core:5 'cls' (type: classifier)
    - rx: ring:1 (vlan operation: del)
    - tx: ring:3
    - tx: vhost:0
  - core:6 '' (type: unuse)
",
        ),
        (
            "mirror 3; status",
            "Basic Information:
  - client-id: 3
  - ports: [phy:0 nq 0, phy:0 nq 1, phy:1, ring:3, ring:4]
  - lcore_ids:
    - master: 6
    - slaves: [7, 8]
Components:
  - core:7 'm' (type: mirror)
    - rx: phy:0 nq 0
    - tx: [ring:3, ring:4]
  - core:8 '' (type: unuse)
",
        ),
        (
            "pcap 4; status",
            "Basic Information:
  - client-id: 4
  - status: running
  - lcore_ids:
    - master: 9
    - slaves: [10, 11]
Components:
  - core:10 receive
    - rx: phy:0 nq 1
  - core:11 write
    - filename: /tmp/spp_pcap.20240131120000.phy0nq1.1.1225.pcap.lz4
",
        ),
    ] {
        assert_eq!(
            panel.spp(&[line], b""),
            (expected.to_owned(), Some(0)),
            "{line}"
        );
    }
    // Ours follow the original's lines.
    for (line, expected) in [
        (
            "nfv 1; status",
            "- status: running
- lcore_ids:
  - master: 1
  - slave: 2
- ports:
  - phy:0 nq 0 -> ring:4
  - phy:0 nq 1 -> phy:1
  - phy:1 -> phy:0 nq 1
  - ring:0
  - vhost:1
  - ring:4 -> phy:1
  - nullpmd:2
",
        ),
        (
            "pri; status",
            "- lcore_ids:
  - master: 0
  - slave: 12
- forwarder:
  - status: running
  - ports:
    - phy:0 -> ring:3
    - phy:1
    - vhost:9
    - ring:3 -> phy:1
- stats
  - physical ports:
      ID          rx          tx     tx_drop  rxq  txq mac_addr
       0    55596064           0           0    2    2 02:00:00:00:00:0a
       1           0           0           0    1    1 02:00:00:00:00:0b
  - ring ports:
      ID          rx          tx     rx_drop     tx_drop
       0           0         127           0    55597473
",
        ),
    ] {
        let (out, code) = panel.spp(&[line], b"");
        assert!(
            out.starts_with(expected) && code == Some(0),
            "{line}: {out}"
        );
    }
}

#[test]
fn bye_all_ends_every_process_in_the_order_of_the_original() {
    let panel = Panel::start("bye");
    let expected = "Closing secondary ...\nExit nfv 1\nExit vf 2.\nExit mirror 3.\nExit pcap 4.\n\
                    Closing primary ...\nExit primary\n";
    assert_eq!(panel.spp(&["bye all"], b""), (expected.to_owned(), Some(0)));
}

#[test]
fn options_of_the_start_are_obeyed() {
    let panel = Panel::start("options");
    let (out, code) = panel.spp(&["--wait-pri", "pwd"], b"");
    let here = env!("CARGO_MANIFEST_DIR");
    let expected = format!("Waiting for spp_primary is ready ... OK! (0.0[sec])\n{here}\n");
    assert_eq!((out, code), (expected, Some(0)));

    let file = panel.home.join("my.yml");
    std::fs::write(&file, "max_secondary: {val: 3, desc: Few}\n").expect("a file");
    let file = file.to_string_lossy().into_owned();
    let (out, _) = panel.spp(&["--config", &file, "config max"], b"");
    assert_eq!(out, "- max_secondary: \"3\"\t# Few\n");
    std::fs::write(&file, "max_secondary: {val: x}\n").expect("a file");
    let output = panel.run(&["--config", &file, "config"], b"");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(2), 0),
        "{err}"
    );
    assert!(
        err.contains("Invalid value \"x\" for \"max_secondary\""),
        "{err}"
    );
    let output = panel.run(&["--config", "nosuch.yml"], b"");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = format!(
        "Error: No config file found!\nNo such file or directory (os error 2): '{here}/nosuch.yml'\n"
    );
    assert_eq!((output.status.code(), err), (Some(1), expected));
}
