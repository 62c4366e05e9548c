//! `traffic`: options of `spp-traffic`, and values where they are known.

use super::{Candidates, Completion, files, words};
use crate::commands::spec::{Ports, Target};

/// Its options; a test compares them with what the program itself says.
const OPTIONS: [&str; 25] = [
    "--tx",
    "--rx",
    "--size",
    "--flows",
    "--packet",
    "--seed",
    "--check",
    "--replay",
    "--speed",
    "--loop",
    "--count",
    "--seconds",
    "--rate",
    "--interval",
    "--allow-loss",
    "--show-buffers",
    "--json",
    "--poll",
    "--lcores",
    "--patience",
    "--sec-id",
    "--file-prefix",
    "--pcap-dir",
    "--vhost-client",
    "--help",
];

impl Completion {
    /// Candidates after the words in `given`, for one that begins with `word`.
    pub(super) fn traffic(&self, given: &[&str], word: &str) -> Candidates {
        let mut found = match given.last() {
            Some(&("--tx" | "--rx")) => self.ports(Ports::Any, Target::Primary),
            Some(&"--replay") => Candidates {
                words: files::names(word, false),
                ..Candidates::default()
            },
            Some(&"--speed") => words(["1x", "10x", "max"].into_iter()),
            Some(&"--size") => words(["64", "1514", "64-1514", "imix"].into_iter()),
            Some(&"--check") => words(["frame", "payload"].into_iter()),
            Some(&"--poll") => words(["adaptive", "busy"].into_iter()),
            Some(&"--packet") => words(["eth", "eth/ipv4/udp", "eth/vlan/ipv6/tcp"].into_iter()),
            Some(option) if option.starts_with("--") && !TAKES_NOTHING.contains(option) => {
                Candidates::default()
            }
            _ => {
                let left = OPTIONS.into_iter();
                words(left.filter(|name| *name == "--packet" || !given.contains(name)))
            }
        };
        found.words.retain(|candidate| candidate.starts_with(word));
        found
    }
}

/// Options without a value.
const TAKES_NOTHING: [&str; 4] = ["--allow-loss", "--json", "--vhost-client", "--help"];
