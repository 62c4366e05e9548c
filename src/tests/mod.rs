//! The program as a whole against a fake controller: what it asks, prints and ends with.

mod control;
mod lines;
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
