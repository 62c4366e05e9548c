//! `pri; flow …`: rules that a physical port's hardware follows.

use protocol::flow::Rule;
use protocol::port::PortName;
use protocol::reply::{FlowReply, PhyPortStatus};
use serde_json::{Value, json};

use crate::commands::args::Args;
use crate::commands::remote::in_words;
use crate::commands::spec::Target;
use crate::commands::{pri, quote};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render;

/// Words after `flow` that say what to do with rules.
pub const FORMS: [&str; 5] = ["validate", "create", "destroy", "list", "status"];
/// Kinds of items in a pattern.
pub const ITEMS: [&str; 2] = ["eth", "vlan"];
/// Kinds of actions.
pub const ACTIONS: [&str; 6] = [
    "jump",
    "of_pop_vlan",
    "of_push_vlan",
    "of_set_vlan_pcp",
    "of_set_vlan_vid",
    "queue",
];

/// `flow validate|create PORT RULE`, `flow destroy PORT ID|ALL`, `flow list PORT`, `flow status PORT ID`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let words = args.words("validate|create|destroy|list|status PORT [RULE|RULE_ID|ALL]");
    let (form, rest) = words.split_first().ok_or_else(|| {
        wrong(
            "Flow sub command is NULL",
            "one of validate, create, destroy, list, status",
        )
    })?;
    if !FORMS.contains(&form.as_str()) {
        let text = format!("Invalid flow sub command: '{}'", quote(form));
        return Err(wrong(
            &text,
            "one of validate, create, destroy, list, status",
        ));
    }
    let (port, rest) = port(rest)?;
    let path = format!("{}/flow_rules", Target::Primary.path());
    match form.as_str() {
        "validate" => {
            let path = format!("{path}/port_id/{port}/validate");
            let reply = context.client.post(&path, &rule(rest)?);
            reported(context, form, reply)
        }
        "create" => {
            let path = format!("{path}/port_id/{port}");
            let reply = context.client.post(&path, &rule(rest)?);
            reported(context, form, reply)
        }
        "destroy" => {
            let path = match rest.first().map(String::as_str) {
                Some("ALL") => {
                    end(rest)?;
                    format!("{path}/port_id/{port}")
                }
                _ => format!("{path}/{}/port_id/{port}", rule_id(rest)?),
            };
            let reply = context.client.delete_for(&path);
            reported(context, form, reply)
        }
        "list" => {
            if let Some(word) = rest.first() {
                return Err(no_meaning(word));
            }
            let flows = flows(context, port)?;
            Ok(Report::new(render::flow::list(&flows), json!(flows)))
        }
        _ => {
            let id = rule_id(rest)?;
            let flows = flows(context, port)?;
            let flow = flows
                .into_iter()
                .find(|flow| flow.get("rule_id").and_then(Value::as_u64) == Some(id))
                .ok_or_else(|| Failure::refused(format!("RULE_ID:{id} does not exist.")))?;
            Ok(Report::new(render::flow::status(&flow), flow))
        }
    }
}

/// The original's words, then what is expected.
fn wrong(text: &str, expected: &str) -> Failure {
    Failure::usage(format!("{text}\n(expected: {expected})"))
}

fn invalid(reason: &str) -> Failure {
    Failure::usage(format!("Flow command invalid argument\n({reason})"))
}

fn no_meaning(word: &str) -> Failure {
    Failure::usage(format!("'{}' has no meaning here.", quote(word)))
}

/// The physical port at the front of the words: its number, and what follows.
fn port(words: &[String]) -> Result<(u16, &[String]), Failure> {
    const EXPECTED: &str = "a physical port, such as phy:0";
    if words.is_empty() {
        return Err(wrong("RES_UID is NULL", EXPECTED));
    }
    let texts: Vec<&str> = words.iter().map(String::as_str).collect();
    match PortName::take(&texts) {
        Ok((PortName::Phy { port, queue: None }, used)) => {
            Ok((port, words.get(used..).unwrap_or_default()))
        }
        _ => Err(wrong("RES_UID is invalid", EXPECTED)),
    }
}

fn rule_id(words: &[String]) -> Result<u64, Failure> {
    const EXPECTED: &str = "the number of a rule (`flow list PORT` shows them)";
    let word = words
        .first()
        .ok_or_else(|| wrong("RULE_ID is NULL", EXPECTED))?;
    let id = word
        .parse::<u32>()
        .map_err(|_| wrong("RULE_ID is invalid", EXPECTED))?;
    end(words)?;
    Ok(id.into())
}

/// Refuses words after the first.
fn end(words: &[String]) -> Result<(), Failure> {
    words.get(1).map_or(Ok(()), |word| Err(no_meaning(word)))
}

/// A rule in the form of REST. What is wrong with it is said before anything is sent.
fn rule(words: &[String]) -> Result<Value, Failure> {
    let parsed = Rule::parse(&words.join(" ")).map_err(|error| invalid(&error.to_string()))?;
    if !parsed.attributes.ingress && !parsed.attributes.egress {
        return Err(invalid("one of ingress and egress is required"));
    }
    // The words are sent as they were written, of several directions the last.
    let mut rule = json!({});
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next().filter(|word| *word != "pattern") {
        match word {
            "group" => rule[word] = json!(parsed.attributes.group),
            "priority" => rule[word] = json!(parsed.attributes.priority),
            "ingress" | "egress" => rule["direction"] = json!(word),
            "transfer" => rule["transfer"] = json!(true),
            _ => {}
        }
    }
    let rest: Vec<&str> = words.collect();
    let mut lists = rest.split(|word| *word == "actions").map(elements);
    rule["pattern"] = lists.next().unwrap_or_default();
    rule["actions"] = lists.next().unwrap_or_default();
    Ok(json!({"rule": rule}))
}

/// `A / B / end` as a list.
fn elements(words: &[&str]) -> Value {
    let text = words.join(" ");
    let parts = text.split('/').map(str::trim);
    json!(
        parts
            .filter(|part| !part.is_empty() && *part != "end")
            .collect::<Vec<_>>()
    )
}

/// What the primary says is the result: that of a success, and the reason of a failure.
fn reported(context: &Context, form: &str, reply: Result<Value, Failure>) -> Outcome {
    let value = reply.map_err(
        |failure| match in_words(context, Target::Primary, failure) {
            Failure::Refused { text, status } if text != "No spp_primary is running." => {
                Failure::Refused {
                    text: format!("Error: API execution failed for flow {form}\n({text})"),
                    status,
                }
            }
            other => other,
        },
    )?;
    let reply: FlowReply = serde_json::from_value(value.clone()).map_err(|error| {
        Failure::refused(format!("Error: result message is None\n({error}: {value})"))
    })?;
    match reply.result.as_str() {
        "success" => Ok(Report::new(reply.message, value)),
        _ => {
            let reason = reply.error.map(|reason| format!("\n({reason})"));
            let reason = reason.unwrap_or_default();
            Err(Failure::refused(reply.message + &reason))
        }
    }
}

fn flows(context: &Context, port: u16) -> Result<Vec<Value>, Failure> {
    let ports = pri::read(context)?.phy_ports;
    let found = ports
        .into_iter()
        .find(|PhyPortStatus { id, .. }| *id == port);
    found
        .map(|port| port.flow)
        .ok_or_else(|| Failure::refused(format!("'phy:{port}' is invalid")))
}
