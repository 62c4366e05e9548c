//! A network from a few lines of Rust: it carries packets, and goes with what holds it.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lab::{Lab, Running};

fn two_hosts() -> Running {
    Lab::new()
        .host("h1")
        .address("10.0.0.1/24")
        .address("fd00::1/64")
        .host("h2")
        .address("10.0.0.2/24")
        .address("fd00::2/64")
        .switch("s1")
        .link("h1", "s1")
        .link("s1", "h2")
        .mtu(1400)
        .up()
        .unwrap_or_else(|error| panic!("{error}"))
}

fn is_gone(network: &str, keeper: u32) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    while sys::proc::is_alive(keeper) {
        if Instant::now() > end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    !lab::state::names().unwrap().contains(&network.to_owned())
}

#[test]
fn hosts_reach_each_other_at_once_in_both_families() {
    let lab = two_hosts();
    for to in ["10.0.0.2", "fd00::2"] {
        // No time for a second request: links pass packets when `up` is through.
        let answers =
            lab::ping::ping(&lab, 0, to.parse().unwrap(), 1, Duration::from_millis(900)).unwrap();
        assert!(answers[0].is_some(), "{to} did not answer");
        let mut ping = lab
            .spawn(
                "h1",
                Command::new("ping").args(["-c1", to]).stdout(Stdio::null()),
            )
            .unwrap();
        assert!(ping.wait().unwrap().success());
    }
    let nobody = lab::ping::ping(
        &lab,
        0,
        "10.0.0.9".parse().unwrap(),
        1,
        Duration::from_millis(300),
    )
    .unwrap();
    assert_eq!(nobody, [None]);
    let elsewhere = lab::ping::ping(
        &lab,
        0,
        "192.0.2.1".parse().unwrap(),
        1,
        Duration::from_millis(300),
    )
    .unwrap();
    assert_eq!(elsewhere, [None]);
    let received = lab.counters(lab.node("h2").unwrap()).unwrap()[0].received;
    assert!(received >= 4, "{received} packets");
}

#[test]
fn what_is_said_of_a_link_is_so_in_the_kernel() {
    let lab = two_hosts();
    let shown = |node: &str, words: &[&str]| {
        let child = lab
            .spawn(node, Command::new("ip").args(words).stdout(Stdio::piped()))
            .unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    let link = shown("h2", &["link", "show", "eth0"]);
    assert!(link.contains("mtu 1400"), "{link}");
    let mac = lab.plan().nodes[1].interfaces[0].mac.to_string();
    assert!(link.contains(&mac), "{link} lacks {mac}");
    assert!(shown("s1", &["-d", "link", "show", "br0"]).contains("stp_state 0"));
    assert!(shown("h1", &["link"]).contains("mtu 1500"));
}

#[test]
fn programs_see_their_node_and_end_with_the_network() {
    let lab = two_hosts();
    let seen = lab
        .spawn(
            "h1",
            Command::new("ls")
                .arg("/sys/class/net")
                .stdout(Stdio::piped()),
        )
        .unwrap();
    let seen = String::from_utf8(seen.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(seen, "eth0\nlo\n");
    // A grandchild whose parent has ended, in a session of its own: nobody would find it by its parents.
    let mut shell = lab
        .spawn(
            "h2",
            Command::new("sh").args(["-c", "setsid sleep 1000 & exit 0"]),
        )
        .unwrap();
    assert!(shell.wait().unwrap().success());
    let end = Instant::now() + Duration::from_secs(10);
    let sleep = loop {
        let processes = lab.processes().unwrap();
        if let Some(sleep) = processes
            .into_iter()
            .find(|process| process.command == "sleep 1000")
        {
            break sleep;
        }
        assert!(Instant::now() < end, "the program does not come");
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(lab.nodes()[sleep.node].name, "h2");
    let (pid, name, keeper) = (sleep.pid, lab.name().to_owned(), lab.keeper());
    lab.down().unwrap();
    assert!(!sys::proc::is_alive(pid));
    assert!(is_gone(&name, keeper));
}

#[test]
fn programs_that_nobody_waits_for_do_not_hold_it_up() {
    let lab = Lab::new()
        .host("h1")
        .start("sleep 1000")
        .run("true")
        .up()
        .unwrap_or_else(|error| panic!("{error}"));
    let child = lab.spawn("h1", Command::new("sleep").arg("1000")).unwrap();
    let pid = child.id();
    let begin = Instant::now();
    lab.down().unwrap();
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(5), "down took {took:?}");
    assert!(!sys::proc::is_alive(pid));
    drop(child);
}

#[test]
fn it_goes_when_its_holder_panics() {
    let lab = two_hosts();
    let (name, keeper) = (lab.name().to_owned(), lab.keeper());
    let panicked = std::thread::spawn(move || {
        let _lab = lab;
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert!(is_gone(&name, keeper));
}

#[test]
fn all_that_is_wrong_is_said_when_it_is_to_come_up() {
    let error = Lab::new()
        .address("10.0.0.1/24")
        .image("dpdk")
        .host("h1")
        .address("nonsense")
        .link("h1", "h2")
        .delay("5")
        .up();
    let text = error
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(text.contains("'10.0.0.1/24' is of nothing"), "{text}");
    assert!(text.contains("image dpdk is of nothing"), "{text}");
    assert!(text.contains("'nonsense' is no address"), "{text}");
    assert!(text.contains("'5' lacks its unit"), "{text}");
    let error = Lab::new()
        .host("h1")
        .link("h1", "h2")
        .up()
        .err()
        .map(|error| error.to_string());
    assert_eq!(
        error.as_deref(),
        Some("there is no node 'h2' (did you mean 'h1'?)")
    );
}

#[test]
fn a_name_is_taken_once() {
    let lab = two_hosts();
    let again = Lab::new()
        .name(lab.name())
        .host("h1")
        .up()
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(again.contains("is up already"), "{again}");
    assert!(Running::find(lab.name()).is_ok());
}
