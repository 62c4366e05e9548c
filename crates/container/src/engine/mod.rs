//! The container engine: docker's API, which podman speaks, too. Every question has a limit.

mod attach;
mod found;
mod start;

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::ContainerState;
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptions, LogsOptions, StopContainerOptions,
};
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};

use crate::plan::label;
use crate::{Error, Result};

pub use attach::{Input, Output, standard_input};
pub use found::Container;
pub use start::{SECCOMP, Started};

/// For an answer to anything that does not take its time.
const LIMIT: Duration = Duration::from_secs(20);
/// Between two looks at one that is about to end.
const GLANCE: Duration = Duration::from_millis(50);
/// For a container to end by itself when it is asked to, in seconds.
const STOP: i32 = 10;
/// Seconds for one answer of a stream.
const STREAM_LIMIT: u64 = 120;
/// Where the engines listen, if `DOCKER_HOST` does not say.
const SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];

/// A connection to the engine.
pub struct Engine {
    docker: Docker,
    runtime: Runtime,
    address: String,
}

impl Engine {
    /// Connects to the engine of `DOCKER_HOST`, or to docker's or podman's socket.
    ///
    /// # Errors
    /// None is there, or it does not answer.
    pub fn connect() -> Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Engine(format!("no event loop for the engine: {error}")))?;
        let host = std::env::var("DOCKER_HOST")
            .ok()
            .filter(|host| !host.is_empty());
        let at = match host {
            Some(host) => host,
            None => {
                let there = SOCKETS.into_iter().find(|path| Path::new(path).exists());
                format!("unix://{}", there.unwrap_or(SOCKETS[0]))
            }
        };
        let unreachable = |reason: String| {
            Error::Engine(format!(
                "no container engine answers at {at}: {reason} (install one, such as docker.io, and start it: systemctl start docker, or dockerd; another one: DOCKER_HOST)"
            ))
        };
        let docker = runtime
            .block_on(async {
                let docker = match at.strip_prefix("unix://") {
                    Some(path) => {
                        Docker::connect_with_unix(path, STREAM_LIMIT, bollard::API_DEFAULT_VERSION)
                    }
                    None => {
                        Docker::connect_with_http(&at, STREAM_LIMIT, bollard::API_DEFAULT_VERSION)
                    }
                };
                let docker = docker.map_err(|error| error.to_string())?;
                // The engine may be older than this program.
                match tokio::time::timeout(LIMIT, docker.negotiate_version()).await {
                    Ok(Ok(docker)) => Ok(docker),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
                }
            })
            .map_err(unreachable)?;
        Ok(Self {
            docker,
            runtime,
            address: at,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it calls itself, and its version.
    ///
    /// # Errors
    /// It does not answer.
    pub fn version(&self) -> Result<String> {
        let said = self.ask("ask for the engine's version", self.docker.version())?;
        // Of its parts the first is the engine; docker calls its own by no more than that.
        let parts = said.components.unwrap_or_default();
        let name = match parts.first().map(|part| part.name.as_str()) {
            None | Some("Engine") => "docker",
            Some(name) => name,
        };
        Ok(format!("{name} {}", said.version.unwrap_or_default()))
    }

    /// Waits for an answer. `what` was asked for.
    fn ask<T>(
        &self,
        what: &str,
        question: impl Future<Output = std::result::Result<T, bollard::errors::Error>>,
    ) -> Result<T> {
        self.runtime.block_on(limited(what, LIMIT, question))
    }

    /// Whether the engine has this image.
    ///
    /// # Errors
    /// It does not answer.
    pub fn has_image(&self, name: &str) -> Result<bool> {
        let answer = self
            .runtime
            .block_on(async { tokio::time::timeout(LIMIT, self.docker.inspect_image(name)).await });
        match answer {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(bollard::errors::Error::DockerResponseServerError {
                status_code: 404, ..
            })) => Ok(false),
            Ok(Err(error)) => Err(said(&format!("look for image {name}"), &error)),
            Err(_) => Err(late(&format!("look for image {name}"), LIMIT)),
        }
    }

    /// Bytes of an image.
    ///
    /// # Errors
    /// There is none of this name, or the engine does not answer.
    pub fn image_size(&self, name: &str) -> Result<u64> {
        let image = self.ask(
            &format!("look at image {name}"),
            self.docker.inspect_image(name),
        )?;
        Ok(image.size.unwrap_or_default().unsigned_abs())
    }

    /// What an image runs by itself: its entry point and its command.
    ///
    /// # Errors
    /// There is none of this name, or the engine does not answer.
    pub fn program_of(&self, image: &str) -> Result<Vec<String>> {
        let found = self.ask(
            &format!("look at image {image}"),
            self.docker.inspect_image(image),
        )?;
        let config = found.config.unwrap_or_default();
        let words = [config.entrypoint, config.cmd].into_iter().flatten();
        Ok(words.flatten().collect())
    }

    /// The containers of SPP: those that run, and if `all`, those that have ended.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn list(&self, all: bool) -> Result<Vec<Container>> {
        self.labelled(label::APP, all)
    }

    /// The containers of all networks of `spp lab`: those that run, and those that have ended.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn of_labs(&self) -> Result<Vec<Container>> {
        self.labelled(label::LAB, true)
    }

    fn labelled(&self, label: &str, all: bool) -> Result<Vec<Container>> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListContainersOptions {
            all,
            filters: Some(filters),
            ..Default::default()
        };
        let found = self.ask(
            "list containers",
            self.docker.list_containers(Some(options)),
        )?;
        let mut containers: Vec<Container> = found.into_iter().map(Container::of).collect();
        containers.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(containers)
    }

    /// The container of SPP of this name or id.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<Container> {
        let all = self.list(true)?;
        let found = all
            .iter()
            .find(|c| c.name == name || (name.len() >= 4 && c.id.starts_with(name)));
        found.cloned().ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|c| c.name.as_str()).collect();
            Error::refused(format!(
                "there is no container {name} of SPP (there are: {})",
                match names.is_empty() {
                    true => "none".to_owned(),
                    false => names.join(", "),
                }
            ))
        })
    }

    /// What a container wrote: its last `tail` lines, or all; with `follow` also what it writes until it ends.
    /// `take` says false to end it.
    ///
    /// # Errors
    /// There is none of this name, or the engine does not answer.
    pub fn logs(
        &self,
        name: &str,
        tail: Option<u32>,
        follow: bool,
        take: &mut dyn FnMut(&[u8]) -> bool,
    ) -> Result<()> {
        let options = LogsOptions {
            stdout: true,
            stderr: true,
            follow,
            tail: tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
            ..Default::default()
        };
        self.runtime.block_on(async {
            let mut output = self.docker.logs(name, Some(options));
            loop {
                // Looks up now and then, so that an interrupted command ends although nothing is written.
                match tokio::time::timeout(attach::GLANCE, output.next()).await {
                    Ok(None) => return Ok(()),
                    Ok(Some(Ok(part))) if !take(part.as_ref()) => return Ok(()),
                    Ok(Some(Ok(_))) => {}
                    Ok(Some(Err(error))) => {
                        return Err(said(&format!("read the log of {name}"), &error));
                    }
                    Err(_) if !take(&[]) => return Ok(()),
                    Err(_) => {}
                }
            }
        })
    }

    /// Ends a container and removes it: it is asked to, and killed if it has not ended after ten seconds.
    ///
    /// # Errors
    /// The engine refuses.
    pub fn stop(&self, name: &str) -> Result<()> {
        self.end(name)?;
        self.remove(name)
    }

    /// Has a container end: it is asked to, and killed if it has not ended after ten seconds. What it wrote can still be read.
    ///
    /// # Errors
    /// The engine refuses.
    pub fn end(&self, name: &str) -> Result<()> {
        let options = StopContainerOptions {
            t: Some(STOP),
            ..Default::default()
        };
        let stopped = self.docker.stop_container(name, Some(options));
        // As long as the engine waits, and to kill it.
        let limit = LIMIT + Duration::from_secs(STOP.unsigned_abs().into());
        let what = format!("stop container {name}");
        self.runtime.block_on(limited(&what, limit, stopped))
    }

    /// PID of the first process of a container, as the engine sees it; nothing if it does not run.
    ///
    /// # Errors
    /// There is none of this name, or the engine does not answer.
    pub fn first_process(&self, name: &str) -> Result<Option<u32>> {
        let pid = self.state(name)?.pid.unwrap_or_default();
        Ok(u32::try_from(pid).ok().filter(|pid| *pid != 0))
    }

    fn state(&self, name: &str) -> Result<ContainerState> {
        let what = format!("look at container {name}");
        let end = Instant::now() + LIMIT;
        loop {
            let question = self
                .docker
                .inspect_container(name, None::<InspectContainerOptions>);
            let answer = self
                .runtime
                .block_on(async { tokio::time::timeout(LIMIT, question).await });
            return match answer {
                Ok(Ok(found)) => Ok(found.state.unwrap_or_default()),
                // podman's word for one that will have exited in a moment; docker's API has no such word.
                Ok(Err(error)) if is_stopping(&error) && Instant::now() < end => {
                    std::thread::sleep(GLANCE);
                    continue;
                }
                Ok(Err(error)) => Err(said(&what, &error)),
                Err(_) => Err(late(&what, LIMIT)),
            };
        }
    }

    /// How a container that does not run any more ended: its exit status; nothing while it runs.
    ///
    /// # Errors
    /// There is none of this name, or the engine does not answer.
    pub fn ended(&self, name: &str) -> Result<Option<i64>> {
        let state = self.state(name)?;
        Ok(match state.running.unwrap_or_default() {
            true => None,
            false => Some(state.exit_code.unwrap_or_default()),
        })
    }
}

/// An answer within `limit`.
async fn limited<T>(
    what: &str,
    limit: Duration,
    question: impl Future<Output = std::result::Result<T, bollard::errors::Error>>,
) -> Result<T> {
    match tokio::time::timeout(limit, question).await {
        Ok(answer) => answer.map_err(|error| said(what, &error)),
        Err(_) => Err(late(what, limit)),
    }
}

/// The answer has a state that docker's API does not know.
fn is_stopping(error: &bollard::errors::Error) -> bool {
    error.to_string().contains("unknown variant `stopped`")
}

fn late(what: &str, limit: Duration) -> Error {
    Error::Engine(format!(
        "cannot {what}: the container engine did not answer within {} s",
        limit.as_secs()
    ))
}

/// What the engine said, in its words.
fn said(what: &str, error: &bollard::errors::Error) -> Error {
    match error {
        bollard::errors::Error::DockerResponseServerError { message, .. } => {
            Error::refused(format!("cannot {what}: {message}"))
        }
        other => Error::Engine(format!("cannot {what}: {other}")),
    }
}
