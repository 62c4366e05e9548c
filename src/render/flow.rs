//! Flow rules, in the layouts of the original.

use serde_json::Value;

/// `flow list PORT`: a line a rule.
pub fn list(flows: &[Value]) -> String {
    let mut text = row(&["ID", "Group", "Prio", "Attr"]) + "Rule\n";
    for flow in flows {
        let attribute = |name: &str| shown(&flow["attr"][name]);
        let letter = |name: &str, letter: char| match is_set(&flow["attr"][name]) {
            true => letter,
            false => '-',
        };
        let letters: String = [
            letter("ingress", 'i'),
            letter("egress", 'e'),
            letter("transfer", 't'),
        ]
        .into_iter()
        .collect();
        text.push_str(&row(&[
            &shown(&flow["rule_id"]),
            &attribute("group"),
            &attribute("priority"),
            &letters,
        ]));
        text.push_str(&types(&flow["patterns"]));
        text.push_str("=> ");
        text.push_str(&types(&flow["actions"]));
        text.push('\n');
    }
    text
}

/// `flow status PORT ID`: all about one rule.
pub fn status(flow: &Value) -> String {
    let attr = &flow["attr"];
    let truth = |name: &str| if is_set(&attr[name]) { "true" } else { "false" };
    let mut text = String::from("Attribute:\n  Group   Priority Ingress Egress Transfer\n");
    text.push_str(&format!(
        "  {:<7} {:<8} {:<7} {:<6} {:<8}\n",
        shown(&attr["group"]),
        shown(&attr["priority"]),
        truth("ingress"),
        truth("egress"),
        truth("transfer")
    ));
    text.push_str("Patterns:\n");
    for pattern in elements(&flow["patterns"]) {
        text.push_str(&format!("  - {}:\n", shown(&pattern["type"])));
        for part in ["spec", "last", "mask"] {
            text.push_str(&format!("    - {part}:\n"));
            text.push_str(&fields("      ", &pattern[part]));
        }
    }
    text.push_str("Actions:\n");
    for action in elements(&flow["actions"]) {
        text.push_str(&format!("  - {}:\n", shown(&action["type"])));
        text.push_str(&fields("    ", &action["conf"]));
    }
    text
}

fn row(cells: &[&str]) -> String {
    cells.iter().map(|cell| format!("{cell:<7} ")).collect()
}

fn types(list: &Value) -> String {
    elements(list)
        .iter()
        .map(|element| shown(&element["type"]).to_uppercase() + " ")
        .collect()
}

fn fields(indent: &str, members: &Value) -> String {
    let members = members.as_object().into_iter().flatten();
    members
        .map(|(name, value)| format!("{indent}- {name}: {}\n", shown(value)))
        .collect()
}

fn elements(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn is_set(value: &Value) -> bool {
    value.as_bool().unwrap_or(false) || value.as_u64().is_some_and(|number| number != 0)
}

fn shown(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Value {
        serde_json::from_str(
            r#"{"rule_id":0,"attr":{"group":1,"priority":0,"ingress":1,"egress":0,"transfer":0},
            "patterns":[{"type":"eth","spec":{"dst":"02:00:00:00:00:01","src":"00:00:00:00:00:00","type":"0x0000"},
                         "last":null,
                         "mask":{"dst":"FF:FF:FF:FF:FF:FF","src":"00:00:00:00:00:00","type":"0x0000"}},
                        {"type":"vlan","spec":{"tci":"0x6400","inner_type":"0x0000"},"last":null,"mask":null}],
            "actions":[{"type":"queue","conf":{"index":1}},{"type":"of_pop_vlan","conf":null}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_list_is_laid_out_as_the_original_did() {
        assert_eq!(list(&[]), "ID      Group   Prio    Attr    Rule\n");
        assert_eq!(
            list(&[rule()]),
            "ID      Group   Prio    Attr    Rule\n\
             0       1       0       i--     ETH VLAN => QUEUE OF_POP_VLAN \n"
        );
    }

    #[test]
    fn a_rule_is_laid_out_as_the_original_did() {
        assert_eq!(
            status(&rule()),
            "Attribute:
  Group   Priority Ingress Egress Transfer
  1       0        true    false  false   \n\
Patterns:
  - eth:
    - spec:
      - dst: 02:00:00:00:00:01
      - src: 00:00:00:00:00:00
      - type: 0x0000
    - last:
    - mask:
      - dst: FF:FF:FF:FF:FF:FF
      - src: 00:00:00:00:00:00
      - type: 0x0000
  - vlan:
    - spec:
      - tci: 0x6400
      - inner_type: 0x0000
    - last:
    - mask:
Actions:
  - queue:
    - index: 1
  - of_pop_vlan:
"
        );
    }
}
