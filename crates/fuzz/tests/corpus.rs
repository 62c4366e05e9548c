//! The stored inputs of the fuzzers, replayed.

use std::fs;
use std::path::Path;

use fuzz_targets::TARGETS;

#[test]
fn every_stored_input_holds() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, target) in TARGETS {
        let folder = corpus.join(name);
        let inputs: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(
            inputs.len() >= 5,
            "{}: {} inputs",
            folder.display(),
            inputs.len()
        );
        for path in inputs {
            let input = fs::read(&path).unwrap();
            // Each as it is, and cut short everywhere near its start: a torn file is an input, too.
            for end in (0..=input.len())
                .rev()
                .take(1)
                .chain(0..input.len().min(64))
            {
                if std::panic::catch_unwind(|| target(&input[..end])).is_err() {
                    panic!("{name}: the first {end} bytes of {}", path.display());
                }
            }
        }
    }
}

#[test]
fn a_broken_property_is_found() {
    // The check itself: words that a terminal would obey are not let through.
    let caught = std::panic::catch_unwind(|| fuzz_targets::check_words("a reason \u{1b}[2J"));
    assert!(caught.is_err());
}
