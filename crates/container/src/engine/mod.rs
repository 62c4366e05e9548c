//! The container engine: docker's API, which podman speaks, too. Every question has a limit.

mod attach;
mod start;

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptions, LogsOptions, StopContainerOptions,
};
use futures_util::StreamExt;
use tokio::runtime::{Builder, Runtime};

use crate::plan::label;
use crate::{Error, Result};

pub use attach::{Input, Output, standard_input};
pub use start::{SECCOMP, Started};

/// For an answer to anything that does not take its time.
const LIMIT: Duration = Duration::from_secs(20);
/// For a container to end by itself when it is asked to, in seconds.
const STOP: i32 = 10;
/// Seconds for one answer of a stream.
const STREAM_LIMIT: u64 = 120;
/// Where the engines listen, if `DOCKER_HOST` does not say.
const SOCKETS: [&str; 2] = ["/var/run/docker.sock", "/run/podman/podman.sock"];

/// A container of SPP.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// The beginning of its id.
    pub id: String,
    /// The application in it.
    pub app: String,
    /// Its image.
    pub image: String,
    /// It runs.
    pub running: bool,
    /// Since when, or how it ended, in the engine's words.
    pub status: String,
    /// Ports of the panel that it holds.
    pub ports: Vec<String>,
    /// Their sockets on the host.
    pub sockets: Vec<String>,
    /// Its CPUs.
    pub cpus: Vec<u32>,
    /// Of these the one with its main thread, if others may use it, too.
    pub main: Option<u32>,
    /// lcore ids of a process that is not SPP's, on the memory of a panel.
    pub lcore_ids: Vec<u32>,
    /// Name of its memory.
    pub prefix: Option<String>,
}

impl Container {
    /// CPUs that it does not want to share.
    pub fn own_cpus(&self) -> impl Iterator<Item = u32> + '_ {
        let cpus = self.cpus.iter().copied();
        cpus.filter(|cpu| Some(*cpu) != self.main)
    }

    fn of(summary: ContainerSummary) -> Self {
        let labels = summary.labels.unwrap_or_default();
        let list = |name: &str| -> Vec<String> {
            let text = labels.get(name).map(String::as_str).unwrap_or_default();
            let parts = text.split(',').filter(|part| !part.is_empty());
            parts.map(str::to_owned).collect()
        };
        let numbers = |name: &str| -> Vec<u32> {
            let parts = list(name);
            parts.iter().filter_map(|part| part.parse().ok()).collect()
        };
        let names = summary.names.unwrap_or_default();
        let id = summary.id.unwrap_or_default();
        Self {
            name: names
                .first()
                .map(|name| name.trim_start_matches('/').to_owned())
                .unwrap_or_default(),
            id: id.chars().take(12).collect(),
            app: labels.get(label::APP).cloned().unwrap_or_default(),
            image: summary.image.unwrap_or_default(),
            running: summary
                .state
                .is_some_and(|state| state.to_string() == "running"),
            status: summary.status.unwrap_or_default(),
            ports: list(label::PORTS),
            sockets: list(label::SOCKETS),
            cpus: numbers(label::LCORES),
            main: numbers(label::MAIN).first().copied(),
            lcore_ids: numbers(label::LCORE_IDS),
            prefix: labels.get(label::PREFIX).cloned(),
        }
    }
}

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

    /// The containers of SPP: those that run, and if `all`, those that have ended.
    ///
    /// # Errors
    /// The engine does not answer.
    pub fn list(&self, all: bool) -> Result<Vec<Container>> {
        let filters = HashMap::from([("label".to_owned(), vec![label::APP.to_owned()])]);
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

    /// How a container that does not run any more ended: its exit status; nothing while it runs.
    ///
    /// # Errors
    /// There is none of this name, or the engine does not answer.
    pub fn ended(&self, name: &str) -> Result<Option<i64>> {
        let answer = self.ask(
            &format!("look at container {name}"),
            self.docker
                .inspect_container(name, None::<InspectContainerOptions>),
        )?;
        let state = answer.state.unwrap_or_default();
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
