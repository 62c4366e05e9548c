//! What happens to lines: misunderstood, refused, in scripts and pipes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use super::panel;
use crate::client::Client;
use crate::testing::fake::{Fake, Ran, spp};

#[test]
fn what_cannot_be_understood_ends_with_2_and_sends_nothing() {
    let fake = Fake::start(panel);
    let long = "x".repeat(100_000);
    for (line, err) in [
        ("foo 1", "*** Unknown syntax: foo 1\n"),
        (";", "*** Unknown syntax: ;\n"),
        ("nfv", "Required an ID and ';' before the command.\n"),
        ("nfv 1", "Required an ID and ';' before the command.\n"),
        ("nfv x; status", "Invalid command: x;status\n"),
        ("nfv 0; status", "Invalid command: 0;status\n"),
        ("nfv 1;", "Invalid command \"\".\n"),
        ("nfv 1; foo", "Invalid command \"foo\".\n"),
        ("pri", "Invalid pri command: ''\n"),
        ("pri; foo", "Invalid pri command: 'foo'\n"),
        ("nfv 1; add", "Port is required!\n"),
        ("nfv 1; add foo:1", "'foo:1' has no known port type"),
        ("nfv 1; add ring:1 server", "Only a vhost port is 'server'"),
        (
            "nfv 1; add vhost:1 x",
            "'x' is not one of server, client.\n",
        ),
        ("nfv 1; del", "Port is required!\n"),
        ("nfv 1; patch", "Error: Params are required!\n"),
        ("nfv 1; patch phy:0 nq 1", "Error: Dst port is required!\n"),
        (
            "nfv 1; patch phy:0 nq",
            "'' is no number of a port or queue",
        ),
        (
            "nfv 1; patch phy:0 phy:1 phy:2",
            "'phy:2' has no meaning here.\n",
        ),
        (
            "nfv 1; patch phy:0 phy:1 on",
            "'on' is to be followed by CPU.\n",
        ),
        (
            "nfv 1; patch phy:0 phy:1 on x",
            "CPU 'x' is not a whole number from 0 to 4095.\n",
        ),
        ("nfv 1; patch reset now", "'now' has no meaning here.\n"),
        ("nfv 1; unpatch", "Error: Src port is required!\n"),
        (
            "pri; launch nfv 1 -l 1",
            "Arguments should include separator \"--\".\n",
        ),
        ("wait nfv", "Which one? Give its id: wait nfv ID\n"),
        ("wait pri 1", "There is one primary: it has no id.\n"),
        (
            "top --count 0",
            "N '0' is not a whole number from 1 to 4294967295.\n",
        ),
        (
            "top --interval",
            "--interval is to be followed by a value.\n",
        ),
        ("top --count 1 --count=2", "--count is given twice.\n"),
        ("topo", "Usage: topo dst [ftype]\n"),
        ("topo x.foo", "Invalid file type\n('foo' is none"),
        ("help nosuch", "*** No help on nosuch\n"),
        (
            &long,
            "The line has 100000 bytes: at most 32768 are taken.\n",
        ),
        (&long[..30_000], "*** Unknown syntax: xxxxxxx"),
    ] {
        let ran = fake.spp(&[line]);
        assert!(ran.err.starts_with(err), "{line}: {ran:?}");
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
        assert!(ran.err.len() < 500, "{line}: {}", ran.err);
    }
    assert_eq!(fake.changes(), Vec::<String>::new());
    assert_eq!(fake.spp(&["--nosuch"]).code, 2);
    assert_eq!(fake.spp(&["-b", "x:0", "status"]).code, 2);
}

#[test]
fn a_controller_that_is_not_there_ends_with_3() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    for line in [
        "status",
        "nfv 1; add vhost:1",
        "pri; status",
        "wait pri --timeout 0",
        "topo term",
    ] {
        let ran = spp(&address, &[line], "");
        assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{line}");
        let start = format!("Is not spp-ctl running on {address}, nor correct IP address?");
        assert!(ran.err.starts_with(&start), "{line}: {}", ran.err);
    }
}

#[test]
fn a_script_stops_at_the_first_failure_and_names_the_line() {
    let fake = Fake::start(panel);
    let script = "# set up\nnfv 1; add vhost:1\n\n// wrong\nnfv 1; add ring:50\nnfv 1; forward\n";
    let ran = fake.spp_with(&["-f", "-"], script);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (1, "# set up\nAdd vhost:1.\n// wrong\n")
    );
    assert!(
        ran.err.starts_with("-:5: ring:50 does not exist"),
        "{}",
        ran.err
    );
    assert_eq!(fake.changes().len(), 2);

    let ran = fake.spp_with(
        &["-f", "-", "--keep-going"],
        &format!("{script}foo\nexit\nfoo 2\n"),
    );
    assert_eq!(ran.code, 2);
    assert!(
        ran.out
            .ends_with("Start forwarding.\nThank you for using Soft Patch Panel\n")
    );
    assert_eq!(
        ran.err
            .lines()
            .filter(|line| line.starts_with("-:"))
            .count(),
        2,
        "{}",
        ran.err
    );

    let ran = fake.spp(&["-f", "/nonexistent/script"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.starts_with("Cannot read '/nonexistent/script'"),
        "{}",
        ran.err
    );
}

#[test]
fn piped_lines_run_one_by_one_and_none_is_lost() {
    let fake = Fake::start(panel);
    let long = "y".repeat(200_000);
    let input = format!("foo\n{long}\n# note\nnfv 1; stop");
    let ran = fake.spp_with(&[], &input);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (2, "# note\nStop forwarding.\n")
    );
    assert!(ran.err.contains("longer than 65536 bytes"), "{}", ran.err);
    assert_eq!(
        fake.spp_with(&[], ""),
        Ran {
            code: 0,
            out: String::new(),
            err: String::new()
        }
    );
}

#[test]
fn a_controller_that_is_silent_or_talks_nonsense_is_a_failure_with_its_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let limit = Duration::from_millis(200);
    let client = Client::with_limits(address.to_string().parse().unwrap(), limit, limit);
    // The kernel takes the connection; nobody answers.
    let failure = client.processes().unwrap_err();
    assert_eq!(failure.code(), 3);
    assert!(
        failure
            .to_string()
            .contains("it did not answer within 0.2 s"),
        "{failure}"
    );

    for (answer, code, reason) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{x}",
            1,
            "is not JSON",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            1,
            "has another form",
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", 1, "has another form"),
        (
            "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
            1,
            "status 302",
        ),
        ("\0\0\0\0 nonsense\r\n\r\n", 3, "Is not spp-ctl running"),
        ("", 3, "Is not spp-ctl running"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            assert_ne!(stream.read(&mut request).unwrap(), 0);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let failure = Client::new(address.parse().unwrap())
            .processes()
            .unwrap_err();
        server.join().unwrap();
        assert_eq!(failure.code(), code, "{answer}: {failure}");
        assert!(failure.to_string().contains(reason), "{answer}: {failure}");
    }
}
