//! A real controller, and processes of the original that are played from recordings.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::controller::Running;

/// For anything to happen on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Replies to `_get_client_id` and `status`.
const PRIMARY: [&str; 2] = [
    "_get_client_id",
    r#"{"master-lcore":0,"lcores":[0,12],"forwarder":{"status":"running","ports":["phy:0","phy:1","vhost:9","ring:3"],"patches":[{"src":"phy:0","dst":"ring:3"},{"src":"ring:3","dst":"phy:1"}]},"phy_ports":[{"id":0,"eth":"02:00:00:00:00:0a","rx":55596064,"tx":0,"tx_drop":0,"nof_queues":{"rx":2,"tx":2},"flow":[]},{"id":1,"eth":"02:00:00:00:00:0b","rx":0,"tx":0,"tx_drop":0,"nof_queues":{"rx":1,"tx":1},"flow":[]}],"ring_ports":[{"id":0,"rx":0,"rx_drop":0,"tx":127,"tx_drop":55597473}]}"#,
];
const NFV: [&str; 2] = [
    r#"{"results":[{"result":"success"}],"client_id":1,"process_type":"nfv"}"#,
    r#"{"client-id":1,"status":"running","master-lcore":1,"lcores":[1,2],"ports":["phy:0 nq 0","phy:0 nq 1","phy:1","ring:0","vhost:1","ring:4","nullpmd:2"],"patches":[{"src":"phy:0 nq 0","dst":"ring:4"},{"src":"phy:0 nq 1","dst":"phy:1"},{"src":"phy:1","dst":"phy:0 nq 1"},{"src":"ring:4","dst":"phy:1"}]}"#,
];
const VF: [&str; 2] = [
    r#"{ "results": [ { "result": "success" } ], "client_id": 2, "process_type": "vf" }"#,
    r#"{ "results": [ { "result": "success" } ], "info": { "client-id": 2, "phy": [ "0 nq 0", "0 nq 1", "1" ], "vhost": [ "0" ], "ring": [ "1", "2", "3" ], "master-lcore": 3, "core": [ { "core": 4, "name": "fw", "type": "forward", "rx_port": [ { "port": "phy:0 nq 0", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ], "tx_port": [ { "port": "ring:1", "vlan": { "operation": "add", "id": 100, "pcp": 3 } } ] }, { "core": 4, "name": "mg", "type": "merge", "rx_port": [ { "port": "phy:0 nq 1", "vlan": { "operation": "none", "id": 0, "pcp": 0 } }, { "port": "ring:2", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ], "tx_port": [ { "port": "phy:1", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ] }, { "core": 5, "name": "cls", "type": "classifier", "rx_port": [ { "port": "ring:1", "vlan": { "operation": "del", "id": 0, "pcp": 0 } } ], "tx_port": [ { "port": "ring:3", "vlan": { "operation": "none", "id": 0, "pcp": 0 } }, { "port": "vhost:0", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ] }, { "core": 6, "type": "unuse" } ], "classifier_table": [ { "type": "vlan", "value": "100/default", "port": "vhost:0" }, { "type": "mac", "value": "52:54:00:00:00:0A", "port": "ring:3" } ] } }"#,
];
const MIRROR: [&str; 2] = [
    r#"{ "results": [ { "result": "success" } ], "client_id": 3, "process_type": "mirror" }"#,
    r#"{ "results": [ { "result": "success" } ], "info": { "client-id": 3, "phy": [ "0 nq 0", "0 nq 1", "1" ], "vhost": [  ], "ring": [ "3", "4" ], "master-lcore": 6, "core": [ { "core": 7, "name": "m", "type": "mirror", "rx_port": [ { "port": "phy:0 nq 0", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ], "tx_port": [ { "port": "ring:3", "vlan": { "operation": "none", "id": 0, "pcp": 0 } }, { "port": "ring:4", "vlan": { "operation": "add", "id": 10, "pcp": 2 } } ] }, { "core": 8, "type": "unuse" } ] } }"#,
];
const PCAP: [&str; 2] = [
    r#"{ "results": [ { "result": "success" } ], "client_id": 4, "process_type": "pcap" }"#,
    r#"{ "results": [ { "result": "success" } ], "info": { "client-id": 4, "status": "running", "master-lcore": 9, "core": [ { "core": 10, "role": "receive", "rx_port": [ { "port": "phy:0 nq 1" } ] }, { "core": 11, "role": "write", "filename": "/tmp/spp_pcap.20240131120000.phy0nq1.1.1225.pcap.lz4" } ] } }"#,
];

