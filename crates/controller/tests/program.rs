//! The program `spp-ctl`: options, errors at start, signals.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

fn spp_ctl(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spp-ctl"));
    command
        .args(arguments)
        .stderr(Stdio::piped())
        .env_remove("RUST_LOG");
    command
}

/// Kills the program when a test fails half-way.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_port_in_use_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for option in ["-p", "-s", "-a"] {
        let mut arguments = vec!["-p", "0", "-s", "0", "-a", "0"];
        arguments.extend([option, &port]);
        // The last one given counts only once: build the list without its default.
        let at = arguments
            .iter()
            .position(|argument| *argument == option)
            .unwrap();
        arguments.drain(at..at + 2);
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let output = spp_ctl(&arguments)
            .arg("--state-dir")
            .arg(&state)
            .output()
            .unwrap();
        assert!(!state.exists(), "a folder was left behind");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(
            text.contains(&format!("cannot listen on 127.0.0.1:{port} (for ")),
            "{text}"
        );
        assert!(
            text.contains(&format!("choose another port with {option}")),
            "{text}"
        );
    }
}

#[test]
fn other_addresses_than_loopback_are_refused_without_a_token() {
    for address in ["0.0.0.0", "192.0.2.1", "::"] {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let output = spp_ctl(&["-b", address, "--state-dir"])
            .arg(&state)
            .output()
            .unwrap();
        assert!(!state.exists(), "a folder was left behind");
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains(&format!("will not listen on {address}: off loopback")),
            "{text}"
        );
        assert!(text.contains("--token-file"), "{text}");
    }
    let output = spp_ctl(&["-b", "nowhere.example"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

/// Waits for the line that says where it listens; gives all until then.
fn listening(running: &mut Running) -> (Vec<String>, Lines) {
    let mut lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in lines.by_ref().map(Result::unwrap) {
        let last = line.contains("listening: ");
        said.push(line);
        if last {
            return (said, lines);
        }
    }
    panic!("it does not say where it listens: {said:?}");
}

type Lines = std::io::Lines<BufReader<std::process::ChildStderr>>;

fn get(address: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let text = format!("GET /v1/processes HTTP/1.0\r\n{headers}\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn secrets_are_in_no_log_and_processes_stay_on_loopback() {
    const SECRET: &str = "the-real-token-0123456789";
    const GUESS: &str = "a-guessed-token-0123456789";
    let path = std::env::temp_dir().join(format!("spp-ctl-token-{}", std::process::id()));
    std::fs::write(&path, SECRET).unwrap();
    let mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&path, mode).unwrap();
    };
    let file = path.to_str().unwrap();
    let arguments = [
        "-b",
        "0.0.0.0",
        "-p",
        "0",
        "-s",
        "0",
        "-a",
        "0",
        "--token-file",
        file,
    ];
    mode(0o644);
    let output = spp_ctl(&arguments).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("has mode 0644") && !text.contains(SECRET),
        "{text}"
    );

    mode(0o600);
    let mut command = spp_ctl(&arguments);
    let mut running = Running(command.env("RUST_LOG", "trace").spawn().unwrap());
    let (mut said, lines) = listening(&mut running);
    let text = said.join("\n");
    assert!(text.contains("REST on 0.0.0.0 without TLS"), "{text}");
    assert!(
        text.contains("primary 127.0.0.1:") && text.contains("secondaries 127.0.0.1:"),
        "{text}"
    );
    let port = text.rsplit(':').next().unwrap();
    let address = format!("127.0.0.1:{port}");
    let answer = get(&address, &format!("Authorization: Bearer {SECRET}\r\n"));
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    for _ in 0..11 {
        let answer = get(&address, &format!("Authorization: Bearer {GUESS}\r\n"));
        assert!(answer.starts_with("HTTP/1.0 4"), "{answer}");
    }
    let pid = running.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-s", "TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    said.extend(lines.map(Result::unwrap));
    std::fs::remove_file(&path).unwrap();
    let text = said.join("\n");
    assert!(
        text.contains("too many wrong tokens from 127.0.0.1"),
        "{text}"
    );
    assert!(!text.contains(SECRET) && !text.contains(GUESS), "{text}");
}

#[test]
fn signals_end_it_cleanly() {
    for name in ["TERM", "INT"] {
        let arguments = ["-b", "localhost", "-p", "0", "-s", "0", "-a", "0"];
        let mut running = Running(spp_ctl(&arguments).spawn().unwrap());
        let (said, _) = listening(&mut running);
        let rest = said.last().unwrap().rsplit(' ').next().unwrap();
        let answer = get(rest, "");
        assert!(answer.ends_with("\r\n\r\n[]"), "{answer}");
        let pid = running.0.id().to_string();
        let kill = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(kill.success());
        assert_eq!(running.0.wait().unwrap().code(), Some(0));
    }
}
