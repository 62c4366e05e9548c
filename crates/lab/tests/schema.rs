//! The published schema: it is the current one, it takes every example, and refuses what is wrong.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_kept_schema_is_the_current_one() {
    let path = root().join("docs/lab.schema.json");
    let current = format!("{:#}\n", lab::file::schema());
    if std::env::var_os("SPP_RENEW_DOCS").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).is_ok_and(|kept| kept == current),
        "docs/lab.schema.json is not current: SPP_RENEW_DOCS=1 cargo test -p lab --test schema"
    );
}

#[test]
fn every_example_is_right_by_the_schema_and_by_us() {
    let schema = jsonschema::validator_for(&lab::file::schema()).unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(root().join("examples/lab")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        let document: Value =
            serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let errors: Vec<String> = schema
            .iter_errors(&document)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        let checked = lab::File::read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(
            checked.warnings.is_empty(),
            "{}: {:?}",
            path.display(),
            checked.warnings
        );
        assert!(
            !checked.file.expect.is_empty(),
            "{} expects nothing",
            path.display()
        );
        count += 1;
    }
    assert!(count >= 3, "{count} examples");
}

#[test]
fn the_schema_refuses_what_we_refuse() {
    let schema = jsonschema::validator_for(&lab::file::schema()).unwrap();
    let refuses = |text: &str| {
        let document: Value = serde_saphyr::from_str(text).unwrap();
        assert!(!schema.is_valid(&document), "the schema takes {text}");
        assert!(
            lab::File::parse(text, "", Some("n")).is_err(),
            "we take {text}"
        );
    };
    refuses("host: [h1]");
    refuses("hosts: {h1: {adress: 10.0.0.1/24}}");
    refuses("hosts: [h1, h2]\nlinks: [[h1]]");
    refuses("hosts: [h1, h2]\nlinks: [{link: [h1, h2], delay: soon}]");
    refuses("hosts: [h1]\nexpect: [{pign: {from: h1, to: h1}}]");
    refuses("hosts: [h1, h2]\nlinks: [{link: [h1, h2], via: magic}]");
}
