//! How much passes between two nodes, by iperf3 (`iperf3(1)`).

use std::net::{IpAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::outside::{self, Output};
use crate::ping;
use crate::running::Running;

/// How long the server may take to listen.
const LISTEN_LIMIT: Duration = Duration::from_secs(10);

/// How long the client may take beyond the time that it measures.
const SLACK: Duration = Duration::from_secs(20);

/// Longest output that is looked at, in bytes.
const MOST_OUTPUT: u64 = 16 << 20;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// For how long; whole seconds.
    pub time: Duration,
    /// UDP instead of TCP.
    pub udp: bool,
    /// Bits a second that are sent; without it as many as pass by TCP, and 1 Mbit/s by UDP.
    pub rate: Option<u64>,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Address that was sent to.
    pub address: IpAddr,
    /// For how many seconds was sent.
    pub seconds: f64,
    /// Bits a second that were sent, as payload of TCP or UDP.
    pub sent: f64,
    /// Bits a second that arrived.
    pub received: f64,
    /// Bytes that arrived.
    pub bytes: u64,
    /// Segments that were sent again, by TCP.
    pub again: Option<u64>,
    /// What UDP says of its packets.
    pub datagrams: Option<Datagrams>,
}

/// What became of UDP's packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datagrams {
    /// How many were sent.
    pub sent: u64,
    /// How many of them were lost.
    pub lost: u64,
    /// By how much the time between them varied (RFC 1889), in milliseconds.
    pub jitter: f64,
}

/// A program that ends with us.
struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        outside::end(&mut self.0);
    }
}

/// Sends from one node to another one, which `to` names as of [`ping::target`]. Both programs have ended when it returns.
///
/// # Errors
/// iperf3 is not there, says that it cannot, or does not come to an end; `stop` was set.
pub fn measure(
    running: &Running,
    from: &str,
    to: &str,
    measure: Measure,
    stop: &AtomicBool,
) -> Result<Measured> {
    outside::need("iperf3", "iperf3")?;
    let number = running.node(from)?;
    let server_number = running.node(to)?;
    let address = ping::target(running, number, to)?;
    let port = free_port(running, server_number, address)?;
    let server_output = Output::new()?;
    let mut command = iperf(&server_output, port)?;
    command.args(["-s", "-1", "-B", &address.to_string()]);
    let mut server = Ending(running.spawn(to, &mut command)?);
    listening(running, server_number, port, &mut server, stop).map_err(|error| match error {
        // It says why by itself, if it has ended.
        Error::Refused(text) => Error::Refused(format!("iperf3 on {to}: {text}")),
        error => error,
    })?;
    let output = Output::new()?;
    let mut command = iperf(&output, port)?;
    let seconds = measure.time.as_secs();
    command.args(["-c", &address.to_string(), "-t", &seconds.to_string(), "-J"]);
    if measure.udp {
        command.arg("-u");
    }
    if let Some(rate) = measure.rate {
        command.args(["-b", &rate.to_string()]);
    }
    let mut client = Ending(running.spawn(from, &mut command)?);
    let end = Instant::now() + measure.time + SLACK;
    if outside::wait(&mut client.0, end, stop)?.is_none() {
        return Err(Error::Refused(format!(
            "iperf3 on {from} has not ended {} s after the {seconds} s that were measured: does everything pass from {from} to {to} ({address})?",
            SLACK.as_secs()
        )));
    }
    let text = output.read(MOST_OUTPUT)?;
    read(&text, address, measure.udp)
        .map_err(|why| Error::Refused(format!("iperf3 on {from} to {to} ({address}): {why}")))
}

fn iperf(output: &Output, port: u16) -> Result<Command> {
    let mut command = Command::new("iperf3");
    command.args(["-p", &port.to_string()]);
    command
        .stdin(Stdio::null())
        .stdout(output.stdio()?)
        .stderr(output.stdio()?);
    Ok(command)
}

