//! A real rule, made and hit: net_tap follows rules where the kernel has the flower classifier. That is any machine with
//! a common kernel; a guest with one is started where this machine's has it not.

use std::time::Duration;

use testbed::{Equipment, Vm};

/// For a program in a guest without hardware acceleration.
const LIMIT: Duration = Duration::from_secs(120);

/// What the primary's driver needs of the kernel.
const MODULES: [&str; 7] = [
    "tun",
    "sch_multiq",
    "sch_ingress",
    "cls_flower",
    "act_gact",
    "act_mirred",
    "act_skbedit",
];

/// Starts a panel in the guest whose phy:0 is a tap device with two queues: what the guest's kernel sends by its interface
/// `nic0` arrives there. Queue 0 is patched to ring:0, queue 1 to ring:1.
fn panel() -> Vm {
    let equipment = Equipment::default()
        .modules(&MODULES)
        .programs(&["spp-primary", "spp-ctl", "spp"])
        .drivers(&["mempool_ring", "net_tap"]);
    let mut vm = Vm::equipped("flow", &equipment);
    // EAL loads no driver below a folder that all may write to.
    vm.sh("chmod 755 /");
    vm.sh("mkdir -p /dev/hugepages /dev/net /run && mount -t hugetlbfs none /dev/hugepages");
    // Nothing but our packets goes by the interface.
    vm.sh("f=/proc/sys/net/ipv6/conf/default/disable_ipv6; [ ! -e $f ] || echo 1 >$f");
    vm.sh(
        "spp-primary --lcores 0,1 --memory 128 --rings 4 --stateless --queues 0:2:2 --vdev net_tapf,iface=nic0 \
         >/home/log 2>&1 </dev/null &",
    );
    let (status, said) = vm.run(
        "i=0; until spp pri status 2>/dev/null; do i=$((i+1)); [ $i -lt 60 ] && pidof spp-primary || { cat /home/log; exit 1; }; sleep 1; done",
        LIMIT,
    );
    assert_eq!(status, 0, "the primary in the guest: {said}");
    for line in [
        "pri add ring:0",
        "pri add ring:1",
        "pri patch phy:0nq0 ring:0",
        "pri patch phy:0nq1 ring:1",
        "pri forward",
    ] {
        vm.sh(&format!("spp {line}"));
    }
    vm.sh("ip addr add 10.0.0.1/24 dev nic0 && ip link set nic0 up");
    for host in 2..=3 {
        vm.sh(&format!(
            "arp -i nic0 -s 10.0.0.{host} 02:00:00:00:00:0{host}"
        ));
    }
    vm
}

/// Packets that have come to ring:0 and ring:1.
fn counted(vm: &mut Vm) -> [u64; 2] {
    let text = vm.sh("wget -q -O - http://127.0.0.1:7777/v1/primary/status");
    let status: serde_json::Value = serde_json::from_str(&text).expect("a status");
    [0, 1].map(|ring| {
        let ring = &status["ring_ports"][ring];
        let count = |name: &str| ring[name].as_u64().expect("a count");
        count("tx") + count("tx_drop")
    })
}

/// Sends so many packets to a host and waits until they are counted; gives how many came by which queue.
fn sent(vm: &mut Vm, host: u32, packets: u64) -> [u64; 2] {
    let before = counted(vm);
    // Nobody answers.
    vm.run(
        &format!("ping -c {packets} -i 0.2 -W 1 10.0.0.{host}"),
        LIMIT,
    );
    let mut last = [0, 0];
    testbed::wait_until("the packets to be counted", LIMIT, || {
        let now = counted(vm);
        last = [now[0] - before[0], now[1] - before[1]];
        last[0] + last[1] >= packets
    });
    last
}

#[test]
fn packets_go_to_the_queue_that_a_rule_names() {
    let mut vm = panel();
    let rule = |mac: &str, queue: u32| {
        format!(
            "phy:0 ingress priority 1 pattern eth dst is {mac} / end actions queue index {queue} / end"
        )
    };
    let (ours, others) = ("02:00:00:00:00:02", "02:00:00:00:00:03");
    assert_eq!(
        vm.sh(&format!("spp pri flow validate {}", rule(ours, 1))),
        "Flow rule validated\n"
    );
    // The same packets, by a rule to each queue in turn: it is the rule that chooses.
    for queue in [1, 0, 1] {
        let made = vm.sh(&format!("spp pri flow create {}", rule(ours, queue)));
        assert_eq!(made, "Flow rule #0 created\n");
        let mut expected = [0, 0];
        expected[queue as usize] = 5;
        assert_eq!(
            sent(&mut vm, 2, 5),
            expected,
            "by the rule to queue {queue}"
        );
        assert_eq!(
            vm.sh("spp pri flow destroy phy:0 0"),
            "Flow rule #0 destroyed\n"
        );
    }

    // Two rules, two ways.
    for (id, mac, queue) in [(0, ours, 1), (1, others, 0)] {
        let made = vm.sh(&format!("spp pri flow create {}", rule(mac, queue)));
        assert_eq!(made, format!("Flow rule #{id} created\n"));
    }
    assert_eq!(sent(&mut vm, 2, 3), [0, 3]);
    assert_eq!(sent(&mut vm, 3, 3), [3, 0]);
    let line = |id: u32| format!("{id}       0       1       i--     ETH => QUEUE \n");
    let head = "ID      Group   Prio    Attr    Rule\n";
    let list = |vm: &mut Vm| vm.sh("spp pri flow list phy:0");
    assert_eq!(list(&mut vm), format!("{head}{}{}", line(0), line(1)));
    let shown = vm.sh("spp pri flow status phy:0 0");
    assert!(
        shown.contains("      - dst: 02:00:00:00:00:02\n"),
        "{shown}"
    );
    assert!(shown.contains("  - queue:\n    - index: 1\n"), "{shown}");

    // An id is not given to another rule while a higher one is there.
    assert_eq!(
        vm.sh("spp pri flow destroy phy:0 0"),
        "Flow rule #0 destroyed\n"
    );
    assert_eq!(list(&mut vm), format!("{head}{}", line(1)));
    let made = vm.sh(&format!("spp pri flow create {}", rule(ours, 0)));
    assert_eq!(made, "Flow rule #2 created\n");
    assert_eq!(sent(&mut vm, 2, 3), [3, 0]);
    assert_eq!(
        vm.sh("spp pri flow destroy phy:0 ALL"),
        "Flow rule all destroyed\n"
    );
    assert_eq!(list(&mut vm), head);

    // What the driver cannot do it refuses, and nothing is listed.
    let tag = "phy:0 ingress pattern eth / end actions of_push_vlan ethertype 0x8100 / end";
    let (status, said) = vm.run(&format!("spp pri flow create {tag}"), LIMIT);
    assert_ne!(status, 0, "{said}");
    assert!(
        said.contains("Flow create error\nerror type: 16 (Specific action)\n"),
        "{said}"
    );
    assert!(said.contains("driver net_tap"), "{said}");
    assert_eq!(list(&mut vm), head);

    // Rules that are there at the end go with the primary.
    vm.sh(&format!("spp pri flow create {}", rule(ours, 1)));
    vm.sh("spp pri exit");
    let (status, said) = vm.run(
        "i=0; while pidof spp-primary; do i=$((i+1)); [ $i -lt 60 ] || exit 1; sleep 1; done; cat /home/log",
        LIMIT,
    );
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("phy:0: flow rules taken away: 1"), "{said}");
}
