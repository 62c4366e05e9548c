//! What a file may not say of containers: hosts of an image, and apps.

use super::check::Check;
use super::{At, Dpdk, File};
use crate::containers::app;
use crate::plan::{Plan, Role};

impl Check {
    /// What each of them says by itself.
    pub(super) fn containers(&mut self, file: &File) {
        for (name, host) in file.hosts.iter().chain(file.routers.iter()) {
            let wrong = |image: &&At<String>| {
                let is_part = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
                image.is_empty() || !image.chars().all(is_part)
            };
            if let Some(image) = host.image.as_ref().filter(wrong) {
                self.refuse(
                    image.place,
                    format!(
                        "'{}', of '{}', is no name of an image",
                        image.value, name.value
                    ),
                    "image: dpdk, or one that the engine has, such as debian:12".to_owned(),
                );
            }
            if host.image.is_some() && host.cores {
                self.refuse(
                    name.place,
                    format!(
                        "'{}' is a container: its core files are not kept",
                        name.value
                    ),
                    "cores: true belongs to hosts without image".to_owned(),
                );
            }
        }
        for (name, program) in file.nodes.iter() {
            if let Some((text, hint)) = contradiction(&name.value, program) {
                self.refuse(name.place, text, hint.to_owned());
            }
            let command = program.command.as_ref();
            if command.is_some_and(|command| !command.0.contains("{eal}")) {
                self.warn(
                    name.place,
                    format!(
                        "the command of '{}' has no {{eal}}: it is told nothing of its links",
                        name.value
                    ),
                    "dpdk-testpmd {eal} -- --forward-mode=mac".to_owned(),
                );
            }
        }
    }

    /// What the options of apps say, given their links. All else is right.
    pub(super) fn apps(&mut self, file: &File) {
        let plan = Plan::of(file);
        for (name, _) in file.nodes.iter() {
            let node = plan.find(name).map(|number| &plan.nodes[number]);
            if let Some(node) = node
                && let Role::Dpdk(program) = &node.role
                && let Some(named) = &program.app
                && let Err(wrong) = app::planned(&plan.name, node, program, named)
            {
                let text = format!("the app of '{}': {}", name.value, wrong.text);
                self.refuse(name.place, text, wrong.hint);
            }
        }
    }
}

/// What of a program cannot be together, and what would be right.
fn contradiction(name: &str, program: &Dpdk) -> Option<(String, &'static str)> {
    match (&program.command, &program.app, &program.options) {
        (None, None, _) => Some((
            format!("'{name}' has neither a command nor an app"),
            "command: dpdk-testpmd {eal} -- --forward-mode=mac, or app: testpmd",
        )),
        (Some(_), Some(_), _) => Some((
            format!("'{name}' has both a command and an app"),
            "a command runs on this machine, an app in a container: one of them",
        )),
        (None, Some(_), _) if program.cores => Some((
            format!("'{name}' is an app in a container: its core files are not kept"),
            "cores: true belongs to a command",
        )),
        (Some(_), None, Some(_)) => Some((
            format!("'{name}' has options, but no app"),
            "options of a command stand in it, behind {eal} --",
        )),
        _ => None,
    }
}