/// The controller with all of them; it ends with the test, and they with it.
pub struct Panel {
    pub rest: SocketAddr,
    /// The folder that programs take for the user's own.
    pub home: PathBuf,
    controller: Option<Running>,
    threads: Vec<JoinHandle<()>>,
}

impl Panel {
    pub fn start(name: &str) -> Self {
        let home = std::env::temp_dir().join(format!("spp-shell-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a folder");
        let controller = Running::start();
        let rest = controller.rest;
        let mut threads = vec![play(controller.primary, PRIMARY)];
        let others = [NFV, VF, MIRROR, PCAP].map(|replies| play(controller.secondary, replies));
        threads.extend(others);
        let panel = Self {
            rest,
            home,
            controller: Some(controller),
            threads,
        };
        let wanted = "    1: nfv:1\n    2: vf:2\n    3: mirror:3\n    4: pcap:4\n";
        testbed::wait_for("all processes", LIMIT, || {
            let (out, _) = panel.spp(&["status"], b"");
            (out.contains("status: running") && out.contains(wanted)).then_some(())
        });
        panel
    }

    /// The program at this controller, as a user would call it.
    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spp"));
        command
            .args(["-b", &self.rest.to_string()])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("HOME", &self.home)
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "dumb")
            .env_remove("SPP_CTL")
            .env_remove("SPP_PLUGINS")
            .env_remove("SPP_FILE_PREFIX");
        command
    }

    /// Runs it; gives what it prints.
    pub fn run(&self, words: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command()
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("spp runs");
        let mut pipe = child.stdin.take().expect("its input");
        let input = input.to_owned();
        // A program that ended has no use for the rest.
        let writer = std::thread::spawn(move || drop(pipe.write_all(&input)));
        let output = child.wait_with_output().expect("spp ends");
        writer.join().expect("written");
        output
    }

    /// Output and exit status.
    pub fn spp(&self, words: &[&str], input: &[u8]) -> (String, Option<i32>) {
        let output = self.run(words, input);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (text, output.status.code())
    }
}

impl Drop for Panel {
    fn drop(&mut self) {
        // Its end is that of its connections.
        self.controller = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

/// A process that answers until the controller closes the connection or says `exit`.
fn play(controller: SocketAddr, [identity, status]: [&'static str; 2]) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut stream = TcpStream::connect(controller).expect("a connection");
        let mut bytes = vec![0; 1 << 16];
        while let Ok(count @ 1..) = stream.read(&mut bytes) {
            let command = String::from_utf8_lossy(&bytes[..count]).into_owned();
            let word = command.split(' ').next().unwrap_or_default();
            let old = identity == PRIMARY[0] || identity == NFV[0];
            let mut reply = match word {
                "_get_client_id" => identity.to_owned(),
                "status" => status.to_owned(),
                _ if old => format!(r#"{{"result":"succeeded","command":"{word}"}}"#),
                _ => r#"{ "results": [ { "result": "success" } ] }"#.to_owned(),
            };
            if old {
                // They fill their replies up with NULs.
                reply.extend(std::iter::repeat_n('\0', 32768 - reply.len()));
            }
            if stream.write_all(reply.as_bytes()).is_err() || word == "exit" {
                break;
            }
        }
    })
}
