//! Secondaries waiting for primaries that start, end and are killed.

#![allow(clippy::unwrap_used, clippy::panic)] // All of it is test code.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use common::Process;
use registry::Incarnation;
use registry::announce::{AnnounceError, Panel, PanelInfo, PoolInfo, wait_ready};
use registry::folder::Folder;

const NOW: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(60);

fn info(incarnation: Incarnation) -> PanelInfo {
    PanelInfo {
        incarnation,
        pid: std::process::id(),
        spp_version: "0.1.0".into(),
        dpdk_version: "DPDK 22.11.11".into(),
        pci: false,
        base_virtaddr: Some(0x2000_0000_0000),
        controller_primary: Some("127.0.0.1:5555".into()),
        controller_secondary: None,
        vhost_dir: "/tmp".into(),
        vhost_owner: None,
        capabilities: 0,
        rings: 16,
        ring_size: 1024,
        pool: PoolInfo {
            name: "MProc_pktmbuf_pool".into(),
            ops: "ring_mp_mc".into(),
            ops_index: 2,
        },
        max_ports: 128,
    }
}

/// What the processes of these tests can be told: `claim`, `publish`, `end`, `wait`.
#[test]
fn child() {
    let mut panel = None;
    common::serve(|path, line| match line {
        "claim" => {
            let folder = Folder::create(path).unwrap();
            match Panel::claim(folder, Incarnation::new().unwrap()) {
                Ok(claimed) => {
                    let incarnation = claimed.incarnation().to_string();
                    panel = Some(claimed);
                    incarnation
                }
                Err(e) => e.to_string(),
            }
        }
        "publish" => {
            let panel: &Panel = panel.as_ref().unwrap();
            panel.publish(&info(panel.incarnation())).unwrap();
            "published".into()
        }
        "end" => {
            panel = None;
            "ended".into()
        }
        "wait" => match wait_ready(path, LONG) {
            Ok((_, info)) => info.incarnation.to_string(),
            Err(e) => e.to_string(),
        },
        other => format!("unknown {other}"),
    });
}

#[test]
fn each_state_of_a_primary_is_told_from_the_others() {
    let base = tempfile::tempdir().unwrap();
    let look = || wait_ready(base.path(), NOW).map(|(_, info)| info.incarnation.to_string());
    assert!(matches!(look(), Err(AnnounceError::NoPrimary { .. })));

    let mut first = Process::start(base.path());
    let incarnation = first.ask("claim");
    let refusal = look().unwrap_err();
    let pid = first.pid();
    assert!(matches!(refusal, AnnounceError::NotReady { pid: Some(p), .. } if p == pid));
    first.ask("publish");
    assert_eq!(look().unwrap(), incarnation);
    let panel = base.path().join("spp/panel.json");
    assert_eq!(
        fs::metadata(&panel).unwrap().permissions().mode() & 0o777,
        0o600
    );

    first.kill();
    let refusal = look().unwrap_err();
    assert!(
        matches!(refusal, AnnounceError::Dead { pid: Some(p), .. } if p == pid),
        "{refusal}"
    );
    assert!(
        refusal.to_string().contains(&format!("pid {pid}")),
        "{refusal}"
    );

    let mut second = Process::start(base.path());
    let next = second.ask("claim");
    assert_ne!(next, incarnation);
    assert!(!panel.exists(), "what the dead one announced must be gone");
    assert!(matches!(look(), Err(AnnounceError::NotReady { .. })));
    second.ask("publish");
    assert_eq!(look().unwrap(), next);
    second.ask("end");
    assert!(!panel.exists());
    assert!(matches!(look(), Err(AnnounceError::NoPrimary { .. })));
}

#[test]
fn a_second_primary_is_refused_naming_the_first() {
    let base = tempfile::tempdir().unwrap();
    let mut first = Process::start(base.path());
    first.ask("claim");
    first.ask("publish");
    let folder = Folder::create(base.path()).unwrap();
    let refusal = Panel::claim(folder.clone(), Incarnation::new().unwrap()).unwrap_err();
    assert!(
        refusal
            .to_string()
            .contains(&format!("(pid {})", first.pid())),
        "{refusal}"
    );
    wait_ready(base.path(), NOW).unwrap();
    first.kill();
    Panel::claim(folder, Incarnation::new().unwrap()).unwrap();
}

