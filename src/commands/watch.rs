//! `watch`: what changes, as it changes.

use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use protocol::event::{Change, Event, Resync};

use crate::client::Client;
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::events::{Message, Messages};
use crate::failure::Failure;

/// The controller gives a sign of life more often than this.
const SILENCE: Duration = Duration::from_secs(30);
/// A controller that is being started anew is waited for this long.
const AWAY: Duration = Duration::from_secs(30);
const BETWEEN_TRIES: Duration = Duration::from_millis(500);
const GLANCE: Duration = Duration::from_millis(50);
/// Messages that wait for our output; then the controller's connection waits.
const WAITING: usize = 256;

/// How the reading of one connection ended.
enum End {
    /// As many as were wanted, or the user interrupted.
    Wanted,
    /// The connection is gone.
    Lost(String),
}

/// `watch [--count N]`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let mut left = args.number("N");
    let mut last: Option<String> = None;
    let mut known = Instant::now();
    let mut first = true;
    loop {
        match connect(&context.client, last.clone()) {
            Ok(messages) => {
                first = false;
                let end = read(context, &messages, &mut last, &mut left)?;
                known = Instant::now();
                match end {
                    End::Wanted => return Ok(Report::written()),
                    End::Lost(reason) => say(context, &format!("{reason}: connecting again")),
                }
            }
            // At the first time nobody knows that there is a controller at all.
            Err(failure) if first || known.elapsed() >= AWAY => return Err(failure),
            // It does not want us.
            Err(failure @ Failure::Refused { .. }) => return Err(failure),
            Err(_) => {}
        }
        if !context.pause(BETWEEN_TRIES) {
            return Ok(Report::written());
        }
    }
}

/// Has a thread read events, which ends when nobody wants them any more.
fn connect(
    client: &Client,
    last: Option<String>,
) -> Result<Receiver<std::io::Result<Option<Message>>>, Failure> {
    let body = client.follow("/v1/events", last.as_deref())?;
    let (sender, messages) = sync_channel(WAITING);
    std::thread::Builder::new()
        .name("spp-events".to_owned())
        .spawn(move || {
            let mut body = Messages::new(body);
            loop {
                let message = body.next();
                let over = !matches!(message, Ok(Some(_)));
                if sender.send(message).is_err() || over {
                    return;
                }
            }
        })?;
    Ok(messages)
}

fn read(
    context: &mut Context,
    messages: &Receiver<std::io::Result<Option<Message>>>,
    last: &mut Option<String>,
    left: &mut Option<u64>,
) -> Result<End, Failure> {
    let mut heard = Instant::now();
    loop {
        if context.interrupt.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(End::Wanted);
        }
        let message = match messages.recv_timeout(GLANCE) {
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None)) | Err(RecvTimeoutError::Disconnected) => {
                return Ok(End::Lost("the controller ended the connection".to_owned()));
            }
            Ok(Err(error)) => return Ok(End::Lost(format!("the connection broke ({error})"))),
            Err(RecvTimeoutError::Timeout) if heard.elapsed() >= SILENCE => {
                let words = format!("nothing came for {} s", SILENCE.as_secs());
                return Ok(End::Lost(words));
            }
            Err(RecvTimeoutError::Timeout) => continue,
        };
        heard = Instant::now();
        let Message::Event { name, id, data } = message else {
            continue;
        };
        match name.as_str() {
            "hello" => {
                let words = format!("following {}", context.client.address());
                say(context, &words);
            }
            "resync" => show_resync(context, &data)?,
            _ => {
                show(context, &data)?;
                *left = left.map(|left| left.saturating_sub(1));
            }
        }
        if !id.is_empty() {
            *last = Some(id);
        }
        if *left == Some(0) {
            return Ok(End::Wanted);
        }
    }
}

/// For people, beside the events.
fn say(context: &mut Context, words: &str) {
    // If this cannot be written the next event cannot either, and that is noticed.
    let _ = writeln!(context.err, "{words}");
}

fn show_resync(context: &mut Context, data: &str) -> Result<(), Failure> {
    if context.json {
        let mut document = serde_json::from_str(data).unwrap_or(serde_json::json!({}));
        document["event"] = "resync".into();
        writeln!(context.out, "{document}")?;
    } else {
        let reason = serde_json::from_str::<Resync>(data).map(|resync| resync.reason);
        let reason = reason.unwrap_or_else(|_| data.to_owned());
        writeln!(context.out, "resync: {reason}")?;
    }
    Ok(context.out.flush()?)
}

fn show(context: &mut Context, data: &str) -> Result<(), Failure> {
    if context.json {
        writeln!(context.out, "{data}")?;
    } else {
        match serde_json::from_str::<Event>(data) {
            Ok(event) => writeln!(context.out, "{}", line(&event))?,
            // Of a controller that is newer than we are.
            Err(_) => writeln!(context.out, "{data}")?,
        }
    }
    Ok(context.out.flush()?)
}

/// `17:02:03.004Z nfv:1 patch-added vhost:1 -> ring:0`
fn line(event: &Event) -> String {
    let (seconds, ms) = (event.time_ms / 1000, event.time_ms % 1000);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let name = event.change.name();
    let (process, rest) = words(&event.change);
    let text = format!("{hour:02}:{minute:02}:{second:02}.{ms:03}Z {process:<9} {name:<15} {rest}");
    text.trim_end().to_owned()
}

/// Whom it is about, and what else there is to say.
fn words(change: &Change) -> (&str, String) {
    use Change as C;
    match change {
        C::ProcessJoined {
            process, version, ..
        } => {
            let what = version
                .as_ref()
                .map_or("of the original".to_owned(), |version| {
                    format!("version {version}")
                });
            (process, what)
        }
        C::ProcessLeft {
            process, reason, ..
        } => (process, reason.clone()),
        C::PortAdded {
            process,
            port,
            link,
        } if link == "-" => (process, port.clone()),
        C::PortAdded {
            process,
            port,
            link,
        } => (process, format!("{port} (link {link})")),
        C::PortDeleted { process, port }
        | C::LinkUp { process, port }
        | C::LinkDown { process, port } => (process, port.clone()),
        C::PatchAdded { process, src, dst } | C::PatchDeleted { process, src, dst } => {
            (process, format!("{src} -> {dst}"))
        }
        C::WorkerStuck { process, cpu } | C::WorkerBack { process, cpu } => {
            (process, format!("CPU {cpu}"))
        }
        C::ProcessSilent { process }
        | C::ProcessBack { process }
        | C::ForwardStarted { process }
        | C::ForwardStopped { process } => (process, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let event = |text| line(&serde_json::from_str(text).unwrap());
        let text = r#"{"seq":1,"time-ms":61323004,"event":"patch-added","process":"nfv:1","src":"vhost:1","dst":"ring:0"}"#;
        let shown = "17:02:03.004Z nfv:1     patch-added     vhost:1 -> ring:0";
        assert_eq!(event(text), shown);
        let text = r#"{"seq":2,"time-ms":0,"event":"process-silent","process":"primary"}"#;
        assert_eq!(event(text), "00:00:00.000Z primary   process-silent");
        let text = r#"{"seq":2,"time-ms":0,"event":"port-added","process":"nfv:1","port":"vhost:1","link":"down"}"#;
        assert!(event(text).ends_with("vhost:1 (link down)"));
    }
}
