use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;
use sys::affinity::CpuSet;

/// Two threads a core: CPU n and n + half are one; halves of the cores are nodes.
fn machine(nodes: u32, cores: u32, threads: u32) -> Machine {
    let all = nodes * cores;
    let cpu = |number: u32| {
        let core = number % all;
        Cpu {
            number,
            core: (core / cores, core % cores),
            node: core / cores,
            isolated: false,
        }
    };
    Machine {
        cpus: (0..all * threads).map(cpu).collect(),
    }
}

fn wish(name: &str, workers: u32, rests: bool) -> Wish {
    Wish {
        name: name.to_owned(),
        main: true,
        workers,
        rests,
    }
}

fn nfvs(count: u32) -> Vec<Wish> {
    (1..=count)
        .map(|id| wish(&format!("nfv{id}"), 1, true))
        .collect()
}

fn workers(layout: &Layout) -> Vec<u32> {
    let placed = layout.placed.iter();
    placed.flat_map(|placed| placed.workers.clone()).collect()
}

fn taken(cpus: &[u32]) -> Vec<Taken> {
    let by = "container other".to_owned();
    let one = |cpu: &u32| Taken {
        cpu: *cpu,
        by: by.clone(),
    };
    cpus.iter().map(one).collect()
}

#[test]
fn on_two_cpus_those_that_rest_come_together_and_it_is_said() {
    let l2fwd = Wish {
        main: false,
        ..wish("l2fwd", 1, false)
    };
    let mut wishes = nfvs(4);
    wishes.push(l2fwd);
    let layout = lay_out(&machine(1, 2, 1), &wishes, &[], None);
    assert_eq!(workers(&layout), [0, 0, 0, 0, 1]);
    assert!(
        layout.placed[..4]
            .iter()
            .all(|placed| placed.main == Some(0))
    );
    let last = &layout.placed[4];
    assert_eq!((last.main, last.map(0..)), (None, Some("0@1".to_owned())));
    assert_eq!(layout.placed[0].map(0..).as_deref(), Some("0@0,1@0"));
    assert_eq!(layout.placed[0].map(5..6), None);
    assert_eq!((layout.placed[0].ids(), last.ids()), (vec![0, 1], vec![1]));
    assert_eq!(layout.notes.len(), 1, "{:?}", layout.notes);
    assert!(layout.notes[0].starts_with("CPU 0 is shared by workers of nfv1, nfv2, nfv3, nfv4:"));
    assert!(layout.notes[0].ends_with("(2 can be used)"));
}

#[test]
fn on_a_large_host_each_worker_has_a_core_of_the_node_with_the_memory() {
    let host = machine(2, 8, 2);
    let layout = lay_out(&host, &nfvs(7), &[], Some(1));
    // CPU 8 is the first one of node 1: housekeeping. None of 16 and up, which are second threads.
    assert_eq!(workers(&layout), [9, 10, 11, 12, 13, 14, 15]);
    assert!(layout.placed.iter().all(|placed| placed.main == Some(8)));
    assert!(layout.notes.is_empty(), "{:?}", layout.notes);
    // More than there are cores: second threads of that node, that of the housekeeping among them; nothing is far.
    let layout = lay_out(&host, &nfvs(15), &[], Some(1));
    let mut found = workers(&layout);
    found.sort_unstable();
    assert_eq!(
        found,
        [9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31]
    );
    assert!(layout.notes.is_empty(), "{:?}", layout.notes);
    // And then the other node, which is said.
    let layout = lay_out(&host, &nfvs(16), &[], Some(1));
    assert_eq!(workers(&layout).last(), Some(&0));
    assert_eq!(
        layout.notes,
        ["CPU 0 is on NUMA node 0, the memory on node 1"]
    );
}

#[test]
fn nobody_shares_while_there_are_enough() {
    for (nodes, cores, threads) in [(1, 4, 1), (1, 4, 2), (2, 8, 2), (4, 4, 1)] {
        let host = machine(nodes, cores, threads);
        let count = nodes * cores * threads - 1;
        let layout = lay_out(&host, &nfvs(count), &[], None);
        let mut counts = BTreeMap::<u32, u32>::new();
        for cpu in workers(&layout) {
            *counts.entry(cpu).or_default() += 1;
        }
        assert_eq!(counts.len(), count as usize, "{nodes} {cores} {threads}");
        assert!(!counts.contains_key(&layout.placed[0].main.unwrap()));
        assert!(!layout.notes.iter().any(|note| note.contains("shared")));
    }
}

