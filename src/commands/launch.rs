//! `pri; launch TYPE [ID] EAL-OPTIONS -- OPTIONS`

use std::time::{Duration, Instant};

use protocol::detail::LaunchedDetail;
use protocol::reply::ProcessKind;
use serde_json::{Map, Value, json};

use crate::commands::args::Args;
use crate::commands::quote;
use crate::commands::remote::in_words;
use crate::commands::spec::Target;
use crate::commands::table::SECONDARIES;
use crate::commands::wait;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// An order for the primary.
#[derive(Debug, PartialEq)]
struct Order {
    kind: String,
    id: String,
    eal: Map<String, Value>,
    app: Map<String, Value>,
}

/// Sends the order and waits a moment for the process; it may register later, or never.
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let order = parse(args.words("TYPE [ID] EAL-OPTIONS -- OPTIONS"))?;
    let processes = context.client.processes()?;
    if !processes
        .iter()
        .any(|process| process.kind == ProcessKind::Primary)
    {
        return Err(Failure::refused("No spp_primary is running."));
    }
    let id = order.id.parse::<u32>().ok();
    if processes
        .iter()
        .any(|process| process.client_id.is_some() && process.client_id == id)
    {
        return Err(Failure::refused(format!(
            "Secondary ID {} is already used!",
            order.id
        )));
    }
    let body = json!({
        "client_id": order.id,
        "proc_name": format!("spp_{}", order.kind),
        "eal": order.eal,
        "app": order.app,
    });
    context
        .client
        .put("/v1/primary/launch", &body)
        .map_err(|failure| in_words(context, Target::Primary, failure))?;
    let Order { kind, id, .. } = order;
    let mut text = format!("Send request to launch {kind}:{id}.");
    let seconds = context.session.config.get("sec_wait_launch").parse();
    let limit = Duration::from_secs_f64(seconds.unwrap_or(0.0));
    let arrived = wait::until(context, limit, |process| {
        process.kind.word() == kind
            && process.client_id.map(|id| id.to_string()).as_ref() == Some(&id)
    });
    if !arrived {
        text.push_str(&format!(
            "\n({kind}:{id} has not registered within {} s; `wait {kind} {id}` waits longer, its log tells more)",
            limit.as_secs_f64()
        ));
    }
    Ok(Report::done(text))
}

/// `pri; unlaunch ID`
pub fn release(context: &mut Context, args: &Args) -> Outcome {
    let id = args.number("ID").unwrap_or_default();
    context
        .client
        .delete(&format!("/v1/primary/launched/{id}"))
        .map_err(|failure| in_words(context, Target::Primary, failure))?;
    Ok(Report::done(format!(
        "Process {id} is not started again any more."
    )))
}

/// How long `upgrade` waits: longer than the two processes wait for each other.
const UPGRADE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// `pri; upgrade ID`: waits until the new program has taken over, or has not.
pub fn upgrade(context: &mut Context, args: &Args) -> Outcome {
    let id = args.number("ID").unwrap_or_default();
    let words = |context: &Context, failure| in_words(context, Target::Primary, failure);
    context
        .client
        .put(&format!("/v1/primary/launched/{id}/upgrade"), &json!({}))
        .map_err(|failure| words(context, failure))?;
    let end = Instant::now() + UPGRADE;
    loop {
        let launched: Vec<LaunchedDetail> = context
            .client
            .read("/v1/primary/launched")
            .map_err(|failure| words(context, failure))?;
        let found = launched.iter().find(|p| u64::from(p.client_id) == id);
        let Some(process) = found else {
            return Err(Failure::refused(format!("Process {id} is gone.")));
        };
        match process.upgrade.as_deref() {
            Some("running") | None => {}
            Some("done") => {
                let pid = process
                    .pid
                    .map_or_else(|| "?".to_owned(), |pid| pid.to_string());
                return Ok(Report::done(format!(
                    "{} {id} runs as process {pid} now.",
                    process.kind
                )));
            }
            Some(why) => {
                return Err(Failure::refused(format!(
                    "{} {id} goes on as it was: {why}",
                    process.kind
                )));
            }
        }
        if Instant::now() >= end || !context.pause(BETWEEN_LOOKS) {
            return Err(Failure::refused(format!(
                "{} {id} has not been replaced yet: its log tells more",
                process.kind
            )));
        }
    }
}

