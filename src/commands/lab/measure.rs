//! What the kernel, panels and iperf3 count: `drops`, `iperf`.

use std::time::Duration;

use lab::file::Rate;
use lab::iperf::{Measure, Measured, measure};
use lab::plan::Role;
use serde_json::{Value, json};

use super::options::Taken;
use super::{DROPS, IPERF};
use crate::commands::args::Args;
use crate::commands::container::interruptible;
use crate::context::{Context, Outcome, Report};
use crate::render::columns::{self, Align};
use crate::render::units::bit_rate;

/// Most seconds of one measurement.
const MOST_SECONDS: u64 = 86_400;

/// `lab drops [-n NAME] [NODE…]`
pub fn drops(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "drops", DROPS, &["-n"], &[])?;
    let network = taken.network()?;
    let numbers = taken.nodes(&network)?;
    let (mut rows, mut documents, mut dpdk) = (Vec::new(), Vec::new(), Vec::new());
    let (panels, silent) = match lab::drops::panels(&network) {
        Ok(panels) => (panels, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    for number in numbers {
        let node = &network.nodes()[number];
        if matches!(node.role, Role::Dpdk(_)) {
            dpdk.push(node.name.as_str());
        }
        let kernel = lab::drops::drops(&network, number)?;
        let here = panels.iter().filter(|dropped| dropped.node == number);
        for dropped in kernel.into_iter().chain(here.cloned()) {
            let place = match &dropped.interface {
                Some(interface) => format!("{}:{interface}", node.name),
                None => node.name.clone(),
            };
            documents.push(json!({
                "node": node.name, "interface": dropped.interface, "packets": dropped.packets,
                "why": dropped.why, "counter": dropped.counter,
            }));
            rows.push(vec![
                place,
                dropped.packets.to_string(),
                dropped.why,
                dropped.counter,
            ]);
        }
    }
    let header = [
        ("WHERE", Align::Left),
        ("PACKETS", Align::Right),
        ("WHY", Align::Left),
        ("COUNTER", Align::Left),
    ];
    let mut text = match rows.is_empty() {
        true => "Nothing was dropped.".to_owned(),
        false => columns::lines(0, &header, &rows),
    };
    if let Some(error) = silent {
        text = format!(
            "{}\nWhat panels dropped is not known: {error}",
            text.trim_end()
        );
    }
    if !dpdk.is_empty() {
        text = format!(
            "{}\nWhat the DPDK programs of {} did not take in time, or dropped themselves, they are told alone: look at their own counters.",
            text.trim_end(),
            dpdk.join(", ")
        );
    }
    Ok(Report::new(text, json!(documents)))
}

/// `lab iperf [-n NAME] NODE NODE [--seconds N] [--udp] [--rate R]`
pub fn iperf(context: &mut Context, args: &Args) -> Outcome {
    let options = ["-n", "--seconds", "--rate"];
    let taken = Taken::new(context, args, "iperf", IPERF, &options, &["--udp"])?;
    let [from, to] = taken.words.as_slice() else {
        return Err(taken.refuse("From which node to which?"));
    };
    let seconds = taken.number("--seconds", 1..=MOST_SECONDS)?.unwrap_or(5);
    let rate = taken.value("--rate").map(str::parse::<Rate>).transpose();
    let rate = rate.map_err(|text| taken.refuse(&format!("--rate: {text}.")))?;
    let wanted = Measure {
        time: Duration::from_secs(seconds),
        udp: taken.flag("--udp"),
        rate: rate.map(|rate| rate.0),
    };
    let network = taken.network()?;
    let measured = interruptible(context, |_, stop| {
        Ok(measure(&network, from, to, wanted, stop)?)
    })?;
    let protocol = if wanted.udp { "UDP" } else { "TCP" };
    let place = format!("{from} → {to} ({}): {protocol}", measured.address);
    let mut document = json!({
        "from": from, "to": to, "address": measured.address, "protocol": protocol.to_lowercase(),
        "seconds": measured.seconds, "sent-bits-per-second": measured.sent,
        "received-bits-per-second": measured.received, "received-bytes": measured.bytes,
    });
    let more = more(&measured, &mut document);
    let text = format!(
        "{place} {} received of {} sent, for {:.1} s{more}",
        bit_rate(measured.received),
        bit_rate(measured.sent),
        measured.seconds
    );
    Ok(Report::new(text, document))
}

/// What one of the protocols says alone.
fn more(measured: &Measured, document: &mut Value) -> String {
    let mut text = String::new();
    if let Some(again) = measured.again {
        document["retransmitted"] = json!(again);
        text += &format!("; {again} segments sent again");
    }
    if let Some(datagrams) = measured.datagrams {
        document["packets"] = json!(datagrams.sent);
        document["lost"] = json!(datagrams.lost);
        document["jitter-ms"] = json!(datagrams.jitter);
        text += &format!(
            "; {} of {} packets lost, jitter {:.3} ms",
            datagrams.lost, datagrams.sent, datagrams.jitter
        );
    }
    text
}
