//! What the fuzzers call: files from anywhere are read to their end, and nothing is carried out.

use std::io::Cursor;

use super::{Args, Failure, LONGEST_LINE, apply, export, is_comment, resolve, split};
use crate::script::next_line;
use crate::session::config::Config;

/// Reads one line as far as it can be read without asking anybody.
fn understand(line: &str) -> Result<(), Failure> {
    let line = line.trim();
    if line.is_empty() || line.len() > LONGEST_LINE || is_comment(line) {
        return Ok(());
    }
    let words = split(line);
    let mut found = resolve(&words, line)?;
    let quoted;
    if found.command.quotes() {
        quoted = super::quoted(found.text)?;
        found.words = &quoted;
    }
    let (command, target) = (found.command, found.target);
    Args::parse(command, &found.prefix, target, found.words, found.text).map(drop)
}

/// Reads a script, such as a recipe, to its end: of each line whether it is understood, or in words why not.
pub fn script(script: &[u8]) -> Vec<Result<(), String>> {
    let mut reader = Cursor::new(script);
    let mut results = Vec::new();
    while let Ok(Some(line)) = next_line(&mut reader) {
        let result = line.and_then(|line| understand(&line));
        results.push(result.map_err(|failure| failure.to_string()));
    }
    results
}

/// Reads a file as `apply` does: gives it as `export` writes it, or in words why it is none.
pub fn document(text: &str) -> Result<String, String> {
    let written = apply::parse("FILE", text).and_then(|system| export::yaml(&system));
    written.map_err(|failure| failure.to_string())
}

/// Reads a configuration of the shell: gives its entries, or in words why it is none.
pub fn configuration(text: &str) -> Result<Vec<(&'static str, String)>, String> {
    let config = Config::read("FILE", text).map_err(|failure| failure.to_string())?;
    let entries = config.entries().iter();
    Ok(entries.map(|e| (e.key, e.value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    use super::{script, split};

    /// All files below a folder.
    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap();
        let below = |path: PathBuf| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        };
        entries
            .flat_map(|entry| below(entry.unwrap().path()))
            .collect()
    }

    #[test]
    fn every_line_of_every_recipe_is_understood() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR"));
        let recipes = files(&top.join("recipes/usecases"));
        assert!(recipes.len() > 50, "{}", recipes.len());
        for path in recipes {
            let results = script(&std::fs::read(&path).unwrap());
            assert!(
                results.iter().all(Result::is_ok),
                "{}: {results:?}",
                path.display()
            );
        }
    }

    /// Words that mean something somewhere, and any others.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => proptest::sample::select(vec![
                "nfv", "sec", "pri", "vf", "mirror", "pcap", "1", "0", "127", "99999999999999999999", ";", "status", "add", "del",
                "patch", "unpatch", "reset", "forward", "stop", "clear", "exit", "launch", "unlaunch", "phy:0", "nq", "ring", "on",
                "vhost:1", "server", "client", "topo", "top", "term", "dot", "wait", "bye", "all", "help", "--", "-l", "--json",
                "--help", "--interval", "--timeout", "nan", "-1", "1e999", "#", "//",
            ]).prop_map(str::to_owned),
            1 => "[ -~\\PC]{0,12}",
        ]
    }

    proptest! {
        // Lines that look like commands more often than those that a fuzzer finds in a minute.
        #[test]
        fn no_line_does_harm(words in proptest::collection::vec((word(), "[ ;\t\n]?"), 0..14)) {
            let line: String = words.iter().map(|(word, end)| format!("{word} {end}")).collect();
            let words = split(&line);
            prop_assert_eq!(split(&words.join(" ")), words);
            for words in script(line.as_bytes()).into_iter().filter_map(Result::err) {
                prop_assert!(!words.trim().is_empty() && words.len() < 4096, "{:?}", words);
            }
        }
    }
}
