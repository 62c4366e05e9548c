//! Names of ports and processes in drawings, which may be anything that a process says.

use protocol::port::PortName;

use crate::render::dot::KINDS;
use crate::topology::ProcessBox;

/// All ports of a panel, by type and then in the order of their appearance.
pub fn ports(boxes: &[ProcessBox]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for shown in boxes {
        let ends = shown
            .cables
            .iter()
            .flat_map(|cable| [&cable.src, &cable.dst]);
        for end in ends.chain(&shown.loose) {
            if !found.contains(&end.port) {
                found.push(end.port.clone());
            }
        }
    }
    let rank = |port: &str| KINDS.iter().position(|(known, _)| *known == kind(port));
    found.sort_by_key(|port| rank(port).unwrap_or(KINDS.len()));
    found
}

/// The word before the colon; empty if there is none.
pub fn kind(port: &str) -> &str {
    port.split_once(':').map_or("", |(kind, _)| kind)
}

/// The number after the colon of a process's name.
pub fn id<T: std::str::FromStr>(process: &str) -> Option<T> {
    process.rsplit(':').next()?.parse().ok()
}

/// Whether this is a port as processes of ours and of the original name it.
pub fn is_port(text: &str) -> bool {
    let reported = |port: PortName| port.report() == text;
    text.parse().is_ok_and(reported)
        || text.strip_prefix("spppcap:").is_some_and(|id| {
            id.parse::<u16>()
                .is_ok_and(|number| number.to_string() == id)
        })
}

/// A text without what no picture can show: control characters but for the line break, and what
/// XML does not allow.
pub fn printable(text: &str) -> String {
    let odd = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars()
        .map(|c| if odd(c) { '\u{fffd}' } else { c })
        .collect()
}
