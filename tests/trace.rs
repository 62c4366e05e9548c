//! Traces of a running panel: in text, as JSON and for Wireshark.

#![allow(clippy::expect_used, clippy::panic)]

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use protocol::probe::Trace;
use testbed::http::request;
use testbed::{Panel, Proc, machine, wait_for, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

fn panel() -> Panel {
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "4", "--ring-size", "256"])
        .pages(128)
        .nfv(1)
        .start();
    panel.ok("nfv 1 patch ring:0 ring:1");
    panel
}

fn traffic(panel: &Panel, id: u32, args: &str) -> Proc {
    let mut command = panel.command(Command::new(machine::bin("spp-traffic")));
    command.args(["--file-prefix", panel.prefix(), "--allow-loss"]);
    command.args(["--sec-id", &id.to_string()]);
    command.args(args.split_whitespace());
    Proc::spawn(&format!("spp-traffic {id}"), &mut command)
}

fn trace(panel: &Panel, body: &str) -> Trace {
    let answer = panel.http("POST", "/v1/processes/1/trace", body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).expect("a trace")
}

/// What tshark reads in a file: fields, with a tab between them, one packet a line.
fn tshark(file: &std::path::Path, fields: &[&str]) -> Vec<String> {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(file).args(["-T", "fields"]);
    fields.iter().for_each(|field| {
        tshark.args(["-e", field]);
    });
    let out = match tshark.output() {
        Ok(out) => out,
        Err(error) => panic!("tshark has to be installed (apt install tshark): {error}"),
    };
    let errors = String::from_utf8_lossy(&out.stderr);
    assert!(
        out.status.success() && !errors.contains("damaged"),
        "{errors}"
    );
    let text = String::from_utf8_lossy(&out.stdout);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn packets_are_told_with_their_way_and_why_they_were_dropped() {
    let panel = panel();
    let mut load = traffic(&panel, 9, "--tx ring:0 --rx ring:1 --rate 1000 --size 200");
    let text = panel.ok("nfv 1 trace ring:0 20");
    let heads: Vec<&str> = text.lines().filter(|l| l.contains(" bytes ")).collect();
    assert_eq!(heads.len(), 20, "{text}");
    let told = |line: &&str| line.contains(" ring:0 200 bytes ") && line.ends_with("-> ring:1");
    assert!(heads.iter().all(told), "{text}");
    assert!(
        text.contains("  0070  ") && !text.contains("  0080  "),
        "{text}"
    );
    assert!(text.trim_end().ends_with("20 packets from ring:0 of nfv:1"));

    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("a clock")
        .as_secs();
    let whole = trace(&panel, r#"{"src":"ring:0","count":10,"full":true}"#);
    assert_eq!(
        (whole.process.as_str(), whole.src.as_str()),
        ("nfv:1", "ring:0")
    );
    assert_eq!(whole.packets.len(), 10);
    let mut last = (0, 0);
    for packet in &whole.packets {
        assert_eq!((packet.length, packet.bytes().len()), (200, 200));
        assert_eq!(packet.fate(), "-> ring:1");
        let time = (packet.seconds, packet.nanoseconds);
        assert!(time >= last && time.0.abs_diff(now) < 60, "{time:?}, {now}");
        last = time;
    }

    let file = panel.dir().join("sent.pcapng");
    panel.ok(&format!("nfv 1 trace ring:0 15 to {}", file.display()));
    let fields = [
        "frame.interface_name",
        "frame.comment",
        "frame.len",
        "frame.cap_len",
    ];
    let read = tshark(&file, &fields);
    assert_eq!(read, vec!["nfv:1 ring:0\t-> ring:1\t200\t128"; 15]);
    load.terminate(LIMIT);

    // Nobody takes anything out of ring:1 now, so that it is full after 255 packets.
    let mut load = traffic(&panel, 9, "--tx ring:0 --rate 1000");
    wait_until("ring:1 to be full", LIMIT, || {
        panel.patch(1, "ring:0").counters.drops.full > 0
    });
    let refused = trace(&panel, r#"{"src":"ring:0","count":10}"#);
    let full = "-> ring:1: dropped, full";
    assert_eq!(refused.packets.len(), 10);
    assert!(
        refused.packets.iter().all(|p| p.fate() == full),
        "{refused:?}"
    );
    let file = panel.dir().join("dropped.pcapng");
    panel.ok(&format!("nfv 1 trace ring:0 5 to {}", file.display()));
    assert_eq!(tshark(&file, &["frame.comment"]), vec![full; 5]);
    load.terminate(LIMIT);
    panel.finish();
}

#[test]
fn a_quiet_source_ends_a_trace_in_time_and_holds_up_nobody() {
    let panel = panel();
    let words = [
        ("nfv 1 trace ring:2 5", "no source"),
        ("nfv 1 trace ring:0 0", "1 to 10000"),
        ("nfv 1 trace ring:0 10001", "1 to 10000"),
        ("nfv 1 trace ring:0 2000 --bytes full", "count"),
        ("nfv 2 trace ring:0 5", "does not exist"),
        ("pri trace ring:0 5", "no forwarder"),
    ];
    for (line, reason) in words {
        let said = panel.refused(line);
        assert!(said.contains(reason), "{line}: {said}");
    }
    let ask = |body: &str| {
        let head = "POST /v1/processes/1/trace HTTP/1.1\r\nHost: localhost\r\n";
        let mut stream = TcpStream::connect(panel.rest()).expect("the controller");
        let length = body.len();
        write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}").expect("a request");
        stream
    };
    // This one would wait for an hour; meanwhile the process does what it is told.
    let mut waiting = None;
    wait_until("the trace to run", LIMIT, || {
        // Ours was the first if it is the one that is refused.
        waiting = Some(ask(r#"{"src":"ring:0","count":5,"seconds":3600}"#));
        let said = panel.spp(&["nfv", "1", "trace", "ring:0", "1", "within", "1"]);
        !said.status.success() && said.output.contains("ring:0 is traced already")
    });
    panel.ok("nfv 1 patch ring:2 ring:3");
    // Whoever asked goes away, and the trace with it.
    drop(waiting);
    wait_until("the trace to be over", LIMIT, || {
        let said = panel.spp(&["nfv", "1", "trace", "ring:0", "1", "within", "1"]);
        said.status.success() && said.output.contains("0 packets from ring:0")
    });
    // The patch goes while it is traced; it comes back and is traced on.
    let waiting = std::thread::scope(|scope| {
        let traced = scope.spawn(|| {
            wait_for("a trace", LIMIT, || {
                let body = r#"{"src":"ring:0","count":5,"seconds":60}"#;
                let answer = request(
                    panel.rest(),
                    "POST",
                    "/v1/processes/1/trace",
                    &[],
                    body,
                    LIMIT * 2,
                )
                .expect("an answer");
                serde_json::from_str::<Trace>(&answer.body).ok()
            })
        });
        wait_until("the trace to run", LIMIT, || {
            let body = r#"{"src":"ring:0","count":5,"seconds":1}"#;
            panel.http("POST", "/v1/processes/1/trace", body).status != 200
        });
        panel.ok("nfv 1 unpatch ring:0");
        panel.ok("nfv 1 patch ring:0 ring:3");
        let mut load = traffic(&panel, 9, "--tx ring:0 --rate 100 --count 20");
        let traced = traced.join().expect("a trace");
        load.wait_exit(LIMIT);
        traced
    });
    assert_eq!(waiting.packets.len(), 5);
    assert!(waiting.packets.iter().all(|p| p.fate() == "-> ring:3"));
    panel.finish();
}

#[test]
fn components_tell_all_the_ways_of_a_packet_and_what_they_did_not_know() {
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "4", "--ring-size", "256"])
        .pages(128)
        .mirror(1)
        .nfv_args(1, ["--lcores", "1"])
        .vf(2)
        .nfv_args(2, ["--lcores", "1"])
        .start();
    for line in [
        "mirror 1 component start mir 1 mirror",
        "mirror 1 port add ring:1 tx mir",
        "mirror 1 port add ring:2 tx mir",
        "mirror 1 port add ring:0 rx mir",
        "vf 2 component start cls 1 classifier",
        "vf 2 port add ring:3 tx cls",
        "vf 2 classifier_table add mac 02:00:00:aa:bb:cc ring:3",
        "vf 2 port add ring:1 rx cls",
    ] {
        panel.ok(line);
    }
    let mut load = traffic(&panel, 9, "--tx ring:0 --rx ring:2 --rate 1000");
    let copied = trace(&panel, r#"{"src":"ring:0","count":5}"#);
    assert_eq!(copied.process, "mirror:1");
    let both = "-> ring:1; -> ring:2";
    assert!(
        copied.packets.len() == 5 && copied.packets.iter().all(|p| p.fate() == both),
        "{copied:?}"
    );
    let text = panel.ok("vf 2 trace ring:1 5");
    let dropped = text.lines().filter(|l| l.ends_with("dropped, unknown"));
    assert_eq!(dropped.count(), 5, "{text}");
    // What runs on is what ran before.
    load.terminate(LIMIT);
    panel.finish();
}
