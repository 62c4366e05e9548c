//! `latency` and `trace`.

use std::time::Duration;

use protocol::probe::{Latency, Trace};
use serde_json::json;

use crate::commands::args::Args;
use crate::commands::remote::in_words;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::render::probes;

/// Time of a trace if none is said, in seconds.
const SECONDS: u64 = 10;
/// How much longer the controller may take to answer.
const GRACE: Duration = Duration::from_secs(15);

/// `latency`
pub fn latencies(context: &mut Context, _args: &Args) -> Outcome {
    let paths: Vec<Latency> = context.client.read("/v1/latency")?;
    let text = match paths.is_empty() {
        true => "No latency is measured (latency on SRC DST).".to_owned(),
        false => probes::paths(&paths),
    };
    Ok(Report::new(text, json!(paths)))
}

/// `latency on SRC DST [every N]`
pub fn on(context: &mut Context, args: &Args) -> Outcome {
    let (src, dst) = (args.port("SRC")?, args.port("DST")?);
    let mut body = json!({"action": "on", "src": src.to_string(), "dst": dst.to_string()});
    let every = args.number("N");
    if let Some(every) = every {
        body["every"] = json!(every);
    }
    context.client.put("/v1/latency", &body)?;
    let every = every.unwrap_or(protocol::command::probe::EVERY.into());
    Ok(Report::done(format!(
        "Measure one packet of {every} from {} to {}.",
        src.report(),
        dst.report()
    )))
}

/// `latency off SRC DST`
pub fn off(context: &mut Context, args: &Args) -> Outcome {
    let (src, dst) = (args.port("SRC")?, args.port("DST")?);
    let body = json!({"action": "off", "src": src.to_string(), "dst": dst.to_string()});
    context.client.put("/v1/latency", &body)?;
    Ok(Report::done(format!(
        "Measure no more from {} to {}.",
        src.report(),
        dst.report()
    )))
}

/// `trace SRC N [full] [within S] [to FILE]`
pub fn trace(context: &mut Context, args: &Args) -> Outcome {
    let src = args.port("SRC")?;
    let count = args.number("N").unwrap_or(1);
    let seconds = args.number("S").unwrap_or(SECONDS);
    let full = args.word("WHOLE").is_some();
    let mut body = json!({"src": src.to_string(), "count": count, "seconds": seconds});
    if full {
        body["full"] = json!(true);
    }
    let path = format!("/v1/processes/{}/trace", args.target.id());
    let client = context
        .client
        .with_other_limits(Duration::from_secs(2), Duration::from_secs(seconds) + GRACE);
    let refused = |failure| in_words(context, args.target, failure);
    let Some(name) = args.word("FILE") else {
        let answer = client.post(&path, &body).map_err(refused)?;
        let trace: Trace = serde_json::from_value(answer).map_err(|error| {
            Failure::refused(format!("the controller's trace has another form: {error}"))
        })?;
        return Ok(Report::new(probes::trace(&trace), json!(trace)));
    };
    let file = client
        .post_for_file(&path, &body, "application/x-pcapng")
        .map_err(refused)?;
    std::fs::write(name, &file)
        .map_err(|error| Failure::refused(format!("{name} cannot be written: {error}")))?;
    Ok(Report::done(format!(
        "Trace of {} in {name} ({} bytes).",
        src.report(),
        file.len()
    )))
}
