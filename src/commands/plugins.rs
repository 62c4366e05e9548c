//! `load_cmd`: programs become commands.

use crate::commands::args::Args;
use crate::commands::table::COMMANDS;
use crate::context::{Context, Outcome, Report};

/// `load_cmd NAME`
pub fn load(context: &mut Context, args: &Args) -> Outcome {
    let name = args.required("NAME")?;
    let taken = COMMANDS.iter().any(|command| command.is(name));
    context.session.plugins.load(name, taken)?;
    Ok(Report::done(format!("Module '{name}' loaded.")))
}
