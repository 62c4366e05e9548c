//! Our own sections of the status commands: what ports, patches and workers did.

use protocol::detail::{Counters, Detail, Drops, ImpairedDetail, PatchDetail, ProcessDetail};

use crate::render::columns::{Align, lines};
use crate::render::{probes, units};

use Align::{Left, Right};

/// For `status`: every patch of the panel, and what processes did not answer.
pub fn panel(details: &[ProcessDetail]) -> String {
    let mut rows = Vec::new();
    for (process, detail) in with_detail(details) {
        for patch in &detail.patches {
            let mut row = vec![name(process)];
            row.extend(patch_row(patch));
            rows.push(row);
        }
    }
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str("- patches:\n");
        text.push_str(&lines(
            4,
            &[&[("PROCESS", Left)], PATCH_HEADER].concat(),
            &rows,
        ));
    }
    let mut latencies: Vec<Vec<String>> = Vec::new();
    for (process, detail) in with_detail(details) {
        let rows = probes::rows(&detail.latencies);
        latencies.extend(rows.map(|row| std::iter::once(name(process)).chain(row).collect()));
    }
    let header = [&[("PROCESS", Left)][..], &probes::header()].concat();
    section(&mut text, "latencies", &header, latencies.into_iter());
    for (process, detail) in with_detail(details) {
        text.push_str(&stuck(&name(process), detail));
    }
    text.push_str(&silent(details));
    text
}

/// Workers that do not go on.
fn stuck(process: &str, detail: &Detail) -> String {
    let workers = detail.workers.iter();
    let told = workers.filter_map(|worker| {
        let seconds = worker.stuck_ms? as f64 / 1000.0;
        Some(format!(
            "- stuck: the worker of {process} on CPU {} has not gone on for {seconds:.1} s\n",
            worker.cpu
        ))
    });
    told.collect()
}

/// For `nfv ID; status` and `pri; status`.
pub fn process(process: &ProcessDetail) -> String {
    let Some(detail) = &process.detail else {
        return silent(std::slice::from_ref(process));
    };
    let mut text = String::new();
    section(
        &mut text,
        "patches",
        PATCH_HEADER,
        detail.patches.iter().map(patch_row),
    );
    section(
        &mut text,
        "counters",
        &[
            ("PORT", Left),
            ("LINK", Left),
            ("RX PACKETS", Right),
            ("RX BYTES", Right),
            ("TX PACKETS", Right),
            ("TX BYTES", Right),
            ("DROPS", Right),
            ("", Left),
        ],
        detail.ports.iter().map(|port| {
            let Counters {
                rx_packets,
                rx_bytes,
                tx_packets,
                tx_bytes,
                drops,
            } = port.counters;
            let mut row = vec![port.name.clone(), port.link.clone()];
            row.extend([rx_packets, rx_bytes, tx_packets, tx_bytes].map(|n| n.to_string()));
            row.extend([drops.total().to_string(), because(&drops, &port.info)]);
            row
        }),
    );
    workers(&mut text, detail);
    text.push_str(&stuck(&name(process), detail));
    section(
        &mut text,
        "latencies",
        &probes::header(),
        probes::rows(&detail.latencies),
    );
    section(
        &mut text,
        "rings",
        &[
            ("RING", Left),
            ("USED", Right),
            ("OF", Right),
            ("PRODUCER", Left),
            ("CONSUMER", Left),
        ],
        detail.rings.iter().map(|ring| {
            let free = |who: &String| {
                if who.is_empty() {
                    "-".to_owned()
                } else {
                    who.clone()
                }
            };
            vec![
                ring.name.clone(),
                ring.used.to_string(),
                ring.capacity.to_string(),
                free(&ring.producer),
                free(&ring.consumer),
            ]
        }),
    );
    section(
        &mut text,
        "pools",
        &[
            ("POOL", Left),
            ("FREE", Right),
            ("OF", Right),
            ("RECOVERED", Right),
        ],
        detail.pools.iter().map(|pool| {
            let numbers = [u64::from(pool.free), u64::from(pool.size), pool.recovered];
            [pool.name.clone()]
                .into_iter()
                .chain(numbers.map(|n| n.to_string()))
                .collect()
        }),
    );
    text.push_str(&format!(
        "- process:\n  - pid: {}\n  - version: {} (DPDK {})\n",
        detail.pid, detail.version, detail.dpdk
    ));
    text
}

fn workers(text: &mut String, detail: &Detail) {
    section(
        text,
        "workers",
        &[
            ("CPU", Right),
            ("BUSY", Right),
            ("CYCLES/PACKET", Right),
            ("BURST", Right),
            ("PACKETS", Right),
            ("RESTS", Right),
        ],
        detail.workers.iter().map(|worker| {
            let work = crate::rates::Work::since_start(worker);
            vec![
                worker.cpu.to_string(),
                units::percent(work.busy),
                work.cycles_per_packet
                    .map_or("-".to_owned(), |cycles| format!("{cycles:.0}")),
                work.burst
                    .map_or("-".to_owned(), |burst| format!("{burst:.1}")),
                worker.packets.to_string(),
                worker.rests.to_string(),
            ]
        }),
    );
}

