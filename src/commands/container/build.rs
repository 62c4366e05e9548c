//! `container build -t TARGET [OPTIONS]`

use std::process::{Command, Stdio};

use container::build::Build;
use container::engine::Engine;
use container::{command, options};
use serde_json::json;

use super::{NO_PROGRAM, Words, help};
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `container build -t TARGET [OPTIONS]`
pub fn build(context: &mut Context, args: &Args) -> Outcome {
    let taken = Words::take(context, args, "-t TARGET [OPTIONS]", NO_PROGRAM);
    if taken.help {
        let text = help::options("Options of build:", &options::of_build()?);
        return Ok(Report::new(text.clone(), json!(text)));
    }
    // A command can be printed without an engine; then nothing is known to be there.
    let engine = Engine::connect();
    let has_image = |name: &str| {
        let engine = engine.as_ref().ok();
        engine.is_some_and(|engine| engine.has_image(name).unwrap_or(false))
    };
    let build = Build::new(&taken.words, has_image)?;
    if build.only_envsh {
        if build.dry_run {
            let path = build.context.folder.join("env.sh");
            return Ok(Report::done(format!(
                "Info: '{}' is not written in a dry run.",
                path.display()
            )));
        }
        let path = build.context.write_envsh()?;
        return Ok(Report::done(format!("Info: '{}' created.", path.display())));
    }
    let lines = build.lines();
    if build.dry_run {
        let words: Vec<&String> = lines.iter().flatten().collect();
        let document = json!(words);
        return Ok(Report::new(command::text(&lines), document));
    }
    let engine = engine?;
    make_base(context, &build, &engine)?;
    build.context.write()?;
    let words: Vec<String> = lines.concat();
    carry_out(context, &words)?;
    let size = engine.image_size(&build.image)?;
    let text = format!(
        "Image {} is made: {} MB.",
        build.image,
        size.div_ceil(1_000_000)
    );
    let document =
        json!({"result": "succeeded", "message": text, "image": build.image, "bytes": size});
    Ok(Report::new(text, document))
}

/// Makes the image that this one begins with, unless it is there.
fn make_base(context: &mut Context, build: &Build, engine: &Engine) -> Result<(), Failure> {
    let Some(base) = &build.base else {
        return Ok(());
    };
    let folder = build.context.folder.join("base");
    let Some(script) = base.script(&folder) else {
        return Ok(());
    };
    if engine.has_image(base.image())? {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent)?;
    }
    writeln!(
        context.err,
        "making the base image {} by debootstrap (once; some minutes)",
        base.image()
    )?;
    let words = ["sh", "-ec", &script].map(str::to_owned);
    carry_out(context, &words)
}

/// Runs a program with its output here: on standard error, for standard output has the result.
fn carry_out(context: &mut Context, words: &[String]) -> Result<(), Failure> {
    context.out.flush()?;
    let Some((program, rest)) = words.split_first() else {
        return Ok(());
    };
    let status = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| {
            Failure::refused(format!("{program} cannot be started: {error} (install it)"))
        })?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::refused(format!(
            "{program} ended with {status}: what it says is above"
        ))),
    }
}
