//! Latencies and traces in text.

use protocol::probe::{Latency, LatencyDetail, LatencyTimes, Trace, TracedPacket};

use crate::render::columns::{Align, lines};
use crate::render::units;

use Align::{Left, Right};

const FIGURES: [(&str, Align); 6] = [
    ("SAMPLES", Right),
    ("P50", Right),
    ("P90", Right),
    ("P99", Right),
    ("P99.9", Right),
    ("MAX", Right),
];

fn figures(times: &LatencyTimes) -> [String; 6] {
    let time = |ns| match times.samples {
        0 => "-".to_owned(),
        _ => units::time(ns),
    };
    [
        times.samples.to_string(),
        time(times.p50_ns),
        time(times.p90_ns),
        time(times.p99_ns),
        time(times.p999_ns),
        time(times.max_ns),
    ]
}

const UNEVEN: &str =
    "The CPUs' counters do not run alike: times over two CPUs mean nothing here.\n";

/// For `latency`: every path.
pub fn paths(paths: &[Latency]) -> String {
    let mut header = vec![
        ("SRC", Left),
        ("DST", Left),
        ("FROM", Left),
        ("TO", Left),
        ("EVERY", Right),
        ("STAMPED", Right),
    ];
    header.extend(FIGURES);
    let rows: Vec<Vec<String>> = paths
        .iter()
        .map(|path| {
            let who = |end: &Option<String>| end.clone().unwrap_or("-".to_owned());
            let mut row = vec![
                path.src.clone(),
                path.dst.clone(),
                who(&path.from),
                who(&path.to),
                path.every.to_string(),
                path.stamped.to_string(),
            ];
            row.extend(figures(&path.times));
            row
        })
        .collect();
    let mut text = lines(0, &header, &rows);
    let backward: u64 = paths.iter().map(|path| path.times.backward).sum();
    if backward > 0 || paths.iter().any(|path| !path.even_clock) {
        text.push_str(UNEVEN);
    }
    text
}

/// Columns of a latency in the tables of processes.
pub fn header() -> Vec<(&'static str, Align)> {
    let mut header = vec![("LATENCY", Left)];
    header.extend(FIGURES);
    header
}

/// Rows of the latencies whose ends are in a process.
pub fn rows(latencies: &[LatencyDetail]) -> impl Iterator<Item = Vec<String>> {
    latencies.iter().filter_map(|latency| {
        let times = latency.times.as_ref()?;
        let mut row = vec![format!("{} -> {}", latency.src, latency.dst)];
        row.extend(figures(times));
        Some(row)
    })
}

/// For `trace`: a line a packet, and its bytes below.
pub fn trace(trace: &Trace) -> String {
    let mut text = String::new();
    for packet in &trace.packets {
        text.push_str(&line(packet, &trace.src));
        dump(&mut text, &packet.bytes());
    }
    text.push_str(&format!(
        "{} from {} of {}",
        units::count(trace.packets.len() as u64, "packet"),
        trace.src,
        trace.process
    ));
    text
}

/// `08:02:48.123456789 ring:0 64 bytes -> ring:1`
fn line(packet: &TracedPacket, src: &str) -> String {
    let second = packet.seconds % 86_400;
    format!(
        "{:02}:{:02}:{:02}.{:09} {src} {} bytes {}\n",
        second / 3600,
        second / 60 % 60,
        second % 60,
        packet.nanoseconds,
        packet.length,
        packet.fate()
    )
}

fn dump(text: &mut String, bytes: &[u8]) {
    for (row, part) in bytes.chunks(16).enumerate() {
        let digits: Vec<String> = part.iter().map(|byte| format!("{byte:02x}")).collect();
        let letter = |byte: &u8| match byte {
            0x20..=0x7e => char::from(*byte),
            _ => '.',
        };
        let letters: String = part.iter().map(letter).collect();
        text.push_str(&format!(
            "  {:04x}  {:<47}  {letters}\n",
            row * 16,
            digits.join(" ")
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::probe::Decision;

    #[test]
    fn a_packet_is_a_line_with_its_bytes_below() {
        let packet = TracedPacket {
            seconds: 86_400 * 3 + 3_661,
            nanoseconds: 5,
            length: 60,
            data: "00ff41".to_owned() + &"20".repeat(14),
            decisions: vec![Decision {
                port: Some("ring:1".to_owned()),
                dropped: Some("full".to_owned()),
            }],
            more: 0,
        };
        let trace = super::trace(&Trace {
            process: "nfv:1".to_owned(),
            src: "ring:0".to_owned(),
            packets: vec![packet],
        });
        assert_eq!(
            trace,
            "01:01:01.000000005 ring:0 60 bytes -> ring:1: dropped, full\n  \
             0000  00 ff 41 20 20 20 20 20 20 20 20 20 20 20 20 20  ..A             \n  \
             0010  20                                                \n\
             1 packet from ring:0 of nfv:1"
        );
    }

    #[test]
    fn a_path_is_a_row() {
        let path = Latency {
            src: "vhost:1".to_owned(),
            dst: "vhost:2".to_owned(),
            from: Some("nfv:1".to_owned()),
            to: None,
            every: 1000,
            stamped: 12,
            times: LatencyTimes {
                samples: 10,
                p50_ns: 950,
                p90_ns: 12_340,
                p99_ns: 123_400,
                p999_ns: 1_234_000,
                max_ns: 51_234_000_000,
                ..LatencyTimes::default()
            },
            even_clock: false,
        };
        assert_eq!(
            paths(&[path]),
            "SRC      DST      FROM   TO  EVERY  STAMPED  SAMPLES     P50      P90     P99    P99.9     MAX\n\
             vhost:1  vhost:2  nfv:1  -    1000       12       10  950 ns  12.3 µs  123 µs  1.23 ms  51.2 s\n\
             The CPUs' counters do not run alike: times over two CPUs mean nothing here.\n"
        );
    }
}