/// A port that nobody has on the node: there may be another iperf3.
fn free_port(running: &Running, node: usize, address: IpAddr) -> Result<u16> {
    running.within(node, || {
        TcpListener::bind((address, 0))
            .and_then(|listener| listener.local_addr())
            .map(|address| address.port())
            .map_err(|e| Error::io(format!("listen at {address}"), e))
    })
}

/// Waits until somebody listens at a port of a node.
fn listening(
    running: &Running,
    node: usize,
    port: u16,
    server: &mut Ending,
    stop: &AtomicBool,
) -> Result<()> {
    let end = Instant::now() + LISTEN_LIMIT;
    loop {
        let listens = running.within(node, || {
            let read = |name| std::fs::read_to_string(format!("/proc/thread-self/net/{name}"));
            // A kernel without IPv6 has no such list.
            let texts = ["tcp", "tcp6"].map(|name| read(name).unwrap_or_default());
            Ok(texts
                .iter()
                .flat_map(|text| text.lines())
                .any(|line| listens_at(line, port)))
        })?;
        if listens {
            return Ok(());
        }
        if let Some(status) = outside::wait(&mut server.0, Instant::now(), stop)? {
            return Err(Error::Refused(format!("it ended with {status}")));
        }
        if Instant::now() >= end {
            let limit = LISTEN_LIMIT.as_secs();
            return Err(Error::Refused(format!(
                "it does not listen after {limit} s"
            )));
        }
        outside::go_on(stop)?;
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A line of `/proc/net/tcp`: number, own address and port, the other's, and the state, of which 0A is listening.
fn listens_at(line: &str, port: u16) -> bool {
    let mut words = line.split_whitespace().skip(1);
    let own = words.next().and_then(|own| own.rsplit(':').next());
    own == Some(&format!("{port:04X}")) && words.nth(1) == Some("0A")
}

/// What iperf3 says at the end, of what is looked at.
#[derive(Deserialize)]
struct Sum {
    seconds: f64,
    bytes: u64,
    bits_per_second: f64,
    retransmits: Option<u64>,
}

#[derive(Deserialize)]
struct Packets {
    packets: u64,
    lost_packets: u64,
    jitter_ms: f64,
}

/// Reads iperf3's document.
fn read(text: &str, address: IpAddr, udp: bool) -> std::result::Result<Measured, String> {
    let document: Value = serde_json::from_str(text)
        .map_err(|error| format!("what it wrote is no document ({error}): {}", text.trim()))?;
    if let Some(error) = document.get("error").and_then(Value::as_str) {
        return Err(error.to_owned());
    }
    let end = |part: &str| document["end"][part].clone();
    let unknown = |error| format!("its document is not as expected ({error})");
    let sent: Sum = serde_json::from_value(end("sum_sent")).map_err(unknown)?;
    let received: Sum = serde_json::from_value(end("sum_received")).map_err(unknown)?;
    let datagrams = match udp {
        false => None,
        true => {
            let packets: Packets = serde_json::from_value(end("sum")).map_err(unknown)?;
            Some(Datagrams {
                sent: packets.packets,
                lost: packets.lost_packets,
                jitter: packets.jitter_ms,
            })
        }
    };
    Ok(Measured {
        address,
        seconds: sent.seconds,
        sent: sent.bits_per_second,
        received: received.bits_per_second,
        bytes: received.bytes,
        again: sent.retransmits,
        datagrams,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_iperf_cannot_is_said_in_its_words() {
        let address = "10.0.0.2".parse().unwrap();
        let read = |text| read(text, address, false).unwrap_err();
        assert_eq!(
            read(r#"{"error": "unable to connect"}"#),
            "unable to connect"
        );
        assert!(read("iperf3: no").contains("iperf3: no"));
        assert!(read("{}").contains("not as expected"));
    }

    #[test]
    fn only_who_listens_counts() {
        let line = |state: &str| format!("   0: 0100007F:1451 00000000:0000 {state} 00000000:0");
        assert!(listens_at(&line("0A"), 5201) && !listens_at(&line("01"), 5201));
        assert!(!listens_at(&line("0A"), 5202) && !listens_at("sl local rem st", 5201));
    }
}
