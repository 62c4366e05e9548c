//! A controller that is none: it answers from a table and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::cli::Options;
use crate::client::Client;
use crate::context::Context;
use crate::session::Session;
use crate::session::servers::Servers;
use crate::style::Style;

/// Answers a request (`PUT /v1/nfvs/1/ports`, with its body) with a status and a body. The number
/// counts equal requests, from 0.
pub type Answer = fn(request: &str, body: &str, number: usize) -> (u16, String);

/// A fake controller on a port that the kernel chose. Its thread ends with the test.
pub struct Fake {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// What a run of the program gave.
#[derive(Debug, PartialEq, Eq)]
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

impl Fake {
    pub fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &log, answer);
            }
        });
        Self { address, requests }
    }

    /// All requests so far that changed something, with their bodies.
    pub fn changes(&self) -> Vec<String> {
        let all = self.requests.lock().unwrap();
        all.iter()
            .filter(|request| !request.starts_with("GET"))
            .cloned()
            .collect()
    }

    /// Runs the program as `spp WORDS…`.
    pub fn spp(&self, words: &[&str]) -> Ran {
        self.spp_with(words, "")
    }

    /// The same with an input that is not a terminal.
    pub fn spp_with(&self, words: &[&str], input: &str) -> Ran {
        spp(&self.address, words, input)
    }

    pub fn client(&self) -> Client {
        Client::new(self.address.parse().unwrap())
    }
}

/// Runs the program against the controller at `address`.
pub fn spp(address: &str, words: &[&str], input: &str) -> Ran {
    let arguments = ["spp", "-b", address]
        .into_iter()
        .chain(words.iter().copied());
    let options = match Options::read(arguments.map(Into::into)) {
        Ok(options) => options,
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap();
            return Ran {
                code,
                out: String::new(),
                err: error.to_string(),
            };
        }
    };
    let mut code = 0;
    let ran = with_context(|context| {
        context.client = Client::new(options.bind_addr[0].clone());
        context.session.servers = Servers::new(options.bind_addr.clone());
        context.json = options.json;
        code = crate::run(context, &options, false, &mut input.as_bytes());
    });
    Ran { code, ..ran }
}

/// Does something with a context whose output is kept; nobody listens at its controller's address.
pub fn with_context(action: impl FnOnce(&mut Context)) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    action(&mut Context {
        client: Client::new("127.0.0.1:1".parse().unwrap()),
        out: &mut out,
        err: &mut err,
        json: false,
        style: Style {
            colour: false,
            unicode: true,
        },
        full_screen: false,
        interrupt: Arc::default(),
        subgraphs: Vec::new(),
        leave: false,
        session: Session::default(),
    });
    Ran {
        code: 0,
        out: String::from_utf8(out).unwrap(),
        err: String::from_utf8(err).unwrap(),
    }
}

fn serve(stream: TcpStream, log: &Mutex<Vec<String>>, answer: Answer) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let request = line
        .rsplit_once(' ')
        .map_or("", |(request, _)| request)
        .to_owned();
    let mut length = 0;
    let mut problems = false;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        problems |= header == "accept: application/problem+json";
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    let number = {
        let mut log = log.lock().unwrap();
        let entry = format!("{request} {body}").trim().to_owned();
        let number = log.iter().filter(|known| **known == entry).count();
        log.push(entry);
        number
    };
    assert!(problems, "every request asks for reasons as JSON");
    let (status, text) = answer(&request, &body, number);
    let text = match status {
        400.. => serde_json::json!({
            "type": "about:blank", "title": "no", "status": status, "detail": text
        })
        .to_string(),
        _ => text,
    };
    // As the original: an answer without a body has no length.
    let head = match status {
        204 => format!("HTTP/1.1 {status} x\r\n\r\n"),
        _ => format!(
            "HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        ),
    };
    // A client that has gone already got what it wanted.
    let _ = (&stream).write_all(head.as_bytes());
}
