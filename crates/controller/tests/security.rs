//! Who is let in, and what those who are not can do to others.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // In helpers of tests, too.

mod support;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use controller::{TlsFiles, Token};
use rustls_pki_types::ServerName;
use rustls_pki_types::pem::PemObject;
use support::*;
use testbed::Random;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const SECRET: &str = "kept-from-everybody";

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("spp-security-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A file that is left in the folder for temporary files is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn with_token(name: &str) -> Ctl {
    let folder = Folder::new(name);
    let token = Token::read(&folder.file("token", SECRET)).unwrap();
    Ctl::start(|config| config.token = Some(token)).await
}

#[tokio::test]
async fn without_the_token_nothing_is_told_and_nothing_changes() {
    let ctl = with_token("needed").await;
    let nfv = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    let right = format!("Authorization: Bearer {SECRET}\r\n");
    let listed = async || {
        let answer = ctl.request_with("GET", "/v1/processes", b"", &right).await;
        answer.body.contains("nfv")
    };
    until(listed, "the process to be listed").await;
    let add: &[u8] = br#"{"action": "add", "port": "ring:0"}"#;
    for headers in [
        "",
        "Authorization: Basic a2VwdDpmcm9t\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: kept-from-everybody\r\n",
        "Cookie: token=kept-from-everybody\r\n",
    ] {
        for (method, path, body) in [
            ("GET", "/v1/processes", &b""[..]),
            ("GET", "/v1/version", b""),
            ("GET", "/v1/events", b""),
            ("GET", "/metrics", b""),
            ("GET", "/no/such/path", b""),
            ("PUT", "/v1/nfvs/1/ports", add),
            ("DELETE", "/v1/nfvs/1", b""),
        ] {
            let answer = ctl.request_with(method, path, body, headers).await;
            assert_eq!(answer.status, 401, "{method} {path} {headers}");
            assert!(
                answer
                    .head
                    .contains("www-authenticate: bearer realm=\"spp-ctl\"")
            );
            assert!(
                answer.body.contains("Authorization: Bearer TOKEN"),
                "{}",
                answer.body
            );
            assert!(!answer.body.contains(SECRET));
        }
    }
    assert!(
        !nfv.told()
            .iter()
            .any(|command| command.starts_with("add") || command == "exit")
    );
    for headers in [
        right.clone(),
        format!("authorization: bEARER  {SECRET} \r\n"),
    ] {
        let answer = ctl
            .request_with("PUT", "/v1/nfvs/1/ports", add, &headers)
            .await;
        assert_eq!(answer.status, 204, "{headers}");
    }
    // The page of the browser comes without it (it is not there yet in every build).
    assert_ne!(ctl.get("/").await.status, 401);
}

#[tokio::test]
async fn whoever_guesses_is_told_to_wait_and_shuts_nobody_out() {
    let ctl = with_token("guessed").await;
    let ask = async |token: &str| {
        let header = format!("Authorization: Bearer {token}\r\n");
        ctl.request_with("GET", "/v1/processes", b"", &header).await
    };
    for number in 0..9 {
        assert_eq!(ask(&format!("wrong-token-no-{number}-")).await.status, 401);
    }
    assert_eq!(ask(SECRET).await.status, 200, "nine are forgiven");
    assert_eq!(ask("wrong").await.status, 401);
    for _ in 0..20 {
        let answer = ask("wrong").await;
        assert_eq!(answer.status, 429);
        assert!(answer.head.contains("\r\nretry-after: "), "{}", answer.head);
        assert!(
            answer.body.contains("too many wrong tokens"),
            "{}",
            answer.body
        );
        // The operator, from the same address.
        assert_eq!(ask(SECRET).await.status, 200);
    }
    // A right one does not forgive the wrong ones.
    assert_eq!(ask("wrong").await.status, 429);
    assert_eq!(ctl.get("/v1/processes").await.status, 401, "no guess");
}

