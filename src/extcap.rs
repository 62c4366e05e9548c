//! `spp extcap`: what Wireshark asks of a program that captures for it (its `extcap` interface).
//!
//! Ports of the panel are offered as interfaces. To capture one this program becomes an `spp-pcap` that writes
//! into Wireshark's pipe: it takes the packets out of the port, so a port that somebody else takes from has to be copied
//! by a mirror into a ring of its own first.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use clap::Parser;
use protocol::detail::ProcessDetail;
use protocol::port::PortName;

use crate::context::Context;
use crate::failure::Failure;
use crate::programs;

/// Before the names of interfaces, so that they are told from the machine's own.
const MARK: &str = "spp-";
/// Ids of secondaries: the highest free one is taken.
const IDS: std::ops::RangeInclusive<u32> = 1..=127;

#[derive(Parser, Debug)]
#[command(name = "spp extcap", no_binary_name = true)]
struct Args {
    /// Wireshark's version
    #[arg(long)]
    extcap_version: Option<String>,
    /// List the interfaces
    #[arg(long)]
    extcap_interfaces: bool,
    /// The interface that is meant
    #[arg(long)]
    extcap_interface: Option<String>,
    /// List its link types
    #[arg(long)]
    extcap_dlts: bool,
    /// List its options
    #[arg(long)]
    extcap_config: bool,
    /// Capture it
    #[arg(long)]
    capture: bool,
    /// Into this pipe
    #[arg(long)]
    fifo: Option<PathBuf>,
    /// What is captured
    #[arg(long)]
    extcap_capture_filter: Option<String>,
    /// Name of the panel
    #[arg(long, env = "SPP_FILE_PREFIX", default_value = "spp")]
    file_prefix: String,
    /// Most bytes kept of a packet
    #[arg(long, default_value_t = 65_535)]
    snaplen: u32,
}

/// Does what the words say.
///
/// # Errors
/// Words that are not understood; no such port; no controller; no `spp-pcap`.
pub fn run(context: &mut Context, words: &[&str]) -> Result<(), Failure> {
    let args = Args::try_parse_from(words).map_err(|e| Failure::usage(e.to_string()))?;
    if args.capture {
        return capture(context, &args);
    }
    let text = if args.extcap_interfaces {
        // Wireshark asks at every start, also when no panel runs.
        interfaces(&context.client.details().unwrap_or_default())
    } else if args.extcap_dlts {
        "dlt {number=1}{name=EN10MB}{display=Ethernet}\n".to_owned()
    } else if args.extcap_config {
        config(&args.file_prefix)
    } else {
        String::new()
    };
    context.out.write_all(text.as_bytes())?;
    context.out.flush()?;
    Ok(())
}

/// The name of a port's interface: `spp-ring0`, `spp-phy0nq1`.
fn interface(port: PortName) -> String {
    format!("{MARK}{}", port.to_string().replace(':', ""))
}

/// The port of an interface.
fn port(interface: &str) -> Option<PortName> {
    let name = interface.strip_prefix(MARK)?;
    let digits = name.find(|c: char| c.is_ascii_digit())?;
    let (kind, rest) = name.split_at(digits);
    format!("{kind}:{rest}").parse().ok()
}

/// In braces nothing may close them.
fn quoted(text: &str) -> String {
    text.replace(['{', '}'], "")
}

fn interfaces(processes: &[ProcessDetail]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut text = format!("extcap {{version={version}}}{{display=Soft Patch Panel}}\n");
    let mut add = |port: PortName, taker: &str| {
        let shown = match taker {
            "" => format!("SPP {}", port.report()),
            taker => format!(
                "SPP {}: {taker} takes its packets, mirror it into a ring",
                port.report()
            ),
        };
        let (value, shown) = (interface(port), quoted(&shown));
        text.push_str(&format!("interface {{value={value}}}{{display={shown}}}\n"));
    };
    let details = || processes.iter().filter_map(|p| p.detail.as_ref());
    let mut phys: Vec<PortName> = details()
        .flat_map(|detail| &detail.ports)
        .filter_map(|port| port.name.parse().ok())
        .filter(|port| matches!(port, PortName::Phy { .. }))
        .collect();
    phys.sort();
    phys.dedup();
    for phy in phys {
        let patched = details().find(|detail| {
            let is = |src: &str| src.parse() == Ok(phy);
            detail.patches.iter().any(|patch| is(&patch.src))
        });
        let taker = patched.map(|detail| format!("{}:{}", detail.kind, detail.client_id));
        add(phy, &taker.unwrap_or_default());
    }
    for ring in details().flat_map(|detail| &detail.rings) {
        if let Ok(port) = ring.name.parse() {
            add(port, &ring.consumer);
        }
    }
    text
}

