//! The controller as a process that the primary starts and watches, and how programs of ours are started.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use process::Error;
use sys::signal::CommandExt as _;

use crate::options::Controller;

/// Time between two starts of a controller that keeps ending.
const RESTART: Duration = Duration::from_secs(1);
/// How long a controller may take to answer a question.
const ANSWER: Duration = Duration::from_secs(2);
/// Most bytes of an answer that are read.
const MOST: u64 = 65536;

/// Where the program `name` lies: beside this one.
pub fn beside(name: &str) -> Result<PathBuf, Error> {
    let us = std::env::current_exe()
        .map_err(|e| Error::Refused(format!("the path of this program is not known: {e}")))?;
    let path = us.parent().unwrap_or(Path::new("/")).join(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::Refused(format!(
        "{} does not exist: install all programs of SPP into one folder",
        path.display()
    )))
}

/// A program of ours, ready to be started so that it inherits nothing of this process.
pub fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command
        .stdin(Stdio::null())
        .unblock_signals()
        .only_standard_streams();
    command
}

/// What answers at the controller's REST port.
enum Answers {
    Ours,
    Other,
    Nobody,
}

/// Asks whoever listens there for `path`; gives what came back.
fn get(c: &Controller, rest: u16, path: &str) -> std::io::Result<String> {
    let address = (c.address.as_str(), rest).to_socket_addrs()?.next();
    let address = address.ok_or_else(|| std::io::Error::other("no address"))?;
    let mut stream = TcpStream::connect_timeout(&address, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.set_write_timeout(Some(ANSWER))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        c.address
    )?;
    let mut text = Vec::new();
    // What comes before a time limit or an error is enough to tell.
    let _ = stream.take(MOST).read_to_end(&mut text);
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn who_answers(c: &Controller, rest: u16) -> Answers {
    match get(c, rest, "/v1/version") {
        Ok(text) if text.contains("\"spp-ctl\"") => Answers::Ours,
        Ok(_) => Answers::Other,
        Err(_) => Answers::Nobody,
    }
}

/// Whether that controller has a primary already. One that has just died is waited for.
fn has_primary(c: &Controller, rest: u16) -> bool {
    let limit = Instant::now() + ANSWER;
    let listed = || get(c, rest, "/v1/processes").is_ok_and(|text| text.contains("\"primary\""));
    while listed() {
        if Instant::now() > limit {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

/// The controller that this primary watches, started by it or found running.
pub struct ControllerChild {
    settings: Controller,
    child: Option<Child>,
    started: Instant,
}

impl ControllerChild {
    /// Starts the controller unless one answers already, then waits until it answers.
    pub fn start(settings: &Controller) -> Result<Option<Self>, Error> {
        let Some(rest) = settings.rest else {
            log::info!(
                "controller: {}:{}, not started by us",
                settings.address,
                settings.primary
            );
            return Ok(None);
        };
        let mut this = ControllerChild {
            settings: settings.clone(),
            child: None,
            started: Instant::now(),
        };
        match who_answers(settings, rest) {
            Answers::Ours if has_primary(settings, rest) => {
                return Err(Error::Refused(format!(
                    "the controller at {}:{rest} serves another primary: end that, or choose other ports (--ctl-ports P,S,R)",
                    settings.address
                )));
            }
            Answers::Ours => {
                log::info!(
                    "controller: one answers at {}:{rest} already",
                    settings.address
                );
                return Ok(Some(this));
            }
            Answers::Other => {
                return Err(Error::Refused(format!(
                    "{}:{rest} is in use by something that is no spp-ctl: end it, or choose other ports (--ctl-ports P,S,R)",
                    settings.address
                )));
            }
            Answers::Nobody => {}
        }
        this.launch(rest)?;
        let limit = Instant::now() + Duration::from_secs(5);
        while !matches!(who_answers(settings, rest), Answers::Ours) {
            if let Some(status) = this
                .child
                .as_mut()
                .and_then(|c| c.try_wait().ok().flatten())
            {
                return Err(Error::Refused(format!(
                    "the controller ended at its start ({status}); its own words are above (other ports: --ctl-ports P,S,R; none: --no-ctl)"
                )));
            }
            if Instant::now() > limit {
                return Err(Error::Refused(
                    "the controller did not answer within 5 s".into(),
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        log::info!(
            "controller: started, REST at http://{}:{rest}/v1",
            settings.address
        );
        Ok(Some(this))
    }

    fn launch(&mut self, rest: u16) -> Result<(), Error> {
        let path = beside("spp-ctl")?;
        let c = &self.settings;
        let child = program(&path)
            .args([
                "-b",
                &c.address,
                "-p",
                &c.primary.to_string(),
                "-s",
                &c.secondary.to_string(),
            ])
            .args(["-a", &rest.to_string(), "--exit-when-idle"])
            .args(&c.options)
            // It outlives us, and Ctrl-C on our terminal is not meant for it.
            .process_group(0)
            .parent_death_signal(None)
            .spawn()
            .map_err(|e| Error::Refused(format!("{} cannot be started: {e}", path.display())))?;
        self.child = Some(child);
        self.started = Instant::now();
        Ok(())
    }

    /// Starts it again if it has ended, at most once a second. One that we found running is no child of ours: that we
    /// are `connected` to it tells that it lives.
    pub fn watch(&mut self, connected: bool) {
        let Some(rest) = self.settings.rest else {
            return;
        };
        if let Some(child) = &mut self.child {
            match child.try_wait() {
                Ok(Some(status)) => {
                    log::error!("the controller ended ({status}): starting it again");
                    self.child = None;
                }
                Ok(None) => return,
                Err(e) => {
                    log::error!("the controller cannot be watched: {e}");
                    return;
                }
            }
        }
        if connected {
            self.started = Instant::now();
            return;
        }
        if self.started.elapsed() >= RESTART {
            self.started = Instant::now();
            if matches!(who_answers(&self.settings, rest), Answers::Ours) {
                return;
            }
            if let Err(e) = self.launch(rest) {
                log::error!("{e}");
            }
        }
    }
}

impl Drop for ControllerChild {
    /// Tells it that this primary ends by its own will, or did not come up. It learns that from the connection, too, but a primary that
    /// ends soon after its start may have none yet.
    fn drop(&mut self) {
        if let Some(child) = &mut self.child
            && matches!(child.try_wait(), Ok(None))
            && let Err(e) = sys::signal::tell(child.id())
        {
            log::warn!("the controller does not learn that this primary ends: {e}");
        }
    }
}
