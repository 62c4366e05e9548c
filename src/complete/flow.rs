//! `pri; flow`: words of a rule, one after the other.

use serde_json::Value;

use super::{Candidates, Completion, complete, hints, words};
use crate::commands::flow::{ACTIONS, FORMS, ITEMS};

impl Completion {
    pub(super) fn flow(&self, given: &[&str]) -> Candidates {
        match given {
            [] => words(FORMS.iter().copied()),
            [form] if FORMS.contains(form) => Candidates {
                words: self
                    .physical()
                    .into_iter()
                    .map(|(id, _)| complete(&format!("phy:{id}")))
                    .collect(),
                ..Candidates::default()
            },
            ["validate" | "create", _, rule @ ..] => next_in_rule(rule),
            [form @ ("destroy" | "status"), port] => {
                let all = ["ALL"].into_iter().filter(|_| *form == "destroy");
                let mut found = words(all);
                found.words.extend(self.rule_ids(port));
                found
            }
            _ => Candidates::default(),
        }
    }

    /// Physical ports, with their flow rules.
    fn physical(&self) -> Vec<(u16, Vec<Value>)> {
        let ports = self.primary().map(|status| status.phy_ports);
        let ports = ports.unwrap_or_default().into_iter();
        ports.map(|port| (port.id, port.flow)).collect()
    }

    fn rule_ids(&self, port: &str) -> Vec<String> {
        let number = port.strip_prefix("phy:").and_then(|id| id.parse().ok());
        self.physical()
            .into_iter()
            .filter(|(id, _)| Some(*id) == number)
            .flat_map(|(_, rules)| rules)
            .filter_map(|rule| Some(complete(&rule.get("rule_id")?.to_string())))
            .collect()
    }
}

/// What may follow the words of a rule, after its port.
fn next_in_rule(rule: &[&str]) -> Candidates {
    let Some(at) = rule.iter().position(|word| *word == "pattern") else {
        return match rule.last() {
            Some(&"group") => hints(&["GROUP_ID"]),
            Some(&"priority") => hints(&["LEVEL"]),
            _ => {
                let all = [
                    "group", "priority", "ingress", "egress", "transfer", "pattern",
                ];
                words(all.into_iter().filter(|word| !rule.contains(word)))
            }
        };
    };
    let rest = &rule[at + 1..];
    match rest.iter().position(|word| *word == "actions") {
        None => next_in_item(last_element(rest)),
        Some(at) => next_in_action(last_element(&rest[at + 1..])),
    }
}

/// The words behind the last `/`.
fn last_element<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    let start = words.iter().rposition(|word| *word == "/");
    &words[start.map_or(0, |at| at + 1)..]
}

fn next_in_item(element: &[&str]) -> Candidates {
    let fields: &[&str] = match element.first() {
        Some(&"eth") => &["dst", "src", "type"],
        Some(&"vlan") => &["tci", "pcp", "dei", "vid", "inner_type"],
        Some(&"end") => return words(["actions"].into_iter()),
        None => return words(ITEMS.into_iter().chain(["end"])),
        Some(_) => return Candidates::default(),
    };
    // Fields come in threes: name, operator, value.
    match element[1..].chunks(3).last() {
        Some([_]) => words(["is", "spec", "last", "mask", "prefix"].into_iter()),
        Some([_, "prefix"]) => hints(&["Prefix"]),
        Some(["dst" | "src", _]) => hints(&["MAC_ADDRESS"]),
        Some([_, _]) => hints(&["UNSIGNED_INT"]),
        _ => words(fields.iter().copied().chain(["/"])),
    }
}

fn next_in_action(element: &[&str]) -> Candidates {
    let field = match element.first() {
        Some(&"jump") => "group",
        Some(&"queue") => "index",
        Some(&"of_push_vlan") => "ethertype",
        Some(&"of_set_vlan_pcp") => "vlan_pcp",
        Some(&"of_set_vlan_vid") => "vlan_vid",
        Some(&"of_pop_vlan") => return words(["/"].into_iter()),
        None => return words(ACTIONS.into_iter().chain(["end"])),
        Some(_) => return Candidates::default(),
    };
    match element.len() {
        1 => words([field].into_iter()),
        2 => hints(&["UNSIGNED_INT"]),
        _ => words(["/"].into_iter()),
    }
}
