//! `spp lab shell FILE`: lines of a pipe, and lines that are typed.

use std::process::Command;

use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};
use testbed::Proc;

use crate::capture::TWO;
use crate::network::{LIMIT, Place};

/// Runs lines in a shell of a network; what it wrote, and its exit status.
fn run(place: &Place, words: &[&str], lines: &[&str]) -> (String, Option<i32>) {
    let mut shell = Proc::spawn("shell", &mut place.command(&[&["shell"], words].concat()));
    for line in lines {
        shell.send(line);
    }
    shell.close_input();
    let status = shell.wait_exit(LIMIT);
    (shell.output(), status.code())
}

/// A file that is up under a name that no other test has, without being told.
fn named(place: &Place) -> String {
    place.file(&format!("name: {}\n{TWO}", place.name))
}

#[test]
fn lines_of_a_pipe_are_run_and_the_network_is_taken_down() {
    let place = Place::new();
    let lines = [
        "# comment",
        "",
        "h1 ping -c 1 h2",
        "h2 echo this is h1, h1 or 'h1' and s1 | tr a-z A-Z",
        "ping h1 h2 -c 1",
        "pingall",
        "ps",
        "graph",
        "h1 sleep 1000 &",
        "help",
        "exit",
        "h1 echo never",
    ];
    let (text, status) = run(&place, &[&named(&place)], &lines);
    assert_eq!(status, Some(0), "{text}");
    for part in [
        "64 bytes from 10.0.0.2",
        "THIS IS H1, 10.0.0.1 OR 'H1' AND S1"
            .replace('\'', "")
            .as_str(),
        "h1 → h2 (10.0.0.2): 1 of 1 answered",
        "2 of 2 reached",
        "NETWORK",
        "eth0 10.0.0.1/24 ── s1:eth0",
        "NODE COMMAND",
        "lab capture",
    ] {
        assert!(text.contains(part), "{text} lacks {part}");
    }
    assert!(!text.contains("never"), "{text}");
    assert_eq!(place.left(), Vec::<String>::new());
    place.wait_gone(&place.name);
}

#[test]
fn the_first_line_that_fails_ends_it_with_its_status() {
    let place = Place::new();
    let file = named(&place);
    for (line, code, part) in [
        ("h1 exit 7", 7, "sh on h1 ended with exit status 7"),
        ("ping h1 10.0.0.9 -c 1", 1, "0 of 1 requests were answered"),
        ("h3 true", 2, "'h3' is neither a node of"),
        ("pign h1 h2", 2, "did you mean 'ping'?"),
        ("h1", 2, "Which command on h1?"),
        ("shell s1x", 1, "has no node 's1x'"),
    ] {
        let (text, status) = run(&place, &[&file], &["h2 echo before", line, "h2 echo after"]);
        assert_eq!(status, Some(code), "{line}: {text}");
        assert!(
            text.contains("before") && text.contains(part),
            "{line}: {text}"
        );
        assert!(!text.contains("after"), "{line}: {text}");
        assert_eq!(place.left(), Vec::<String>::new(), "{line}");
        place.wait_gone(&place.name);
    }
}

#[test]
fn a_network_that_was_up_stays_up_and_is_the_one_that_is_meant() {
    let place = Place::new();
    let file = named(&place);
    place.lab(&["up", &file]).success();
    // With another one beside it a command without -n would be refused outside.
    let other = format!("{}b", place.name);
    place.lab(&["up", &file, "--name", &other]).success();
    let lines = [
        "ping h1 h2 -c 1",
        "exec h1 echo by exec",
        &format!("shell {other}"),
    ];
    let (text, status) = run(&place, &[&place.name], &lines);
    assert_eq!(status, Some(1), "{text}");
    assert!(
        text.contains("1 of 1 answered") && text.contains("by exec"),
        "{text}"
    );
    assert!(text.contains("is a shell of the network"), "{text}");
    let mut left = place.left();
    left.sort();
    assert_eq!(left, [place.name.clone(), other]);
    // And a node is still a node.
    let (text, status) = run(&place, &["-n", &place.name, "h1"], &["ip -br address"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("10.0.0.1/24"), "{text}");
}

/// Keys without a line's end.
fn types(session: &mut PtySession, keys: &str) {
    session.send(keys).expect("typed");
    session.flush().expect("typed");
}

#[test]
fn a_person_gets_a_prompt_completion_and_a_second_chance() {
    let place = Place::new();
    let command: Command = {
        let mut command = place.command(&["shell", &named(&place)]);
        command.env("TERM", "xterm").env("HOME", place.path(""));
        command
    };
    let options = Options::new()
        .timeout_ms(u64::try_from(LIMIT.as_millis()).ok())
        .strip_ansi_escape_codes(true);
    let mut session = spawn_with_options(command, options).expect("a terminal");
    let prompt = format!("{}> ", place.name);
    session.exp_string("h1, h2, s1.").expect("a greeting");
    session.exp_string(&prompt).expect("a prompt");
    session.send_line("h1 false").expect("typed");
    session
        .exp_string("sh on h1 ended with exit status 1")
        .expect("a failure");
    session.exp_string(&prompt).expect("a prompt");
    // A command and a node are completed.
    types(&mut session, "pinga\t");
    session.exp_string("pingall ").expect("completed");
    session.send_line("").expect("typed");
    session.exp_string("2 of 2 reached").expect("an answer");
    types(&mut session, "ping h1 h\t");
    session.send_line("2 -c 1").expect("typed");
    session.exp_string("1 of 1 answered").expect("an answer");
    session.exp_string(&prompt).expect("a prompt");
    session.send_control('d').expect("typed");
    session
        .exp_string(&format!("Down: {}.", place.name))
        .expect("its end");
    session.exp_eof().expect("its end");
    assert_eq!(place.left(), Vec::<String>::new());
}
