//! Panels that are made up of the files and locks that real ones have; real ones are in the end-to-end test.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use sys::lock::{FileLock, RecordLock};

use super::*;
use crate::State;
use crate::testing::{Made, about, one};

/// A host with a mount that is a folder, and its user.
fn host() -> Made {
    let mut made = Made::new();
    let huge = made.root().join("huge");
    fs::create_dir(&huge).unwrap();
    made.file(
        "/proc/mounts",
        format!("nodev {} hugetlbfs rw 0 0\n", huge.display()),
    );
    made.host.uid = sys::proc::effective_uid();
    made
}

/// The files of a panel of ours; gives its runtime folder.
fn panel(made: &Made, prefix: &str) -> PathBuf {
    let runtime = made.host.runtime.join(prefix);
    Folder::create(&runtime).unwrap();
    for name in [
        "config",
        "fbarray_memzone",
        "spp/primary.lock",
        "spp/id-1.lock",
        "log/nfv-1.log",
    ] {
        made.file(&format!("/run/dpdk/{prefix}/{name}"), "x\n");
    }
    made.file(&format!("/huge/{prefix}map_0"), [1; 8192]);
    runtime
}

fn clean(made: &mut Made) -> Vec<Finding> {
    made.host.clean = true;
    check(&made.host)
}

#[test]
fn nothing_is_left_where_nothing_was() {
    let made = host();
    let found = one(check(&made.host));
    assert_eq!(found.state, State::Ok);
    assert!(found.found.contains("nothing is left"));
    // A folder that an orderly program of DPDK leaves.
    made.folder("/run/dpdk/rte");
    assert_eq!(one(check(&made.host)).state, State::Ok);
}

#[test]
fn a_dead_panel_is_told_and_removed() {
    let mut made = host();
    let runtime = panel(&made, "spp");
    let found = check(&made.host);
    let left = about(&found, "panel spp: all processes are dead and left 6 files");
    assert_eq!(left.state, State::Warn);
    assert_eq!(left.paths.len(), 6);
    assert!(left.figures["bytes"].as_u64().unwrap() >= 8192);
    assert_eq!(
        left.remedy.as_deref(),
        Some("spp doctor --clean --file-prefix spp stale")
    );
    assert!(runtime.exists());
    let found = clean(&mut made);
    let gone = about(&found, "spp: removed 6 files");
    assert_eq!((gone.state, gone.paths.len()), (State::Ok, 6));
    assert!(!runtime.exists() && !made.root().join("huge/sppmap_0").exists());
    assert_eq!(fs::read_dir(&made.host.runtime).unwrap().count(), 0);
}

#[test]
fn any_sign_of_life_keeps_all() {
    let mut made = host();
    let runtime = panel(&made, "spp");
    let before = crate::host::names(&runtime);
    let kept = |made: &mut Made, what: &str| {
        let found = one(clean(made));
        assert!(found.found.contains("running: spp"), "{what}: {found:?}");
        assert_eq!(crate::host::names(&runtime), before, "{what}");
    };
    for name in ["spp/primary.lock", "spp/id-1.lock"] {
        let lock = FileLock::try_lock(&made.host.runtime.join("spp").join(name)).unwrap();
        assert!(lock.is_some());
        kept(&mut made, name);
    }
    let config = made.host.runtime.join("spp/config");
    let lock = RecordLock::try_take(&config).unwrap();
    assert!(lock.is_some());
    kept(&mut made, "config");
    drop(lock);
    for path in ["run/dpdk/spp/fbarray_memzone", "huge/sppmap_0"] {
        let file = fs::File::open(made.root().join(path)).unwrap();
        file.lock_shared().unwrap();
        kept(&mut made, path);
    }
    about(&clean(&mut made), "removed");
}

#[test]
fn a_socket_that_is_listened_to_keeps_all_and_a_deaf_one_does_not() {
    let mut made = host();
    let runtime = panel(&made, "spp");
    let socket = UnixListener::bind(runtime.join("spp/nfv-1.sock")).unwrap();
    assert!(one(clean(&mut made)).found.contains("running: spp"));
    drop(socket);
    about(&clean(&mut made), "spp: removed 7 files");
}

#[test]
fn other_programs_and_other_panels_are_left_alone() {
    let mut made = host();
    panel(&made, "spp");
    made.file("/run/dpdk/rte/config", "x")
        .file("/huge/rtemap_0", "x")
        .file("/huge/sppxmap_0", "x")
        .file("/huge/sppmap_x", "x")
        .file("/huge/mine", "x");
    let found = clean(&mut made);
    about(&found, "spp: removed");
    let theirs = about(&found, "file prefix rte of another DPDK program");
    assert_eq!(theirs.state, State::Warn);
    assert_eq!(theirs.figures["ours"], false);
    about(&found, "file prefix sppx of another");
    let huge = made.root().join("huge");
    let left = crate::host::names(&huge);
    assert_eq!(left, ["mine", "rtemap_0", "sppmap_x", "sppxmap_0"]);
    made.host.file_prefix = Some("rte".into());
    let found = clean(&mut made);
    about(&found, "rte: removed 2 files");
    assert_eq!(crate::host::names(&huge), ["mine", "sppmap_x", "sppxmap_0"]);
}

#[test]
fn links_are_not_followed() {
    let mut made = host();
    let runtime = panel(&made, "spp");
    let precious = made.root().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "x").unwrap();
    std::os::unix::fs::symlink(&precious, runtime.join("log/there")).unwrap();
    std::os::unix::fs::symlink(&precious, made.host.runtime.join("linked")).unwrap();
    std::os::unix::fs::symlink(precious.join("file"), made.root().join("huge/sppmap_1")).unwrap();
    let found = clean(&mut made);
    // A look at the link is refused, so that nothing is known.
    assert!(
        found.iter().all(|f| !f.found.contains("removed")),
        "{found:#?}"
    );
    fs::remove_file(made.root().join("huge/sppmap_1")).unwrap();
    about(&clean(&mut made), "spp: removed 7 files");
    assert!(!runtime.exists());
    assert!(precious.join("file").exists());
    assert!(made.host.runtime.join("linked").exists());
}

#[test]
fn a_folder_that_others_can_write_to_is_not_touched() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut made = host();
    let runtime = panel(&made, "spp");
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o777)).unwrap();
    let found = clean(&mut made);
    let refused = about(&found, "nothing was removed");
    assert_eq!(refused.state, State::Fail);
    assert!(refused.found.contains("cannot be trusted") && runtime.join("config").exists());
}

#[test]
fn what_belongs_to_others_is_said_to_be_unseen() {
    let mut made = host();
    made.file("/huge/rtemap_0", "x");
    made.host.uid += 1;
    let found = check(&made.host);
    let hidden = about(&found, "1 hugepage files of other users");
    assert_eq!((hidden.state, hidden.as_root), (State::Warn, true));
}
