//! `spp lab capture`, read by tshark.

use std::process::Command;

use testbed::{Proc, proc, wait_until};

use crate::network::{LIMIT, Place};

/// Two hosts at a switch.
pub const TWO: &str =
    "hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24}\nswitches: [s1]\nlinks: [[h1, s1], [s1, h2]]\n";

/// What tshark makes of a file: these fields of each packet that passes its filter, a line a packet.
pub fn tshark(file: &str, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let mut command = Command::new("tshark");
    command.args([
        "-r",
        file,
        "-Y",
        filter,
        "-T",
        "fields",
        "-E",
        "separator=;",
    ]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    // As root it warns of itself.
    assert!(
        !words.contains("cut short") && !words.contains("damaged"),
        "{words}"
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let fields = |line: &str| line.split(';').map(str::to_owned).collect();
    text.lines().map(fields).collect()
}

/// Names of interfaces and directions of packets that pass a filter.
fn path(file: &str, filter: &str) -> Vec<(String, String)> {
    let fields = ["frame.interface_name", "frame.packet_flags_direction"];
    let mut pairs = tshark(file, filter, &fields).into_iter();
    let pair = |fields: &mut Vec<String>| (fields[0].clone(), fields[1].clone());
    pairs.by_ref().map(|mut fields| pair(&mut fields)).collect()
}

/// Starts a capture and waits until it looks.
pub fn capture(place: &Place, words: &[&str]) -> Proc {
    let mut capture = Proc::spawn(
        "capture",
        &mut place.command(&[&["capture"], words].concat()),
    );
    capture.wait_output("capturing at", LIMIT);
    capture
}

#[test]
fn a_request_is_seen_at_each_interface_in_the_order_of_its_path() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    let file = place.path("seen.pcapng");
    let mut capture = capture(&place, &["--all", "-w", &file]);
    place.lab(&["ping", "h1", "h2", "-c", "2"]).success();
    let status = capture.interrupt(LIMIT);
    assert!(status.success(), "{}", capture.output());
    capture.wait_output("packets of 4 interfaces", LIMIT);
    capture.wait_output("none was lost", LIMIT);
    // Numbers of directions in `epb_flags`: 1 came in, 2 went out.
    let there = [
        ("h1:eth0", "2"),
        ("s1:eth0", "1"),
        ("s1:eth1", "2"),
        ("h2:eth0", "1"),
    ];
    let back = [
        ("h2:eth0", "2"),
        ("s1:eth1", "1"),
        ("s1:eth0", "2"),
        ("h1:eth0", "1"),
    ];
    for number in ["1", "2"] {
        for (kind, expected) in [("8", there), ("0", back)] {
            let filter = format!("icmp.type == {kind} and icmp.seq == {number}");
            let seen = path(&file, &filter);
            let seen: Vec<_> = seen
                .iter()
                .map(|(a, b)| (a.as_str(), number_of(b)))
                .collect();
            assert_eq!(seen, expected, "{filter}");
        }
    }
    // The whole file is in the order of time, to the nanosecond.
    let times: Vec<u128> = tshark(&file, "frame", &["frame.time_epoch"])
        .iter()
        .map(|fields| fields[0].replace('.', "").parse().expect("a time"))
        .collect();
    assert!(times.len() >= 16 && times.is_sorted(), "{times:?}");
    assert!(times.iter().any(|time| time % 1000 != 0), "{times:?}");
}

/// tshark writes it as 0x00000001.
fn number_of(flags: &str) -> &str {
    flags.trim_start_matches("0x").trim_start_matches('0')
}

#[test]
fn a_pipe_a_number_of_packets_and_a_filter_end_by_themselves() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    // `exec` alone would be replaced by the shell: two programs at a pipe, as typed.
    let script = format!(
        "'{}' lab capture s1 -w - --count 4 --filter 'icmp[0] == 8' | tshark -l -n -r -",
        testbed::machine::bin("spp").display()
    );
    let mut command = Command::new("sh");
    let state = place.command(&[]);
    command
        .args(["-c", &script])
        .envs(state.get_envs().filter_map(|(k, v)| Some((k, v?))));
    let mut capture = Proc::spawn("capture", &mut command);
    capture.wait_output("capturing at 2 interfaces", LIMIT);
    place.lab(&["ping", "h1", "h2", "-c", "3"]).success();
    let status = capture.wait_exit(LIMIT);
    assert!(status.success(), "{}", capture.output());
    let text = capture.output();
    assert_eq!(text.matches("Echo (ping) request").count(), 4, "{text}");
    assert!(
        text.contains("4 packets of 2 interfaces in standard output"),
        "{text}"
    );
    // Nothing comes: it is time that ends this one.
    let file = place.path("none.pcapng");
    let text = place
        .lab(&[
            "capture",
            "h1:eth0",
            "--filter",
            "tcp",
            "--seconds",
            "0.5",
            "-w",
            &file,
        ])
        .success();
    assert!(text.contains("0 packets of 1 interfaces"), "{text}");
    assert_eq!(
        tshark(&file, "frame", &["frame.number"]),
        Vec::<Vec<String>>::new()
    );
}

