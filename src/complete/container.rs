//! `container`: its commands, applications, options and values where they are known, and containers that run.

use std::path::PathBuf;

use container::app;
use container::check::Check;
use container::engine::Engine;
use container::options::{self, Opt};

use super::{Candidates, Completion, files, words};
use crate::commands::spec::Containers;
use crate::commands::{DEMOS, container_names};

impl Completion {
    /// Candidates after the words in `given`, for one that begins with `word`.
    pub(super) fn containers(&self, what: Containers, given: &[&str], word: &str) -> Candidates {
        let mut found = match (what, given) {
            (Containers::Command, []) => words(container_names().into_iter()),
            (Containers::Apps, []) => words(["--apps"].into_iter()),
            (Containers::Apps, ["--apps"]) => folders(word),
            (Containers::Ps, []) => words(["-a"].into_iter()),
            (Containers::Build, given) => {
                let known = options::of_build().unwrap_or_default();
                offered(&known, given, word)
            }
            (Containers::Demo, []) => words(DEMOS.into_iter()),
            (Containers::Demo, [_, given @ ..]) => {
                let known = options::of_demo().unwrap_or_default();
                offered(&known, given, word)
            }
            (Containers::Run | Containers::Dev, []) => {
                let apps = app::all(None).unwrap_or_default();
                words(apps.iter().map(|app| app.name.as_str()))
            }
            (Containers::Dev, [_]) => Candidates {
                words: files::names(word, false),
                ..Candidates::default()
            },
            (Containers::Dev, [name, _, given @ ..]) | (Containers::Run, [name, given @ ..]) => {
                let folder = given
                    .iter()
                    .position(|word| *word == "--apps")
                    .and_then(|at| given.get(at + 1))
                    .map(PathBuf::from);
                let app = app::find(name, folder.as_deref());
                let known = app.and_then(|app| app.all_options()).unwrap_or_default();
                offered(&known, given, word)
            }
            (Containers::Name | Containers::Logs, []) => running(&[]),
            (Containers::Logs, [_, ..]) => words(["-f", "--tail"].into_iter()),
            (Containers::Names, given) => running(given),
            _ => Candidates::default(),
        };
        found.words.retain(|candidate| candidate.starts_with(word));
        found
    }
}

/// Options that are left, or values of the last one.
fn offered(known: &[Opt], given: &[&str], word: &str) -> Candidates {
    if given.contains(&"--") {
        return Candidates::default();
    }
    let is = |option: &Opt, word: &str| option.names.iter().any(|name| name.as_str() == word);
    let last = given.last().copied().unwrap_or_default();
    if let Some(option) = known.iter().find(|option| is(option, last))
        && let Some(value) = &option.value
    {
        return match (&option.check, value.as_str()) {
            (Some(Check::OneOf(choices)), _) => words(choices.iter().map(String::as_str)),
            (_, "DIR") => folders(word),
            _ => Candidates::default(),
        };
    }
    let left = known
        .iter()
        .filter(|option| option.many || !given.iter().any(|word| is(option, word)));
    words(left.map(Opt::name))
}

fn folders(word: &str) -> Candidates {
    Candidates {
        words: files::names(word, true),
        ..Candidates::default()
    }
}

/// Containers of SPP, if an engine answers.
fn running(given: &[&str]) -> Candidates {
    let Ok(containers) = Engine::connect().and_then(|engine| engine.list(true)) else {
        return Candidates::default();
    };
    let names = containers.iter().map(|container| container.name.as_str());
    words(names.filter(|name| !given.contains(name)))
}
