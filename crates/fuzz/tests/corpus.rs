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

/// A target whose inputs are all refused at their first byte says nothing.
#[test]
fn stored_files_are_understood_and_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    type Reads = fn(&[u8]) -> bool;
    let journal: Reads = |input| controller::read_journal(input).is_ok_and(|read| read.entries > 4);
    let document: Reads =
        |input| spp_shell::fuzz::document(&String::from_utf8_lossy(input)).is_ok();
    let configuration: Reads =
        |input| spp_shell::fuzz::configuration(&String::from_utf8_lossy(input)).is_ok();
    for (name, reads) in [
        ("journal", journal),
        ("documents", document),
        ("configurations", configuration),
    ] {
        let inputs = fs::read_dir(corpus.join(name)).unwrap();
        let inputs = inputs.map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let (read, refused): (Vec<_>, Vec<_>) = inputs.partition(|input| reads(input));
        assert!(
            read.len() >= 3 && refused.len() >= 2,
            "{name}: {} and {}",
            read.len(),
            refused.len()
        );
    }
}