fn section(
    text: &mut String,
    title: &str,
    header: &[(&str, Align)],
    rows: impl Iterator<Item = Vec<String>>,
) {
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        text.push_str(&format!("- {title}:\n"));
        text.push_str(&lines(4, header, &rows));
    }
}

const PATCH_HEADER: &[(&str, Align)] = &[
    ("SRC", Left),
    ("DST", Left),
    ("CPU", Right),
    ("PACKETS", Right),
    ("BYTES", Right),
    ("DROPS", Right),
    ("", Left),
];

fn patch_row(patch: &PatchDetail) -> Vec<String> {
    let Counters {
        tx_packets,
        tx_bytes,
        drops,
        ..
    } = patch.counters;
    vec![
        patch.src.clone(),
        patch.dst.clone(),
        patch.cpu.to_string(),
        tx_packets.to_string(),
        tx_bytes.to_string(),
        drops.total().to_string(),
        because(&drops, &patch.impaired.as_ref().map_or(String::new(), link)),
    ]
}

/// What happens to packets on a patch, and to how many it did.
fn link(it: &ImpairedDetail) -> String {
    let mut parts = vec![format!("with {}", it.with)];
    let counts = [
        ("held", u64::from(it.held)),
        ("late", it.late),
        ("reordered", it.reordered),
        ("duplicated", it.duplicated),
        ("corrupted", it.corrupted),
    ];
    let happened = counts.into_iter().filter(|(_, count)| *count > 0);
    parts.extend(happened.map(|(name, count)| format!("{name} {count}")));
    parts.extend(it.warning.clone());
    parts.join(", ")
}

/// The reasons of drops that happened, and `info` after them.
fn because(drops: &Drops, info: &str) -> String {
    let mut parts: Vec<String> = drops
        .by_reason()
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    if !info.is_empty() {
        parts.push(info.to_owned());
    }
    parts.join(", ")
}

/// Processes that gave no details of themselves, and why.
pub fn silent(details: &[ProcessDetail]) -> String {
    let mut text = String::new();
    for process in details.iter().filter(|process| process.detail.is_none()) {
        let reason = process.error.as_deref().unwrap_or("it gives no details");
        // The controller's reasons begin with the name of the process.
        let prefix = format!("{} {}: ", process.kind, process.client_id);
        let reason = reason.strip_prefix(&prefix).unwrap_or(reason);
        let since = process.since.as_ref();
        text.push_str(&format!(
            "  - {}: {}{} ({reason})\n",
            name(process),
            process.status,
            since.map_or(String::new(), |since| format!(" since {since}"))
        ));
    }
    if !text.is_empty() {
        text.insert_str(0, "- without details:\n");
    }
    text
}

/// Processes that gave details.
pub fn with_detail(details: &[ProcessDetail]) -> impl Iterator<Item = (&ProcessDetail, &Detail)> {
    details
        .iter()
        .filter_map(|process| Some((process, process.detail.as_ref()?)))
}

/// `primary` or `nfv:1`.
pub fn name(process: &ProcessDetail) -> String {
    match process.client_id {
        0 => process.kind.clone(),
        id => format!("{}:{id}", process.kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_panel_lists_patches_with_counters_and_who_is_silent() {
        assert_eq!(
            panel(&testing::details()),
            "- patches:\n    \
             PROCESS  SRC      DST      CPU  PACKETS  BYTES  DROPS\n    \
             nfv:1    vhost:1  ring:0     1     1000  64000      7  full 5, link-down 2\n    \
             nfv:1    ring:1   vhost:1    1        0      0      0\n    \
             nfv:2    ring:0   vhost:2    2      995  63680      0\n    \
             nfv:2    vhost:2  ring:1     2        0      0      0\n\
             - without details:\n  - nfv:3: not responding (no answer within 500 ms)\n"
        );
        assert_eq!(panel(&[]), "");
    }

    #[test]
    fn a_process_shows_ports_workers_and_version() {
        let text = process(&testing::details()[1]);
        for part in [
            "- patches:\n    SRC ",
            "- counters:\n    PORT ",
            "/tmp/sock1",
            "- workers:\n",
            "25.0 %",
            "- process:\n  - pid: 4711\n",
        ] {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        assert!(!text.contains("- rings:"), "{text}");
        let primary = process(&testing::details()[0]);
        assert!(
            primary.contains("ring:0    12  1023  nfv:1     nfv:2\n"),
            "{primary}"
        );
    }
}
