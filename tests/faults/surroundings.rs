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
    serves_at(hand, hand.dir.path(), wrap);
}

/// The same with the sockets in this folder.
fn serves_at(hand: &Hand, sockets: &Path, wrap: &str) {
    panel_of(hand, sockets, wrap, || {
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
        serves(&hand, &shell(&hand, &format!("umask {mask}")));
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

/// A program of the shell that does this first and then becomes the command that it is given.
fn shell(hand: &Hand, first: &str) -> String {
    let path = hand.dir.join("first");
    std::fs::write(&path, format!("#!/bin/sh\n{first} && exec \"$@\"\n")).expect("written");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("its mode");
    path.display().to_string()
}

/// Runs a command in a mount namespace of its own in which this folder cannot be written.
fn read_only(hand: &Hand, folder: &Path) -> String {
    let folder = folder.display();
    let mount = format!("mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}");
    format!("unshare -m {}", shell(hand, &mount))
}

#[test]
fn too_little_address_space_is_named_at_the_start() {
    let hand = Hand::new();
    let mut command = hand.command("/usr/bin/prlimit", "--as=1073741824");
    command.arg(testbed::machine::bin("spp-primary"));
    command.args(hand.primary("").split_whitespace());
    let told = proc::run(&mut command, LIMIT).failure();
    assert!(told.contains("may have 1024 MB of address space"), "{told}");
    assert!(told.contains("raise the limit (ulimit -v"), "{told}");
    hand.wait_nothing_left();
    serves(&hand, "prlimit --as=137438953472");
}

/// A memory cgroup with this limit in bytes, if there can be one.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(bytes: u64) -> Option<Self> {
        let name = testbed::machine::unique("spp");
        let top = Path::new("/sys/fs/cgroup");
        let (group, limit) = match top.join("memory").is_dir() {
            true => (top.join("memory").join(name), "memory.limit_in_bytes"),
            false => (top.join(name), "memory.max"),
        };
        std::fs::create_dir(&group).ok()?;
        let this = Cgroup(group);
        std::fs::write(this.0.join(limit), bytes.to_string()).ok()?;
        Some(this)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // It is gone when its last process is.
        testbed::wait::poll(LIMIT, || std::fs::remove_dir(&self.0).ok());
    }
}

#[test]
fn a_panel_lives_in_little_memory_beside_its_hugepages() {
    let hand = Hand::new();
    let Some(group) = Cgroup::new(128 << 20) else {
        println!("skipped: no memory cgroup can be made here");
        return;
    };
    let join = format!("echo $$ >{}/cgroup.procs", group.0.display());
    serves(&hand, &shell(&hand, &join));
    let most = std::fs::read_to_string(group.0.join("memory.max_usage_in_bytes"));
    println!("at most, in bytes: {most:?}");
}

#[test]
fn a_temporary_folder_that_cannot_be_written_is_not_needed() {
    let hand = Hand::new();
    let sockets = PathBuf::from("/run").join(&hand.prefix);
    std::fs::create_dir(&sockets).expect("a folder");
    let wrap = read_only(&hand, Path::new("/tmp"));
    serves_at(&hand, &sockets, &wrap);
    std::fs::remove_dir(&sockets).expect("nothing is left in it");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let hand = Hand::new();
    let folder = hand.dir.join("fixed");
    std::fs::create_dir(&folder).expect("a folder");
    let wrap = read_only(&hand, &folder);
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
