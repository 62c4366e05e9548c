//! Recordings of the original's `vf`, `mirror` and `pcap`, whose replies hold `results`.

use super::{Ctl, Played, Style, play};

/// Recorded requests and what was said to them: an empty text for success, else the error's message.
pub type Lines = &'static [(&'static str, &'static str)];

/// A script of a process with this id and kind, whose `status` has this `info`. It knows no other command than
/// those of `lines`: any other ends the connection.
pub fn with_results(
    kind: &'static str,
    id: u32,
    info: &'static str,
    lines: Lines,
) -> impl FnMut(&str) -> Option<String> + Send {
    move |command| {
        let rest = match command {
            "_get_client_id" => format!(r#", "client_id": {id}, "process_type": "{kind}""#),
            "status" => format!(r#", "info": {info}"#),
            "exit" => String::new(),
            other => {
                let found = lines.iter().find(|(request, _)| *request == other);
                let (_, message) = found.unwrap_or_else(|| panic!("{kind} was told {other:?}"));
                if !message.is_empty() {
                    return Some(format!(
                        r#"{{ "results": [ {{ "result": "error", "error_details": {{ "message": "{message}" }} }} ] }}"#
                    ));
                }
                String::new()
            }
        };
        Some(format!(
            r#"{{ "results": [ {{ "result": "success" }} ]{rest} }}"#
        ))
    }
}

pub const VF_IDLE: &str = r#"{ "client-id": 2, "phy": [ "0 nq 0", "0 nq 1", "1" ], "vhost": [  ], "ring": [  ], "master-lcore": 3, "core": [ { "core": 4, "type": "unuse" }, { "core": 5, "type": "unuse" } ], "classifier_table": [  ] }"#;

pub const VF_BUSY: &str = r#"{ "client-id": 2, "phy": [ "0 nq 0", "0 nq 1", "1" ], "vhost": [ "2" ], "ring": [ "2", "3", "4", "6" ], "master-lcore": 3, "core": [ { "core": 4, "name": "fw", "type": "forward", "rx_port": [ { "port": "ring:6", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ], "tx_port": [ { "port": "phy:1", "vlan": { "operation": "add", "id": 100, "pcp": 3 } } ] }, { "core": 4, "name": "mg", "type": "merge", "rx_port": [ { "port": "phy:0 nq 0", "vlan": { "operation": "none", "id": 0, "pcp": 0 } }, { "port": "phy:0 nq 1", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ], "tx_port": [ { "port": "ring:2", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ] }, { "core": 5, "name": "cls", "type": "classifier", "rx_port": [ { "port": "ring:2", "vlan": { "operation": "del", "id": 0, "pcp": 0 } } ], "tx_port": [ { "port": "ring:3", "vlan": { "operation": "none", "id": 0, "pcp": 0 } }, { "port": "ring:4", "vlan": { "operation": "add", "id": 200, "pcp": 7 } }, { "port": "vhost:2", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ] } ], "classifier_table": [ { "type": "vlan", "value": "200/default", "port": "vhost:2" }, { "type": "vlan", "value": "200/02:00:00:00:00:0B", "port": "ring:4" }, { "type": "mac", "value": "02:00:00:00:00:0A", "port": "ring:3" } ] }"#;

pub const VF_LINES: Lines = &[
    ("component start b 99 forward", "error occur"),
    ("component start fw 4 forward", ""),
    (
        "component start fw 5 forward",
        "Invalid value (component name)",
    ),
    ("component start mg 4 merge", ""),
    ("component start cls 0 classifier", ""),
    ("component stop nope", ""),
    ("component stop fw", ""),
    ("port add phy:0 rx fw", "Invalid value (port)"),
    ("port add phy:1 tx fw add_vlantag 100 3", ""),
    ("port add ring:9 tx fw", "error occur"),
    ("port del ring:9 tx fw", ""),
    ("port add ring:2 rx nope", "Invalid value (component name)"),
    ("port add phy:0nq1 rx mg", ""),
    ("port add ring:0 rx cls del_vlantag", ""),
    ("port add nullpmd:1 tx cls", "Invalid value (port)"),
    (
        "classifier_table add mac default ring:9",
        "Invalid value (port)",
    ),
    ("classifier_table add vlan 200 02:00:00:00:00:0b ring:4", ""),
    ("classifier_table del mac 02:00:00:00:00:0a ring:3", ""),
];

pub const MIRROR_INFO: &str = r#"{ "client-id": 3, "phy": [ "0 nq 0", "0 nq 1", "1" ], "vhost": [  ], "ring": [ "7", "8" ], "master-lcore": 6, "core": [ { "core": 7, "name": "m", "type": "mirror", "rx_port": [ { "port": "phy:0 nq 1", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ], "tx_port": [ { "port": "ring:7", "vlan": { "operation": "none", "id": 0, "pcp": 0 } }, { "port": "ring:8", "vlan": { "operation": "none", "id": 0, "pcp": 0 } } ] }, { "core": 8, "type": "unuse" } ] }"#;

pub const MIRROR_LINES: Lines = &[
    ("component start m 7 mirror", ""),
    ("component stop m", ""),
    ("port add ring:9 tx m", "error occur"),
    ("port add ring:8 tx m", ""),
    ("port del ring:8 tx m", ""),
];

pub const PCAP_RUNNING: &str = r#"{ "client-id": 4, "status": "running", "master-lcore": 9, "core": [ { "core": 10, "role": "receive", "rx_port": [ { "port": "phy:1" } ] }, { "core": 11, "role": "write", "filename": "/tmp/spp_pcap.20240131120000.phy1.1.255.pcap.lz4" } ] }"#;

pub const PCAP_LINES: Lines = &[("start", ""), ("stop", "")];

/// A controller and one process.
pub async fn with(kind: &'static str, id: u32, info: &'static str, lines: Lines) -> (Ctl, Played) {
    let ctl = Ctl::start(|_| {}).await;
    let script = with_results(kind, id, info, lines);
    let played = play(ctl.secondary, Style::Bare, script).await;
    ctl.until_processes(&format!(r#"[{{"type": "{kind}", "client-id": {id}}}]"#))
        .await;
    (ctl, played)
}
