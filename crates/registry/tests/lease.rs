//! Leases between real processes that are killed and that race.

#![allow(clippy::unwrap_used, clippy::panic)] // All of it is test code.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use common::Process;
use registry::Incarnation;
use registry::folder::Folder;
use registry::lease::{
    HeldLease, Holder, IdLease, LcoreLease, LcoreRange, LeaseError, Slot, dead_leases, holders,
    workers_per_cpu,
};
use sys::affinity::CpuSet;

const NOW: Duration = Duration::ZERO;

fn holder(id: u32) -> Holder {
    Holder {
        kind: "nfv".into(),
        id,
        pid: std::process::id(),
        incarnation: Incarnation::new().unwrap(),
    }
}

fn range() -> LcoreRange {
    LcoreRange::beside_cpus(2)
}

/// What the processes of these tests can be told: `id N WAIT_MS`, `lcores COUNT`,
/// `workers COUNT CPUS`, `release`, `reap`.
#[test]
fn child() {
    let mut ids = Vec::new();
    let mut lcores: Vec<LcoreLease> = Vec::new();
    common::serve(|path, line| {
        let folder = Folder::open(path).unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |at: usize| words[at].parse::<u32>().unwrap();
        match words[0] {
            "id" => {
                let wait = Duration::from_millis(number(2).into());
                match IdLease::take(&folder, &holder(number(1)), wait) {
                    Ok(lease) => {
                        ids.push(lease);
                        "taken".into()
                    }
                    Err(e) => e.to_string(),
                }
            }
            "lcores" => {
                let took = (0..number(1))
                    .map(|_| LcoreLease::take(&folder, range(), &holder(1), None, NOW).unwrap());
                list(&mut lcores, took.collect())
            }
            "workers" => {
                let (cpus, count) = (words[2].parse().unwrap(), number(1) as usize);
                let wait = Duration::from_secs(10);
                let took =
                    LcoreLease::take_workers(&folder, range(), &holder(1), &cpus, count, wait);
                list(&mut lcores, took.unwrap())
            }
            "release" => {
                ids.drain(..)
                    .for_each(|lease: IdLease| lease.release().unwrap());
                lcores.drain(..).for_each(|lease| lease.release().unwrap());
                "released".into()
            }
            "reap" => {
                let dead = dead_leases(&folder).unwrap();
                let count = dead.len();
                dead.into_iter().for_each(|lease| lease.finish().unwrap());
                count.to_string()
            }
            other => format!("unknown {other}"),
        }
    });
}

/// `ID@CPU` of each lease.
fn list(all: &mut Vec<LcoreLease>, took: Vec<LcoreLease>) -> String {
    let text: Vec<String> = took
        .iter()
        .map(|lease| format!("{}@{}", lease.id(), lease.cpu().map_or(-1, i64::from)))
        .collect();
    all.extend(took);
    text.join(" ")
}

fn ids_of(answer: &str) -> Vec<u32> {
    answer
        .split(' ')
        .map(|word| word.split_once('@').unwrap().0.parse().unwrap())
        .collect()
}

fn panel() -> (tempfile::TempDir, Folder) {
    let base = tempfile::tempdir().unwrap();
    let folder = Folder::create(base.path()).unwrap();
    (base, folder)
}

#[test]
fn the_same_id_is_refused_naming_who_has_it_until_he_dies() {
    let (base, folder) = panel();
    let mut first = Process::start(base.path());
    let mut second = Process::start(base.path());
    assert_eq!(first.ask("id 1 0"), "taken");
    let start = Instant::now();
    let refusal = second.ask("id 1 100");
    assert!(start.elapsed() >= Duration::from_millis(100));
    assert!(
        refusal.contains(&format!("id 1 is held by nfv:1 (pid {})", first.pid())),
        "{refusal}"
    );
    assert_eq!(second.ask("id 2 0"), "taken");

    // Waited for, not only tried.
    second.send("id 1 60000");
    first.kill();
    assert_eq!(second.answer(), "taken");
    let seen = holders(&folder).unwrap();
    let slots: Vec<Slot> = seen.iter().map(|lease| lease.slot).collect();
    assert_eq!(slots, [Slot::Id(1), Slot::Id(2)]);
    assert!(
        seen.iter()
            .all(|lease| lease.holder.pid == second.pid() && lease.since > 0)
    );

    assert_eq!(second.ask("release"), "released");
    assert_eq!(holders(&folder).unwrap(), []);
    IdLease::take(&folder, &holder(1), NOW).unwrap();
}

