//! What of the kernel SPP uses, and what does not work without it.

use crate::{Finding, Host};

const NAME: &str = "kernel";

/// Something of the kernel.
struct Feature {
    name: &'static str,
    there: fn(&Host) -> bool,
    /// What does not work without it.
    without: &'static str,
    remedy: Option<&'static str>,
}

const FEATURES: [Feature; 8] = [
    Feature {
        name: "namespaces",
        there: |host| {
            ["mnt", "net", "pid"]
                .iter()
                .all(|name| exists(host, &format!("/proc/self/ns/{name}")))
        },
        without: "containers",
        remedy: None,
    },
    Feature {
        name: "tun",
        there: |host| exists(host, "/dev/net/tun"),
        without: "tap ports and net_tap devices",
        remedy: Some("modprobe tun"),
    },
    Feature {
        name: "af_packet",
        there: |host| protocol(host, "PACKET"),
        without: "net_af_packet devices",
        remedy: Some("modprobe af_packet"),
    },
    Feature {
        name: "af_xdp",
        there: |host| protocol(host, "XDP"),
        without: "net_af_xdp devices",
        remedy: None,
    },
    Feature {
        name: "unix sockets",
        there: |host| protocol(host, "UNIX") || protocol(host, "UNIX-STREAM"),
        without: "vhost and memif ports",
        remedy: Some("modprobe unix"),
    },
    Feature {
        name: "seccomp",
        there: |host| exists(host, "/proc/sys/kernel/seccomp/actions_avail"),
        without: "confinement: processes that read guests' input keep all system calls",
        remedy: None,
    },
    Feature {
        name: "landlock",
        there: |host| host.landlock.is_some(),
        without: "confinement: processes that read guests' input keep all files",
        remedy: None,
    },
    Feature {
        name: "overlay",
        there: |host| {
            let list = host.word("/proc/filesystems").unwrap_or_default();
            list.split_whitespace().any(|word| word == "overlay")
        },
        without: "the container engine's usual storage",
        remedy: Some("modprobe overlay"),
    },
];

fn exists(host: &Host, path: &str) -> bool {
    // A link to a namespace points to nothing that has a path.
    std::fs::symlink_metadata(host.at(path)).is_ok()
}

fn protocol(host: &Host, name: &str) -> bool {
    let list = host.word("/proc/net/protocols").unwrap_or_default();
    list.lines()
        .any(|line| line.split_whitespace().next() == Some(name))
}

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let release = match host.read("/proc/sys/kernel/osrelease") {
        Ok(release) => release,
        Err(error) => return vec![host.unseen(NAME, "the kernel's version", &error)],
    };
    let (there, missing): (Vec<&Feature>, Vec<&Feature>) =
        FEATURES.iter().partition(|feature| (feature.there)(host));
    let names: Vec<&str> = there.iter().map(|feature| feature.name).collect();
    let first = Finding::ok(NAME, format!("{release}: {}", names.join(", ")))
        .with("release", release)
        .with("there", names)
        .with(
            "missing",
            missing.iter().map(|f| f.name).collect::<Vec<_>>(),
        )
        .with("landlock", host.landlock);
    let missing = missing.into_iter().map(|feature| {
        let found = format!("no {}: without it no {}", feature.name, feature.without);
        let finding = Finding::warn(NAME, found);
        match feature.remedy {
            Some(remedy) => finding.root(remedy),
            None => finding,
        }
    });
    std::iter::once(first).chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, about, all_ok};

    #[test]
    fn what_is_missing_names_what_does_not_work() {
        let mut made = Made::new();
        made.file("/proc/sys/kernel/osrelease", "6.1.0-x\n")
            .file("/proc/filesystems", "nodev\tproc\nnodev\toverlay\n")
            .file(
                "/proc/net/protocols",
                "protocol size\nPACKET 1\nXDP 1\nUNIX 1\n",
            )
            .file("/proc/sys/kernel/seccomp/actions_avail", "kill\n")
            .file("/dev/net/tun", "");
        for name in ["mnt", "net", "pid"] {
            made.link(&format!("/proc/self/ns/{name}"), "net:[1]");
        }
        let found = check(&made.host);
        all_ok(&found);
        assert!(found[0].found.starts_with("6.1.0-x: namespaces, tun,"));
        std::fs::remove_file(made.host.at("/dev/net/tun")).unwrap();
        made.host.landlock = None;
        let found = check(&made.host);
        let tun = about(&found, "no tap ports");
        assert_eq!(
            (tun.state, tun.remedy.as_deref()),
            (State::Warn, Some("modprobe tun"))
        );
        about(&found, "no landlock");
    }
}