#[tokio::test]
async fn pages_of_others_are_refused() {
    let ctl = Ctl::start(|_| {}).await;
    let nfv = play(ctl.secondary, Style::Padded, recorded(NFV)).await;
    ctl.until_processes(r#"[{"type": "nfv", "client-id": 1}]"#)
        .await;
    let port = ctl.rest.port();
    let send = async |host: &str, headers: &str| {
        let body = r#"{"action": "add", "port": "ring:0"}"#;
        let text = format!(
            "PUT /v1/nfvs/1/ports HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
             Content-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(ctl.rest).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        limited(stream.read_to_string(&mut answer)).await.unwrap();
        answer[9..12].parse::<u16>().unwrap()
    };
    for host in [
        "evil.example",
        "evil.example:7777",
        "192.0.2.1",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "[2001:db8::1]",
        "",
    ] {
        assert_eq!(send(host, "").await, 403, "{host}");
    }
    for origin in [
        "http://evil.example",
        "null",
        "http://localhost:1",
        "http://localhost",
        "http://localhost.evil.example",
        "file://",
    ] {
        let header = format!("Origin: {origin}\r\n");
        assert_eq!(
            send(&format!("localhost:{port}"), &header).await,
            403,
            "{origin}"
        );
    }
    assert!(nfv.told().iter().all(|command| command != "add ring:0"));
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "127.8.8.8:7777",
        "[::1]",
        "[::1]:7777",
    ] {
        assert_eq!(send(host, "").await, 204, "{host}");
    }
    let own = format!("Origin: http://localhost:{port}\r\n");
    assert_eq!(send(&format!("localhost:{port}"), &own).await, 204);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let ctl = Ctl::start(|_| {}).await;
    for headers in [
        format!("X: {}\r\n", "x".repeat(20_000)),
        "X: y\r\n".repeat(100),
    ] {
        let answer = ctl
            .request_with("GET", "/v1/processes", b"", &headers)
            .await;
        assert_eq!(answer.status, 431);
    }
    assert_eq!(ctl.get("/v1/processes").await.status, 200);
}

/// Connections that send `text` and nothing more.
async fn idle(ctl: &Ctl, number: usize, text: &str) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..number {
        let mut stream = limited(TcpStream::connect(ctl.rest)).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    streams
}

#[tokio::test]
async fn a_thousand_connections_that_do_nothing_keep_nobody_out() {
    for text in [
        "",
        "GET /v1/processes HTTP/1.1\r\nHost: localhost\r\nX-Slow:",
    ] {
        let ctl = Ctl::start(|config| config.limits.head = 10 * LONG).await;
        let mut events = TcpStream::connect(ctl.rest).await.unwrap();
        let ask = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        events.write_all(ask).await.unwrap();
        let mut head = [0; 12];
        limited(events.read_exact(&mut head)).await.unwrap();
        assert_eq!(&head, b"HTTP/1.1 200");
        let streams = limited(idle(&ctl, 1000, text)).await;
        for _ in 0..10 {
            let start = Instant::now();
            assert_eq!(ctl.get("/v1/processes").await.status, 200);
            assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
        }
        let page = ctl.get("/metrics").await.body;
        let open = page
            .lines()
            .find_map(|line| line.strip_prefix("spp_http_connections "));
        let open: f64 = open.unwrap().parse().unwrap();
        assert!((100.0..=512.0).contains(&open), "{open}");
        // Whose answer is on its way is not sent away.
        let mut rest = [0; 1 << 16];
        while let Ok(got) = events.try_read(&mut rest) {
            assert_ne!(got, 0, "the reader of events was sent away");
        }
        drop(streams);
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answer_is_given_up() {
    let ctl = Ctl::start(|config| config.limits.write = Duration::from_millis(200)).await;
    // Larger than what the kernel takes for a connection.
    let answer = ours("nfv", 1, "00000000000000aa");
    let name = "x".repeat(3_500_000);
    let _nfv = play(
        ctl.secondary,
        Style::Ours,
        move |command: &str| match command {
            "_detail" => Some(format!(
                r#"{{"type":"nfv","client-id":1,"pid":7,"version":"0.1.0","dpdk":"{name}","incarnation":"00000000000000aa","status":"running","tsc-hz":1,"tsc":2,"ports":[],"patches":[],"workers":[]}}"#
            )),
            other => Some(answer(other)),
        },
    );
    let _nfv = _nfv.await;
    ctl.until_processes(r#"[{"type": "nfv", "client-id": 1}]"#)
        .await;
    let ask = "GET /v1/details HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // Several answers: one may fit into what the kernel keeps.
    let streams = idle(&ctl, 3, &ask.repeat(4)).await;
    let gone = async || {
        ctl.get("/metrics")
            .await
            .body
            .contains("\nspp_http_connections 1\n")
    };
    until(gone, "the connections to be given up").await;
    drop(streams);
}

/// A controller that speaks TLS, and what its clients have to believe.
async fn with_tls(name: &str, change: impl FnOnce(&mut controller::Config)) -> (Ctl, TlsConnector) {
    let folder = Folder::new(name);
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles {
        certificate: folder.file("cert.pem", &signed.cert.pem()),
        key: folder.file("key.pem", &signed.signing_key.serialize_pem()),
    };
    let ctl = Ctl::start(|config| {
        config.tls = Some(files);
        change(config);
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (ctl, TlsConnector::from(Arc::new(config)))
}

async fn over_tls(ctl: &Ctl, connector: &TlsConnector) -> String {
    let stream = TcpStream::connect(ctl.rest).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = limited(connector.connect(name, stream)).await.unwrap();
    let ask = b"GET /v1/processes HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(ask).await.unwrap();
    let mut answer = String::new();
    limited(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn tls_is_spoken_and_plain_http_told_so() {
    let (ctl, connector) = with_tls("tls", |_| {}).await;
    let answer = over_tls(&ctl, &connector).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\n[]"),
        "{answer}"
    );
    let answer = ctl
        .request("PUT", "/v1/primary/ports", r#"{"action":"add"}"#)
        .await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body.contains("speaks TLS on this port"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn what_is_no_tls_hurts_nobody() {
    let (ctl, connector) = with_tls("garbage", |config| {
        config.limits.head = Duration::from_millis(500);
    })
    .await;
    let mut random = Random(7);
    for number in 0..200 {
        let mut bytes: Vec<u8> = random.bytes(number * 3);
        if let (Some(first), true) = (bytes.first_mut(), number % 2 == 0) {
            *first = 0x16;
        }
        let mut stream = TcpStream::connect(ctl.rest).await.unwrap();
        // It may be closed before it has read everything.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = limited(stream.read_to_end(&mut answer)).await;
    }
    // Half a handshake, and silence: both are given up.
    let mut silent = idle(&ctl, 2, "").await;
    silent[0].write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    for stream in &mut silent {
        let _ = limited(stream.read_to_end(&mut Vec::new())).await;
    }
    assert!(over_tls(&ctl, &connector).await.starts_with("HTTP/1.1 200"));
}

#[test]
fn files_of_tls_that_do_not_fit_are_told() {
    let folder = Folder::new("files");
    let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (one, other) = (pair(), pair());
    let certificate = folder.file("cert.pem", &one.cert.pem());
    let key = folder.file("key.pem", &one.signing_key.serialize_pem());
    let wrong = folder.file("wrong.pem", &other.signing_key.serialize_pem());
    let open = folder.file("open.pem", &one.signing_key.serialize_pem());
    std::fs::set_permissions(&open, Permissions::from_mode(0o644)).unwrap();
    let empty = folder.file("empty.pem", "");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (certificate, key, words) in [
        (&certificate, &wrong, "cannot be used"),
        (&certificate, &open, "everybody may read"),
        (&certificate, &empty, "the key"),
        (&empty, &key, "there is none in this file"),
        (&folder.0.join("none.pem"), &key, "No such file"),
    ] {
        let config = controller::Config {
            primary_port: 0,
            secondary_port: 0,
            rest_port: 0,
            tls: Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            }),
            ..Default::default()
        };
        let error = runtime
            .block_on(controller::Controller::start(config))
            .err()
            .unwrap();
        assert!(error.to_string().contains(words), "{error}");
    }
    let read = rustls_pki_types::PrivateKeyDer::from_pem_file(&key);
    assert!(read.is_ok(), "the key itself is sound");
}