#[test]
fn impossible_ids_are_refused() {
    let (_base, folder) = panel();
    for id in [0, 128, u32::MAX] {
        let refusal = IdLease::take(&folder, &holder(id), NOW).unwrap_err();
        assert!(matches!(refusal, LeaseError::IdOutOfRange(n) if n == id));
    }
    IdLease::take(&folder, &holder(127), NOW).unwrap();
}

#[test]
fn a_dead_holders_lcore_waits_for_the_reaper() {
    let (base, folder) = panel();
    let mut doomed = Process::start(base.path());
    let took = ids_of(&doomed.ask("lcores 3"));
    assert_eq!(took, [127, 126, 125]);
    assert!(
        dead_leases(&folder).unwrap().is_empty(),
        "the living must not be reaped"
    );
    let pid = doomed.pid();
    doomed.kill();

    let next = LcoreLease::take(&folder, range(), &holder(2), None, NOW).unwrap();
    assert_eq!(next.id(), 124);

    // Seen by a reaper that does not finish, it stays dirty.
    drop(dead_leases(&folder).unwrap());
    let dead = dead_leases(&folder).unwrap();
    let mut lcores: Vec<u32> = dead.iter().map(|lease| lease.lcore()).collect();
    lcores.sort_unstable();
    assert_eq!(lcores, [125, 126, 127]);
    assert!(dead.iter().all(|lease| lease.holder().unwrap().pid == pid));
    assert!(
        dead_leases(&folder).unwrap().is_empty(),
        "one reaper at a time has them"
    );
    let during = LcoreLease::take(&folder, range(), &holder(2), None, NOW).unwrap();
    assert_eq!(during.id(), 123);
    dead.into_iter().for_each(|lease| lease.finish().unwrap());

    assert!(dead_leases(&folder).unwrap().is_empty());
    let again = LcoreLease::take(&folder, range(), &holder(2), None, NOW).unwrap();
    assert_eq!(again.id(), 127);
}

#[test]
fn a_lease_dropped_without_release_is_dirty_and_a_released_one_is_not() {
    let (_base, folder) = panel();
    let take = || LcoreLease::take(&folder, range(), &holder(1), Some(1), NOW).unwrap();
    take().release().unwrap();
    let lease = take();
    assert_eq!(lease.id(), 127);
    drop(lease);
    assert_eq!(take().id(), 126);
}

#[test]
fn damaged_files_are_dirty_until_reaped() {
    let (_base, folder) = panel();
    for (id, content) in [
        (127, &[0xff_u8; 9000][..]),
        (126, b"{}\n"),
        (125, b"no line break"),
    ] {
        std::fs::write(folder.path().join(format!("lcore-{id}.lock")), content).unwrap();
    }
    let take = || LcoreLease::take(&folder, range(), &holder(1), None, NOW).unwrap();
    assert_eq!(take().id(), 124);
    let dead = dead_leases(&folder).unwrap();
    assert!(
        dead.iter()
            .filter(|lease| lease.lcore() > 124)
            .all(|lease| lease.holder().is_none())
    );
    dead.into_iter().for_each(|lease| lease.finish().unwrap());
    assert_eq!(take().id(), 127);
}

#[test]
fn the_limit_is_named_when_all_are_taken() {
    let (base, folder) = panel();
    let small = LcoreRange::beside_cpus(1000);
    assert_eq!(small.to_string(), "64..=127");
    let mut doomed = Process::start(base.path());
    doomed.ask("lcores 10");
    doomed.kill();
    let take = || LcoreLease::take(&folder, small, &holder(1), None, Duration::from_millis(20));
    let leases: Vec<LcoreLease> = (0..54).map(|_| take().unwrap()).collect();
    let refusal = take().unwrap_err().to_string();
    for part in ["64..=127", "54 are held", "10 wait for the primary"] {
        assert!(refusal.contains(part), "{refusal}");
    }
    let cpus: CpuSet = "0".parse().unwrap();
    let refusal = LcoreLease::take_workers(&folder, small, &holder(1), &cpus, 1, NOW).unwrap_err();
    assert!(
        matches!(
            refusal,
            LeaseError::NoLcore {
                held: 54,
                dirty: 10,
                ..
            }
        ),
        "{refusal}"
    );
    drop(leases);
}

