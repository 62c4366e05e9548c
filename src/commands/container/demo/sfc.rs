//! The original's first use case: a chain of services. A generator sends over rings and a vhost port to DPDK's l2fwd in a
//! container of its own, and what comes out of it returns over another vhost port and rings.

use container::layout::Wish;
use serde_json::json;

use super::account::{self, Account, Drop};
use super::stage::{Played, Stage};
use crate::failure::Failure;

/// From port to port, a process each.
const PATCHES: [(&str, &str); 4] = [
    ("ring:0", "ring:1"),
    ("ring:1", "vhost:1"),
    ("vhost:2", "ring:2"),
    ("ring:2", "ring:3"),
];

/// The chain, from end to end.
const WAY: &str = "generator -> ring:0 -> nfv 1 -> ring:1 -> nfv 2 -> vhost:1 -> l2fwd -> vhost:2 -> nfv 3 -> ring:2 -> nfv 4 -> ring:3 -> generator";

/// Threads of the panel, and of what is on it.
pub fn wishes(workers: usize, others: &[(&str, bool)]) -> Vec<Wish> {
    let wish = |name: String, main: bool, workers: u32, rests: bool| Wish {
        name,
        main,
        workers,
        rests,
    };
    let mut wishes = vec![wish("primary".to_owned(), true, 0, true)];
    wishes.extend((1..=workers).map(|id| wish(format!("nfv{id}"), true, 1, true)));
    // Their main thread does the work.
    wishes.extend(
        others
            .iter()
            .map(|(name, rests)| wish((*name).to_owned(), false, 1, *rests)),
    );
    wishes
}

/// Plays it.
pub fn play(stage: &mut Stage) -> Result<Played, Failure> {
    stage.say(&format!(
        "A chain of services, each in a container:\n  {WAY}"
    ))?;
    stage.lay_out(&wishes(
        PATCHES.len(),
        &[("l2fwd", false), ("generator", true)],
    ))?;
    stage.panel(10)?;
    stage.workers(&PATCHES)?;
    stage.step("DPDK's l2fwd between vhost:1 and vhost:2")?;
    let folder = stage.folder().display().to_string();
    let huge_dir = stage.settings().huge_dir.display().to_string();
    let words = [
        "-d",
        "vhost:1,vhost:2",
        "-p",
        "0x3",
        "-m",
        "128",
        "--vhost-dir",
        &folder,
        "--huge-dir",
        &huge_dir,
        // Both ports on its one lcore; statistics each second.
        "--",
        "-q",
        "2",
        "-T",
        "1",
    ];
    let l2fwd = stage.start("l2fwd", "l2fwd", &words, false)?;
    stage.step("The topology")?;
    stage.command("topo term")?;

    stage.step("Send")?;
    let settings = stage.settings();
    let packets = settings.packets.to_string();
    let words = [
        "--tx",
        "ring:0",
        "--rx",
        "ring:3",
        "--count",
        &packets,
        "--rate",
        &settings.rate,
        "--allow-loss",
        // l2fwd writes other addresses into what it forwards.
        "--packet",
        "eth/ipv4/udp",
        "--check",
        "payload",
    ];
    let generator = stage.traffic("generator", &words, &[])?;
    stage.wait_for_end(&generator)?;
    let totals = stage.totals(&generator)?;
    let mut account = Account {
        sent: totals.sent,
        received: totals.received,
        faults: totals.faults(),
        drops: Vec::new(),
    };
    // l2fwd tells what it has dropped when its second is over.
    stage.settle(&mut |stage| {
        account.drops = account::drops(&stage.client().details()?)?;
        if let Some(packets @ 1..) = account::dropped_by_l2fwd(&stage.log(&l2fwd)?) {
            account.drops.push(Drop {
                place: "l2fwd".to_owned(),
                reason: "its port took no more".to_owned(),
                packets,
            });
        }
        Ok(account.agrees())
    })?;
    stage.step("Account")?;
    stage.say(&account.text())?;
    let buffers = totals.buffers();
    stage.say(&format!(
        "{} of {} packets came back in the buffer that they were sent in: vhost ports copy, rings do not (spp container demo rings)",
        buffers.same(),
        buffers.looked_at()
    ))?;
    Ok(Played {
        account,
        more: json!({"buffers": {"looked-at": buffers.looked_at(), "same": buffers.same()}}),
        failure: None,
    })
}
