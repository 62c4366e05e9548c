//! Server-sent events, as the controller's `GET /v1/events` writes them.

use std::io::{BufRead, BufReader, Read};

/// Longest line that is read; the longest event is far shorter.
const LONGEST: u64 = 1 << 20;

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub enum Message {
    /// An event.
    Event {
        /// Its name.
        name: String,
        /// By which the controller can go on after it; empty if it has none.
        id: String,
        /// What it says.
        data: String,
    },
    /// A sign of life.
    Alive,
}

/// Reads messages from a connection.
pub struct Messages<R> {
    input: BufReader<R>,
}

impl<R: Read> Messages<R> {
    /// Those of `input`.
    pub fn new(input: R) -> Self {
        Self {
            input: BufReader::new(input),
        }
    }

    /// The next one; `None` at the end, also if it comes in the middle of a message.
    pub fn next(&mut self) -> std::io::Result<Option<Message>> {
        let (mut name, mut id, mut data) = (String::new(), String::new(), String::new());
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut self.input).take(LONGEST);
            if limited.read_until(b'\n', &mut line)? == 0 || line.last() != Some(&b'\n') {
                return Ok(None);
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" if line.starts_with(':') => return Ok(Some(Message::Alive)),
                "" if !data.is_empty() => return Ok(Some(Message::Event { name, id, data })),
                "event" => name = value.to_owned(),
                "id" => id = value.to_owned(),
                "data" if data.is_empty() => data = value.to_owned(),
                "data" => data = format!("{data}\n{value}"),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, id: &str, data: &str) -> Message {
        Message::Event {
            name: name.to_owned(),
            id: id.to_owned(),
            data: data.to_owned(),
        }
    }

    #[test]
    fn messages_are_told_from_each_other() {
        let text = "event: hello\nid: a-0\nretry: 1000\ndata: {}\n\n: alive\n\nevent:x\r\ndata:1\r\n\
                    data: 2\r\n\r\n\nid: a-9\n\nevent: cut\ndata: sho";
        let mut messages = Messages::new(text.as_bytes());
        let mut next = || messages.next().unwrap();
        assert_eq!(next(), Some(event("hello", "a-0", "{}")));
        assert_eq!(next(), Some(Message::Alive));
        assert_eq!(next(), Some(event("x", "", "1\n2")));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_line_without_end_is_not_kept() {
        let mut messages = Messages::new(std::io::repeat(b'x'));
        assert_eq!(messages.next().unwrap(), None);
    }
}
