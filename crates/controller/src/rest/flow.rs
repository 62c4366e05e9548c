//! `/v1/primary/flow_rules/…`: rules are passed on; what the primary says is the answer.

use axum::extract::State;
use protocol::reply::FlowReply;
use protocol::rest::FlowRequest;
use protocol::verdict::{Verdict, judge};
use serde_json::Value;

use super::Shared;
use super::answer::{Answer, Json};
use super::body::{Body, Fields, Params, invalid, path_number};
use super::errors::RestError;
use crate::peer::PeerError;

/// Has a rule checked.
#[utoipa::path(post, path = "/v1/primary/flow_rules/port_id/{port}/validate", tag = "flow rules", request_body = FlowRequest,
    responses((status = 200, description = "What the primary says, also of a failure", body = FlowReply)))]
pub(crate) async fn validate(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Json> {
    let port = path_number(params.text(0))?;
    let rule = rule(&body.fields()?)?;
    ask(&shared, &format!("flow validate phy:{port} {rule}")).await
}

/// Makes a rule.
#[utoipa::path(post, path = "/v1/primary/flow_rules/port_id/{port}", tag = "flow rules", request_body = FlowRequest,
    responses((status = 200, description = "What the primary says, also of a failure", body = FlowReply)))]
pub(crate) async fn create(
    State(shared): State<Shared>,
    params: Params,
    body: Body,
) -> Answer<Json> {
    let port = path_number(params.text(0))?;
    let rule = rule(&body.fields()?)?;
    ask(&shared, &format!("flow create phy:{port} {rule}")).await
}

/// Takes all rules of a port away.
#[utoipa::path(delete, path = "/v1/primary/flow_rules/port_id/{port}", tag = "flow rules",
    responses((status = 200, description = "What the primary says, also of a failure", body = FlowReply)))]
pub(crate) async fn destroy_all(State(shared): State<Shared>, params: Params) -> Answer<Json> {
    let port = path_number(params.text(0))?;
    ask(&shared, &format!("flow destroy phy:{port} ALL")).await
}

/// Takes one rule away.
#[utoipa::path(delete, path = "/v1/primary/flow_rules/{rule}/port_id/{port}", tag = "flow rules",
    responses((status = 200, description = "What the primary says, also of a failure", body = FlowReply)))]
pub(crate) async fn destroy(State(shared): State<Shared>, params: Params) -> Answer<Json> {
    let (rule, port) = (path_number(params.text(0))?, path_number(params.text(1))?);
    ask(&shared, &format!("flow destroy phy:{port} {rule}")).await
}

/// The words of a rule after the port.
fn rule(fields: &Fields) -> Answer<String> {
    let given = fields.get("rule")?;
    let rule = Fields::of("rule", given)?;
    rule.require(&["direction", "pattern", "actions"])?;
    let mut words = String::new();
    for key in ["group", "priority"] {
        match rule.optional(key) {
            None => {}
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => {
                words.push_str(&format!("{key} {number} "));
            }
            Some(other) => return Err(invalid(key, other, "It has to be a whole number.")),
        }
    }
    match rule.optional("transfer") {
        None | Some(Value::Bool(false)) => {}
        Some(Value::Bool(true)) => words.push_str("transfer "),
        Some(other) => return Err(invalid("transfer", other, "It has to be true or false.")),
    }
    words.push_str(rule.choice("direction", &["ingress", "egress"])?);
    for key in ["pattern", "actions"] {
        let items = rule.texts(key)?;
        // A line break would end the command; the original dies of a missing `actions`.
        if let Some(item) = items.iter().find(|item| item.chars().any(char::is_control)) {
            return Err(RestError::invalid(key, item, "It has a control character."));
        }
        words.push_str(&format!(" {key} {} / end", items.join(" / ")));
    }
    Ok(words)
}

async fn ask(shared: &Shared, command: &str) -> Answer<Json> {
    let primary = shared.primary()?;
    let reply = primary.ask(command, shared.limits.command).await?;
    match judge(command, &reply) {
        Verdict::Done(reply) | Verdict::Document(reply) => Ok(Json::of(&reply)),
        // Clients look for `message`, whatever the result.
        Verdict::Refused { reply, .. } if reply.get("message").is_some() => Ok(Json::of(&reply)),
        Verdict::Refused { words, .. } => Ok(Json::of(&FlowReply {
            result: "error".to_owned(),
            message: words,
            rule_id: None,
            error: None,
        })),
        Verdict::Echo(words) | Verdict::Nonsense(words) => Err(PeerError::Nonsense {
            name: primary.name(),
            words,
        }
        .into()),
    }
}
