//! SPECIFICATION.md names only what there is.

#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_test_and_measurement_of_the_specification_exists() {
    let text = read("SPECIFICATION.md");
    let cases = read("scripts/bench/cases.py");
    let (mut tests, mut measurements) = (0, 0);
    for word in quoted(&text) {
        if let Some((file, name)) = word.split_once("::") {
            let source = read(file);
            let found = source.contains(&format!("#[test]\nfn {name}()"));
            assert!(found, "{word}: {file} has no such test");
            tests += 1;
        } else if let Some(case) = word.strip_prefix("--case ") {
            let found = cases.contains(&format!("Case(\"{case}\""));
            assert!(found, "{word}: scripts/bench.sh has no such case");
            measurements += 1;
        }
    }
    assert!(tests > 30 && measurements > 5, "{tests} {measurements}");
}
