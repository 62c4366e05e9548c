//! Requests of `vf` and `mirror` become commands.

use protocol::command::ComponentCommand;
use protocol::command::component::{
    ClassifierEntry, ComponentKind, ComponentName, Direction, MAX_CORE, Refusal, Setting, VlanTag,
    vlan_id,
};
use protocol::reply::ProcessKind;
use serde_json::Value;

use super::Shared;
use super::answer::Answer;
use super::body::{Fields, invalid};
use super::errors::RestError;
use crate::peer::Peer;
use crate::{change, original};

const NO_CORE: RestError = out_of_range(Refusal::CORE, "core has to be 0 to 127.");
const NO_PORT_VID: RestError = out_of_range(Refusal::PORT_VID, "The VLAN id has to be 0 to 4095.");
const NO_PORT_PCP: RestError = out_of_range(Refusal::PORT_PCP, "The priority has to be 0 to 7.");
const NO_VLAN_ID: RestError = out_of_range(Refusal::VLAN_ID, "vlan has to be 0 to 4095.");

const fn out_of_range(refusal: Refusal, reason: &'static str) -> RestError {
    RestError::OutOfRange { refusal, reason }
}

/// `{"name": …, "core": …, "type": …}`
pub(crate) fn start(fields: &Fields, process: ProcessKind) -> Answer<ComponentCommand> {
    fields.require(&["name", "core", "type"])?;
    let name = name(fields.text("name")?)?;
    let core = fields
        .whole("core")?
        .and_then(|core| u32::try_from(core).ok());
    let core = core.filter(|core| *core <= MAX_CORE).ok_or(NO_CORE)?;
    let kinds = ComponentKind::of(process);
    let given = fields.get("type")?;
    let kind = kinds
        .iter()
        .find(|kind| given.as_str() == Some(kind.word()));
    let kind = kind.ok_or_else(|| {
        let words: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
        invalid(
            "type",
            given,
            format!("It has to be one of: {}.", words.join(", ")),
        )
    })?;
    Ok(ComponentCommand::Start {
        name,
        core,
        kind: *kind,
    })
}

/// The component that the path names.
pub(crate) fn stop(path: &str) -> Answer<ComponentCommand> {
    name(path).map(ComponentCommand::Stop)
}

/// `{"action": "attach"|"detach", "port": …, "dir": …, "vlan": …}`
pub(crate) fn port(fields: &Fields, path: &str, process: ProcessKind) -> Answer<ComponentCommand> {
    fields.require(&["action", "port", "dir"])?;
    let action = fields.choice("action", &["attach", "detach"])?;
    let port = fields.port("port")?;
    let dir = match fields.choice("dir", &["rx", "tx"])? {
        "rx" => Direction::Rx,
        _ => Direction::Tx,
    };
    // A mirror has no use for it, and a detached port neither: then it is not even looked at.
    let vlan = match fields.optional("vlan") {
        Some(vlan) if action == "attach" && process == ProcessKind::Vf => tag(vlan)?,
        _ => None,
    };
    let name = name(path)?;
    Ok(match action {
        "attach" => ComponentCommand::Attach {
            name,
            port,
            dir,
            vlan,
        },
        _ => ComponentCommand::Detach { name, port, dir },
    })
}

/// `{"operation": "none"|"add"|"del", "id": …, "pcp": …}`, or what Python takes for nothing.
fn tag(value: &Value) -> Answer<Option<VlanTag>> {
    let nothing = match value {
        Value::Null => true,
        Value::Bool(set) => !set,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    };
    if nothing {
        return Ok(None);
    }
    let wrong = |reason: &str| invalid("vlan", value, reason);
    let fields = Fields::of("vlan", value)?;
    let words = ["none", "add", "del"];
    let operation = fields.choice("operation", &words);
    match operation.map_err(|_| wrong("Its operation has to be none, add or del."))? {
        "none" => return Ok(None),
        "del" => return Ok(Some(VlanTag::Del)),
        _ => {}
    }
    let number = |key| fields.whole(key);
    let (id, pcp) = match (number("id"), number("pcp")) {
        (Ok(id), Ok(pcp)) => (id, pcp),
        _ => return Err(wrong("To add a tag takes id and pcp as whole numbers.")),
    };
    let id = id.filter(|id| vlan_id(*id).is_ok());
    let id = id.ok_or(NO_PORT_VID)?;
    let tag = pcp.and_then(|pcp| VlanTag::add(id, pcp).ok());
    tag.map(Some).ok_or(NO_PORT_PCP)
}

/// `{"action": "add"|"del", "type": "mac"|"vlan", "port": …, "mac_address": …, "vlan": …}`
pub(crate) fn entry(fields: &Fields) -> Answer<ComponentCommand> {
    fields.require(&["action", "type", "port", "mac_address"])?;
    let command = match fields.choice("action", &["add", "del"])? {
        "add" => ComponentCommand::AddEntry,
        _ => ComponentCommand::DelEntry,
    };
    let kind = fields.choice("type", &["mac", "vlan"])?;
    let port = fields.port("port")?;
    let mac = fields.text("mac_address")?;
    let mac = mac
        .parse()
        .map_err(|error| RestError::invalid("mac_address", mac, error))?;
    let vlan = match kind {
        "mac" => None,
        _ => Some(classifier_vlan(
            fields.optional("vlan").unwrap_or(&Value::Null),
        )?),
    };
    Ok(command(ClassifierEntry { vlan, mac, port }))
}

/// A whole number, or its digits: the original's shell sends them.
fn classifier_vlan(value: &Value) -> Answer<u16> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let id = match value {
        Value::String(text) if digits(text) => text.parse().ok(),
        Value::Number(number) if number.is_u64() || number.is_i64() => number.as_u64(),
        other => {
            let reason = "For type vlan it has to be a VLAN id, 0 to 4095.";
            return Err(invalid("vlan", other, reason));
        }
    };
    let id = id.and_then(|id| vlan_id(id).ok());
    id.ok_or(NO_VLAN_ID)
}

/// `{"key": …, "value": …}`
pub(crate) fn set(fields: &Fields, path: &str) -> Answer<ComponentCommand> {
    fields.require(&["key", "value"])?;
    let key = fields.text("key")?;
    let given = fields.get("value")?;
    let value = match given {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        other => {
            return Err(invalid(
                "value",
                other,
                "It has to be a string or a number.",
            ));
        }
    };
    let words: Vec<&str> = std::iter::once(key)
        .chain(value.split_ascii_whitespace())
        .collect();
    let setting = Setting::parse(&words).map_err(|error| invalid("value", given, error))?;
    let name = name(path)?;
    Ok(ComponentCommand::Set { name, setting })
}

/// Shows counters of a process of ours from here on.
pub(crate) async fn clear(shared: &Shared, peer: &Peer) -> Answer<()> {
    original::has_it(peer, "it has no counters")?;
    change::ask(shared, peer, "clear").await.map(|_| ())
}

fn name(text: &str) -> Answer<ComponentName> {
    text.parse()
        .map_err(|error| RestError::invalid("name", text, error))
}
