//! Containers that run: `ps`, `logs`, `exec`, `stop`.

use std::sync::atomic::Ordering;

use std::time::Duration;

use container::engine::{Container, Engine};
use protocol::detail::ProcessDetail;
use serde_json::json;

use super::{NO_PROGRAM, Words, foreground};
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render::columns::{self, Align};

/// For a controller to say what its processes have.
const PATIENCE: Duration = Duration::from_secs(1);

fn usage(text: &str, usage: &str) -> Failure {
    Failure::usage(format!("{text}\nUsage: container {usage}"))
}

/// `container ps [-a]`
pub fn ps(context: &mut Context, args: &Args) -> Outcome {
    let taken = Words::take(context, args, "[-a]", NO_PROGRAM);
    let all = match taken.words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["-a" | "--all"] => true,
        [word, ..] => return Err(usage(&format!("'{word}' has no meaning here."), "ps [-a]")),
    };
    if taken.help {
        return Err(usage("", "ps [-a]"));
    }
    let mut containers = Engine::connect()?.list(all)?;
    let known = Known::of(context, &containers);
    for container in &mut containers {
        if let Some(ports) = known.ports(container) {
            container.ports = ports;
        }
    }
    let numbers = |cpus: &[u32]| {
        let texts: Vec<String> = cpus.iter().map(ToString::to_string).collect();
        texts.join(",")
    };
    let row = |c: &Container| {
        let process = c.process.as_ref().filter(|_| c.running);
        vec![
            c.name.clone(),
            c.app.clone(),
            match process.filter(|_| known.ports(c).is_none()) {
                Some(process) => format!("? ({process})"),
                None => c.ports.join(","),
            },
            numbers(&c.cpus),
            c.status.clone(),
            c.image.clone(),
        ]
    };
    let header =
        ["NAME", "APP", "PORTS", "CPUS", "STATUS", "IMAGE"].map(|name| (name, Align::Left));
    let rows: Vec<Vec<String>> = containers.iter().map(row).collect();
    Ok(Report::new(
        columns::lines(0, &header, &rows),
        json!(containers),
    ))
}

/// What a controller says of its panel's processes.
struct Known {
    /// Which run of the primary it is of.
    panel: Option<String>,
    details: Vec<ProcessDetail>,
}

impl Known {
    /// Asks, if processes of a panel are among the containers. One that does not answer knows nothing.
    fn of(context: &Context, containers: &[Container]) -> Self {
        let asked = containers.iter().any(|c| c.running && c.process.is_some());
        let client = context.client.with_other_limits(PATIENCE, PATIENCE);
        let details = asked.then(|| client.details().unwrap_or_default());
        let details = details.unwrap_or_default();
        let primary = details.iter().find(|process| process.client_id == 0);
        let panel = primary.and_then(|primary| primary.detail.as_ref());
        Self {
            panel: panel.map(|panel| panel.incarnation.clone()),
            details,
        }
    }

    /// The ports that a container's process has; `None` if it is none of this panel's.
    fn ports(&self, container: &Container) -> Option<Vec<String>> {
        let name = container.process.as_ref()?;
        if self.panel.is_none() || self.panel != container.panel() {
            return None;
        }
        let mut processes = self.details.iter();
        let process = processes.find(|one| format!("{}:{}", one.kind, one.client_id) == *name)?;
        let ports = process.detail.as_ref()?.ports.iter();
        Some(ports.map(|port| port.name.clone()).collect())
    }
}

/// `container logs NAME [-f] [--tail N]`
pub fn logs(context: &mut Context, args: &Args) -> Outcome {
    const USAGE: &str = "logs NAME [-f] [--tail N]";
    let taken = Words::take(context, args, "NAME [-f] [--tail N]", NO_PROGRAM);
    let (mut name, mut follow, mut tail) = (None, false, None);
    let mut words = taken.words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-f" | "--follow" => follow = true,
            "--tail" => match words.next().map(|lines| lines.parse::<u32>()) {
                Some(Ok(lines)) => tail = Some(lines),
                _ => {
                    return Err(usage(
                        "--tail is to be followed by a number of lines.",
                        USAGE,
                    ));
                }
            },
            word if name.is_none() && !word.starts_with('-') => name = Some(word.to_owned()),
            word => return Err(usage(&format!("'{word}' has no meaning here."), USAGE)),
        }
    }
    let Some(name) = name.filter(|_| !taken.help) else {
        return Err(usage("Which container? (`container ps` lists them)", USAGE));
    };
    let engine = Engine::connect()?;
    let container = engine.find(&name)?;
    foreground::interruptible(context, |context, stop| {
        let mut failed = None;
        engine.logs(&container.name, tail, follow, &mut |bytes| {
            let written = context
                .out
                .write_all(bytes)
                .and_then(|()| context.out.flush());
            failed = written.err();
            failed.is_none() && !stop.load(Ordering::Relaxed)
        })?;
        match failed {
            Some(error) => Err(Failure::Output(error)),
            None => Ok(Report::written()),
        }
    })
}

/// `container exec NAME PROGRAM [WORDS]`
pub fn exec(context: &mut Context, args: &Args) -> Outcome {
    const USAGE: &str = "exec NAME PROGRAM [WORDS]";
    let taken = Words::take(context, args, "NAME PROGRAM [WORDS]", 1);
    let (name, program) = match taken.words.split_first() {
        Some((name, program)) if !program.is_empty() && !taken.help => (name, program),
        _ => return Err(usage("Which container, and which program in it?", USAGE)),
    };
    let program = program
        .strip_prefix(&["--".to_owned()][..])
        .unwrap_or(program);
    let engine = Engine::connect()?;
    let container = engine.find(name)?;
    if !container.running {
        return Err(Failure::refused(format!(
            "container {} does not run ({})",
            container.name, container.status
        )));
    }
    let status = foreground::attached(context, |terminal, input, output| {
        engine.exec(&container.name, program, terminal, input, output)
    })?;
    foreground::ended(&program.join(" "), status)
}

/// `container stop NAME…`
pub fn stop(context: &mut Context, args: &Args) -> Outcome {
    let taken = Words::take(context, args, "NAME…", NO_PROGRAM);
    if taken.words.is_empty() || taken.help {
        return Err(usage(
            "Which container? (`container ps` lists them)",
            "stop NAME…",
        ));
    }
    let engine = Engine::connect()?;
    // All of them are there, or none is stopped.
    let found: Result<Vec<Container>, _> =
        taken.words.iter().map(|name| engine.find(name)).collect();
    let found = found?;
    for container in &found {
        engine.stop(&container.name)?;
    }
    let names: Vec<&str> = found.iter().map(|c| c.name.as_str()).collect();
    Ok(Report::done(format!("Stopped {}.", names.join(", "))))
}
