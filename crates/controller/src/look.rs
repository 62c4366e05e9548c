//! What a process has at one moment, as far as events tell of it.

use std::collections::{BTreeMap, BTreeSet};

use protocol::detail::Detail;
use protocol::event::Change;
use serde_json::Value;

/// Ports, patches and forwarding of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// Links by port: `up`, `down`, or `-` where there is none or it is not known.
    ports: BTreeMap<String, String>,
    /// Destinations by source.
    patches: BTreeMap<String, String>,
    forwarding: bool,
    /// CPUs of workers that are stuck.
    stuck: BTreeSet<u32>,
}

impl Look {
    /// Of a process of ours.
    pub fn of_detail(detail: Detail) -> Self {
        let patches = detail.patches.into_iter();
        let stuck = detail.workers.iter().filter(|w| w.stuck_ms.is_some());
        Self {
            ports: detail.ports.into_iter().map(|p| (p.name, p.link)).collect(),
            patches: patches.map(|patch| (patch.src, patch.dst)).collect(),
            forwarding: detail.status == "running",
            stuck: stuck.map(|worker| worker.cpu).collect(),
        }
    }

    /// Of a process of the original, which tells of no links; what is not there is left out.
    pub fn of_status(status: &Value) -> Self {
        let panel = ["forwarder", "info"].iter().find_map(|key| status.get(key));
        let panel = panel.unwrap_or(status);
        let list = |key: &str| {
            panel
                .get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        let unknown = |port: String| (port, "-".to_owned());
        let mut ports: BTreeMap<_, _> = list("ports")
            .filter_map(Value::as_str)
            .map(|port| unknown(port.to_owned()))
            .collect();
        for kind in ["phy", "vhost", "ring"] {
            let numbers = list(kind).filter_map(Value::as_str);
            ports.extend(numbers.map(|number| unknown(format!("{kind}:{number}"))));
        }
        let patch = |patch: &Value| {
            let end = |key: &str| Some(patch.get(key)?.as_str()?.to_owned());
            Some((end("src")?, end("dst")?))
        };
        Self {
            ports,
            patches: list("patches").filter_map(patch).collect(),
            forwarding: panel.get("status").and_then(Value::as_str) == Some("running"),
            stuck: BTreeSet::new(),
        }
    }
}

/// What changed in `process`: what went, then what came.
pub(crate) fn differences(process: &str, before: &Look, after: &Look) -> Vec<Change> {
    let process = || process.to_owned();
    let mut changes = Vec::new();
    if before.forwarding && !after.forwarding {
        changes.push(Change::ForwardStopped { process: process() });
    }
    let patch_gone = before
        .patches
        .iter()
        .filter(|(src, dst)| after.patches.get(*src) != Some(*dst));
    changes.extend(patch_gone.map(|(src, dst)| Change::PatchDeleted {
        process: process(),
        src: src.clone(),
        dst: dst.clone(),
    }));
    let port_gone = before
        .ports
        .keys()
        .filter(|port| !after.ports.contains_key(*port));
    changes.extend(port_gone.map(|port| Change::PortDeleted {
        process: process(),
        port: port.clone(),
    }));
    for (port, link) in &after.ports {
        match (before.ports.get(port), link.as_str()) {
            (None, _) => changes.push(Change::PortAdded {
                process: process(),
                port: port.clone(),
                link: link.clone(),
            }),
            (Some(old), "up") if old != link => changes.push(Change::LinkUp {
                process: process(),
                port: port.clone(),
            }),
            (Some(old), "down") if old != link => changes.push(Change::LinkDown {
                process: process(),
                port: port.clone(),
            }),
            _ => {}
        }
    }
    let patch_new = after
        .patches
        .iter()
        .filter(|(src, dst)| before.patches.get(*src) != Some(*dst));
    changes.extend(patch_new.map(|(src, dst)| Change::PatchAdded {
        process: process(),
        src: src.clone(),
        dst: dst.clone(),
    }));
    if after.forwarding && !before.forwarding {
        changes.push(Change::ForwardStarted { process: process() });
    }
    changes.extend(
        before
            .stuck
            .difference(&after.stuck)
            .map(|cpu| Change::WorkerBack {
                process: process(),
                cpu: *cpu,
            }),
    );
    changes.extend(
        after
            .stuck
            .difference(&before.stuck)
            .map(|cpu| Change::WorkerStuck {
                process: process(),
                cpu: *cpu,
            }),
    );
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(text: &str) -> Look {
        Look::of_status(&serde_json::from_str(text).unwrap())
    }

    fn names(before: &Look, after: &Look) -> Vec<String> {
        let say = |change: Change| {
            let value = serde_json::to_value(&change).unwrap();
            let words = ["port", "src", "dst"]
                .iter()
                .filter_map(|key| value.get(key)?.as_str());
            format!("{} {}", change.name(), words.collect::<Vec<_>>().join(" "))
        };
        differences("nfv:1", before, after)
            .into_iter()
            .map(say)
            .collect()
    }

    #[test]
    fn what_went_is_told_before_what_came() {
        let before = look(
            r#"{"status":"running","ports":["ring:0","ring:1"],"patches":[{"src":"ring:0","dst":"ring:1"}]}"#,
        );
        let after = look(
            r#"{"status":"idling","ports":["ring:0","ring:2"],"patches":[{"src":"ring:0","dst":"ring:2"}]}"#,
        );
        let expected = [
            "forward-stopped ",
            "patch-deleted ring:0 ring:1",
            "port-deleted ring:1",
            "port-added ring:2",
            "patch-added ring:0 ring:2",
        ];
        assert_eq!(names(&before, &after), expected);
        assert_eq!(names(&after, &after), Vec::<String>::new());
        let all = [
            "port-added ring:0",
            "port-added ring:1",
            "patch-added ring:0 ring:1",
            "forward-started ",
        ];
        assert_eq!(names(&Look::default(), &before), all);
    }

    #[test]
    fn a_worker_is_told_when_it_gets_stuck_and_when_it_goes_on() {
        let stuck = |cpus: &[u32]| Look {
            stuck: cpus.iter().copied().collect(),
            ..Look::default()
        };
        assert_eq!(names(&stuck(&[]), &stuck(&[3])), ["worker-stuck "]);
        assert_eq!(names(&stuck(&[3]), &stuck(&[])), ["worker-back "]);
        assert_eq!(names(&stuck(&[3]), &stuck(&[3])), Vec::<String>::new());
    }

    #[test]
    fn links_are_told_where_they_are_known() {
        let link = |link: &str| Look {
            ports: BTreeMap::from([("vhost:1".to_owned(), link.to_owned())]),
            ..Look::default()
        };
        assert_eq!(names(&link("down"), &link("up")), ["link-up vhost:1"]);
        assert_eq!(names(&link("up"), &link("down")), ["link-down vhost:1"]);
        assert_eq!(names(&link("up"), &link("-")), Vec::<String>::new());
    }

    #[test]
    fn statuses_of_the_original_are_understood_as_far_as_they_go() {
        let primary = look(
            r#"{"lcores":[0],"forwarder":{"status":"running","ports":["phy:0"],"patches":[{"src":"phy:0","dst":"udf"}]},"phy_ports":[]}"#,
        );
        let expected = [
            "port-added phy:0",
            "patch-added phy:0 udf",
            "forward-started ",
        ];
        assert_eq!(names(&Look::default(), &primary), expected);
        let vf = look(r#"{"results":[],"info":{"phy":["0 nq 1"],"vhost":["0"],"ring":[]}}"#);
        let expected = ["port-added phy:0 nq 1", "port-added vhost:0"];
        assert_eq!(names(&Look::default(), &vf), expected);
        assert_eq!(look(r#"{"ports":7,"patches":[1]}"#), Look::default());
        assert_eq!(look("[]"), Look::default());
    }
}
