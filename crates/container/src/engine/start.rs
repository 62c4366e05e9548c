//! Starting a container, and seeing that it came up.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::{ContainerCreateBody, DeviceMapping, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptions, RemoveContainerOptions, StartContainerOptions,
};

use super::Engine;
use crate::app::ENTRY;
use crate::plan::{Plan, Privilege};
use crate::{Error, Result, command, host};

/// For an application to say that it is ready.
const READY: Duration = Duration::from_secs(30);
/// For one that is ready to be known to others: a controller may not be there.
const SETTLED: Duration = Duration::from_secs(3);
/// An application that does not say so counts as started when it has lived so long, or ended well.
const ALIVE: Duration = Duration::from_secs(1);
const GLANCE: Duration = Duration::from_millis(50);
/// Lines of the log of a container that died.
const LAST_LINES: u32 = 20;

/// The list of system calls, for whoever is not privileged.
pub const SECCOMP: &str = include_str!("../../seccomp.json");

/// A container that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Started {
    /// Its name.
    pub name: String,
    /// It has ended already, with success.
    pub ended: bool,
}

/// What the engine is asked for; `seccomp` is the list of system calls, or where it is.
fn request(plan: &Plan, seccomp: &str) -> ContainerCreateBody {
    let mut host = HostConfig {
        binds: Some(plan.mounts.iter().map(crate::plan::Mount::text).collect()),
        network_mode: plan.network.clone(),
        devices: Some(plan.devices.iter().map(|path| device(path)).collect()),
        ..Default::default()
    };
    match &plan.privilege {
        Privilege::All => host.privileged = Some(true),
        Privilege::Usual(capabilities) => host.cap_add = Some(capabilities.clone()),
        Privilege::Least(capabilities) => {
            host.cap_drop = Some(vec!["ALL".to_owned()]);
            host.cap_add = Some(capabilities.clone());
            host.security_opt = Some(vec![
                "no-new-privileges".to_owned(),
                format!("seccomp={seccomp}"),
            ]);
            host.readonly_rootfs = Some(true);
            let scratch = command::scratch(plan).into_iter();
            let options = command::SCRATCH_OPTIONS.to_owned();
            host.tmpfs = Some(
                scratch
                    .map(|folder| (folder.to_owned(), options.clone()))
                    .collect(),
            );
        }
    }
    let open = plan.foreground || plan.terminal;
    ContainerCreateBody {
        image: Some(plan.image.clone()),
        entrypoint: (!plan.entrypoint.is_empty()).then(|| plan.entrypoint.clone()),
        cmd: Some(plan.command.clone()),
        user: plan.user.clone(),
        working_dir: plan.workdir.clone(),
        tty: Some(open),
        open_stdin: Some(open),
        attach_stdin: Some(plan.foreground),
        attach_stdout: Some(plan.foreground),
        attach_stderr: Some(plan.foreground),
        stdin_once: Some(plan.foreground),
        labels: Some(
            plan.labels()
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect::<HashMap<_, _>>(),
        ),
        host_config: Some(host),
        ..Default::default()
    }
}

/// An image without the program that is to find a PID: the engine says that it is not there, and this what to do.
fn without_entry(error: Error, plan: &Plan) -> Error {
    match (error, plan.command.first()) {
        (Error::Refused(reason), Some(entry)) if entry == ENTRY && reason.contains(ENTRY) => {
            Error::refused(format!(
                "{reason} (a process on the memory of a panel needs a PID that no other has: copy {ENTRY} into the image from one of ours, such as {}, or write \
                 entry = \"\" into its file if its containers share a PID namespace)",
                "sppc/dpdk-debian:12"
            ))
        }
        (error, _) => error,
    }
}

fn says(log: &str, texts: &[String]) -> bool {
    texts.iter().any(|text| log.contains(text))
}

fn device(path: &str) -> DeviceMapping {
    DeviceMapping {
        path_on_host: Some(path.to_owned()),
        path_in_container: Some(path.to_owned()),
        cgroup_permissions: Some("rwm".to_owned()),
    }
}

impl Engine {
    /// Makes the container of a plan, which does not run yet; gives its name. One of that name that has ended makes way.
    ///
    /// # Errors
    /// Its image is missing, or the engine refuses.
    pub fn create(&self, plan: &Plan) -> Result<String> {
        if !self.has_image(&plan.image)? {
            let remedy = match plan.target {
                Some(target) => format!("spp container build -t {}", target.name()),
                None => format!("docker pull {}", plan.image),
            };
            return Err(Error::refused(format!(
                "image {} is not there: make it ({remedy}), or name another{}",
                plan.image,
                // A network's file has another word for it.
                if plan.lab.is_none() { " with -ci" } else { "" }
            )));
        }
        if let Some(name) = &plan.name
            && self
                .list(true)?
                .iter()
                .any(|container| container.name == *name && !container.running)
        {
            self.remove(name)?;
        }
        let options = plan.name.clone().map(|name| CreateContainerOptions {
            name: Some(name),
            ..Default::default()
        });
        let made = self.ask(
            &format!("make a container of {}", plan.image),
            self.docker
                .create_container(options, request(plan, &self.seccomp()?)),
        )?;
        // By its name from here on: that is what people read.
        let id: String = made.id.chars().take(12).collect();
        Ok(self.find(&id).map_or(id, |container| container.name))
    }

