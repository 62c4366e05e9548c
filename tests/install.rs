//! `scripts/install.sh` on a folder of its own.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Temp(PathBuf);

impl Temp {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("spp-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a temporary folder");
        Temp(path)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn install(dest: &Path, args: &[&str]) -> Output {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/install.sh"))
        .args(["--prefix", "/opt/panel", "--destdir"])
        .arg(dest)
        .args(args)
        .output()
        .expect("install.sh runs")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A folder with our command and two other programs, and what cargo leaves beside them.
fn built(temp: &Temp) -> PathBuf {
    let folder = temp.0.join("built");
    fs::create_dir(&folder).expect("a folder");
    fs::copy(env!("CARGO_BIN_EXE_spp"), folder.join("spp")).expect("our command");
    for name in ["spp-nfv", "spp-primary"] {
        fs::write(folder.join(name), "#!/bin/sh\necho $0\n").expect("a program");
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755))
            .expect("its mode");
    }
    fs::write(folder.join("spp-nfv.d"), "").expect("a file");
    folder
}

#[test]
fn what_is_installed_runs_under_both_spellings_and_goes_without_a_trace() {
    let temp = Temp::new("install");
    let folder = built(&temp);
    let dest = temp.0.join("dest");
    let strange = dest.join("opt/panel/bin/other");
    fs::create_dir_all(dest.join("opt/panel/bin")).expect("a folder");
    fs::write(&strange, "").expect("a file of somebody else");

    // Twice: installing again replaces.
    for _ in 0..2 {
        let out = install(&dest, &["--bin-dir", &folder.to_string_lossy()]);
        assert!(out.status.success(), "{out:?}");
    }
    let bin = dest.join("opt/panel/bin");
    let names: Vec<_> = files(&bin)
        .iter()
        .map(|p| {
            p.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(
        names,
        [
            "other",
            "spp",
            "spp-nfv",
            "spp-primary",
            "spp_nfv",
            "spp_primary"
        ]
    );
    assert_eq!(
        fs::read_link(bin.join("spp_nfv")).expect("a link"),
        Path::new("spp-nfv")
    );
    let version = Command::new(bin.join("spp"))
        .arg("--version")
        .output()
        .expect("it runs");
    assert!(version.status.success());
    assert!(String::from_utf8_lossy(&version.stdout).starts_with("spp "));
    let doc = dest.join("opt/panel/share/doc/spp");
    assert!(doc.join("README.md").is_file() && doc.join("docs/protocol.md").is_file());

    let share = dest.join("opt/panel/share");
    for name in [
        "man/man1/spp.1",
        "bash-completion/completions/spp",
        "zsh/site-functions/_spp",
        "fish/vendor_completions.d/spp.fish",
    ] {
        assert!(share.join(name).is_file(), "{name}");
    }
    let units = dest.join("opt/panel/lib/systemd/system");
    let unit = fs::read_to_string(units.join("spp-nfv@.service")).expect("a unit");
    assert!(
        unit.contains("\nExecStart=/opt/panel/bin/spp-nfv --sec-id %i\n"),
        "{unit}"
    );
    // A plugin is found from where it is installed.
    let mut shell = Command::new(bin.join("spp"));
    shell.args(["-f", "-"]).env_remove("SPP_PLUGINS");
    let mut shell = shell
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = shell.stdin.take().expect("its input");
    std::io::Write::write_all(&mut lines, b"load_cmd hello\nhello alice\n").expect("written");
    drop(lines);
    let out = shell.wait_with_output().expect("it ends");
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        "Module 'hello' loaded.\nHello, alice!\n"
    );

    let out = install(&dest, &["--uninstall"]);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(files(&dest), [strange]);
    assert!(!dest.join("opt/panel/share").exists());
    let again = install(&dest, &["--uninstall"]);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not installed"));
}

#[test]
fn wrong_arguments_change_nothing() {
    let temp = Temp::new("install-wrong");
    for args in [
        &["--bin-dir", "/nonexistent"][..],
        &["--prefix", "relative"],
        &["--prefix"],
        &["--frobnicate"],
    ] {
        let out = install(&temp.0, args);
        assert!(!out.status.success(), "{args:?}");
        assert!(
            String::from_utf8_lossy(&out.stderr).starts_with("error: "),
            "{out:?}"
        );
        assert!(files(&temp.0).is_empty(), "{args:?}");
    }
}
