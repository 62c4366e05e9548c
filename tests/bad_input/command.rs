//! The operator's command: words, and scripts with lines of two megabytes.

use testbed::machine::TempDir;

use crate::{ABSURD, LONG, long_word, panel};

#[test]
fn bad_lines_of_the_command_are_refused_and_change_nothing() {
    let panel = panel();
    let before = panel.shape();
    let refused = |words: &[&str]| {
        let told = panel.spp(words).failure();
        assert!(told.trim().len() > 5, "{words:?}: {told:?}");
        assert!(!told.contains("panicked"), "{words:?}: {told}");
    };
    for who in [&["nfv", "1"][..], &["pri"]] {
        let with = |words: &[&str]| refused(&[who, words].concat());
        with(&["fly"]);
        for command in ["add", "del", "unpatch", "patch"] {
            with(&[command]);
        }
        with(&["patch", "ring:0"]);
        with(&["patch", "ring:0", "ring:1", "on"]);
        with(&["patch", "ring:0", "ring:1", "ring:2"]);
        for command in ["status", "forward", "stop", "clear", "exit"] {
            with(&[command, "surplus"]);
        }
        // What cannot be an argument of a process is left out.
        for word in ABSURD.iter().filter(|word| !word.contains('\0')).step_by(3) {
            with(&["add", word]);
            with(&["patch", word, "ring:0"]);
            with(&["patch", "ring:0", word]);
            with(&["patch", "vhost:1", "ring:0", "on", word]);
        }
        with(&["add", &long_word(100_000)]);
    }
    for words in [
        &["nfv"][..],
        &["nfv", "x"],
        &["nfv", "-1", "status"],
        &["nfv", "0", "status"],
        &["nfv", "128", "status"],
        &["nfv", "99999999999999999999", "status"],
        &["nfv", "2", "status"],
        &["nfv", "1"],
        &["sec", "1", "fly"],
        &["pri"],
        &["fly"],
        &["status", "x"],
        &["topo"],
        &["top", "--count", "x"],
        &["top", "--interval", "nan"],
        &["top", "--interval", "-1"],
        &["wait"],
        &["wait", "nfv", "x"],
        &["wait", "nfv", "2", "--timeout", "0"],
        &["bye", "x"],
        &["help", "fly"],
        &["nfv 1; fly"],
        &["nfv 1; add bogus"],
        &["pri; patch ring:0"],
        &["pri", "launch"],
        &["pri", "launch", "sh"],
        &["pri", "launch", "nfv", "0", "-l", "0", "--"],
        &["-f", "/nonexistent"],
        &["-f", "/"],
        &["--nosuch"],
        &["-b", "non sense", "status"],
        &["-b", "127.0.0.1:99999", "status"],
        // A second controller: commands go to the first.
        &["server", "add", "127.0.0.1:1"],
        &["server", "7"],
        &["redo", "x"],
        &["playback", "/"],
        &["load_cmd", "../x"],
        &["config", "sec_mem", "x"],
        &["vf", "1", "component", "start"],
        &["pri", "flow", "validate", "phy:0", "ingress"],
        &["cat", "/dev/zero"],
        &["cat", "\""],
    ] {
        refused(words);
    }

    let dir = TempDir::new();
    for line in [
        long_word(LONG),
        format!("nfv 1; add {}", long_word(LONG)),
        format!("nfv 1; patch vhost:1 {}", "ring:0 ".repeat(LONG / 7)),
        "\u{0}".repeat(1000),
        "nfv 1; add \u{0}".into(),
    ] {
        let script = dir.join("script");
        std::fs::write(&script, line).expect("written");
        refused(&["-f", script.to_str().expect("a path")]);
    }
    std::fs::write(dir.join("bytes"), [0xff, 0xfe, 0x00, 0x80, b'\n']).expect("written");
    refused(&["-f", dir.join("bytes").to_str().expect("a path")]);
    assert_eq!(panel.shape(), before);
    panel.finish();
}
