//! `container run APP [OPTIONS]`

use std::sync::atomic::Ordering;

use container::app::{self, App};
use container::engine::{Engine, SECCOMP};
use container::layout::Layout;
use container::plan::Plan;
use container::{checks, command, host, options};
use serde_json::json;

use super::{NO_PROGRAM, Words, folder, foreground, help};
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render::columns::{self, Align};

/// `container run APP [OPTIONS]`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let taken = Words::take(context, args, "APP [OPTIONS]", NO_PROGRAM);
    let Some((name, words)) = taken.words.split_first() else {
        return match taken.help {
            true => {
                let text = help::options("Options of every application:", &options::of_run()?);
                Ok(Report::new(text.clone(), json!(text)))
            }
            false => Err(Failure::usage(
                "Which application? (`container apps` lists them)\nUsage: container run APP [OPTIONS]",
            )),
        };
    };
    let app = app::find(name, folder(words).as_deref())?;
    if taken.help {
        return help_of(&app);
    }
    let given = app.given(words)?;
    if given.typed("--dry-run") {
        // Without an engine nothing is known to be taken.
        let running = Engine::connect().and_then(|engine| engine.list(false));
        let running = running.unwrap_or_default();
        let (plan, layout) = Plan::laid_out(&app, &given, &unique()?, &running)?;
        if let Some(layout) = &layout {
            write!(context.err, "{}", table(layout))?;
        }
        return dry_run(&plan);
    }
    let engine = Engine::connect()?;
    let running = engine.list(true)?;
    let (plan, layout) = Plan::laid_out(&app, &given, &unique()?, &running)?;
    checks::plan(&plan, &running)?;
    if let Some(layout) = &layout {
        write!(context.err, "{}", table(layout))?;
    }
    let container = engine.create(&plan)?;
    if plan.foreground {
        return foreground::stay(context, &engine, &container);
    }
    let started = foreground::interruptible(context, |_, stop| {
        Ok(engine.start(&container, &plan, &|| stop.load(Ordering::Relaxed))?)
    })?;
    let text = match started.ended {
        true => format!(
            "{} ran in container {container} and ended well (`container logs {container}` shows what it wrote).",
            app.name
        ),
        false => format!("{} runs in container {container}.", app.name),
    };
    let document = json!({
        "result": "succeeded", "message": text, "name": container, "app": app.name, "image": plan.image,
        "ended": started.ended, "layout": layout,
    });
    Ok(Report::new(text, document))
}

/// Who runs where, as a table, and what is not as one would wish it.
pub(super) fn table(layout: &Layout) -> String {
    let header = [
        ("THREADS OF", Align::Left),
        ("MAIN ON CPU", Align::Left),
        ("WORKERS ON CPUS", Align::Left),
    ];
    let rows: Vec<Vec<String>> = layout.rows().into_iter().map(Vec::from).collect();
    let mut text = columns::lines(0, &header, &rows);
    for note in &layout.notes {
        text.push_str(&format!("({note})\n"));
    }
    text
}

/// What makes the name of an application's memory unique.
pub(super) fn unique() -> Result<String, Failure> {
    let id = sys::proc::random_u64().map_err(|error| Failure::refused(error.to_string()))?;
    Ok(format!("{id:016x}"))
}

/// The options of an application.
pub(super) fn help_of(app: &App) -> Outcome {
    let mut text = format!("{}: {}\n\n", app.name, app.summary);
    if !app.options.is_empty() {
        text.push_str(&help::options("Options of its own:", &app.options));
        text.push('\n');
    }
    text.push_str(&help::options(
        "Options of every application:",
        &options::of_run()?,
    ));
    Ok(Report::new(text.clone(), json!(text)))
}

/// The command, and nothing else but the file that it names.
fn dry_run(plan: &Plan) -> Outcome {
    let profile = host::profile(SECCOMP)?;
    let lines = command::lines(plan, &profile);
    let words: Vec<&String> = lines.iter().flatten().collect();
    let document = json!(words);
    Ok(Report::new(command::text(&lines), document))
}
