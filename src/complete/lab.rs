//! `lab`: its commands, files, networks that are up, and their nodes.

use super::{Candidates, Completion, files, words};
use crate::commands::lab_names;
use crate::commands::spec::Labs;

impl Completion {
    /// Candidates after the words in `given`, for one that begins with `word`.
    pub(super) fn labs(&self, what: Labs, given: &[&str], word: &str) -> Candidates {
        let mut found = match (what, given) {
            (Labs::Command, []) => words(lab_names().into_iter()),
            (_, [.., "-n"]) => words(up().iter().map(String::as_str)),
            (Labs::File, _)
            | (Labs::FileAndName, [])
            | (Labs::Saved, [.., "-o"])
            | (Labs::Places, [.., "-w"]) => Candidates {
                words: files::names(word, false),
                ..Candidates::default()
            },
            (Labs::Shell, [] | ["-n", _]) => {
                let mut found = words(up().iter().map(String::as_str));
                let network = network(given).0;
                let nodes = network.iter().flat_map(|network| network.nodes());
                found
                    .words
                    .extend(words(nodes.map(|node| node.name.as_str())).words);
                found.words.extend(files::names(word, false));
                found
            }
            (Labs::FileAndName, [_]) | (Labs::Saved, []) => words(up().iter().map(String::as_str)),
            (Labs::Names, given) => {
                let names = up();
                words(
                    names
                        .iter()
                        .map(String::as_str)
                        .filter(|name| !given.contains(name)),
                )
            }
            (Labs::Nodes(count), given) => {
                let (network, given) = network(given);
                match network.filter(|_| given.len() < count) {
                    Some(network) => words(network.nodes().iter().map(|node| node.name.as_str())),
                    None => Candidates::default(),
                }
            }
            (Labs::Places, given) => {
                let places = network(given).0.map(|network| places(&network));
                words(places.iter().flatten().map(String::as_str))
            }
            _ => Candidates::default(),
        };
        found.words.retain(|candidate| candidate.starts_with(word));
        found
    }
}

/// The network that is meant, and what follows its name.
fn network<'a, 'b>(given: &'a [&'b str]) -> (Option<lab::Running>, &'a [&'b str]) {
    match given {
        ["-n", name, given @ ..] => (lab::Running::find(name).ok(), given),
        given => (lab::Running::only().ok(), given),
    }
}

/// Nodes and their interfaces.
fn places(network: &lab::Running) -> Vec<String> {
    let nodes = network.nodes().iter().map(|node| node.name.clone());
    let places = lab::capture::all(network).into_iter();
    nodes.chain(places.map(|place| place.name)).collect()
}

/// Networks that are up.
fn up() -> Vec<String> {
    let names = lab::state::names().unwrap_or_default();
    names
        .into_iter()
        .filter(|name| lab::Running::find(name).is_ok())
        .collect()
}
