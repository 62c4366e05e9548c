//! Any bytes as a script: every line is understood, or refused with a reason. Nothing is carried out here.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::{Args, Failure, LONGEST_LINE, is_comment, resolve, split};
use crate::script::next_line;

/// Reads one line as far as it can be read without asking anybody.
fn understand(line: &str) -> Result<(), Failure> {
    let line = line.trim();
    if line.is_empty() || line.len() > LONGEST_LINE || is_comment(line) {
        return Ok(());
    }
    let words = split(line);
    assert_eq!(split(&words.join(" ")), words, "{line:?}");
    let mut found = resolve(&words, line)?;
    let quoted;
    if found.command.quotes() {
        quoted = super::quoted(found.text)?;
        found.words = &quoted;
    }
    let (command, target) = (found.command, found.target);
    Args::parse(command, &found.prefix, target, found.words, found.text).map(drop)
}

/// Reads a script to its end.
fn read(script: &[u8]) -> Vec<Result<(), String>> {
    let mut reader = Cursor::new(script);
    let mut results = Vec::new();
    while let Some(line) = next_line(&mut reader).expect("memory can be read") {
        let result = line.and_then(|line| understand(&line));
        let result = result.map_err(|failure| failure.to_string());
        if let Err(words) = &result {
            assert!(!words.trim().is_empty(), "a refusal without a reason");
            assert!(words.len() < 4096, "a refusal of {} bytes", words.len());
        }
        results.push(result);
    }
    let lines = script.split(|byte| *byte == b'\n').count();
    assert!(results.len() <= lines, "{} of {lines} lines", results.len());
    results
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let below = |path: PathBuf| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    };
    entries
        .flat_map(|entry| below(entry.expect("an entry").path()))
        .collect()
}

#[test]
fn stored_scripts_and_recipes_are_read_to_their_end() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut refused = 0;
    for path in files(&top.join("fuzz/corpus/lines")) {
        let script = std::fs::read(&path).expect("a script");
        refused += read(&script)
            .iter()
            .filter(|result| result.is_err())
            .count();
        // A torn file is a script, too.
        (0..script.len().min(300)).for_each(|end| drop(read(&script[..end])));
    }
    assert!(refused > 10, "{refused}");
    // Recipes for processes and commands that are not there yet are refused; the others are not.
    for path in files(&top.join("recipes/usecases/spp_nfv")) {
        let results = read(&std::fs::read(&path).expect("a recipe"));
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
    #[test]
    fn no_line_does_harm(words in proptest::collection::vec((word(), "[ ;\t\n]?"), 0..14)) {
        let line: String = words.iter().map(|(word, end)| format!("{word} {end}")).collect();
        read(line.as_bytes());
    }

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        read(&bytes);
    }
}
