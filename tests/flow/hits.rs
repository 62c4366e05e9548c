//! A real rule, made and hit: net_tap follows rules where the kernel has the flower classifier. That is any machine with
//! a common kernel; a guest with one is started where this machine's has it not.

use std::time::Duration;

use testbed::{Equipment, Vm};

/// For a program in a guest without hardware acceleration.
const LIMIT: Duration = Duration::from_secs(120);

/// What the primary's driver needs of the kernel, and VLANs.
const MODULES: [&str; 12] = [
    "llc",
    "stp",
    "garp",
    "mrp",
    "8021q",
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

/// What a command prints that changes nothing. It is repeated while it fails: the controller gives a process half a
/// second to answer, and this machine is slow.
#[track_caller]
fn shown(vm: &mut Vm, command: &str) -> String {
    let (status, output) = vm.run(
        &format!("i=0; until o=$({command} 2>&1); do i=$((i+1)); [ $i -lt 60 ] || break; sleep 1; done; echo \"$o\"; [ $i -lt 60 ]"),
        LIMIT,
    );
    assert_eq!(status, 0, "{command}: {output}");
    output
}

/// Packets that have come to ring:0 and ring:1.
fn counted(vm: &mut Vm) -> [u64; 2] {
    let text = shown(vm, "wget -q -O - http://127.0.0.1:7777/v1/primary/status");
    let status: serde_json::Value = serde_json::from_str(&text).expect("a status");
    [0, 1].map(|ring| {
        let ring = &status["ring_ports"][ring];
        let count = |name: &str| ring[name].as_u64().expect("a count");
        count("tx") + count("tx_drop")
    })
}

/// Sends so many packets to a host. Nobody answers.
fn send(vm: &mut Vm, host: &str, packets: u64) {
    let (_, said) = vm.run(&format!("ping -c {packets} -i 0.2 -W 1 {host}"), LIMIT);
    assert!(
        said.contains(&format!("{packets} packets transmitted")),
        "{said}"
    );
}

/// Sends so many packets to a host and waits until they are counted; gives how many came by which queue.
#[track_caller]
fn sent(vm: &mut Vm, host: &str, packets: u64) -> [u64; 2] {
    let before = counted(vm);
    send(vm, host, packets);
    testbed::wait_for("the packets to be counted", LIMIT, || {
        let now = counted(vm);
        let came = [now[0] - before[0], now[1] - before[1]];
        (came[0] + came[1] >= packets).then_some(came)
    })
}

/// Waits until the kernel passes on what is sent by an interface: a moment after it is up.
#[track_caller]
fn wait_open(vm: &mut Vm, host: &str) {
    let before = counted(vm);
    testbed::wait_until("a first packet", LIMIT, || {
        send(vm, host, 1);
        counted(vm) != before
    });
}

#[test]
fn packets_go_to_the_queue_that_a_rule_names() {
    let mut vm = panel();
    wait_open(&mut vm, "10.0.0.2");
    let rule = |mac: &str, queue: usize| {
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
    for queue in [1usize, 0, 1] {
        let made = vm.sh(&format!("spp pri flow create {}", rule(ours, queue)));
        assert_eq!(made, "Flow rule #0 created\n");
        let mut expected = [0, 0];
        expected[queue] = 5;
        assert_eq!(
            sent(&mut vm, "10.0.0.2", 5),
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
    assert_eq!(sent(&mut vm, "10.0.0.2", 3), [0, 3]);
    assert_eq!(sent(&mut vm, "10.0.0.3", 3), [3, 0]);
    let line = |id: u32| format!("{id}       0       1       i--     ETH => QUEUE \n");
    let head = "ID      Group   Prio    Attr    Rule\n";
    let list = |vm: &mut Vm| shown(vm, "spp pri flow list phy:0");
    assert_eq!(list(&mut vm), format!("{head}{}{}", line(0), line(1)));
    let rules = shown(&mut vm, "spp pri flow status phy:0 0");
    assert!(
        rules.contains("      - dst: 02:00:00:00:00:02\n"),
        "{rules}"
    );
    assert!(rules.contains("  - queue:\n    - index: 1\n"), "{rules}");

    // An id is not given to another rule while a higher one is there.
    assert_eq!(
        vm.sh("spp pri flow destroy phy:0 0"),
        "Flow rule #0 destroyed\n"
    );
    assert_eq!(list(&mut vm), format!("{head}{}", line(1)));
    let made = vm.sh(&format!("spp pri flow create {}", rule(ours, 0)));
    assert_eq!(made, "Flow rule #2 created\n");
    assert_eq!(sent(&mut vm, "10.0.0.2", 3), [3, 0]);
    assert_eq!(
        vm.sh("spp pri flow destroy phy:0 ALL"),
        "Flow rule all destroyed\n"
    );
    assert_eq!(list(&mut vm), head);

    // Parts of a tag: two VLANs, and packets of priority 5 in the first. The driver applies a mask with its bytes swapped, so
    // the ids are those that it leaves whole; and without the inner type its rule is for no packet at all.
    vm.sh("vconfig add nic0 10 && vconfig add nic0 11 && vconfig set_egress_map nic0.10 0 5");
    for (vid, net) in [(10, 1), (11, 2)] {
        vm.sh(&format!(
            "ip addr add 10.0.{net}.1/24 dev nic0.{vid} && ip link set nic0.{vid} up"
        ));
        vm.sh(&format!("arp -i nic0.{vid} -s 10.0.{net}.2 {ours}"));
    }
    wait_open(&mut vm, "10.0.1.2");
    wait_open(&mut vm, "10.0.2.2");
    for (fields, hits) in [
        ("vid is 10", ["10.0.1.2"].as_slice()),
        ("vid is 11", &["10.0.2.2"]),
        ("vid is 10 pcp is 5", &["10.0.1.2"]),
        ("vid is 10 pcp is 4", &[]),
        ("vid is 11 pcp is 5", &[]),
    ] {
        // What the first rule does not take comes by the other queue.
        for rule in [
            format!(
                "priority 1 pattern eth / vlan {fields} inner_type is 0x0800 / end actions queue index 1 / end"
            ),
            format!("priority 2 pattern eth dst is {ours} / end actions queue index 0 / end"),
        ] {
            vm.sh(&format!("spp pri flow create phy:0 ingress {rule}"));
        }
        for host in ["10.0.1.2", "10.0.2.2"] {
            let mut expected = [0, 0];
            expected[usize::from(hits.contains(&host))] = 3;
            assert_eq!(sent(&mut vm, host, 3), expected, "{host} by {fields}");
        }
        assert_eq!(
            vm.sh("spp pri flow destroy phy:0 ALL"),
            "Flow rule all destroyed\n"
        );
    }

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
