//! `exit` and `bye`.

use protocol::reply::ProcessKind;

use crate::commands::args::Args;
use crate::commands::playback;
use crate::commands::secondary::exit_line;
use crate::commands::status::in_order;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `exit`: ends the shell.
pub fn exit(context: &mut Context, _args: &Args) -> Outcome {
    let closing = playback::close(context);
    context.leave = true;
    Ok(Report::done(format!(
        "{closing}Thank you for using Soft Patch Panel"
    )))
}

/// `bye`: ends the shell; `bye sec`, `bye all`: ends processes instead.
pub fn bye(context: &mut Context, args: &Args) -> Outcome {
    match args.word("WHOM") {
        None => exit(context, args),
        Some(whom) => end_processes(context, whom == "all"),
    }
}

/// Ends every process that it can; one that cannot be ended does not save the others.
fn end_processes(context: &mut Context, primary_too: bool) -> Outcome {
    let processes = context.client.processes()?;
    let mut text = "Closing secondary ...\n".to_owned();
    let mut failures: Vec<String> = Vec::new();
    let mut end = |path: &str, name: &str, line: &str| match context.client.delete(path) {
        Ok(()) => text.push_str(&format!("{line}\n")),
        Err(failure) => failures.push(format!("{name} did not end: {failure}")),
    };
    for (kind, id) in in_order(&processes) {
        end(
            &format!("/v1/{kind}s/{id}"),
            &format!("{kind} {id}"),
            &exit_line(&kind, id),
        );
    }
    if primary_too {
        let there = processes
            .iter()
            .any(|process| process.kind == ProcessKind::Primary);
        match there {
            true => end(
                "/v1/primary",
                "primary",
                "Closing primary ...\nExit primary",
            ),
            false => text.push_str("Closing primary ...\nNo spp_primary is running.\n"),
        }
    }
    if failures.is_empty() {
        return Ok(Report::done(text.trim_end()));
    }
    if !context.json {
        write!(context.out, "{text}")?;
    }
    Err(Failure::refused(failures.join("\n")))
}
