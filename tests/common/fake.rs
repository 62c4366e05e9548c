//! The original's controller, as far as a process can tell: two listeners, bare commands without an
//! end, replies read in pieces of 4096 bytes. Also: any bytes at all, and lines.

// Each test executable uses a part of it.
#![allow(dead_code)]

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

/// For a process to connect or to answer, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A listener of the controller's.
pub struct Door(TcpListener);

impl Door {
    pub fn open(port: u16) -> Self {
        Self(TcpListener::bind(("127.0.0.1", port)).expect("the controller's port"))
    }

    /// Waits for a process.
    #[track_caller]
    pub fn accept(&self) -> Peer {
        self.0.set_nonblocking(true).expect("non-blocking");
        let stream = testbed::wait_for("a process to connect", LIMIT, || match self.0.accept() {
            Ok((stream, _)) => Some(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("accept: {error}"),
        });
        stream.set_nonblocking(false).expect("blocking");
        stream.set_nodelay(true).expect("no delay");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream.set_write_timeout(Some(LIMIT)).expect("a limit");
        Peer {
            stream,
            line: Vec::new(),
        }
    }
}

/// A connected process.
pub struct Peer {
    stream: TcpStream,
    /// What was read beyond a line.
    line: Vec<u8>,
}

impl Peer {
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
    }

    /// Reads a reply as the original does: up to 4096 bytes; if that many came, what else there is.
    #[track_caller]
    pub fn reply(&mut self) -> String {
        let mut bytes = vec![0; 4096];
        let count = self.stream.read(&mut bytes).expect("a reply");
        assert_ne!(count, 0, "the process closed the connection");
        let mut all = bytes[..count].to_vec();
        if count == 4096 {
            self.stream.set_nonblocking(true).expect("non-blocking");
            while let Ok(count) = self.stream.read(&mut bytes) {
                all.extend_from_slice(&bytes[..count]);
                if count < 4096 {
                    break;
                }
            }
            self.stream.set_nonblocking(false).expect("blocking");
        }
        all.retain(|byte| *byte != 0);
        String::from_utf8(all).expect("text")
    }

    /// Sends a command of the original and gives the reply.
    #[track_caller]
    pub fn ask(&mut self, command: &str) -> String {
        self.send(command.as_bytes());
        self.reply()
    }

    /// Agrees with a process of ours on lines.
    #[track_caller]
    pub fn lines(&mut self) {
        let hello: Value = serde_json::from_str(&self.ask("_get_client_id")).expect("JSON");
        assert_eq!(hello["spp"]["framing"][0], "newline", "{hello}");
        assert_eq!(
            self.ask("_framing newline").trim_end(),
            r#"{"result":"succeeded","command":"_framing"}"#
        );
        self.line.clear();
    }

    /// Sends a line and gives the line that is the reply.
    #[track_caller]
    pub fn ask_line(&mut self, command: &[u8]) -> String {
        self.send(command);
        self.send(b"\n");
        self.reply_line()
    }

    #[track_caller]
    pub fn reply_line(&mut self) -> String {
        let end = Instant::now() + LIMIT;
        let mut bytes = [0; 16384];
        loop {
            if let Some(at) = self.line.iter().position(|byte| *byte == b'\n') {
                let rest = self.line.split_off(at + 1);
                let line = std::mem::replace(&mut self.line, rest);
                return String::from_utf8(line).expect("text").trim_end().to_owned();
            }
            assert!(Instant::now() < end, "no line within {LIMIT:?}");
            let count = self.stream.read(&mut bytes).expect("a reply");
            assert_ne!(count, 0, "the process closed the connection");
            self.line.extend_from_slice(&bytes[..count]);
        }
    }

    /// Reads replies for a moment, until one names the command `last`; `None` if none does.
    pub fn replies_until(&mut self, last: &str) -> Option<String> {
        let wanted = format!("\"command\":\"{last}\"");
        let mut text = String::new();
        let mut bytes = vec![0; 4096];
        self.stream
            .set_read_timeout(Some(Duration::from_secs(1)))
            .expect("a limit");
        while let Ok(count @ 1..) = self.stream.read(&mut bytes) {
            text += &String::from_utf8_lossy(&bytes[..count]);
            if text.contains(&wanted) && text.ends_with('}') {
                break;
            }
        }
        self.stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        text.contains(&wanted).then_some(text)
    }
}
