//! The program as a whole against a fake controller: what it asks, prints and ends with.

mod components;
mod control;
mod flow;
mod lines;
mod offers;
mod sessions;
mod table;
mod views;

use serde_json::json;

use crate::testing::fake::Ran;
use crate::testing::{details, later};

/// A primary with a forwarder and nfv 1, which refuses `ring:50`.
pub fn panel(request: &str, body: &str, number: usize) -> (u16, String) {
    let text = match request {
        "GET /v1/processes" => r#"[{"type":"primary"},{"type":"pcap","client-id":4},
            {"type":"nfv","client-id":1},{"type":"nfv","client-id":2}]"#
            .to_owned(),
        "GET /v1/nfvs/1" | "GET /v1/nfvs/2" => r#"{"client-id":1,"status":"running",
            "master-lcore":0,"lcores":[0,1],"ports":["phy:0 nq 1","vhost:1","ring:0","ring:1"],
            "patches":[{"src":"vhost:1","dst":"ring:0"},{"src":"ring:1","dst":"vhost:1"}]}"#
            .to_owned(),
        "GET /v1/primary/status" => r#"{"master-lcore":0,"lcores":[0,1],
            "forwarder":{"status":"idling","ports":["phy:0"],"patches":[]},
            "phy_ports":[],"ring_ports":[]}"#
            .to_owned(),
        "GET /v1/details" if number == 0 => json!(details()).to_string(),
        "GET /v1/details" => json!(later(&details())).to_string(),
        "GET /v1/details/0" => json!(details()[0]).to_string(),
        "GET /v1/details/1" => json!(details()[1]).to_string(),
        _ if request.contains("/v1/nfvs/9") => return (404, "sec_id 9 not found.".into()),
        _ if body.contains("ring:50") => {
            return (
                409,
                "ring:50 does not exist: this primary has ring:0..ring:15".into(),
            );
        }
        _ if request.starts_with("GET") => return (404, "Not found.".into()),
        _ => return (204, String::new()),
    };
    (200, text)
}

/// A controller of the original: no primary, nothing of ours.
pub fn original(request: &str, _body: &str, _number: usize) -> (u16, String) {
    match request {
        "GET /v1/processes" => (200, r#"[{"type":"nfv","client-id":1}]"#.into()),
        "GET /v1/nfvs/1" => panel(request, "", 0),
        "GET /v1/primary/status" => (404, "primary not found.".into()),
        _ => (404, "Not found: '/'".into()),
    }
}

pub fn done(out: &str) -> Ran {
    Ran {
        code: 0,
        out: format!("{out}\n"),
        err: String::new(),
    }
}

/// One process of each kind, and a primary with flow rules.
pub fn switchboard(request: &str, body: &str, number: usize) -> (u16, String) {
    let text = match request {
        "GET /v1/processes" => {
            r#"[{"type":"primary"},{"type":"nfv","client-id":1},
            {"type":"vf","client-id":2},{"type":"mirror","client-id":3},{"type":"pcap","client-id":4}]"#
        }
        "GET /v1/primary/status" => {
            r#"{"master-lcore":0,"lcores":[0],"ring_ports":[],"phy_ports":[
            {"id":0,"eth":"02:00:00:00:00:0a","rx":0,"tx":0,"tx_drop":0,"nof_queues":{"rx":2,"tx":2},
             "flow":[{"rule_id":0,"attr":{"group":1,"priority":0,"ingress":1,"egress":0,"transfer":0},
                      "patterns":[{"type":"eth","spec":null,"last":null,"mask":null}],
                      "actions":[{"type":"queue","conf":{"index":1}}]}]},
            {"id":1,"eth":"02:00:00:00:00:0b","rx":0,"tx":0,"tx_drop":0,"nof_queues":{"rx":1,"tx":1},"flow":[]}]}"#
        }
        "GET /v1/vfs/2" => {
            r#"{"client-id":2,"ports":["phy:0 nq 0","phy:0 nq 1","ring:1"],"master-lcore":1,
            "components":[{"core":4,"name":"fw1","type":"forward",
                "rx_port":[{"port":"phy:0 nq 1"}],"tx_port":[{"port":"ring:1"}]},
                {"core":5,"type":"unuse"}],"classifier_table":[]}"#
        }
        "GET /v1/mirrors/3" => {
            r#"{"client-id":3,"ports":["phy:0","ring:6","ring:7"],"master-lcore":6,
            "components":[{"core":7,"name":"m","type":"mirror",
                "rx_port":[{"port":"phy:0"}],"tx_port":[{"port":"ring:6"},{"port":"ring:7"}]}]}"#
        }
        "GET /v1/pcaps/4" => {
            r#"{"client-id":4,"status":"idle","master-lcore":9,
            "core":[{"core":10,"role":"receive","rx_port":[{"port":"phy:1"}]},
                    {"core":11,"role":"write","filename":""}]}"#
        }
        "GET /v1/cpu_layout" => {
            r#"[{"socket_id":0,"cores":[{"core_id":0,"lcores":[0,4]},
            {"core_id":1,"lcores":[1,5]},{"core_id":2,"lcores":[2,6]},{"core_id":3,"lcores":[3,7]}]}]"#
        }
        "GET /v1/cpu_usage" => {
            r#"[{"proc-type":"primary","master-lcore":0,"lcores":[0,1]},
            {"proc-type":"nfv","client-id":1,"master-lcore":2,"lcores":[2,3]}]"#
        }
        "POST /v1/primary/flow_rules/port_id/0/validate" => {
            r#"{"result": "success", "message": "Flow rule validated"}"#
        }
        "POST /v1/primary/flow_rules/port_id/0" => {
            r#"{"result": "success", "message": "Flow rule #0 created", "rule_id": "0"}"#
        }
        "DELETE /v1/primary/flow_rules/0/port_id/0" => {
            r#"{"result": "success", "message": "Flow rule #0 destroyed"}"#
        }
        "DELETE /v1/primary/flow_rules/7/port_id/0" => {
            r#"{"result": "error", "message": "Flow rule #7 not found"}"#
        }
        "DELETE /v1/primary/flow_rules/port_id/0" => {
            r#"{"result": "success", "message": "Flow rule all destroyed"}"#
        }
        _ if request.contains("s/9") => return (404, "sec_id 9 not found.".into()),
        _ if body.contains("\"core\":99") => return (400, "command error: error occur".into()),
        _ => return panel(request, body, number),
    };
    (200, text.to_owned())
}
