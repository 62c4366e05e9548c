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
        let output = spp_ctl(&arguments).output().unwrap();
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
fn other_addresses_than_loopback_are_refused() {
    for address in ["0.0.0.0", "192.0.2.1", "::"] {
        let output = spp_ctl(&["-b", address]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains(&format!("will not listen on {address}: off loopback")),
            "{text}"
        );
    }
    let output = spp_ctl(&["-b", "nowhere.example"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn signals_end_it_cleanly() {
    for name in ["TERM", "INT"] {
        let arguments = ["-b", "localhost", "-p", "0", "-s", "0", "-a", "0"];
        let mut running = Running(spp_ctl(&arguments).spawn().unwrap());
        let mut lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
        let listening = lines
            .by_ref()
            .map(Result::unwrap)
            .find(|line| line.contains("listening: "))
            .expect("it does not say where it listens");
        let rest = listening.rsplit(' ').next().unwrap();
        let mut stream = TcpStream::connect(rest).unwrap();
        stream
            .write_all(b"GET /v1/processes HTTP/1.0\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
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
