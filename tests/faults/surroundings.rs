//! Odd environments: each works, or says clearly why not.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use testbed::{Panel, proc, wait_until};

use crate::guest::Guest;
use crate::hand::Hand;
use crate::scene::LIMIT;

/// A folder in `parent` in which the socket `sock1` has a path of so many bytes.
fn folder_for(parent: &Path, bytes: usize) -> PathBuf {
    let rest = bytes - parent.as_os_str().len() - "//sock1".len();
    let folder = parent.join("x".repeat(rest));
    std::fs::create_dir_all(&folder).expect("a folder");
    assert_eq!(folder.join("sock1").as_os_str().as_bytes().len(), bytes);
    folder
}

/// Runs a primary and nfv 1 that are started by `wrap`, with these sockets; `then` is done while they run.
fn panel_of(hand: &Hand, sockets: &Path, wrap: &str, then: impl FnOnce()) {
    let start = |program: &str, arguments: &str| {
        let mut command = hand.command("/usr/bin/env", "");
        command.args(wrap.split_whitespace());
        command.arg(testbed::machine::bin(program));
        command.args(arguments.split_whitespace());
        testbed::Proc::spawn(program, &mut command)
    };
    let arguments = hand.primary("");
    let ours = format!("--vhost-dir {}", hand.dir.path().display());
    let theirs = format!("--vhost-dir {}", sockets.display());
    let mut primary = start("spp-primary", &arguments.replace(&ours, &theirs));
    primary.wait_output("is ready", LIMIT);
    let mut nfv = start("spp-nfv", &hand.nfv(1, ""));
    nfv.wait_output("is ready", LIMIT);
    hand.wait_ok("nfv 1 status");
    then();
    assert!(nfv.terminate(LIMIT).success(), "{}", nfv.output());
    assert!(primary.terminate(LIMIT).success(), "{}", primary.output());
    hand.wait_nothing_left();
}

/// A guest can be served: all that a port does at its start.
fn serves(hand: &Hand, wrap: &str) {
    let sockets = hand.dir.path().to_owned();
    panel_of(hand, &sockets, wrap, || {
        for line in [
            "nfv 1 add vhost:1",
            "nfv 1 patch vhost:1 ring:0",
            "nfv 1 add memif:1",
        ] {
            hand.spp(line).success();
        }
        let mut guest = Guest::start(&sockets.join("sock1"));
        guest.send(10);
        wait_until("packets of the guest", LIMIT, || guest.used(1) == 10);
        hand.spp("nfv 1 del memif:1").success();
    });
}

#[test]
fn a_mask_of_modes_changes_nothing_that_is_needed() {
    for mask in ["077", "000"] {
        let hand = Hand::new();
        let shell = hand.dir.join("masked");
        std::fs::write(&shell, format!("#!/bin/sh\numask {mask}\nexec \"$@\"\n")).expect("written");
        std::fs::set_permissions(&shell, PermissionsExt::from_mode(0o755)).expect("its mode");
        serves(&hand, &shell.display().to_string());
    }
}

#[test]
fn languages_change_nothing() {
    for language in [
        "LC_ALL=C",
        "LC_ALL=tr_TR.UTF-8",
        "LC_ALL=xx_YY",
        "-u LC_ALL -u LANG",
    ] {
        serves(&Hand::new(), language);
    }
}

