//! DPDK: the version SPP was built with, the libraries that its programs load, and DPDK's drivers.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::host::names;
use crate::program::ask;
use crate::{Finding, Host};

const NAME: &str = "dpdk";

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let mut findings = vec![version(host)];
    findings.extend(libraries(&host.program));
    findings
}

/// The library is of the version that was built with, as far as pkg-config knows.
fn version(host: &Host) -> Finding {
    let built = &host.dpdk;
    let installed = ask(Command::new("pkg-config").args(["--modversion", "libdpdk"]))
        .ok()
        .filter(|answer| answer.status.success())
        .map(|answer| answer.text.trim().to_owned());
    compare(built, installed)
}

fn compare(built: &str, installed: Option<String>) -> Finding {
    let finding = match installed.as_deref() {
        None => Finding::ok(
            NAME,
            format!("SPP was built with DPDK {built}; pkg-config does not know which one is installed (libdpdk-dev is not there)"),
        ),
        Some(version) if version == built => Finding::ok(NAME, format!("DPDK {version}, which SPP was built with")),
        Some(version) => Finding::warn(
            NAME,
            format!("SPP was built with DPDK {built}, {version} is installed: processes of a panel must all have the same"),
        )
        .remedy("cargo build --release --workspace --bins"),
    };
    finding.with("built", built).with("installed", installed)
}

/// Whether one of our programs finds all its libraries, and DPDK its drivers beside them.
fn libraries(program: &Path) -> Vec<Finding> {
    let shown = program.display();
    // The dynamic loader lists what it would load, and the program does not run (ld.so(8)).
    let answer = match ask(Command::new(program).env("LD_TRACE_LOADED_OBJECTS", "1")) {
        Ok(answer) => answer,
        Err(error) => {
            return vec![
                Finding::fail(NAME, format!("{shown} cannot be started: {error}"))
                    .remedy("cargo build --release --workspace --bins"),
            ];
        }
    };
    let (missing, eal) = loaded(&answer.text);
    if !missing.is_empty() {
        let found = format!("{shown} does not find {}", missing.join(", "));
        return vec![
            Finding::fail(NAME, found)
                .with("missing", missing)
                .root("scripts/setup.sh --runtime"),
        ];
    }
    let Some(eal) = eal else {
        let found = format!(
            "{shown} does not say which DPDK it loads: it is linked with none, or is not a program of this system"
        );
        return vec![Finding::warn(NAME, found)];
    };
    let folder = eal.parent().unwrap_or(&eal);
    let eal_name = eal.file_name().unwrap_or_default().to_string_lossy();
    let abi = eal_name.rsplit('.').next().unwrap_or_default().to_owned();
    vec![drivers(folder, &abi)]
}

/// Libraries that are not found, and where EAL's is, in lines `NAME => PATH (ADDRESS)`.
fn loaded(text: &str) -> (Vec<String>, Option<PathBuf>) {
    let (mut missing, mut eal) = (Vec::new(), None);
    for (name, place) in text
        .lines()
        .filter_map(|line| line.trim().split_once(" => "))
    {
        if place.starts_with("not found") {
            missing.push(name.to_owned());
        } else if name.starts_with("librte_eal.so") {
            eal = place.split_whitespace().next().map(PathBuf::from);
        }
    }
    (missing, eal)
}

/// DPDK loads its drivers from a folder beside its libraries.
fn drivers(folder: &Path, abi: &str) -> Finding {
    let of_abi = format!("pmds-{abi}");
    let plugins = names(&folder.join("dpdk")).into_iter().find(|name| {
        name.strip_prefix(&of_abi)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    let plugins = plugins.map(|name| folder.join("dpdk").join(name));
    let count = plugins.as_ref().map_or(0, |path| {
        let files = names(path);
        files.iter().filter(|name| name.ends_with(".so")).count()
    });
    let finding = match (&plugins, count) {
        (Some(path), count) if count > 0 => {
            Finding::ok(NAME, format!("{count} drivers in {}", path.display()))
        }
        _ => Finding::warn(
            NAME,
            format!(
                "no drivers of DPDK in {}/dpdk/{of_abi}*: no NICs and no --vdev",
                folder.display()
            ),
        )
        .root("apt-get install libdpdk-dev"),
    };
    finding
        .with("libraries", folder.display().to_string())
        .with("drivers", count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, about};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn versions_are_compared() {
        assert_eq!(
            compare("22.11.11", Some("22.11.11".into())).state,
            State::Ok
        );
        assert_eq!(compare("22.11.11", None).state, State::Ok);
        let other = compare("22.11.11", Some("24.11.1".into()));
        assert_eq!(other.state, State::Warn);
        assert!(other.found.contains("24.11.1 is installed"));
    }

    #[test]
    fn libraries_and_drivers_are_looked_for() {
        let made = Made::new();
        let say = |text: &str| {
            made.file(
                "/bin/spp-primary",
                format!("#!/bin/sh\ncat <<END\n{text}\nEND\n"),
            );
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&made.host.program, mode).unwrap();
            libraries(&made.host.program)
        };
        let gone = "\tlibrte_ring.so.23 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x0)";
        let (missing, eal) = loaded(gone);
        assert_eq!((missing, eal), (vec!["librte_ring.so.23".to_owned()], None));
        assert!(say("hello")[0].found.contains("does not say"));
        let lib = made.root().join("lib");
        let line = format!(
            "\tlibrte_eal.so.23 => {}/librte_eal.so.23 (0x7f)",
            lib.display()
        );
        let found = drivers(&lib, "23");
        assert_eq!(found.state, State::Warn);
        made.file("/lib/dpdk/pmds-23.0/librte_net_tap.so", "");
        made.file("/lib/dpdk/pmds-230/librte_net_pcap.so", "");
        let (_, eal) = loaded(&line);
        let found = drivers(eal.unwrap().parent().unwrap(), "23");
        assert_eq!(
            (found.state, &found.figures["drivers"]),
            (State::Ok, &1.into())
        );
        std::fs::remove_file(&made.host.program).unwrap();
        let found = libraries(&made.host.program);
        assert_eq!(about(&found, "cannot be started").state, State::Fail);
    }
}