    /// The list of system calls as the engine wants it: podman takes a file of this host's and docker the text.
    fn seccomp(&self) -> Result<String> {
        match self.version()?.starts_with("docker ") {
            true => Ok(SECCOMP.to_owned()),
            false => Ok(host::profile(SECCOMP)?.display().to_string()),
        }
    }

    /// Starts a container that was made, and sees that it comes up. If it does not, its last words are in the error, and
    /// it is gone. `interrupted` is asked now and then whether the user has enough.
    ///
    /// # Errors
    /// It died, was not ready in time, could not be started, or was not waited for.
    pub fn start(
        &self,
        name: &str,
        plan: &Plan,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Started> {
        let begun = self
            .run(name)
            .map_err(|error| without_entry(error, plan))
            .and_then(|()| self.comes_up(name, plan, Instant::now(), interrupted));
        if begun.is_err() {
            // What it is removed for is what is to be told.
            let _ = self.remove(name);
        }
        begun
    }

    /// Starts a container that was made, and does not look whether it comes up.
    ///
    /// # Errors
    /// The engine refuses, or does not answer.
    pub fn run(&self, name: &str) -> Result<()> {
        self.ask(
            &format!("start container {name}"),
            self.docker
                .start_container(name, None::<StartContainerOptions>),
        )
    }

    /// Removes a container, whether it runs or not.
    ///
    /// # Errors
    /// The engine refuses, or does not answer.
    pub fn remove(&self, name: &str) -> Result<()> {
        let options = RemoveContainerOptions {
            force: true,
            v: true,
            ..Default::default()
        };
        let removed = self.docker.remove_container(name, Some(options));
        self.ask(&format!("remove container {name}"), removed)
    }

    /// Waits until a container, whose program began at `begin`, is up. If it does not come up, its last words are in the error, and it
    /// stays.
    ///
    /// # Errors
    /// It died, was not ready in time, or was not waited for.
    pub fn comes_up(
        &self,
        name: &str,
        plan: &Plan,
        begin: Instant,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<Started> {
        let limit = if plan.ready.is_empty() { ALIVE } else { READY };
        let mut ready_since = None;
        loop {
            // The log is read after the state: what an ended container wrote is all there.
            let ended = self.ended(name)?;
            let log = self.last_lines(name, None)?;
            let ready = says(&log, &plan.ready) && {
                let since = *ready_since.get_or_insert_with(Instant::now);
                plan.settled.is_empty() || says(&log, &plan.settled) || since.elapsed() >= SETTLED
            };
            match ended {
                Some(0) if ready || plan.ready.is_empty() => {
                    return Ok(Started {
                        name: name.to_owned(),
                        ended: true,
                    });
                }
                Some(status) => {
                    return Err(self.last_words(
                        name,
                        &format!("container {name} ended at its start with exit status {status}"),
                    ));
                }
                None if ready || (plan.ready.is_empty() && begin.elapsed() >= limit) => {
                    return Ok(Started {
                        name: name.to_owned(),
                        ended: false,
                    });
                }
                None if begin.elapsed() >= limit => {
                    return Err(self.last_words(
                        name,
                        &format!(
                            "container {name} was not ready within {} s and was stopped",
                            limit.as_secs()
                        ),
                    ));
                }
                None if interrupted() => {
                    return Err(Error::refused(format!(
                        "interrupted before container {name} was ready: it was stopped"
                    )));
                }
                None => std::thread::sleep(GLANCE),
            }
        }
    }

    /// An error that says `what`, and the last lines that a container wrote.
    pub fn last_words(&self, name: &str, what: &str) -> Error {
        let log = self.last_lines(name, Some(LAST_LINES)).unwrap_or_default();
        Error::refused(format!("{what}. Its last lines:\n{}", log.trim_end()))
    }

    /// What a container wrote, at most so many lines.
    ///
    /// # Errors
    /// There is none of this name, or the engine does not answer.
    pub fn last_lines(&self, name: &str, lines: Option<u32>) -> Result<String> {
        let mut bytes = Vec::new();
        self.logs(name, lines, false, &mut |part| {
            bytes.extend_from_slice(part);
            true
        })?;
        Ok(String::from_utf8_lossy(&bytes).replace('\r', ""))
    }
}