#[test]
fn in_a_cpuset_of_three_the_third_worker_goes_to_the_housekeeping() {
    let host = machine(1, 8, 1).only(&[2, 5, 6]).unwrap();
    let layout = lay_out(&host, &nfvs(3), &[], None);
    assert_eq!(
        (layout.placed[0].main, workers(&layout)),
        (Some(2), vec![5, 6, 2])
    );
    assert!(layout.notes.is_empty(), "{:?}", layout.notes);
    let error = machine(1, 2, 1).only(&[1, 2]).unwrap_err().to_string();
    assert!(
        error.contains("CPU 2 is not there") && error.contains("0,1 can"),
        "{error}"
    );
}

#[test]
fn isolated_cpus_are_for_workers_and_come_first() {
    let mut host = machine(1, 8, 1);
    for cpu in [0, 6, 7] {
        host.cpus[cpu].isolated = true;
    }
    let layout = lay_out(&host, &nfvs(4), &[], None);
    assert_eq!(
        (layout.placed[0].main, workers(&layout)),
        (Some(1), vec![0, 6, 7, 2])
    );
}

#[test]
fn what_others_have_is_left_alone_until_nothing_else_is_left() {
    let host = machine(1, 4, 1);
    let layout = lay_out(&host, &nfvs(2), &taken(&[0, 1]), None);
    assert_eq!(
        (layout.placed[0].main, workers(&layout)),
        (Some(2), vec![3, 2])
    );
    let layout = lay_out(&host, &nfvs(1), &taken(&[0, 1, 2, 3]), None);
    assert_eq!(workers(&layout), [1]);
    assert!(
        layout.notes[0].contains("workers of nfv1, container other"),
        "{:?}",
        layout.notes
    );
    // Without a node that is known: the one with more room.
    let layout = lay_out(&machine(2, 2, 1), &nfvs(1), &taken(&[0]), None);
    assert_eq!((layout.node, workers(&layout)), (Some(1), vec![3]));
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_machine_is_read_as_the_kernel_describes_it() {
    let root = tempfile::tempdir().unwrap();
    let cpu = |name: &str| root.path().join("sys/devices/system/cpu").join(name);
    write(&cpu("online"), "0-5\n");
    write(&cpu("isolated"), "4-5,7\n");
    for number in 0..6 {
        write(
            &cpu(&format!("cpu{number}/topology/core_id")),
            &format!("{}\n", number % 3),
        );
        write(
            &cpu(&format!("cpu{number}/topology/physical_package_id")),
            "1\n",
        );
        fs::create_dir_all(cpu(&format!("cpu{number}/node{}", number / 3))).unwrap();
    }
    let affinity: CpuSet = "0-3".parse().unwrap();
    let read = || Machine::read(root.path(), &affinity).unwrap();
    let host = read();
    assert_eq!(host.numbers().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    let last = Cpu {
        number: 5,
        core: (1, 2),
        node: 1,
        isolated: true,
    };
    assert_eq!(host.cpus.last(), Some(&last));
    assert_eq!(host.nodes().len(), 2);
    // An isolated CPU outside of our cpuset is not ours, with either version of control groups.
    for (line, file) in [
        ("0::/a/b\n", "a/b/cpuset.cpus.effective"),
        ("9:cpu:/x\n4:cpuset:/c\n", "cpuset/c/cpuset.effective_cpus"),
    ] {
        write(&root.path().join("proc/self/cgroup"), line);
        write(&root.path().join("sys/fs/cgroup").join(file), "0-4\n");
        assert_eq!(
            read().numbers().collect::<Vec<_>>(),
            [0, 1, 2, 3, 4],
            "{line}"
        );
    }
    let none = Machine::read(root.path(), &CpuSet::try_from(vec![200]).unwrap());
    // Only the isolated one of the cpuset is left then.
    assert_eq!(none.unwrap().numbers().collect::<Vec<_>>(), [4]);
    Machine::of_host().unwrap();
}

#[test]
fn the_node_of_a_panels_memory_is_where_most_of_its_pages_are() {
    let maps = "1100000 default file=/dev/hugepages/ppmap_0 huge dirty=2 N0=9 kernelpagesize_kB=2048\n\
                1200000 default file=/dev/hugepages/pmap_0 huge dirty=2 N0=1 N1=2 kernelpagesize_kB=2048\n\
                1400000 default file=/dev/hugepages/pmap_1 huge N1=1 kernelpagesize_kB=2048\n\
                1600000 default anon=3 N0=30\n";
    assert_eq!(machine::node_in(maps, "p"), Some(1));
    assert_eq!(machine::node_in(maps, "pp"), Some(0));
    assert_eq!(machine::node_in(maps, "x"), None);
}
