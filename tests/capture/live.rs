//! Captures that somebody reads while they are made.

use std::process::{Command, Stdio};

use testbed::machine::TempDir;
use testbed::{Proc, wait_until};

use crate::{LIMIT, command, frames, panel, play, send};

#[test]
fn a_pipe_is_read_by_tshark_while_packets_come() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let pipe = dir.join("pipe");
    let mut mkfifo = Command::new("mkfifo");
    assert!(mkfifo.arg(&pipe).status().expect("mkfifo").success());
    let mut tshark = Command::new("tshark");
    tshark.arg("-l").arg("-n").arg("-i").arg(&pipe);
    tshark.args([
        "-T",
        "fields",
        "-e",
        "frame.interface_name",
        "-e",
        "frame.len",
    ]);
    let mut tshark = Proc::spawn("tshark", tshark.stdin(Stdio::null()));
    let mut started = command(&panel, 3, &format!("-c ring:0 --out {}", pipe.display()));
    let mut pcap = Proc::spawn("spp-pcap 3", &mut started);
    pcap.wait_output("is ready", LIMIT);
    let sent = frames(11);
    play(&panel, dir.path(), 1, "ring:0", &sent);
    for frame in &sent {
        tshark.wait_output(&format!("ring:0\t{}", frame.len()), LIMIT);
    }
    // Its reader gone, it ends.
    tshark.interrupt(LIMIT);
    panel.ok("nfv 1 del pcap:1");
    play(&panel, dir.path(), 2, "ring:0", &sent);
    pcap.wait_exit(LIMIT);
    wait_until("the port to be free", LIMIT, || {
        let rings = panel.detail(0).rings.into_iter();
        rings
            .filter(|ring| ring.name == "ring:0")
            .all(|ring| ring.consumer.is_empty())
    });
    panel.finish();
}

/// Where tshark looks for programs that capture for it.
fn extcap_folder() -> String {
    let out = Command::new("tshark").args(["-G", "folders"]).output();
    let text = String::from_utf8_lossy(&out.expect("tshark").stdout).to_string();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Extcap path:"));
    line.expect("a folder").trim().to_owned()
}

/// A tshark that finds nothing but our program there: in a mount namespace of its own, another folder lies over it.
fn tshark(panel: &testbed::Panel, dir: &TempDir, args: &str) -> Command {
    use std::os::unix::fs::PermissionsExt;
    let folder = dir.join("extcap");
    std::fs::create_dir_all(&folder).expect("made");
    let script = folder.join("spp-extcap");
    let text = format!(
        "#!/bin/sh\nSPP_CTL={} SPP_FILE_PREFIX={} exec {} extcap \"$@\"\n",
        panel.rest(),
        panel.prefix(),
        testbed::machine::bin("spp").display()
    );
    std::fs::write(&script, text).expect("written");
    std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("made executable");
    let mut command = panel.command(Command::new("unshare"));
    let line = format!(
        "mount --bind {} {} && exec tshark {args}",
        folder.display(),
        extcap_folder()
    );
    command.args(["-m", "sh", "-c", &line]).stdin(Stdio::null());
    command
}

#[test]
fn wireshark_finds_the_ports_and_captures_one_live() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    panel.ok("nfv 1 patch ring:2 ring:3");
    let ask = |args: &str| testbed::proc::run(&mut tshark(&panel, &dir, args), LIMIT).success();
    let listed = ask("-D");
    assert!(listed.contains("spp-ring0 (SPP ring:0)"), "{listed}");
    assert!(
        listed.contains("spp-ring2 (SPP ring:2: nfv:1 takes its packets"),
        "{listed}"
    );
    let types = ask("-i spp-ring0 -L");
    assert!(types.contains("EN10MB (Ethernet)"), "{types}");

    let args =
        "-l -n -i spp-ring0 -c 20 -f 'greater 100' -T fields -e frame.interface_name -e frame.len";
    let mut live = Proc::spawn("tshark", &mut tshark(&panel, &dir, args));
    wait_until("the capture to run", LIMIT, || {
        let all = panel.details();
        let found = all.iter().find(|p| p.client_id == 127);
        found
            .and_then(|p| p.detail.as_ref())
            .is_some_and(|d| d.status == "running")
    });
    send(&panel, "ring:0", 50, "--size 60");
    send(&panel, "ring:0", 20, "--size 200");
    live.wait_exit(LIMIT);
    let text = live.output();
    let lengths = text.lines().filter(|line| line.ends_with("\t200")).count();
    assert_eq!(lengths, 20, "{text}");
    assert!(!text.contains("\t60"), "{text}");
    wait_until("the capture to end", LIMIT, || {
        panel
            .details()
            .iter()
            .all(|p| p.client_id != 127 || p.detail.is_none())
    });
    panel.finish();
}