fn parse(words: &[String]) -> Result<Order, Failure> {
    let (Some(kind), true) = (words.first(), words.len() >= 2) else {
        return Err(Failure::usage(
            "Invalid syntax! Proc type, ID and options are required.\n\
             E.g. \"nfv 1 -l 1-2 -m 512 -- -n 1 -s 192.168.1.100:6666\"",
        ));
    };
    let kind = kind.strip_prefix("spp_").unwrap_or(kind);
    if !SECONDARIES.contains(&kind) {
        return Err(Failure::usage(format!(
            "'{}' is not supported in launch cmd.",
            quote(kind)
        )));
    }
    let mut rest = &words[1..];
    let mut id = None;
    if let Some(word) = rest.first().filter(|word| !word.starts_with('-')) {
        id = Some(number(word)?);
        rest = &rest[1..];
    }
    let separator = rest
        .iter()
        .position(|word| word == "--")
        .ok_or_else(|| Failure::usage("Arguments should include separator \"--\"."))?;
    let mut eal = options(&rest[..separator]);
    let mut app = options(&rest[separator + 1..]);
    let id_option = if kind == "nfv" { "-n" } else { "--client-id" };
    let id = match (id, app.get(id_option).and_then(Value::as_str)) {
        (Some(id), _) => id,
        (None, Some(id)) => number(id)?,
        (None, None) => return Err(Failure::usage("Secondary ID is required!")),
    };
    app.insert(id_option.to_owned(), json!(id));
    if !eal.contains_key("--proc-type") {
        eal.insert("--proc-type".to_owned(), json!("secondary"));
    }
    Ok(Order {
        kind: kind.to_owned(),
        id,
        eal,
        app,
    })
}

fn number(word: &str) -> Result<String, Failure> {
    match word.parse::<u32>() {
        Ok(id) if (1..=127).contains(&id) => Ok(id.to_string()),
        _ => Err(Failure::usage(format!(
            "Secondary ID '{}' is not 1 to 127.",
            quote(word)
        ))),
    }
}

/// Options by name: the words up to the next option are the value, null if there are none.
fn options(words: &[String]) -> Map<String, Value> {
    let mut found = Map::new();
    let mut name: Option<&String> = None;
    for word in words {
        if word.starts_with('-') {
            found.insert(word.clone(), Value::Null);
            name = Some(word);
        } else if let Some(slot) = name.and_then(|name| found.get_mut(name)) {
            *slot = match slot.as_str() {
                Some(value) => json!(format!("{value} {word}")),
                None => json!(word),
            };
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(line: &str) -> Result<Order, Failure> {
        parse(&crate::commands::split(line))
    }

    fn message(line: &str) -> String {
        order(line).unwrap_err().to_string()
    }

    #[test]
    fn options_become_names_and_values() {
        let order =
            order("spp_nfv 3 -l 1,2 -m 512 --no-pci -- -n 7 -s 127.0.0.1:6666 --vhost-client");
        let order = order.unwrap();
        assert_eq!((order.kind.as_str(), order.id.as_str()), ("nfv", "3"));
        assert_eq!(
            Value::Object(order.eal),
            json!({"-l": "1,2", "-m": "512", "--no-pci": null, "--proc-type": "secondary"})
        );
        assert_eq!(
            Value::Object(order.app),
            json!({"-n": "3", "-s": "127.0.0.1:6666", "--vhost-client": null})
        );
    }

    #[test]
    fn the_id_may_stand_among_the_options_and_values_may_have_blanks() {
        let order =
            order("pcap -l 1 --proc-type secondary -- --client-id 4 -c phy:0 nq 1").unwrap();
        assert_eq!(order.id, "4");
        assert_eq!(order.app["-c"], json!("phy:0 nq 1"));
    }

    #[test]
    fn refusals_are_the_original_ones() {
        assert!(
            message("")
                .starts_with("Invalid syntax! Proc type, ID and options are required.\nE.g.")
        );
        assert!(message("nfv").starts_with("Invalid syntax!"));
        assert_eq!(
            message("foo 1 -- "),
            "'foo' is not supported in launch cmd."
        );
        assert_eq!(
            message("nfv 1 -l 1"),
            "Arguments should include separator \"--\"."
        );
        assert_eq!(
            message("nfv -l 1,2 -- -s 127.0.0.1:6666"),
            "Secondary ID is required!"
        );
        assert_eq!(
            message("nfv 0 -l 1 -- "),
            "Secondary ID '0' is not 1 to 127."
        );
    }
}
