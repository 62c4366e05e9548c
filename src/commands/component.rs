//! Components of vf and mirror, and their ports.

use protocol::command::component::{Setting, VlanTag};
use serde_json::{Value, json};

use crate::commands::args::Args;
use crate::commands::quote;
use crate::commands::remote::in_words;
use crate::commands::secondary;
use crate::commands::spec::Target;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render::components::{self, ComponentStatus};

/// The words of a setting, as they are named in the table of commands.
pub const SETTING: &str = "KEY VALUE";

/// `vf ID; status`
pub fn vf_status(context: &mut Context, args: &Args) -> Outcome {
    let (document, status) = secondary::status::<ComponentStatus>(context, args.target)?;
    Ok(Report::new(components::vf(&status), document))
}

/// `mirror ID; status`
pub fn mirror_status(context: &mut Context, args: &Args) -> Outcome {
    let (document, status) = secondary::status::<ComponentStatus>(context, args.target)?;
    Ok(Report::new(components::mirror(&status), document))
}

/// `component start NAME CPU ROLE`
pub fn start(context: &mut Context, args: &Args) -> Outcome {
    let name = args.required("NAME")?;
    let core = args.number("CPU").unwrap_or_default();
    let body = json!({"name": name, "core": core, "type": args.required("ROLE")?});
    let path = format!("{}/components", args.target.path());
    context
        .client
        .post(&path, &body)
        .map_err(|failure| in_words(context, args.target, failure))?;
    Ok(Report::done(format!(
        "Succeeded to start component '{name}' on core:{core}"
    )))
}

/// `component stop NAME`
pub fn stop(context: &mut Context, args: &Args) -> Outcome {
    let name = args.required("NAME")?;
    let path = format!("{}/components/{}", args.target.path(), segment(name));
    context
        .client
        .delete(&path)
        .map_err(|failure| in_words(context, args.target, failure))?;
    Ok(Report::done(format!(
        "Succeeded to delete component '{name}'"
    )))
}

/// `port add PORT DIR NAME [add_vlantag VID PCP|del_vlantag]`
pub fn attach(context: &mut Context, args: &Args) -> Outcome {
    let vlan = vlan(args.words("[add_vlantag VID PCP|del_vlantag]"))?;
    change(context, args, "attach", vlan)?;
    Ok(Report::done("Succeeded to add port"))
}

/// `component set NAME KEY VALUE`
pub fn set(context: &mut Context, args: &Args) -> Outcome {
    let name = args.required("NAME")?;
    let words = args.words(SETTING);
    let parts: Vec<&str> = words.iter().map(String::as_str).collect();
    let setting = Setting::parse(&parts).map_err(|e| Failure::usage(format!("Error: {e}.")))?;
    let text = setting.to_string();
    let (key, value) = text.split_once(' ').unwrap_or((&text, ""));
    let path = format!(
        "{}/components/{}/settings",
        args.target.path(),
        segment(name)
    );
    context
        .client
        .put(&path, &json!({"key": key, "value": value}))
        .map_err(|failure| in_words(context, args.target, failure))?;
    Ok(Report::done(format!("Set {text} of component '{name}'")))
}

/// `clear`: counters are shown from here on.
pub fn clear(context: &mut Context, args: &Args) -> Outcome {
    let path = format!("{}/counters", args.target.path());
    context
        .client
        .delete(&path)
        .map_err(|failure| in_words(context, args.target, failure))?;
    Ok(Report::done("Clear statistics"))
}

/// `port del PORT DIR NAME`
pub fn detach(context: &mut Context, args: &Args) -> Outcome {
    change(context, args, "detach", json!({}))?;
    Ok(Report::done("Succeeded to del port"))
}

fn change(context: &Context, args: &Args, action: &str, vlan: Value) -> Result<(), Failure> {
    let name = args.required("NAME")?;
    let port = args.port("PORT")?.to_string();
    let mut body = json!({"action": action, "port": port, "dir": args.required("DIR")?});
    if matches!(args.target, Target::Vf(_)) {
        body["vlan"] = vlan;
    }
    let path = format!("{}/components/{}/ports", args.target.path(), segment(name));
    context
        .client
        .put(&path, &body)
        .map_err(|failure| in_words(context, args.target, failure))
}

/// What is done to VLAN tags, in the form of REST: `{}` for nothing.
fn vlan(words: &[String]) -> Result<Value, Failure> {
    let number = |word: Option<&String>, name: &str| {
        word.and_then(|word| word.parse::<u64>().ok())
            .ok_or_else(|| {
                let word = word.map_or("", String::as_str);
                Failure::usage(format!(
                    "Error: {name} is not a number.\n('{}' was given)",
                    quote(word)
                ))
            })
    };
    match words.first().map(String::as_str) {
        None => Ok(json!({})),
        Some("del_vlantag") if words.len() == 1 => Ok(json!({"operation": "del"})),
        Some("add_vlantag") if words.len() <= 3 => {
            let (id, pcp) = (number(words.get(1), "vid")?, number(words.get(2), "pcp")?);
            VlanTag::add(id, pcp).map_err(|error| Failure::usage(format!("Error: {error}.")))?;
            Ok(json!({"operation": "add", "id": id, "pcp": pcp}))
        }
        Some("add_vlantag" | "del_vlantag") => Err(Failure::usage(format!(
            "Error: '{}' has no meaning here.",
            quote(words.last().map_or("", String::as_str))
        ))),
        Some(_) => Err(Failure::usage(
            "Error: vlantag is Only add_vlantag or del_vlantag.",
        )),
    }
}

/// A name as one segment of a path.
fn segment(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}
