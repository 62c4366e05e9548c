//! The REST interface.

use std::time::Duration;

use testbed::{Panel, http};

use crate::{ABSURD, LONG, long_word, panel};

/// For the controller to answer, with the process behind it.
const LIMIT: Duration = Duration::from_secs(60);

#[track_caller]
fn refused(panel: &Panel, method: &str, path: &str, body: &str) {
    let shown: String = body.chars().take(80).collect();
    let answer = http::request(panel.rest(), method, path, &[], body, LIMIT)
        .unwrap_or_else(|error| panic!("{method} {path} {shown}: {error}"));
    assert!(
        [400, 404, 405, 413].contains(&answer.status),
        "{method} {path} {shown}: {} {}",
        answer.status,
        answer.body
    );
    assert!(
        (5..2000).contains(&answer.body.len()) || method == "HEAD",
        "{method} {path} {shown}: without words: {:?}",
        answer.body
    );
}

fn json(value: &str) -> String {
    serde_json::to_string(value).expect("a string")
}

#[test]
fn bad_requests_are_refused_and_change_nothing() {
    let panel = panel();
    let before = panel.shape();
    for who in ["/v1/nfvs/1", "/v1/primary"] {
        for what in ["ports", "patches", "forward"] {
            let path = format!("{who}/{what}");
            for body in [
                "",
                " ",
                "{",
                "}",
                "null",
                "[]",
                "1",
                "\"add\"",
                "{}",
                "[{\"action\":\"add\"}]",
                "{\"action\":\"add\"}",
                "{\"port\":\"ring:2\"}",
                "{\"action\":\"fly\",\"port\":\"ring:2\"}",
                "{\"action\":null,\"port\":null}",
                "{\"action\":1,\"port\":2}",
                "{\"action\":[],\"port\":{}}",
                "{\"src\":\"ring:0\"}",
                "{\"dst\":\"ring:0\"}",
                "{\"src\":1,\"dst\":2}",
                "{\"src\":\"ring:0\",\"dst\":\"ring:0\",\"lcore\":\"0\"}",
                "{\"src\":\"ring:0\",\"dst\":\"ring:0\",\"lcore\":-1}",
                "{\"src\":\"ring:0\",\"dst\":\"ring:0\",\"lcore\":99999999999}",
                "{\"src\":\"ring:0\",\"dst\":\"ring:0\",\"lcore\":4000}",
                "{\"action\":\"add\",\"port\":\"ring:2\",\"mode\":\"client\"}",
                "{\"action\":\"add\",\"port\":\"vhost:2\",\"mode\":\"both\"}",
                "{\"action\":\"add\",\"port\":\"vhost:2\",\"mode\":1}",
            ] {
                refused(&panel, "PUT", &path, body);
            }
            let long = long_word(LONG);
            refused(&panel, "PUT", &path, &long);
            refused(
                &panel,
                "PUT",
                &path,
                &format!("{{\"action\":\"add\",\"port\":\"{long}\"}}"),
            );
            refused(&panel, "PUT", &path, &"[".repeat(LONG));
            for method in ["GET", "POST", "PATCH", "OPTIONS", "FLY"] {
                refused(&panel, method, &path, "");
            }
        }
        for word in ABSURD {
            let word = json(word);
            for action in ["add", "del"] {
                refused(
                    &panel,
                    "PUT",
                    &format!("{who}/ports"),
                    &format!("{{\"action\":\"{action}\",\"port\":{word}}}"),
                );
            }
            refused(
                &panel,
                "PUT",
                &format!("{who}/patches"),
                &format!("{{\"src\":{word},\"dst\":\"ring:0\"}}"),
            );
            refused(
                &panel,
                "PUT",
                &format!("{who}/patches"),
                &format!("{{\"src\":\"ring:0\",\"dst\":{word}}}"),
            );
            refused(
                &panel,
                "PUT",
                &format!("{who}/forward"),
                &format!("{{\"action\":{word}}}"),
            );
        }
        for src in [
            "bogus", "ring:9", "ring%3A9", "%00", "%ff", "..", "ring:0/x", "vhost:2",
        ] {
            refused(&panel, "DELETE", &format!("{who}/patches/{src}"), "");
        }
    }
    for path in [
        "/panel/../v1/processes",
        "/panel/nosuch",
        "/v1",
        "/v2/processes",
        "/v1/nfvs",
        "/v1/nfvs/",
        "/v1/nfvs/0",
        "/v1/nfvs/2",
        "/v1/nfvs/x",
        "/v1/nfvs/-1",
        "/v1/nfvs/99999999999999999999",
        "/v1/nfvs/1/",
        "/v1/vfs/1",
        "/v1/mirrors/1",
        "/v1/pcaps/1",
        "/v1/details/9",
        "/v1/details/x",
        "/v1/../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//v1/processes",
    ] {
        refused(&panel, "GET", path, "");
        refused(&panel, "DELETE", path, "");
    }
    for body in [
        "{}",
        "{\"client_id\":2}",
        "{\"client_id\":2,\"proc_name\":\"sh\",\"eal\":{\"-l\":\"0\",\"--proc-type\":\"secondary\"},\"app\":{}}",
        "{\"client_id\":\"2;reboot\",\"proc_name\":\"spp_nfv\",\"eal\":{\"-l\":\"0\",\"--proc-type\":\"secondary\"},\"app\":{}}",
        "{\"client_id\":2,\"proc_name\":\"spp_nfv\",\"eal\":{\"-l\":\"0 --vdev x\",\"--proc-type\":\"secondary\"},\"app\":{}}",
        "{\"client_id\":2,\"proc_name\":\"spp_nfv\",\"eal\":[],\"app\":[]}",
        "{\"client_id\":300,\"proc_name\":\"spp_nfv\",\"eal\":{\"-l\":\"0\",\"--proc-type\":\"secondary\"},\"app\":{}}",
    ] {
        refused(&panel, "PUT", "/v1/primary/launch", body);
    }
    assert_eq!(panel.shape(), before);
    panel.ok("nfv 1 unpatch vhost:1");
    panel.finish();
}
