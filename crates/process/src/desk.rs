//! Asking the primary for what only it can do.
//!
//! The primary listens on a UNIX socket in the panel's folder, which only its own user can reach. One
//! line is a command, one line is its answer; both are those of the control thread.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crossbeam::channel::{Sender, bounded};
use protocol::reply::Simple;

use crate::events::{ANSWER_LIMIT, Event};
use crate::{Error, threads};

const NAME: &str = "primary.sock";
/// What a process says there that was told to exit, before its id.
const LEAVING: &str = "_leaving ";
/// How long one that is leaving waits for the primary to take note of it.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long the primary may take to plug something in or out: less than the controller waits for whoever asks.
const PLUG: Duration = Duration::from_secs(4);
/// Longest command, and longest answer, in bytes.
const LONGEST: u64 = 4096;
/// How long a caller may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(1);

/// The listening side; dropping it removes the socket.
pub struct Desk {
    path: PathBuf,
}

impl Desk {
    /// Opens the desk (primary only); what is asked there goes to `events`.
    pub fn open(folder: &Path, events: Sender<Event>) -> Result<Self, Error> {
        let path = folder.join(NAME);
        let refused = |e: std::io::Error| Error::Refused(format!("{}: {e}", path.display()));
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(refused(e)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(refused)?;
        threads::spawn("spp-desk", move || {
            for stream in listener.incoming().flatten() {
                // A caller that goes away needs no answer.
                let _ = serve(&stream, &events);
            }
        })?;
        Ok(Desk { path })
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // The folder goes with the panel in any case.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn serve(stream: &UnixStream, events: &Sender<Event>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST)).read_line(&mut line)?;
    let (reply, answer) = bounded(1);
    let sent = events.send_timeout(
        Event::Command {
            text: line.trim_end().to_string(),
            reply,
        },
        ANSWER_LIMIT,
    );
    let text = match sent
        .ok()
        .and_then(|()| answer.recv_timeout(ANSWER_LIMIT).ok())
    {
        Some(answer) => answer.text,
        None => Simple::new("", Err("the primary is busy or ending")).to_json(),
    };
    let mut stream = stream;
    stream.write_all(format!("{text}\n").as_bytes())
}

/// Asks the primary to carry out `command`, which takes it 2 s at most.
pub fn ask(folder: &Path, command: &str) -> Result<(), Error> {
    ask_within(folder, command, PLUG)
}

/// Tells the primary that the process with this id was told to exit: if the primary launched it, it is not to be started
/// again.
pub fn say_leaving(folder: &Path, id: u32) -> Result<(), Error> {
    ask_within(folder, &format!("{LEAVING}{id}"), FAREWELL)
}

/// The id of the process that says that it was told to exit.
pub fn leaving(command: &str) -> Option<&str> {
    command.strip_prefix(LEAVING)
}

fn ask_within(folder: &Path, command: &str, limit: Duration) -> Result<(), Error> {
    let path = folder.join(NAME);
    let failed = |e: std::io::Error| {
        Error::Refused(format!(
            "the primary cannot be asked ({}: {e})",
            path.display()
        ))
    };
    let mut stream = UnixStream::connect(&path).map_err(failed)?;
    stream.set_read_timeout(Some(limit)).map_err(failed)?;
    stream.set_write_timeout(Some(PATIENCE)).map_err(failed)?;
    stream
        .write_all(format!("{command}\n").as_bytes())
        .map_err(failed)?;
    let mut line = String::new();
    BufReader::new(stream.take(LONGEST))
        .read_line(&mut line)
        .map_err(failed)?;
    let answer: Simple = serde_json::from_str(&line)
        .map_err(|_| Error::Refused("the primary gave no answer that can be understood".into()))?;
    match answer.error {
        None if answer.result == "succeeded" => Ok(()),
        error => Err(Error::Refused(
            error.unwrap_or_else(|| "the primary refused".into()),
        )),
    }
}