#[test]
fn too_few_descriptors_are_named_at_the_start() {
    let hand = Hand::new();
    let limited = |program: &str, files: u32, arguments: &str| {
        let mut command = hand.command("/usr/bin/prlimit", &format!("--nofile={files}"));
        command.arg(testbed::machine::bin(program));
        command.args(arguments.split_whitespace());
        proc::run(&mut command, LIMIT)
    };
    let told = limited("spp-primary", 64, &hand.primary("")).failure();
    assert!(told.contains("may have 64 files open"), "{told}");
    assert!(told.contains("raise the limit (ulimit -n"), "{told}");
    hand.wait_nothing_left();
    // What it may raise by itself it does.
    serves(&hand, "prlimit --nofile=64:4096");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let hand = Hand::new();
    // In a mount namespace of their own /tmp cannot be written.
    let folder = hand.dir.join("fixed");
    std::fs::create_dir(&folder).expect("a folder");
    let shell = hand.dir.join("fix");
    let script = format!(
        "#!/bin/sh\nmount --bind {0} {0} && mount -o remount,ro,bind {0} && exec \"$@\"\n",
        folder.display()
    );
    std::fs::write(&shell, script).expect("written");
    std::fs::set_permissions(&shell, PermissionsExt::from_mode(0o755)).expect("its mode");
    let wrap = format!("unshare -m {}", shell.display());
    panel_of(&hand, &folder, &wrap, || {
        for port in ["vhost:1", "memif:1"] {
            let told = hand.spp(&format!("nfv 1 add {port}")).failure();
            assert!(told.contains("Read-only file system"), "{told}");
            assert!(told.contains(&folder.display().to_string()), "{told}");
        }
        hand.spp("nfv 1 add ring:0").success();
    });
}

#[test]
fn paths_of_sockets_may_have_107_bytes() {
    let hand = Hand::new();
    let (fits, over) = (
        folder_for(hand.dir.path(), 107),
        folder_for(hand.dir.path(), 108),
    );
    panel_of(&hand, &fits, "", || {
        hand.spp("nfv 1 add vhost:1").success();
        hand.spp("nfv 1 patch vhost:1 ring:0").success();
        let mut guest = Guest::start(&fits.join("sock1"));
        guest.send(10);
        wait_until("packets of the guest", LIMIT, || guest.used(1) == 10);
    });
    panel_of(&hand, &over, "", || {
        for port in ["vhost:1", "memif:10"] {
            let told = hand.spp(&format!("nfv 1 add {port}")).failure();
            assert!(told.contains("at most 107 are possible"), "{told}");
            assert!(told.contains("--vhost-dir"), "{told}");
        }
        hand.spp("nfv 1 add ring:0").success();
    });
    let left: Vec<_> = std::fs::read_dir(&over).expect("it").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_planted_link_is_not_followed() {
    let panel = Panel::builder().memory(256).nfv(1).start();
    let secret = panel.dir().join("precious");
    std::fs::write(&secret, "precious").expect("written");
    let live = panel.dir().join("live");
    let _listener = std::os::unix::net::UnixListener::bind(&live).expect("bound");
    for (name, port) in [("sock7", "vhost:7"), ("memif7", "memif:7")] {
        let planted = panel.dir().join(name);
        for target in [&secret, &live, &panel.dir().join("nothing")] {
            symlink(target, &planted).expect("planted");
            let told = panel.refused(&format!("nfv 1 add {port}"));
            assert!(
                told.contains("exists and is no socket: remove it"),
                "{told}"
            );
            assert!(!panel.dir().join("nothing").exists(), "a link was followed");
            std::fs::remove_file(&planted).expect("still there");
        }
        panel.ok(&format!("nfv 1 add {port}"));
        panel.ok(&format!("nfv 1 del {port}"));
    }
    assert_eq!(std::fs::read(&secret).expect("it is there"), b"precious");
    panel.finish();
}

#[test]
fn a_runtime_folder_of_a_long_name_works_or_is_refused_with_the_limit() {
    let mut hand = Hand::new();
    let short = hand.prefix.clone();
    hand.prefix = format!("{short}{}", "y".repeat(64 - short.len()));
    serves(&hand, "");
    let told = hand.run(
        "spp-primary",
        &hand
            .primary("")
            .replace(&hand.prefix, &format!("{}y", hand.prefix)),
    );
    let told = told.failure();
    assert!(
        told.contains("cannot be used: 1 to 64 of the characters"),
        "{told}"
    );
}
