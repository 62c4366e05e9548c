//! A controller on ports of its own, processes that are played, and a plain HTTP client.

#![allow(dead_code)] // Each test program uses its part.

pub mod nfv;
pub mod results;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use controller::{Config, Controller};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// Longest wait for anything.
pub const LONG: Duration = Duration::from_secs(20);

pub struct Ctl {
    pub primary: SocketAddr,
    pub secondary: SocketAddr,
    pub rest: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    run: JoinHandle<()>,
}

impl Ctl {
    pub async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            primary_port: 0,
            secondary_port: 0,
            rest_port: 0,
            ..Config::default()
        };
        // A busy machine must not make a test fail, so only the limits that are tested are short.
        config.limits.handshake = LONG;
        config.limits.status = LONG;
        config.limits.command = LONG;
        config.limits.probe_every = LONG;
        change(&mut config);
        let controller = Controller::start(config).await.unwrap();
        let (primary, secondary, rest) = (
            controller.primary_address(),
            controller.secondary_address(),
            controller.rest_address(),
        );
        let (stop, stopped) = oneshot::channel::<()>();
        let run = tokio::spawn(controller.run(async move {
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        Self {
            primary,
            secondary,
            rest,
            stop: Some(stop),
            run,
        }
    }

    /// Tells it to end.
    pub fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits for its end.
    pub async fn ended(self) {
        timeout(LONG, self.run)
            .await
            .expect("the controller does not end")
            .unwrap();
    }

    pub async fn request(&self, method: &str, path: &str, body: &str) -> Response {
        self.request_with(method, path, body.as_bytes(), "").await
    }

    pub async fn request_with(
        &self,
        method: &str,
        path: &str,
        body: &[u8],
        headers: &str,
    ) -> Response {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\
             {headers}\r\n"
        );
        let exchange = async {
            let mut stream = TcpStream::connect(self.rest).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            // It may answer and close before it has read everything.
            let _ = stream.write_all(body).await;
            let mut bytes = vec![];
            let _ = stream.read_to_end(&mut bytes).await;
            String::from_utf8(bytes).unwrap()
        };
        let text = timeout(LONG, exchange).await.expect("no HTTP response");
        let (head, body) = text.split_once("\r\n\r\n").expect("no HTTP response");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Response {
            status,
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request("GET", path, "").await
    }

    /// Checks status and body at once.
    pub async fn expect(&self, method: &str, path: &str, body: &str, status: u16, text: &str) {
        let response = self.request(method, path, body).await;
        let got = (response.status, response.body.as_str());
        assert_eq!(got, (status, text), "{method} {path} {body}");
    }

    /// Waits until `GET /v1/processes` answers `text`.
    pub async fn until_processes(&self, text: &str) {
        until(async || self.get("/v1/processes").await.body == text, text).await;
    }
}

pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Waits until `condition` holds.
pub async fn until(mut condition: impl AsyncFnMut() -> bool, what: &str) {
    let end = Instant::now() + LONG;
    while !condition().await {
        assert!(Instant::now() < end, "never came true: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// How a played process sends its replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The original's `primary` and `nfv`: with NULs to 32 KiB.
    Padded,
    /// The original's `vf`, `mirror` and `pcap`.
    Bare,
    /// Padded, in pieces of 1000 bytes.
    Split,
    /// One of ours.
    Ours,
}

/// What a played process was told, but for the questions that the controller asks by itself.
pub type Told = Arc<Mutex<Vec<String>>>;

pub struct Played {
    pub told: Told,
    task: JoinHandle<()>,
}

/// Holds a script back until it is opened.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    /// Lets everybody pass from now on.
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    /// Waits until it is open; blocks the thread.
    pub fn wait(&self) {
        let closed = self.0.0.lock().unwrap();
        let (open, result) = self
            .0
            .1
            .wait_timeout_while(closed, LONG, |open| !*open)
            .unwrap();
        drop(open);
        assert!(!result.timed_out(), "nobody opened the gate");
    }
}

impl Played {
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// The process dies.
    pub fn kill(&self) {
        self.task.abort();
    }

    /// Waits until the connection was closed.
    pub async fn closed(self) {
        timeout(LONG, self.ended())
            .await
            .expect("the connection stays open");
    }

    /// The same without a limit.
    pub async fn ended(self) {
        self.task.await.unwrap();
    }
}

/// Connects a process that answers as `script` says; `None` is no answer at all.
pub async fn play<S>(address: SocketAddr, style: Style, script: S) -> Played
where
    S: FnMut(&str) -> Option<String> + Send + 'static,
{
    let stream = TcpStream::connect(address).await.unwrap();
    let told = Told::default();
    let task = tokio::spawn(serve(stream, style, script, told.clone()));
    Played { told, task }
}

async fn serve<S>(mut stream: TcpStream, style: Style, mut script: S, told: Told)
where
    S: FnMut(&str) -> Option<String> + Send + 'static,
{
    let mut newline = false;
    let mut buffer = vec![0; 65536];
    loop {
        let got = match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(got) => got,
        };
        let text = String::from_utf8(buffer[..got].to_vec()).unwrap();
        let command = if newline {
            text.strip_suffix('\n').expect("no newline").to_owned()
        } else {
            text
        };
        assert!(!command.contains('\n'), "two commands at once: {command:?}");
        if command != "status" && command != "_detail" {
            told.lock().unwrap().push(command.clone());
        }
        let framing = style == Style::Ours && command == "_framing newline";
        let reply = if framing {
            Some(r#"{"result":"succeeded","command":"_framing"}"#.to_owned())
        } else {
            script(&command)
        };
        let Some(reply) = reply else { continue };
        let mut bytes = reply.into_bytes();
        match style {
            Style::Padded | Style::Split => bytes.resize(bytes.len().max(32768), 0),
            Style::Ours if newline => bytes.push(b'\n'),
            Style::Ours | Style::Bare => {}
        }
        let piece = if style == Style::Split {
            1000
        } else {
            bytes.len()
        };
        for part in bytes.chunks(piece) {
            if stream.write_all(part).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        newline |= framing;
        if command == "exit" {
            return;
        }
    }
}

/// A script of one-line recordings; what is not in them is echoed with NULs for blanks, as the
/// original's `primary` and `nfv` do.
pub fn recorded(lines: &'static [(&str, &str)]) -> impl FnMut(&str) -> Option<String> + Send {
    |command| {
        let found = lines.iter().find(|(request, _)| *request == command);
        Some(match found {
            Some((_, reply)) => (*reply).to_owned(),
            None => command.replace(' ', "\0"),
        })
    }
}

/// Runs `future` with a limit.
pub async fn limited<T>(future: impl Future<Output = T>) -> T {
    timeout(LONG, future).await.expect("it takes too long")
}

pub const NFV_STATUS: &str = r#"{"client-id":1,"status":"idling","master-lcore":1,"lcores":[1,2],"ports":["phy:0 nq 0","phy:0 nq 1","phy:1"],"patches":[]}"#;

pub const NFV: &[(&str, &str)] = &[
    (
        "_get_client_id",
        r#"{"results":[{"result":"success"}],"client_id":1,"process_type":"nfv"}"#,
    ),
    ("status", NFV_STATUS),
    (
        "add ring:0",
        r#"{"result":"succeeded","command":"add","port":"ring:0"}"#,
    ),
    (
        "add ring:50",
        r#"{"result":"failed","command":"add","port":"ring:50"}"#,
    ),
    (
        "del ring:0",
        r#"{"result":"succeeded","command":"del","port":"ring:0"}"#,
    ),
    (
        "patch phy:0nq1 ring:0",
        r#"{"result":"succeeded","command":"patch","ports":{"src":"phy:0nq1","dst":"ring:0"}}"#,
    ),
    ("forward", r#"{"result":"succeeded","command":"forward"}"#),
    ("stop", r#"{"result":"succeeded","command":"stop"}"#),
    ("exit", r#"{"result":"succeeded","command":"exit"}"#),
];

pub const PRIMARY_STATUS: &str = r#"{"master-lcore":0,"lcores":[0,12],"forwarder":{"status":"running","ports":["phy:0","phy:1","ring:1"],"patches":[{"src":"phy:0","dst":"ring:1"}]},"phy_ports":[{"id":0,"eth":"02:00:00:00:00:0a","rx":18446744073709551615,"tx":0,"tx_drop":0,"nof_queues":{"rx":2,"tx":2},"flow":[]}],"ring_ports":[{"id":0,"rx":0,"rx_drop":0,"tx":0,"tx_drop":0}]}"#;

pub const PRIMARY: &[(&str, &str)] = &[
    ("status", PRIMARY_STATUS),
    ("clear", r#"{"result":"succeeded","command":"clear"}"#),
    ("forward", r#"{"result":"succeeded","command":"forward"}"#),
    (
        "add ring:1",
        r#"{"result":"succeeded","command":"add","port":"ring:1"}"#,
    ),
    (
        "patch phy:0 phy:1",
        r#"{"result":"failed","command":"patch","ports":{"src":"phy:0","dst":"phy:1"}}"#,
    ),
    (
        "launch 5 spp_nfv --lcores 13@0,14@1 --no-pci --proc-type secondary --file-prefix spp -- -n 5 -s 127.0.0.1:6666 --vhost-client",
        r#"{"result":"succeeded","command":"launch"}"#,
    ),
    (
        "flow create phy:0 group 1 priority 0 ingress pattern eth dst is 02:00:00:00:00:01 / vlan vid is 100 / end actions queue index 1 / of_pop_vlan / end",
        r#"{"result": "error", "message": "Flow create error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented", "rule_id": ""}"#,
    ),
    (
        "flow destroy phy:0 5",
        r#"{"result": "error", "message": "Flow rule #5 not found"}"#,
    ),
    (
        "flow destroy phy:0 ALL",
        r#"{"result": "success", "message": "Flow rule all destroyed"}"#,
    ),
    ("exit", r#"{"result":"succeeded","command":"exit"}"#),
];

pub const VF: &[(&str, &str)] = &[
    (
        "_get_client_id",
        r#"{ "results": [ { "result": "success" } ], "client_id": 2, "process_type": "vf" }"#,
    ),
    (
        "status",
        r#"{ "results": [ { "result": "success" } ], "info": { "client-id": 2, "phy": [ "0 nq 0", "0 nq 1", "1" ], "vhost": [ "0" ], "ring": [  ], "master-lcore": 3, "core": [ { "core": 4, "type": "unuse" }, { "core": 5, "type": "unuse" } ], "classifier_table": [  ] } }"#,
    ),
    ("exit", r#"{ "results": [ { "result": "success" } ] }"#),
];

pub const PCAP: &[(&str, &str)] = &[
    (
        "_get_client_id",
        r#"{ "results": [ { "result": "success" } ], "client_id": 4, "process_type": "pcap" }"#,
    ),
    (
        "status",
        r#"{ "results": [ { "result": "success" } ], "info": { "client-id": 4, "status": "idle", "master-lcore": 9, "core": [ { "core": 10, "role": "receive", "rx_port": [ { "port": "phy:0 nq 1" } ] }, { "core": 11, "role": "write", "filename": "" } ] } }"#,
    ),
];

/// A process of ours: registration and status.
pub fn ours(kind: &'static str, id: u32, incarnation: &'static str) -> impl Fn(&str) -> String {
    move |command| match command {
        "_get_client_id" => format!(
            r#"{{"results":[{{"result":"success"}}],"client_id":{id},"process_type":"{kind}","spp":{{"version":"0.1.0","incarnation":"{incarnation}","framing":["newline"]}}}}"#
        ),
        "status" => format!(r#"{{"client-id":{id},"status":"running"}}"#),
        other => format!(r#"{{"result":"succeeded","command":"{other}"}}"#),
    }
}