fn config(file_prefix: &str) -> String {
    let prefix = quoted(file_prefix);
    format!(
        "arg {{number=0}}{{call=--file-prefix}}{{display=Name of the panel}}\
         {{tooltip=The --file-prefix of its processes}}{{type=string}}{{default={prefix}}}\n\
         arg {{number=1}}{{call=--snaplen}}{{display=Bytes of a packet}}\
         {{tooltip=Most bytes kept of a packet}}{{type=unsigned}}{{range=1,131072}}{{default=65535}}\n"
    )
}

fn free_id(processes: &[ProcessDetail]) -> Option<u32> {
    let used = |id: &u32| processes.iter().any(|p| p.client_id == *id);
    IDS.rev().find(|id| !used(id))
}

/// Becomes an `spp-pcap`; returns only if that fails.
fn capture(context: &Context, args: &Args) -> Result<(), Failure> {
    let name = args.extcap_interface.as_deref().unwrap_or_default();
    let Some(port) = port(name) else {
        return Err(Failure::usage(format!(
            "--extcap-interface {name:?}: no port of a panel (spp extcap --extcap-interfaces lists them)"
        )));
    };
    let Some(fifo) = &args.fifo else {
        return Err(Failure::usage("--fifo is missing: where shall packets go?"));
    };
    let id = free_id(&context.client.details()?)
        .ok_or_else(|| Failure::refused("all ids of secondaries are in use: end one"))?;
    let program = programs::find("spp-pcap");
    let mut command = Command::new(&program);
    command
        .args(["--sec-id", &id.to_string(), "-c", &port.to_string()])
        .args(["--file-prefix", &args.file_prefix])
        .args(["--snaplen", &args.snaplen.to_string()])
        .args(["--log-level", "error"])
        .arg("--out")
        .arg(fifo);
    if let Some(filter) = &args.extcap_capture_filter {
        command.args(["--filter", filter]);
    }
    let error = command.exec();
    Err(Failure::refused(format!(
        "{} cannot be started: {error}",
        program.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_have_names_that_lead_back_to_their_ports() {
        for name in ["ring:0", "phy:12", "phy:0nq1", "vhost:3"] {
            let parsed: PortName = name.parse().unwrap();
            assert_eq!(port(&interface(parsed)), Some(parsed), "{name}");
        }
        for other in ["eth0", "spp-", "spp-ring", "spp-foo1", ""] {
            assert_eq!(port(other), None, "{other}");
        }
    }

    #[test]
    fn ports_are_listed_with_those_who_take_from_them() {
        let detail = serde_json::json!([
            {"type": "primary", "client-id": 0, "status": "ok", "error": null, "detail": {
                "type": "primary", "client-id": 0, "pid": 1, "version": "", "dpdk": "", "incarnation": "",
                "status": "idling", "tsc-hz": 1, "tsc": 1, "ports": [], "patches": [], "workers": [],
                "rings": [
                    {"name": "ring:0", "capacity": 1, "used": 0, "producer": "", "consumer": "nfv:1"},
                    {"name": "ring:1", "capacity": 1, "used": 0, "producer": "", "consumer": ""}]}},
            {"type": "nfv", "client-id": 127, "status": "ok", "error": null, "detail": {
                "type": "nfv", "client-id": 127, "pid": 1, "version": "", "dpdk": "", "incarnation": "",
                "status": "running", "tsc-hz": 1, "tsc": 1, "workers": [], "patches": [],
                "ports": [{"name": "phy:0", "link": "-", "rx-packets": 0, "rx-bytes": 0, "tx-packets": 0, "tx-bytes": 0}]}}
        ]);
        let processes: Vec<ProcessDetail> = serde_json::from_value(detail).unwrap();
        let text = interfaces(&processes);
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "interface {value=spp-phy0}{display=SPP phy:0}",
                "interface {value=spp-ring0}{display=SPP ring:0: nfv:1 takes its packets, mirror it into a ring}",
                "interface {value=spp-ring1}{display=SPP ring:1}",
            ]
        );
        assert_eq!(free_id(&processes), Some(126));
    }
}
