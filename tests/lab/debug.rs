//! `spp lab gdb`.

use testbed::wait_until;

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
