//! The tables of `top`.

use crate::rates::{Flow, ProcessRates, Work};
use crate::render::columns::{Align, lines};
use crate::render::probes;
use crate::render::units::{bit_rate, packet_rate, percent};
use crate::style::Style;

use Align::{Left, Right};

/// Patches, ports and workers of all processes.
pub fn tables(processes: &[ProcessRates], style: Style) -> String {
    let mut text = String::new();
    let patches = processes.iter().flat_map(|process| {
        process.patches.iter().map(|patch| {
            let mut route = format!("{} -> {}", patch.src, patch.dst);
            if let Some(component) = &patch.component {
                route += &format!(" ({component})");
            }
            let mut row = vec![process.name.clone(), route, patch.cpu.to_string()];
            row.extend(flow(patch.flow));
            row.push(drop_rate(patch.drops));
            row
        })
    });
    table(
        &mut text,
        style,
        &[
            ("PROCESS", Left),
            ("PATCH", Left),
            ("CPU", Right),
            ("PACKETS", Right),
            ("BITS", Right),
            ("DROPS", Right),
        ],
        patches.collect(),
    );
    let ports = processes.iter().flat_map(|process| {
        process.ports.iter().map(|port| {
            let mut row = vec![process.name.clone(), port.name.clone(), port.link.clone()];
            row.extend(flow(port.rx).into_iter().chain(flow(port.tx)));
            row.push(drop_rate(port.drops));
            row
        })
    });
    table(
        &mut text,
        style,
        &[
            ("PROCESS", Left),
            ("PORT", Left),
            ("LINK", Left),
            ("RX PACKETS", Right),
            ("RX BITS", Right),
            ("TX PACKETS", Right),
            ("TX BITS", Right),
            ("DROPS", Right),
        ],
        ports.collect(),
    );
    let workers = processes.iter().flat_map(|process| {
        process.workers.iter().map(
            |Work {
                 cpu,
                 busy,
                 cycles_per_packet,
                 burst,
             }| {
                let or_dash = |value: &Option<f64>, digits: usize| match value {
                    Some(value) => format!("{value:.digits$}"),
                    None => "-".to_owned(),
                };
                vec![
                    process.name.clone(),
                    cpu.to_string(),
                    percent(*busy),
                    or_dash(cycles_per_packet, 0),
                    or_dash(burst, 1),
                ]
            },
        )
    });
    table(
        &mut text,
        style,
        &[
            ("PROCESS", Left),
            ("CPU", Right),
            ("BUSY", Right),
            ("CYCLES/PACKET", Right),
            ("BURST", Right),
        ],
        workers.collect(),
    );
    let latencies = processes.iter().flat_map(|process| {
        probes::rows(&process.latencies)
            .map(|row| std::iter::once(process.name.clone()).chain(row).collect())
    });
    table(
        &mut text,
        style,
        &[&[("PROCESS", Left)][..], &probes::header()].concat(),
        latencies.collect(),
    );
    for process in processes
        .iter()
        .filter(|process| process.status != "running")
    {
        text.push_str(&style.alarm(&format!("{}: {}", process.name, process.status)));
        text.push('\n');
    }
    text
}

fn flow(flow: Flow) -> [String; 2] {
    [packet_rate(flow.packets), bit_rate(flow.bits)]
}

fn drop_rate(drops: f64) -> String {
    if drops > 0.0 {
        packet_rate(drops)
    } else {
        "-".to_owned()
    }
}

fn table(text: &mut String, style: Style, header: &[(&str, Align)], rows: Vec<Vec<String>>) {
    if rows.is_empty() {
        return;
    }
    let table = lines(0, header, &rows);
    match table.split_once('\n') {
        Some((head, body)) => text.push_str(&format!("{}\n{body}\n", style.bold(head))),
        None => text.push_str(&table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rates, testing};

    #[test]
    fn patches_ports_and_workers_have_a_table_each() {
        let before = testing::details();
        let rates = rates::between(&before, &testing::later(&before));
        let text = tables(&rates, Style::default());
        let expected = [
            "PROCESS  PATCH              CPU    PACKETS         BITS   DROPS\n",
            "nfv:1    vhost:1 -> ring:0    1  2.00 Mpps  1.02 Gbit/s  64 pps\n",
            "nfv:2    vhost:2 -> ring:1    2      0 pps      0 bit/s       -\n",
            "nfv:1    vhost:1  up     2.00 Mpps  1.02 Gbit/s",
            "nfv:1      1  50.0 %            500   32.0\n",
            "nfv:3: not responding\n",
        ];
        for part in expected {
            assert!(text.contains(part), "{part} is missing in:\n{text}");
        }
        let bold = tables(
            &rates,
            Style {
                colour: true,
                unicode: false,
            },
        );
        assert!(bold.starts_with("\x1b[1mPROCESS"), "{bold}");
    }
}