#[test]
fn secondaries_that_come_too_early_wait() {
    let base = tempfile::tempdir().unwrap();
    let mut waiting: Vec<Process> = (0..4).map(|_| Process::start(base.path())).collect();
    waiting.iter_mut().for_each(|process| process.send("wait"));
    let mut primary = Process::start(base.path());
    let incarnation = primary.ask("claim");
    primary.ask("publish");
    let start = Instant::now();
    waiting
        .iter_mut()
        .for_each(|process| assert_eq!(process.answer(), incarnation));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_waiter_never_takes_a_dead_primary_for_its_successor() {
    let base = tempfile::tempdir().unwrap();
    for _ in 0..20 {
        let mut old = Process::start(base.path());
        let dead = old.ask("claim");
        old.ask("publish");
        old.kill();
        let mut waiter = Process::start(base.path());
        waiter.send("wait");
        let mut new = Process::start(base.path());
        new.send("claim");
        new.send("publish");
        let living = new.answer();
        let seen = waiter.answer();
        assert_eq!(seen, living, "the dead one was {dead}");
        assert_eq!(new.answer(), "published");
    }
}

#[test]
fn the_limit_is_kept() {
    let base = tempfile::tempdir().unwrap();
    let limit = Duration::from_millis(60);
    let start = Instant::now();
    let refusal = wait_ready(base.path(), limit).unwrap_err().to_string();
    assert!(start.elapsed() >= limit);
    assert!(
        refusal.contains("waited 60ms") && refusal.contains("start spp-primary"),
        "{refusal}"
    );
}

#[test]
fn all_that_was_announced_arrives() {
    let base = tempfile::tempdir().unwrap();
    let incarnation = Incarnation::new().unwrap();
    let panel = Panel::claim(Folder::create(base.path()).unwrap(), incarnation).unwrap();
    assert!(
        panel
            .publish(&info(Incarnation::from(incarnation.get() ^ 1)))
            .is_err()
    );
    let mut told = info(incarnation);
    panel.publish(&told).unwrap();
    assert_eq!(wait_ready(base.path(), NOW).unwrap().1, told);
    told.controller_secondary = Some("127.0.0.1:6666".into());
    panel.publish(&told).unwrap();
    let (folder, seen) = wait_ready(base.path(), NOW).unwrap();
    assert_eq!((folder.path(), seen), (panel.folder().path(), told));
}

#[test]
fn another_format_and_nonsense_are_errors() {
    let base = tempfile::tempdir().unwrap();
    let incarnation = Incarnation::new().unwrap();
    let panel = Panel::claim(Folder::create(base.path()).unwrap(), incarnation).unwrap();
    panel.publish(&info(incarnation)).unwrap();
    let path = base.path().join("spp/panel.json");
    let text = fs::read_to_string(&path).unwrap();
    let refusal = |text: &str| {
        fs::write(&path, text).unwrap();
        wait_ready(base.path(), NOW).unwrap_err().to_string()
    };
    assert!(refusal(&text.replace("\"format\":1", "\"format\":2")).contains("format 2"));
    assert!(refusal(&text.replace("\"rings\":16", "\"rings\":-1")).contains("panel.json"));
    // Without an incarnation that matches it is no announcement of this primary.
    assert!(refusal("{").contains("not ready"));
    assert!(refusal(&text.replace(&incarnation.to_string(), "0123456789abcdef")).contains("ready"));
}

#[test]
fn a_leftover_of_an_interrupted_announcement_does_no_harm() {
    let base = tempfile::tempdir().unwrap();
    let folder = Folder::create(base.path()).unwrap();
    let target = base.path().join("target");
    fs::write(&target, "untouched").unwrap();
    std::os::unix::fs::symlink(&target, Path::new(folder.path()).join("panel.json.new")).unwrap();
    let incarnation = Incarnation::new().unwrap();
    let panel = Panel::claim(folder, incarnation).unwrap();
    panel.publish(&info(incarnation)).unwrap();
    wait_ready(base.path(), NOW).unwrap();
    assert_eq!(fs::read_to_string(target).unwrap(), "untouched");
}
