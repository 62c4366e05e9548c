//! `nfv ID; status`.

use protocol::reply::NfvStatus;
use serde_json::{Value, json};

use crate::commands::args::Args;
use crate::commands::secondary;
use crate::commands::spec::Target;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render;

/// `nfv ID; status`: the original's lines, then our own sections.
pub fn status(context: &mut Context, args: &Args) -> Outcome {
    let target = args.target;
    let (document, status) = secondary::status::<NfvStatus>(context, target)?;
    let detail = context.client.detail(target.id())?;
    let mut text = render::status::nfv(&status);
    if let Some(detail) = &detail {
        text.push_str(&render::counters::process(detail));
    }
    Ok(Report::new(text, with_detail(document, &detail)))
}

/// Status of the process.
pub fn read(context: &Context, target: Target) -> Result<NfvStatus, Failure> {
    secondary::status(context, target).map(|(_, status)| status)
}

/// Puts the details beside the original's members.
pub fn with_detail(mut document: Value, detail: &impl serde::Serialize) -> Value {
    if let Some(members) = document.as_object_mut() {
        members.insert("details".to_owned(), json!(detail));
    }
    document
}
