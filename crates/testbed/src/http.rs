//! A small HTTP/1.1 client: one request, one connection, a limit.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Answers longer than this are refused.
const LONGEST: usize = 16 << 20;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

impl Response {
    /// A header field by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {:?}", self.body))
    }
}

/// Sends a request and reads the answer to its end. `headers` are whole lines without their end;
/// `Host`, `Connection` and `Content-Length` are added.
///
/// # Errors
/// If the server cannot be reached, does not answer as a whole within `limit`, or not in HTTP.
pub fn request(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
    limit: Duration,
) -> std::io::Result<Response> {
    let end = Instant::now() + limit;
    let mut stream = TcpStream::connect_timeout(&server, limit)?;
    stream.set_write_timeout(Some(limit))?;
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n");
    if !body.is_empty() || matches!(method, "PUT" | "POST") {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    for header in headers {
        text += &format!("{header}\r\n");
    }
    stream.write_all(format!("{text}\r\n{body}").as_bytes())?;

    let mut answer = Vec::new();
    let mut chunk = [0; 16384];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut chunk)? {
            0 => break,
            count => answer.extend_from_slice(&chunk[..count]),
        }
        if answer.len() > LONGEST {
            return Err(bad("the answer is longer than 16 MiB"));
        }
    }
    parse(&answer)
}

/// A connection that is kept for many requests, one after the other.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
    server: SocketAddr,
}

impl Connection {
    /// Connects; every answer is waited for up to `limit`.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub fn open(server: SocketAddr, limit: Duration) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&server, limit)?;
        stream.set_write_timeout(Some(limit))?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            server,
        })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// If the server closed the connection, does not answer in time, or not in HTTP with a
    /// `Content-Length`.
    pub fn request(&mut self, method: &str, path: &str, body: &str) -> std::io::Result<Response> {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.server,
            body.len()
        );
        self.stream.get_mut().write_all(text.as_bytes())?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if self.stream.read_until(b'\n', &mut answer)? == 0 || answer.len() > LONGEST {
                return Err(bad("no end of the header"));
            }
        }
        // An answer without content (204) may do without.
        let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .map_or(Ok(0), |value| value.trim().parse::<usize>())
            .map_err(|_| bad("content-length is no number"))?;
        if length > LONGEST {
            return Err(bad("the answer is longer than 16 MiB"));
        }
        let read = answer.len();
        answer.resize(read + length, 0);
        self.stream.read_exact(&mut answer[read..])?;
        parse(&answer)
    }
}

fn bad(why: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, why.to_owned())
}

fn parse(answer: &[u8]) -> std::io::Result<Response> {
    let split = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(|| bad("no end of the header"))?;
    let head = std::str::from_utf8(&answer[..split]).map_err(|_| bad("header is not text"))?;
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1."))
        .and_then(|line| line.split(' ').nth(1))
        .and_then(|code| code.parse().ok())
        .ok_or_else(|| bad("no status line"))?;
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut response = Response {
        status,
        headers,
        body: String::new(),
    };
    let rest = &answer[split + 4..];
    let body = if response.header("transfer-encoding") == Some("chunked") {
        unchunk(rest)?
    } else {
        let length = response
            .header("content-length")
            .map(str::parse)
            .transpose();
        match length.map_err(|_| bad("content-length is no number"))? {
            Some(length) if length > rest.len() => return Err(bad("the body is cut short")),
            Some(length) => rest[..length].to_vec(),
            None => rest.to_vec(),
        }
    };
    response.body = String::from_utf8(body).map_err(|_| bad("body is not UTF-8"))?;
    Ok(response)
}

fn unchunk(mut rest: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest
            .windows(2)
            .position(|window| window == b"\r\n")
            .ok_or_else(|| bad("the body is cut short"))?;
        let size = std::str::from_utf8(&rest[..end])
            .ok()
            .and_then(|text| usize::from_str_radix(text.split(';').next()?.trim(), 16).ok())
            .ok_or_else(|| bad("a chunk without a size"))?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Ok(body);
        }
        let chunk = rest
            .get(..size)
            .ok_or_else(|| bad("the body is cut short"))?;
        body.extend_from_slice(chunk);
        rest = rest
            .get(size + 2..)
            .ok_or_else(|| bad("the body is cut short"))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Serves `answer` to one request and gives what it was asked.
    fn serve(answer: &'static str) -> (SocketAddr, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        let served = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).expect("a request");
            stream.write_all(answer.as_bytes()).expect("answered");
            String::from_utf8_lossy(&chunk[..count]).into_owned()
        });
        (address, served)
    }

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn a_connection_is_kept_for_many_requests() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = listener.local_addr().expect("its address");
        let serving = std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            let mut stream = BufReader::new(stream);
            for answer in [
                "HTTP/1.1 204 No Content\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            ] {
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    stream.read_line(&mut line).expect("a line");
                }
                let _ = stream.get_mut().write_all(answer.as_bytes());
            }
        });
        let mut connection = Connection::open(server, Duration::from_secs(20)).expect("connected");
        let first = connection.request("DELETE", "/a", "").expect("an answer");
        assert_eq!((first.status, first.body.as_str()), (204, ""));
        let second = connection.request("GET", "/b", "").expect("an answer");
        assert_eq!((second.status, second.body.as_str()), (200, "abc"));
        assert!(connection.request("GET", "/c", "").is_err());
        assert!(connection.request("GET", "/d", "").is_err());
        serving.join().expect("served");
    }

    #[test]
    fn a_request_is_whole_and_its_answer_read() {
        let (address, served) = serve(
            "HTTP/1.1 409 Conflict\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nno!",
        );
        let answer =
            request(address, "PUT", "/v1/x", &["Accept: a/b"], "{}", LIMIT).expect("answer");
        assert_eq!((answer.status, answer.body.as_str()), (409, "no!"));
        assert_eq!(answer.header("content-type"), Some("text/plain"));
        let asked = served.join().expect("served");
        assert!(asked.starts_with("PUT /v1/x HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("\r\nContent-Length: 2\r\n"), "{asked}");
        assert!(asked.contains("\r\nAccept: a/b\r\n"), "{asked}");
        assert!(asked.ends_with("\r\n\r\n{}"), "{asked}");
    }

    #[test]
    fn chunks_are_put_together() {
        let (address, served) = serve(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n",
        );
        let answer = request(address, "GET", "/", &[], "", LIMIT).expect("answer");
        assert_eq!(answer.json(), serde_json::json!([1, 2]));
        served.join().expect("served");
    }

    #[test]
    fn what_is_cut_short_is_an_error() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "HTTP/1.1 200 OK\r\n",
            "nonsense\r\n\r\n",
        ] {
            assert!(parse(answer.as_bytes()).is_err(), "{answer:?}");
        }
    }

    #[test]
    fn silence_ends_at_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
        let address = listener.local_addr().expect("its address");
        let error = request(address, "GET", "/", &[], "", Duration::from_millis(50));
        assert!(error.is_err());
    }
}
