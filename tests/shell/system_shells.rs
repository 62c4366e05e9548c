//! Completion files in the shells that they are for.

use std::path::Path;
use std::process::Command;

use rexpect::reader::Options;
use rexpect::session::{PtySession, spawn_with_options};

use crate::panel::{LIMIT, Panel};

fn completions() -> String {
    format!("{}/completions", env!("CARGO_MANIFEST_DIR"))
}

/// A shell that finds our program first and nothing of the user's.
fn environment(panel: &Panel, shell: &str) -> Command {
    let folder = Path::new(env!("CARGO_BIN_EXE_spp"))
        .parent()
        .expect("its folder");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(shell);
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", format!("{}:{path}", folder.display()))
        .env("HOME", &panel.home)
        .env("LC_ALL", "C.UTF-8")
        .env("TERM", "dumb")
        .env("SPP_CTL", panel.rest.to_string());
    command
}

fn terminal(command: Command) -> PtySession {
    let options = Options::new()
        .timeout_ms(u64::try_from(LIMIT.as_millis()).ok())
        .strip_ansi_escape_codes(true);
    let shell = command.get_program().to_string_lossy().into_owned();
    spawn_with_options(command, options)
        .unwrap_or_else(|error| panic!("{shell}: {error} (scripts/setup.sh --tests installs it)"))
}

/// Types lines with TAB in them; what they complete to runs.
fn types_and_runs(shell: &mut PtySession, panel: &Panel) {
    let other = format!("-b {}", panel.rest);
    for (typed, printed) in [
        ("spp pc\t4 stat\t".to_owned(), "Components:"),
        (format!("spp {other} mirror \tstatus"), "[ring:3, ring:4]"),
        // A word with a colon in it, twice.
        ("spp nfv 1 del vh\t".to_owned(), "Delete vhost:1."),
        ("spp nfv 1 del nullpmd:\t".to_owned(), "Delete nullpmd:2."),
        ("spp cat completions/spp.fi\t".to_owned(), "complete -c spp"),
        ("spp --vers\t".to_owned(), "(commit "),
    ] {
        shell.send_line(&typed).expect("sent");
        let seen = shell.exp_string(printed);
        assert!(seen.is_ok(), "{typed:?}: {seen:?}");
        shell.send_line("echo don''e").expect("sent");
        shell.exp_string("done").expect("a prompt");
    }
}

#[test]
fn bash_completes_words_ids_ports_files_and_options() {
    let panel = Panel::start("bash");
    let mut command = environment(&panel, "bash");
    command.args(["--norc", "--noprofile", "-i"]);
    let mut shell = terminal(command);
    shell
        .send_line(&format!("source {}/spp.bash; echo read''y", completions()))
        .expect("sent");
    shell.exp_string("ready").expect("a prompt");
    types_and_runs(&mut shell, &panel);
    shell.send_line("exit").expect("sent");
    shell.exp_eof().expect("it ends");
}

#[test]
fn zsh_completes_words_ids_ports_files_and_options() {
    let panel = Panel::start("zsh");
    let mut command = environment(&panel, "zsh");
    command.args(["-f", "-i"]);
    let mut shell = terminal(command);
    shell
        .send_line(&format!(
            "fpath=({} $fpath); autoload -U compinit; compinit -u -D; echo read''y",
            completions()
        ))
        .expect("sent");
    shell.exp_string("ready").expect("a prompt");
    types_and_runs(&mut shell, &panel);
    shell.send_line("exit").expect("sent");
    shell.exp_eof().expect("it ends");
}

#[test]
fn fish_completes_words_ids_ports_files_and_options() {
    let panel = Panel::start("fish");
    for (line, expected) in [
        ("spp sta", "status"),
        ("spp nfv 1 un", "unpatch"),
        ("spp pcap ", "4"),
        ("spp nfv 1 del ", "vhost:1\nring:0\nnullpmd:2"),
        (
            &format!("spp -b {} vf 2 component stop ", panel.rest),
            "fw\nmg\ncls",
        ),
        ("spp cat completions/spp.fi", "completions/spp.fish"),
        (
            "spp --keep",
            "--keep-going\tGo on after a command of FILE failed",
        ),
    ] {
        let script = format!("source {}/spp.fish; complete -C '{line}'", completions());
        let output = environment(&panel, "fish")
            .args(["--no-config", "-c", &script])
            .output()
            .expect("fish runs (scripts/setup.sh --tests installs it)");
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut found: Vec<&str> = out.lines().collect();
        let mut expected: Vec<&str> = expected.lines().collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{line}: {output:?}");
    }
}
