//! `spp lab gdb` and `spp lab cores`.

use sys::cores::Pattern;
use testbed::{skipped, wait_until};

use crate::capture::TWO;
use crate::network::{LIMIT, Place};

#[test]
fn gdb_looks_into_the_dpdk_program_which_goes_on_afterwards() {
    let place = Place::new();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/lab/dpdk-forwarder.yaml"
    );
    place.up(path, &[]).success();
    // Names of EAL's own threads, as the program has them.
    let text = place
        .lab(&["gdb", "fwd", "--", "-batch", "-ex", "info threads"])
        .success();
    assert!(text.contains("dpdk-testpmd"), "{text}");
    assert!(
        text.contains("eal-intr-thread") || text.contains("dpdk-intr"),
        "{text}"
    );
    place.lab(&["ping", "h1", "h2"]).success();
}

#[test]
fn without_a_program_that_is_meant_gdb_is_not_started() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    let refused = |words: &[&str], part: &str| {
        let text = place.lab(&[&["gdb"], words].concat()).failure();
        assert!(text.contains(part), "{text} lacks {part}");
    };
    refused(&["h1"], "no program runs on h1");
    refused(&["h1", "here"], "'here' is no PID");
    refused(&["h3"], "has no node 'h3'");
    // Each is alone for a moment: what starts it has ended before the next.
    let start = |count: usize| {
        place
            .lab(&["exec", "h1", "sh", "-c", "sleep 1000 &"])
            .success();
        wait_until("the program", LIMIT, || {
            place.lab(&["ps"]).success().matches("sleep 1000").count() == count
        });
    };
    start(1);
    let mut command = place.command(&["gdb", "h1", "--", "-batch"]);
    let text = testbed::proc::run(command.env("PATH", "/nowhere"), LIMIT).failure();
    assert!(text.contains("needs the program gdb"), "{text}");
    start(2);
    refused(&["h1"], "2 programs run on h1: name the PID of one");
    refused(&["h1", "1"], "there is no process 1 on h1");
}

#[test]
fn a_core_file_of_a_dpdk_program_is_found_by_its_node() {
    let place = Place::new();
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/examples/lab/dpdk-forwarder.yaml"
    );
    let text = std::fs::read_to_string(path).expect("the example");
    let text = text.replace("    lcores: 0-1\n", "    lcores: 0-1\n    cores: true\n");
    place.up(&place.file(&text), &[]).success();
    let text = place.lab(&["cores"]).success();
    assert!(text.contains("There is no core file."), "{text}");
    place
        .lab(&["exec", "fwd", "pkill", "-SEGV", "-x", "dpdk-testpmd"])
        .success();
    wait_until("the program to end", LIMIT, || {
        let text = place.lab(&["ps"]).success();
        text.contains("its program has ended")
    });
    let text = place.lab(&["cores", "fwd"]).success();
    if Pattern::read().expect("the pattern") != Pattern::Here {
        skipped(
            "a_core_file_of_a_dpdk_program_is_found_by_its_node",
            "kernel.core_pattern puts core files elsewhere",
        );
        assert!(text.contains("kernel.core_pattern"), "{text}");
        return;
    }
    let json = place.lab(&["cores", "--json"]).success();
    let all: Vec<serde_json::Value> = serde_json::from_str(&json).expect("a list");
    let [core] = all.as_slice() else {
        panic!("{json}");
    };
    assert_eq!(
        (&core["node"], &core["signal"]),
        (&"fwd".into(), &11.into())
    );
    let program = core["program"].as_str().expect("a program");
    assert!(program.ends_with("testpmd"), "{program}");
    // What is said is enough for gdb.
    let line = core["gdb"].as_str().expect("a command");
    let mut gdb = std::process::Command::new("sh");
    gdb.args(["-c", &format!("{line} -batch -ex 'info threads'")]);
    let threads = testbed::proc::run(&mut gdb, LIMIT).success();
    assert!(threads.contains("Thread"), "{threads}");
    assert!(
        threads.contains("terminated with signal SIGSEGV"),
        "{threads}"
    );
}

/// Core files of a network, each as `NODE SIGNAL PROGRAM`, where this machine leaves them there.
fn cores(place: &Place, test: &str) -> Option<Vec<String>> {
    if Pattern::read().expect("the pattern") != Pattern::Here {
        skipped(test, "kernel.core_pattern puts core files elsewhere");
        return None;
    }
    let json = place.lab(&["cores", "--json"]).success();
    let all: Vec<serde_json::Value> = serde_json::from_str(&json).expect("a list");
    let word = |core: &serde_json::Value| {
        let program = core["program"].as_str().expect("a program");
        let program = program.rsplit('/').next().unwrap_or_default();
        let node = core["node"].as_str().expect("a node");
        format!("{node} {} {program}", core["signal"])
    };
    Some(all.iter().map(word).collect())
}

#[test]
fn core_files_of_hosts_and_of_confined_processes_of_panels_are_kept() {
    let place = Place::new();
    let file = place.file(
        "
hosts:
  h1: {address: 10.0.0.1/24, start: sleep 1000, cores: true}
  h2: 10.0.0.2/24
spp:
  p1:
    cores: true
    processes:
      nfv:1: {forward: true, patches: [{src: tap:0, dst: tap:1}, {src: tap:1, dst: tap:0}]}
links: [[h1, p1], [p1, h2]]
",
    );
    place.up(&file, &[]).success();
    let crash = |node: &str, program: &str| {
        // Rust's programs take a SIGSEGV from outside for an overflow of a stack that was none.
        let words = ["exec", node, "pkill", "-ABRT", "-x", program];
        place.lab(&words).success();
    };
    crash("h1", "sleep");
    wait_until("the program to end", LIMIT, || {
        !place.lab(&["ps"]).success().contains("sleep 1000")
    });
    let name = "core_files_of_hosts_and_of_confined_processes_of_panels_are_kept";
    let Some(found) = cores(&place, name) else {
        return;
    };
    assert_eq!(found, ["h1 6 sleep"]);
    crash("p1", "spp-nfv");
    wait_until("the core file", LIMIT, || {
        cores(&place, name) == Some(vec!["h1 6 sleep".into(), "p1 6 spp-nfv".into()])
    });
    wait_until("the process to be back", LIMIT, || {
        place.lab(&["ping", "h1", "h2", "-c", "1"]).status.success()
    });
}
