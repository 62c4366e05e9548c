//! The original's second use case: containers chained by rings in shared memory. Sender and receiver are two further containers,
//! which say in which buffers they saw the packets.

use std::time::Duration;

use serde_json::{Value, json};

use super::account::{self, Account, Totals};
use super::sfc::wishes;
use super::stage::{Played, Stage};
use crate::failure::Failure;

const PATCHES: [(&str, &str); 4] = [
    ("ring:0", "ring:1"),
    ("ring:1", "ring:2"),
    ("ring:2", "ring:3"),
    ("ring:3", "ring:4"),
];

const WAY: &str = "sender -> ring:0 -> nfv 1 -> ring:1 -> nfv 2 -> ring:2 -> nfv 3 -> ring:3 -> nfv 4 -> ring:4 -> receiver";

/// Packets whose buffers are printed side by side.
const LINES: usize = 8;
/// How often the receiver says how far it is.
const INTERVAL: Duration = Duration::from_millis(200);

/// Plays it.
pub fn play(stage: &mut Stage) -> Result<Played, Failure> {
    stage.say(&format!(
        "A chain of rings, each process in a container:\n  {WAY}"
    ))?;
    stage.lay_out(&wishes(
        PATCHES.len(),
        &[("sender", true), ("receiver", true)],
    ))?;
    stage.panel(10)?;
    stage.workers(&PATCHES)?;
    stage.step("The topology")?;
    stage.command("topo term")?;

    stage.step("Send, from one container to another")?;
    let interval = INTERVAL.as_secs_f64().to_string();
    // It has no end of its own: it is told when all have come.
    let receiver = stage.traffic(
        "receiver",
        &["--rx", "ring:4", "--allow-loss"],
        &["--interval", &interval],
    )?;
    let settings = stage.settings();
    let packets = settings.packets.to_string();
    let words = [
        "--tx",
        "ring:0",
        "--count",
        &packets,
        "--rate",
        &settings.rate,
    ];
    let sender = stage.traffic("sender", &words, &[])?;
    stage.wait_for_end(&sender)?;
    let sent = stage.totals(&sender)?;
    let mut drops = Vec::new();
    stage.settle(&mut |stage| {
        drops = account::drops(&stage.client().details()?)?;
        let dropped: u64 = drops.iter().map(|drop| drop.packets).sum();
        Ok(so_far(&stage.log(&receiver)?) + dropped >= sent.sent)
    })?;
    stage.end(&receiver)?;
    let totals = Totals::joined(sent, stage.totals(&receiver)?);
    let account = Account {
        sent: totals.sent,
        received: totals.received,
        faults: totals.faults(),
        drops,
    };
    stage.step("Account")?;
    stage.say(&account.text())?;

    stage.step("The same buffers at both ends?")?;
    let buffers = totals.buffers();
    stage.say(&buffers.lines(LINES))?;
    let (same, looked_at) = (buffers.same(), buffers.looked_at());
    let failure = match buffers.proves_no_copy() {
        true => {
            stage.say(&format!(
                "{same} of {looked_at} packets came in the buffer that they were sent in, through four other processes: none was copied"
            ))?;
            None
        }
        false => Some(format!(
            "{same} of {looked_at} packets came in the buffer that they were sent in: there is no proof that none was copied"
        )),
    };
    Ok(Played {
        account,
        more: json!({"buffers": {"looked-at": looked_at, "same": same}}),
        failure,
    })
}

/// What the receiver has said that it received, interval by interval.
fn so_far(log: &str) -> u64 {
    let received = |line: &str| -> Option<u64> {
        let document: Value = serde_json::from_str(line).ok()?;
        document.get("interval")?.get("received")?.as_u64()
    };
    log.lines()
        .filter(|line| line.starts_with('{'))
        .filter_map(received)
        .sum()
}
