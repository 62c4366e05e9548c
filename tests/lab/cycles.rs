//! Up and down, again and again, and beside each other.

use testbed::wait_until;

use crate::network::{LIMIT, Place};

/// Something of all: both families, a switch, a router, commands, programs that go on and hide.
const ALL: &str = "
hosts:
  h1: {address: [10.0.1.2/24, 'fd00:1::2/64'], gateway: [10.0.1.1, 'fd00:1::1'], start: 'setsid sleep 1000 & sleep 1000'}
  h2: {address: [10.0.2.2/24, 'fd00:2::2/64'], gateway: [10.0.2.1, 'fd00:2::1'], run: [ip address show, 'echo ready']}
switches: [s1]
routers: [r1]
links:
  - [h1, s1]
  - [s1, {node: r1, address: [10.0.1.1/24, 'fd00:1::1/64']}]
  - {link: [{node: r1, address: [10.0.2.1/24, 'fd00:2::1/64']}, h2], mtu: 1400}
";

#[test]
fn fifty_times_up_and_down_leave_nothing() {
    let place = Place::new();
    for round in 0..50 {
        // Each fifth time a panel carries the link to h2.
        let slow = ALL.replace("mtu: 1400", "mtu: 1400, delay: 1ms");
        let file = place.file(if round % 5 == 0 { &slow } else { ALL });
        place.up(&file, &[]).success();
        place.lab(&["ping", "h1", "h2", "-c", "1"]).success();
        place.lab(&["ping", "h1", "fd00:2::2", "-c", "1"]).success();
        wait_until("the programs that go on", LIMIT, || {
            let shown = place
                .lab(&["exec", "h1", "ps", "-e", "-o", "args"])
                .success();
            shown.lines().filter(|line| *line == "sleep 1000").count() == 2
        });
        let keepers = Place::keepers(&place.name);
        assert_eq!(keepers.len(), 1);
        place.lab(&["down"]).success();
        // Not after a while: when `down` is through.
        assert_eq!(Place::keepers(&place.name), Vec::<u32>::new());
        place.wait_gone(&place.name);
    }
}

#[test]
fn two_networks_with_the_same_addresses_do_not_hear_each_other() {
    let place = Place::new();
    let file = place.file(ALL);
    place.up(&file, &[]).success();
    let other = format!("{}b", place.name);
    place.lab(&["up", &file, "--name", &other]).success();
    let text = place.lab(&["pingall"]).failure();
    assert!(text.contains("there are 2 networks"), "{text}");
    for name in [&place.name, &other] {
        place.lab(&["pingall", "-n", name]).success();
    }
    // What runs in one is in none of the other's lists.
    let seen = place
        .lab(&["exec", "-n", &other, "h1", "ps", "-e", "-o", "args"])
        .success();
    assert_eq!(
        seen.lines().filter(|line| *line == "sleep 1000").count(),
        2,
        "{seen}"
    );
    place.lab(&["down", &place.name]).success();
    place.wait_gone(&place.name);
    place.lab(&["pingall"]).success();
    place.lab(&["down", &other]).success();
    place.wait_gone(&other);
}

#[test]
fn a_program_on_a_node_has_our_input_and_we_its_exit_status() {
    let place = Place::new();
    place.up(&place.file(ALL), &[]).success();
    let mut exec = place.command(&[
        "exec",
        "h2",
        "sh",
        "-c",
        "read line; echo got $line; exit 7",
    ]);
    let mut exec = testbed::Proc::spawn("exec", &mut exec);
    exec.send("something");
    exec.wait_output("got something", LIMIT);
    assert_eq!(exec.wait_exit(LIMIT).code(), Some(7));
    let text = place.lab(&["exec", "h2", "no-such-program"]).failure();
    assert!(
        text.contains("there is no program 'no-such-program'"),
        "{text}"
    );
    let text = place.lab(&["exec", "h3", "true"]).failure();
    assert!(text.contains("has no node 'h3'"), "{text}");
    let name = place
        .lab(&["exec", "h1", "--", "ip", "-br", "link"])
        .success();
    assert!(name.contains("eth0"), "{name}");
}

#[test]
fn a_network_whose_keeper_was_killed_is_cleaned_up() {
    let place = Place::new();
    place.up(&place.file(ALL), &[]).success();
    let [keeper] = Place::keepers(&place.name)[..] else {
        panic!("there is one keeper");
    };
    testbed::proc::kill_pid(keeper);
    wait_until("the keeper to end", LIMIT, || {
        Place::keepers(&place.name).is_empty()
    });
    let text = place.lab(&["ping", "h1", "h2"]).failure();
    assert!(text.contains("no network is up"), "{text}");
    let text = place.lab(&["clean"]).success();
    assert!(text.contains(&place.name), "{text}");
    place.wait_gone(&place.name);
    // And what is up is left alone.
    place.up(&place.file(ALL), &[]).success();
    assert!(
        place
            .lab(&["clean"])
            .success()
            .contains("Nothing was left behind")
    );
    place.lab(&["pingall"]).success();
}
