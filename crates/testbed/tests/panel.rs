//! What `Panel` promises about starting, asking and above all about the end, tried on processes
//! that behave like a panel's, well or badly. (The real ones are tested by the root package.)

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used)]

use std::os::unix::fs::PermissionsExt;

use testbed::Panel;
use testbed::machine::TempDir;
use testbed::panel::Builder;

/// Serves the REST interface as far as `Panel` uses it; `FAKE` says what to do wrong.
const PRIMARY: &str = r#"#!/usr/bin/env python3
import http.server, json, os, signal, sys

def option(name):
    return sys.argv[sys.argv.index(name) + 1]

fault, folder = os.environ.get("FAKE", ""), option("--vhost-dir")
if fault == "no start":
    sys.exit("no hugepages at all")

def end(*_):
    if fault != "socket":
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
    sys.stdout.flush()
    os._exit(3 if fault == "status" else 0)

def process(kind, number):
    detail = {"type": kind, "client-id": number, "pid": 1, "version": "0", "dpdk": "0",
              "incarnation": "0", "status": "running", "tsc-hz": 1, "tsc": 1,
              "ports": [], "patches": [], "workers": []}
    return {"type": kind, "client-id": number, "status": "ok", "detail": detail, "error": None}

class Rest(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        workers = [n for n in os.listdir(os.environ["FAKE_DIR"]) if n.isdigit()]
        body = json.dumps([process("primary", 0)] + [process("nfv", int(n)) for n in workers])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

signal.signal(signal.SIGTERM, end)
open(os.path.join(folder, "sock1"), "w").close()
http.server.HTTPServer(("127.0.0.1", int(option("--ctl-ports").split(",")[2])), Rest).serve_forever()
"#;

const NFV: &str = r#"#!/bin/sh
trap 'rm "$FAKE_DIR/$2"; exit 0' TERM
touch "$FAKE_DIR/$2"
while :; do sleep 0.02; done
"#;

const SPP: &str = r#"#!/bin/sh
shift 2
[ "$1" = status ] && echo "all is well" && exit 0
echo "unknown: $*" >&2
exit 2
"#;

/// A folder with those programs, and the plan of a panel made of them.
fn fake(fault: &str) -> (TempDir, Builder) {
    let dir = TempDir::new();
    for (name, text) in [("spp-primary", PRIMARY), ("spp-nfv", NFV), ("spp", SPP)] {
        let path = dir.join(name);
        std::fs::write(&path, text).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode");
    }
    let plan = Panel::builder()
        .bin_dir(dir.path())
        .env("FAKE", fault)
        .env("FAKE_DIR", &dir.path().display().to_string())
        .pages(0);
    (dir, plan)
}

#[test]
fn a_panel_starts_answers_and_ends() {
    let (_programs, plan) = fake("");
    let mut panel = plan.nfv(1).nfv(5).start();
    let ids: Vec<_> = panel
        .details()
        .iter()
        .map(|process| process.client_id)
        .collect();
    assert_eq!(ids.len(), 3);
    assert_eq!(panel.detail(5).kind, "nfv");
    assert_eq!(panel.ok("status"), "all is well\n");
    assert_eq!(panel.refused("nfv 1 fly"), "unknown: nfv 1 fly\n");
    panel.stop_nfv(5);
    let dir = panel.dir().to_owned();
    panel.finish();
    assert!(!dir.exists());
}

#[test]
#[should_panic(expected = "sockets are left: [\"sock1\"]")]
fn a_socket_that_is_left_fails_the_test() {
    let (_programs, plan) = fake("socket");
    plan.start().finish();
}

#[test]
#[should_panic(expected = "should have ended with success")]
fn a_process_that_ends_with_a_failure_fails_the_test_even_if_finish_was_forgotten() {
    let (_programs, plan) = fake("status");
    drop(plan.start());
}

#[test]
#[should_panic(expected = "no hugepages at all")]
fn a_primary_that_does_not_start_fails_the_test_with_its_words() {
    let (_programs, plan) = fake("no start");
    plan.start();
}

#[test]
fn after_a_kill_nothing_runs_and_the_files_are_swept() {
    let (_programs, plan) = fake("");
    let mut panel = plan.nfv(1).start();
    panel.kill_primary();
    panel.kill_nfv(1);
    let (prefix, dir) = (panel.prefix().to_owned(), panel.dir().to_owned());
    assert!(
        dir.join("sock1").exists(),
        "a killed process leaves its socket"
    );
    panel.finish();
    assert!(testbed::proc::marked(&prefix).is_empty());
    assert!(!dir.exists());
}
