//! Commands and status: by the wire of the original, by REST, by the shell.

use testbed::machine::{self, TempDir};
use testbed::{Panel, Proc, proc, wait_until};

use crate::fake::Door;
use crate::{LIMIT, capture, command, listing, packets, panel, report, send, wait_received};

const OK: &str = r#"{ "results": [ { "result": "success" } ] }"#;

fn error(words: &str) -> String {
    format!(
        r#"{{ "results": [ {{ "result": "error", "error_details": {{ "message": "{words}" }} }} ] }}"#
    )
}

#[test]
fn it_speaks_with_the_originals_controller_byte_for_byte() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let out = TempDir::new();
    let [port] = machine::free_ports();
    let door = Door::open(port);
    let cpu = machine::cpu(0);
    let mut started = panel.command(std::process::Command::new(machine::bin("spp-pcap")));
    started.args(
        format!(
            "--lcores 1@{cpu},2@{cpu},3@{cpu} -n 4 --proc-type secondary --file-prefix {} -- --client-id 4 -s 127.0.0.1:{port} -c ring:0 --out-dir {}",
            panel.prefix(),
            out.path().display()
        )
        .split_whitespace(),
    );
    let mut pcap = Proc::spawn("spp-pcap 4", &mut started);
    let mut peer = door.accept();
    let id = peer.ask("_get_client_id");
    let begin =
        r#"{ "results": [ { "result": "success" } ], "client_id": 4, "process_type": "pcap", "#;
    assert!(id.starts_with(begin), "{id}");
    let status = |word: &str, file: &str| {
        format!(
            r#"{{ "results": [ {{ "result": "success" }} ], "info": {{ "client-id": 4, "status": "{word}", "master-lcore": 1, "core": [ {{ "core": 2, "role": "receive", "rx_port": [ {{ "port": "ring:0" }} ] }}, {{ "core": 3, "role": "write", "filename": "{file}" }} ] }} }}"#
        )
    };
    assert_eq!(peer.ask("status"), status("idle", ""));
    for wrong in ["start x", "stop now", "status x", "exit 1"] {
        assert_eq!(peer.ask(wrong), error("Wrong message format"), "{wrong}");
    }
    for unknown in [
        "component start a 10 forward",
        "port add ring:0 rx a",
        "foo",
        "forward",
    ] {
        assert_eq!(
            peer.ask(unknown),
            error("Invalid value (command)"),
            "{unknown}"
        );
    }
    assert_eq!(peer.ask("start"), OK);
    let unfinished = listing(out.path());
    assert_eq!(unfinished.len(), 1, "{unfinished:?}");
    let name = unfinished[0].display().to_string();
    let name = name
        .strip_suffix(".pcap.lz4.tmp")
        .expect("an unfinished file");
    let name = format!("{name}.pcap.lz4");
    assert_eq!(peer.ask("status"), status("running", &name));
    // Started already: that is no error.
    assert_eq!(peer.ask("start"), OK);
    assert_eq!(listing(out.path()), unfinished);
    send(&panel, "ring:0", 100, "");
    assert_eq!(peer.ask("stop"), OK);
    assert_eq!(peer.ask("stop"), OK);
    wait_until("the file to be complete", LIMIT, || {
        std::path::Path::new(&name).exists()
    });
    wait_until("no file in the status", LIMIT, || {
        peer.ask("status") == status("idle", "")
    });
    assert_eq!(packets(name.as_ref()).len(), 100);
    // Another run has files of its own, even within the same second.
    assert_eq!(peer.ask("start"), OK);
    assert_eq!(peer.ask("exit"), OK);
    assert!(pcap.wait_exit(LIMIT).success(), "{}", pcap.output());
    let files = listing(out.path());
    assert_eq!(files.len(), 2, "{files:?}");
    assert_eq!(
        files.iter().map(|path| packets(path).len()).sum::<usize>(),
        100
    );
    panel.finish();
}

