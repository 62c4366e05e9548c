//! What the primary launched, below its status; nothing if it launched nothing.

use protocol::detail::{LaunchedDetail, ProcessDetail};

use crate::render::columns::{Align, lines};

/// A table of the launched processes, and below it the last words of those that failed.
pub fn section(primary: &ProcessDetail) -> String {
    let launched = match &primary.detail {
        Some(detail) if !detail.launched.is_empty() => &detail.launched,
        _ => return String::new(),
    };
    let name = |process: &LaunchedDetail| format!("{}:{}", process.kind, process.client_id);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let rows: Vec<Vec<String>> = launched
        .iter()
        .map(|process| {
            vec![
                name(process),
                process.state.clone(),
                process.since.clone(),
                or_dash(process.pid.map(|pid| pid.to_string())),
                process.restart.clone(),
                process.restarts.to_string(),
                or_dash(process.exit.clone()),
                process.log.clone(),
            ]
        })
        .collect();
    let header = [
        ("PROCESS", Align::Left),
        ("STATE", Align::Left),
        ("SINCE", Align::Left),
        ("PID", Align::Right),
        ("RESTART", Align::Left),
        ("RESTARTS", Align::Right),
        ("LAST END", Align::Left),
        ("LOG", Align::Left),
    ];
    let mut text = format!("- launched:\n{}", lines(4, &header, &rows));
    for process in launched {
        if !process.last_words.is_empty() {
            text.push_str(&format!("  - last words of {}:\n", name(process)));
        }
        for line in &process.last_words {
            text.push_str(&format!("      {line}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn launched_processes_are_shown_only_if_there_are_some() {
        let mut primary = testing::details()[0].clone();
        assert_eq!(section(&primary), "");
        let detail = primary.detail.as_mut().unwrap();
        detail.launched = serde_json::from_str(
            r#"[{"client-id": 5, "type": "nfv", "pid": 4711, "state": "running", "since": "2026-01-31T23:59:59Z",
                 "exit": null, "restart": "never", "restarts": 0, "log": "/l/spp_nfv-5.log"},
                {"client-id": 16, "type": "vf", "pid": null, "state": "restarting", "since": "2026-01-31T23:59:59Z",
                 "exit": "exit status 1", "last-words": ["no such option", "usage"], "restart": "always",
                 "restarts": 12, "log": "/l/spp_vf-16.log"}]"#,
        )
        .unwrap();
        assert_eq!(
            section(&primary),
            "- launched:\n    \
             PROCESS  STATE       SINCE                  PID  RESTART  RESTARTS  LAST END       LOG\n    \
             nfv:5    running     2026-01-31T23:59:59Z  4711  never           0  -              /l/spp_nfv-5.log\n    \
             vf:16    restarting  2026-01-31T23:59:59Z     -  always         12  exit status 1  /l/spp_vf-16.log\n  \
             - last words of vf:16:\n      no such option\n      usage\n"
        );
    }
}
