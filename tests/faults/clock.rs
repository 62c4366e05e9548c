//! The clock of the day jumps, in a guest, for a machine has but one.

use std::time::Duration;

use protocol::detail::{LaunchedDetail, ProcessDetail};
use testbed::{Equipment, Vm};

/// For a program in a guest without hardware acceleration.
const LIMIT: Duration = Duration::from_secs(120);

/// A panel in the guest, in which a launched nfv 1 carries packets in a circle.
fn panel() -> Vm {
    let equipment = Equipment::default()
        .programs(&["spp-primary", "spp-ctl", "spp-nfv", "spp"])
        .drivers(&["mempool_ring"]);
    let mut vm = Vm::equipped("clock", &equipment);
    // EAL loads no driver below a folder that all may write to.
    vm.sh("chmod 755 /");
    vm.sh("mkdir -p /dev/hugepages /run && mount -t hugetlbfs none /dev/hugepages");
    vm.sh("SPP_STATE_DIR=/home/state spp-primary --lcores 0 --memory 128 --rings 4 >/home/log 2>&1 </dev/null &");
    done(&mut vm, "spp pri status");
    done(
        &mut vm,
        "spp pri launch nfv 1 -l 0,1 -- -n 1 -s 127.0.0.1:6666 --restart on-failure --hang-limit 20",
    );
    for line in [
        "nfv 1 add nullpmd:1",
        "nfv 1 add ring:0",
        "nfv 1 patch nullpmd:1 ring:0",
        "nfv 1 patch ring:0 nullpmd:1",
        "nfv 1 forward",
    ] {
        done(&mut vm, &format!("spp {line}"));
    }
    vm
}

/// What a command prints that succeeds at last: the guest is slow, and a process has half a second to answer.
#[track_caller]
fn done(vm: &mut Vm, command: &str) -> String {
    let (status, output) = vm.run(
        &format!("i=0; until o=$({command} 2>&1); do i=$((i+1)); [ $i -lt 60 ] || break; sleep 1; done; echo \"$o\"; [ $i -lt 60 ]"),
        LIMIT,
    );
    assert_eq!(status, 0, "{command}: {output}");
    output
}

/// What the primary says of the process that it launched.
#[track_caller]
fn launched(vm: &mut Vm) -> LaunchedDetail {
    let text = done(vm, "wget -q -O - http://127.0.0.1:7777/v1/primary/launched");
    let mut all: Vec<LaunchedDetail> = serde_json::from_str(&text).expect("a list");
    all.pop().expect("a process")
}

/// Waits until the process has moved more packets.
#[track_caller]
fn goes_on(vm: &mut Vm) {
    let mut moved = || {
        let text = done(vm, "wget -q -O - http://127.0.0.1:7777/v1/details");
        let all: Vec<ProcessDetail> = serde_json::from_str(&text).expect("details");
        let nfv = all.into_iter().find(|process| process.client_id == 1)?;
        Some(nfv.detail?.workers.first()?.packets)
    };
    let mut before = None;
    testbed::wait_until("more packets", LIMIT, || {
        moved().is_some_and(|now| now > *before.get_or_insert(now))
    });
}

#[test]
fn a_clock_that_jumps_stops_and_restarts_nothing() {
    let mut vm = panel();
    goes_on(&mut vm);
    let before = launched(&mut vm);
    // To the future, far back, and to where 32 bits end.
    for day in [
        "2030-01-01 00:00:00",
        "1999-12-31 23:59:59",
        "2038-01-19 03:14:05",
    ] {
        vm.sh(&format!("date -s '{day}'"));
        goes_on(&mut vm);
        for line in ["nfv 1 add ring:1", "nfv 1 del ring:1"] {
            done(&mut vm, &format!("spp {line}"));
        }
        // Limits and pauses have not passed by it, and go on passing.
        let now = launched(&mut vm);
        assert_eq!((now.pid, now.restarts), (before.pid, 0), "at {day}");
    }
    let pid = before.pid.expect("it runs");
    vm.sh(&format!("kill -9 {pid}"));
    testbed::wait_until("it to be started again", LIMIT, || {
        launched(&mut vm).restarts > 0
    });
    goes_on(&mut vm);
    let log = vm.sh("cat /home/log");
    for word in ["hang", "stuck", "panicked"] {
        assert!(!log.contains(word), "{log}");
    }
}
