//! Input and output of what runs in a container, here.

use std::io::Read as _;
use std::pin::Pin;
use std::time::Duration;

use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as EngineError;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::AttachContainerOptions;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::Receiver;

use super::{Engine, said};
use crate::{Error, Result};

/// How often an interrupt is looked for.
pub(super) const GLANCE: Duration = Duration::from_millis(100);

/// What is typed; closed at its end.
pub type Input = Receiver<Vec<u8>>;

/// What takes output: true for what was written as an error. It says false to end it all; it is asked now and then with nothing.
pub type Output<'a> = dyn FnMut(&[u8], bool) -> bool + 'a;

type From = Pin<Box<dyn Stream<Item = std::result::Result<LogOutput, EngineError>> + Send>>;
type To = Pin<Box<dyn AsyncWrite + Send>>;

/// What comes in at standard input, read by a thread of its own.
///
/// # Errors
/// There is no thread to be had.
pub fn standard_input() -> Result<Input> {
    let (to, input) = tokio::sync::mpsc::channel(16);
    std::thread::Builder::new()
        .name("spp-input".to_owned())
        .spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = std::io::stdin().read(&mut bytes) {
                // Nobody reads any more: what runs in the container has ended.
                if to.blocking_send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        })
        .map_err(|error| Error::Engine(format!("no thread for the input: {error}")))?;
    Ok(input)
}

impl Engine {
    /// Starts a container that was made and stays with it until it ends, or `output` says so; gives its exit status. It is gone
    /// then.
    ///
    /// # Errors
    /// It cannot be started, or the engine does not answer.
    pub fn foreground(
        &self,
        name: &str,
        input: Option<Input>,
        output: &mut Output<'_>,
    ) -> Result<i64> {
        let ended = self.stay(name, input, output);
        let status = ended.and_then(|()| {
            self.end(name)?;
            Ok(self.ended(name)?.unwrap_or_default())
        });
        let removed = self.remove(name);
        let status = status?;
        removed.map(|()| status)
    }

    fn stay(&self, name: &str, input: Option<Input>, output: &mut Output<'_>) -> Result<()> {
        let options = AttachContainerOptions {
            stdin: input.is_some(),
            stdout: true,
            stderr: true,
            stream: true,
            ..Default::default()
        };
        let what = format!("attach to container {name}");
        let attached = self.ask(&what, self.docker.attach_container(name, Some(options)))?;
        self.run(name)?;
        let AttachContainerResults {
            output: from,
            input: to,
        } = attached;
        self.runtime
            .block_on(pump(&what, true, from, to, input, output))
    }

    /// Runs a command in a container that runs, until it ends or `output` says so; gives its exit status.
    ///
    /// # Errors
    /// The engine refuses, or does not answer.
    pub fn exec(
        &self,
        name: &str,
        words: &[String],
        terminal: bool,
        input: Option<Input>,
        output: &mut Output<'_>,
    ) -> Result<i64> {
        let what = format!("run a command in container {name}");
        let config = ExecConfig {
            attach_stdin: Some(input.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(terminal),
            cmd: Some(words.to_vec()),
            ..Default::default()
        };
        let made = self.ask(&what, self.docker.create_exec(name, config))?;
        let options = StartExecOptions {
            tty: terminal,
            ..Default::default()
        };
        match self.ask(&what, self.docker.start_exec(&made.id, Some(options)))? {
            StartExecResults::Attached {
                output: from,
                input: to,
            } => self
                .runtime
                .block_on(pump(&what, terminal, from, to, input, output))?,
            StartExecResults::Detached => {
                return Err(Error::Engine(format!("cannot {what}: it was detached")));
            }
        }
        let state = self.ask(&what, self.docker.inspect_exec(&made.id))?;
        Ok(state.exit_code.unwrap_or_default())
    }
}

/// Carries input there and output here until the output ends. The end of the input is told, but to a terminal: there it would
/// end the output, too.
async fn pump(
    what: &str,
    terminal: bool,
    mut from: From,
    mut to: To,
    mut input: Option<Input>,
    output: &mut Output<'_>,
) -> Result<()> {
    loop {
        tokio::select! {
            part = from.next() => match part {
                None => return Ok(()),
                Some(Ok(LogOutput::StdErr { message })) if !output(&message, true) => return Ok(()),
                Some(Ok(LogOutput::StdErr { .. })) => {}
                Some(Ok(part)) if !output(part.as_ref(), false) => return Ok(()),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(said(what, &error)),
            },
            typed = next(&mut input), if input.is_some() => match typed {
                // If it has just ended nobody reads it.
                Some(bytes) => { let _ = to.write_all(&bytes).await; let _ = to.flush().await; }
                None if terminal => input = None,
                None => { let _ = to.shutdown().await; input = None; }
            },
            () = tokio::time::sleep(GLANCE) => if !output(&[], false) {
                return Ok(());
            },
        }
    }
}

async fn next(input: &mut Option<Input>) -> Option<Vec<u8>> {
    match input {
        Some(input) => input.recv().await,
        None => None,
    }
}