#[test]
fn rest_and_the_shell_start_and_stop_it() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let out = TempDir::new();
    let mut pcap = capture(
        &panel,
        &format!("-c ring:0 --out-dir {} --idle", out.path().display()),
    );
    let status = |word: &str| {
        let answer = panel.http("GET", "/v1/pcaps/3", "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let status: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!(status["status"], word, "{status}");
        status
    };
    let idle = status("idle");
    assert_eq!(idle["core"][0]["rx_port"][0]["port"], "ring:0", "{idle}");
    assert_eq!(idle["core"][1]["filename"], "", "{idle}");
    let put = |body: &str| panel.http("PUT", "/v1/pcaps/3/capture", body).status;
    assert_eq!(put(r#"{"action": "start"}"#), 204);
    let running = status("running");
    let file = running["core"][1]["filename"]
        .as_str()
        .expect("a name")
        .to_owned();
    assert!(file.ends_with(".ring0.1.1.pcap.lz4"), "{file}");
    send(&panel, "ring:0", 10, "");
    wait_received(&panel, 10);
    assert_eq!(put(r#"{"action": "stop"}"#), 204);
    status("idle");

    let told = panel.ok("pcap 3 start");
    assert!(told.contains("Start packet capture."), "{told}");
    let told = panel.ok("pcap 3 status");
    assert!(
        told.contains("running") && told.contains(".pcap.lz4"),
        "{told}"
    );
    assert!(panel.ok("pcap 3 stop").contains("Stop packet capture."));
    // The status of all shows the port and what became of the packets.
    let all = panel.ok("status");
    assert!(all.contains("pcap:3"), "{all}");
    let metrics = panel.http("GET", "/metrics", "").body;
    let line = metrics.lines().find(|line| {
        line.starts_with("spp_patch_receive_packets_total") && line.contains("dst=\"spppcap:3\"")
    });
    assert!(
        line.is_some_and(|line| line.ends_with(" 10")),
        "{line:?} {metrics}"
    );
    assert!(panel.ok("pcap 3 exit").contains("Exit pcap 3."));
    assert!(pcap.wait_exit(LIMIT).success(), "{}", pcap.output());
    assert_eq!(
        listing(out.path())
            .iter()
            .map(|p| packets(p).len())
            .sum::<usize>(),
        10
    );
    panel.finish();
}

#[test]
fn a_port_that_others_take_from_is_refused_with_their_names() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    panel.ok("nfv 1 patch ring:0 ring:1");
    let out = TempDir::new();
    let args = format!("-c ring:0 --out-dir {}", out.path().display());
    let words = proc::run(&mut command(&panel, 3, &args), LIMIT).failure();
    assert!(
        words.contains("ring:0 is claimed as a source by nfv:1"),
        "{words}"
    );
    assert!(listing(out.path()).is_empty(), "an empty file is left");

    let mut pcap = capture(&panel, &format!("{args} --idle"));
    let words = panel.refused("pcap 3 start");
    assert!(words.contains("claimed as a source by nfv:1"), "{words}");
    panel.ok("nfv 1 unpatch ring:0");
    panel.ok("pcap 3 start");
    let words = panel.refused("nfv 1 patch ring:0 ring:1");
    assert!(words.contains("pcap:3"), "{words}");
    panel.ok("pcap 3 stop");
    panel.ok("nfv 1 patch ring:0 ring:1");
    assert!(pcap.terminate(LIMIT).success());
    panel.finish();
}

#[test]
fn killed_it_leaves_a_readable_file_and_a_free_port() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let out = TempDir::new();
    let args = format!("-c ring:0 --out-dir {}", out.path().display());
    let mut pcap = capture(&panel, &args);
    send(&panel, "ring:0", 500, "");
    wait_received(&panel, 500);
    pcap.kill();
    let files = listing(out.path());
    assert!(
        files.len() == 1 && files[0].display().to_string().ends_with(".tmp"),
        "{files:?}"
    );
    assert_eq!(packets(&files[0]).len(), 500);
    // The next one takes its place, as soon as the primary has cleaned up.
    let mut next = capture(&panel, &args);
    send(&panel, "ring:0", 300, "");
    wait_received(&panel, 300);
    assert!(next.terminate(LIMIT).success());
    assert_eq!(report_free(&panel), "");
    panel.finish();
}

/// Who takes packets out of ring:0.
fn report_free(panel: &Panel) -> String {
    let rings = panel.detail(0).rings.into_iter();
    let mut rings = rings.filter(|ring| ring.name == "ring:0");
    rings.next().expect("ring:0").consumer
}

#[test]
fn physical_and_other_ports_are_captured_too() {
    let dir = TempDir::new();
    let panel = Panel::builder()
        .memory(256)
        .primary_args(["--vdev", "net_null0,size=100"])
        .start();
    for (port, name, length) in [("phy:0", "phy0", 100), ("nullpmd:1", "nullpmd1", 64)] {
        let out = TempDir::new();
        let mut pcap = capture(
            &panel,
            &format!(
                "-c {port} --out-dir {} --fsize 1000000 --files 2",
                out.path().display()
            ),
        );
        wait_until("packets", LIMIT, || report(&panel).written > 1000);
        panel.ok("pcap 3 stop");
        wait_until("all to be written", LIMIT, || report(&panel).waiting == 0);
        let told = report(&panel);
        let lost = told.lost_full + told.lost_error;
        assert_eq!(told.received, told.written + lost, "{told:?}");
        assert!(pcap.terminate(LIMIT).success());
        let files = listing(out.path());
        let first = files.first().expect("a file").display().to_string();
        assert!(first.contains(&format!(".{name}.1.")), "{first}");
        let found = packets(files.last().expect("a file"));
        assert!(
            found.iter().all(|(_, original, _)| *original == length),
            "{port}"
        );
    }
    drop(dir);
    panel.finish();
}
