//! `nfv ID; status` and `nfv ID; exit`.

use protocol::reply::NfvStatus;
use serde_json::{Value, json};

use crate::commands::args::Args;
use crate::commands::remote::in_words;
use crate::commands::spec::Target;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render;

/// `nfv ID; status`: the original's lines, then our own sections.
pub fn status(context: &mut Context, args: &Args) -> Outcome {
    let target = args.target;
    let document = get(context, target)?;
    let status: NfvStatus = parse(&document, target)?;
    let detail = context.client.detail(target.id())?;
    let mut text = render::status::nfv(&status);
    if let Some(detail) = &detail {
        text.push_str(&render::counters::process(detail));
    }
    Ok(Report::new(text, with_detail(document, &detail)))
}

/// `nfv ID; exit`
pub fn exit(context: &mut Context, args: &Args) -> Outcome {
    let target = args.target;
    context
        .client
        .delete(&target.path())
        .map_err(|failure| in_words(context, target, failure))?;
    Ok(Report::done(format!("Exit nfv {}", target.id())))
}

/// Status of the process.
pub fn read(context: &Context, target: Target) -> Result<NfvStatus, Failure> {
    parse(&get(context, target)?, target)
}

fn get(context: &Context, target: Target) -> Result<Value, Failure> {
    context
        .client
        .get(&target.path())
        .map_err(|failure| in_words(context, target, failure))
}

fn parse(document: &Value, target: Target) -> Result<NfvStatus, Failure> {
    serde_json::from_value(document.clone()).map_err(|error| {
        Failure::refused(format!(
            "the status of nfv {} has another form: {error}",
            target.id()
        ))
    })
}

/// Puts the details beside the original's members.
pub fn with_detail(mut document: Value, detail: &impl serde::Serialize) -> Value {
    if let Some(members) = document.as_object_mut() {
        members.insert("details".to_owned(), json!(detail));
    }
    document
}