#[test]
fn workers_that_cannot_all_be_had_leave_nothing_behind() {
    let (_base, folder) = panel();
    let small = LcoreRange::beside_cpus(1000);
    let cpus: CpuSet = "0-1".parse().unwrap();
    let take = |count| LcoreLease::take_workers(&folder, small, &holder(1), &cpus, count, NOW);
    assert!(matches!(take(65), Err(LeaseError::NoLcore { .. })));
    let empty = CpuSet::default();
    let refusal = LcoreLease::take_workers(&folder, small, &holder(1), &empty, 1, NOW);
    assert!(matches!(refusal, Err(LeaseError::NoCpu)));
    assert!(holders(&folder).unwrap().is_empty() && dead_leases(&folder).unwrap().is_empty());
    assert_eq!(take(64).unwrap().len(), 64);
}

#[test]
fn eight_processes_at_once_never_share_an_lcore() {
    let (base, _folder) = panel();
    let mut processes: Vec<Process> = (0..8).map(|_| Process::start(base.path())).collect();
    for _ in 0..25 {
        processes
            .iter_mut()
            .for_each(|process| process.send("lcores 8"));
        let taken: Vec<u32> = processes
            .iter_mut()
            .flat_map(|process| ids_of(&process.answer()))
            .collect();
        let distinct: BTreeSet<u32> = taken.iter().copied().collect();
        assert_eq!((taken.len(), distinct.len()), (64, 64), "{taken:?}");
        processes
            .iter_mut()
            .for_each(|process| process.send("release"));
        processes
            .iter_mut()
            .for_each(|process| assert_eq!(process.answer(), "released"));
    }
}

#[test]
fn eight_processes_at_once_spread_their_workers_evenly() {
    let (base, folder) = panel();
    let mut processes: Vec<Process> = (0..8).map(|_| Process::start(base.path())).collect();
    for _ in 0..10 {
        processes
            .iter_mut()
            .for_each(|process| process.send("workers 3 1,4-6"));
        processes
            .iter_mut()
            .for_each(|process| drop(process.answer()));
        let workers = workers_per_cpu(&folder).unwrap();
        assert_eq!(workers, BTreeMap::from([(1, 6), (4, 6), (5, 6), (6, 6)]));
        processes
            .iter_mut()
            .for_each(|process| process.send("release"));
        processes
            .iter_mut()
            .for_each(|process| assert_eq!(process.answer(), "released"));
    }
}

#[test]
fn one_of_eight_gets_an_id_and_after_each_kill_the_next_one() {
    let (base, _folder) = panel();
    let mut processes: Vec<Process> = (0..8).map(|_| Process::start(base.path())).collect();
    while !processes.is_empty() {
        processes
            .iter_mut()
            .for_each(|process| process.send("id 5 0"));
        let answers: Vec<String> = processes.iter_mut().map(Process::answer).collect();
        let winners: Vec<usize> = (0..answers.len())
            .filter(|&at| answers[at] == "taken")
            .collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        processes.swap_remove(winners[0]).kill();
    }
}

#[test]
fn processes_killed_while_they_take_and_release_lose_no_id() {
    let (base, folder) = panel();
    let mut reaper = Process::start(base.path());
    for round in 0..40_u32 {
        let mut victim = Process::start(base.path());
        (0..20).for_each(|_| {
            victim.send("lcores 5");
            victim.send("release");
        });
        // Somewhere in the middle, at another place in every round.
        (0..round).for_each(|_| drop(victim.answer()));
        victim.kill();
        reaper.ask("reap");
    }
    assert_eq!(reaper.ask("reap"), "0");
    let leases: Vec<u32> = (0..126)
        .map(|_| {
            LcoreLease::take(&folder, range(), &holder(1), None, NOW)
                .unwrap()
                .id()
        })
        .collect();
    assert_eq!(leases.len(), 126);
}

#[test]
fn a_status_shows_cpus_as_the_user_named_them() {
    let (_base, folder) = panel();
    let me = holder(3);
    let lease = LcoreLease::take(&folder, range(), &me, Some(1), NOW).unwrap();
    let seen = holders(&folder).unwrap();
    let [
        HeldLease {
            slot: Slot::Lcore(127),
            holder,
            cpu: Some(1),
            ..
        },
    ] = &seen[..]
    else {
        panic!("{seen:?}")
    };
    assert_eq!(*holder, me);
    assert_eq!(lease.cpu(), Some(1));
}

#[test]
fn an_unwritable_folder_is_an_error_that_names_the_file() {
    let (base, folder) = panel();
    std::fs::remove_dir(base.path().join("spp")).unwrap();
    let refusal = IdLease::take(&folder, &holder(1), NOW)
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains(Path::new("spp/id-1.lock").to_str().unwrap()),
        "{refusal}"
    );
}