#[test]
fn a_tag_that_the_kernel_takes_out_is_in_the_file() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    let file = place.path("tagged.pcapng");
    let mut capture = capture(&place, &["-w", &file]);
    // To all, of an experimental type (IEEE 802), in the network 42.
    let script = "import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
s.send(bytes.fromhex('ffffffffffff 020000000001 8100 202a 88b5') + b'tagged' * 8)";
    let script = place.script(script);
    place.lab(&["exec", "h1", "python3", &script]).success();
    assert!(capture.interrupt(LIMIT).success());
    let fields = [
        "frame.interface_name",
        "vlan.id",
        "vlan.priority",
        "frame.len",
    ];
    let seen = tshark(&file, "vlan.etype == 0x88b5", &fields);
    let expected = ["h1:eth0", "s1:eth0", "s1:eth1", "h2:eth0"]
        .map(|name| [name, "42", "1", "66"].map(str::to_owned).to_vec());
    assert_eq!(seen, expected);
}

#[test]
fn a_capture_ends_with_its_network_and_keeps_nothing_of_it() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    let file = place.path("end.pcapng");
    let mut capture = capture(&place, &["-w", &file]);
    place.lab(&["ping", "h1", "h2", "-c", "1"]).success();
    place.lab(&["down"]).success();
    assert_eq!(capture.wait_exit(LIMIT).code(), Some(1));
    capture.wait_output("has been taken down", LIMIT);
    // What was seen is in the file, which is whole.
    assert_eq!(tshark(&file, "icmp.type == 8", &["frame.number"]).len(), 4);
}

#[test]
fn an_interface_that_goes_down_and_up_is_looked_at_again() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    let file = place.path("again.pcapng");
    let mut capture = capture(&place, &["h2", "-w", &file]);
    for state in ["down", "up"] {
        place
            .lab(&["exec", "h2", "ip", "link", "set", "eth0", state])
            .success();
    }
    wait_until("the link to be there again", LIMIT, || {
        place.lab(&["ping", "h1", "h2", "-c", "1"]).status.success()
    });
    assert!(capture.interrupt(LIMIT).success(), "{}", capture.output());
    assert!(!tshark(&file, "icmp.type == 0", &["frame.number"]).is_empty());
}

#[test]
fn of_a_test_the_captures_of_what_failed_are_kept() {
    let place = Place::new();
    let expected = "expect:
  - ping: {from: h1, to: h2, count: 1}
  - ping: {from: h2, to: h1, count: 2, answered: false}
  - run: {name: it ends well, on: h1, command: 'ping -c 3 -i 0.2 10.0.0.2; exit 1'}
  - no-drops: []
";
    let file = place.file(&format!("{TWO}{expected}"));
    let (folder, junit) = (place.path("captures"), place.path("junit.xml"));
    let words = ["test", &file, "--name", &place.name];
    let finished = place.lab(&[&words[..], &["--captures", &folder, "--junit", &junit]].concat());
    assert_eq!(finished.status.code(), Some(1), "{}", finished.output);
    let kept: Vec<String> = ["02-h2-does-not-reach-h1.pcapng", "03-it-ends-well.pcapng"]
        .map(|name| format!("{folder}/{name}"))
        .to_vec();
    let mut there: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("a file").path().display().to_string())
        .collect();
    there.sort();
    assert_eq!(there, kept);
    // Each has its own case's packets at all interfaces, and no other's.
    for (file, requests, from) in [(&kept[0], 2, "10.0.0.2"), (&kept[1], 3, "10.0.0.1")] {
        let seen = tshark(file, "icmp.type == 8", &["ip.src"]);
        assert_eq!(seen, vec![vec![from.to_owned()]; 4 * requests], "{file}");
        let said = format!("  capture: '{file}'\n");
        assert!(finished.output.contains(&said), "{}", finished.output);
    }
    let report = std::fs::read_to_string(&junit).expect("JUnit's file");
    let report = roxmltree::Document::parse(&report).expect("XML");
    let said: Vec<&str> = report
        .descendants()
        .filter(|node| node.has_tag_name("system-out"))
        .filter_map(|node| node.text()?.strip_prefix("capture: "))
        .collect();
    assert_eq!(said, kept);
}

#[test]
fn what_cannot_be_captured_is_refused() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    let file = place.path("none.pcapng");
    for (words, part) in [
        (vec!["h3"], "has no node 'h3'"),
        (
            vec!["h1:eth7"],
            "'h1' has no interface 'eth7' (there are: eth0)",
        ),
        (vec!["--all", "h1"], "'h1' has no meaning here"),
        (vec!["--count", "0"], "--count takes a number from 1 on"),
        (vec!["--seconds", "-1"], "--seconds takes seconds from 0.1"),
        (vec!["--filter", "tcp prot 80", "-w", &file], "syntax error"),
        (vec!["-w", "/nowhere/seen"], "cannot write /nowhere/seen"),
    ] {
        let finished = proc::run(
            &mut place.command(&[vec!["capture"], words.clone()].concat()),
            LIMIT,
        );
        let text = finished.failure();
        assert!(text.contains(part), "{words:?}: {text} lacks {part}");
    }
}
