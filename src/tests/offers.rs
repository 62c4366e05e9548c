//! Completion of what the original completed.

use super::switchboard;
use crate::complete::{Candidates, Completion};
use crate::session::Session;
use crate::session::plugins::Plugins;
use crate::session::servers::Servers;
use crate::testing::fake::Fake;

fn completion(fake: &Fake) -> Completion {
    let servers = ["10.0.0.1", "10.0.0.2:8", "10.0.0.3"].map(|text| text.parse().unwrap());
    let session = Session {
        servers: Servers::new(servers.into()),
        plugins: Plugins::in_folders(vec![
            format!("{}/plugins", env!("CARGO_MANIFEST_DIR")).into(),
        ]),
        ..Session::default()
    };
    Completion::new(&fake.client(), &session)
}

#[test]
fn words_and_hints_are_those_of_the_original() {
    let fake = Fake::start(switchboard);
    let completion = completion(&fake);
    for (head, expected) in [
        ("vf ", "2;"),
        ("mirror ", "3;"),
        ("pcap ", "4;"),
        (
            "vf 2; ",
            "status clear exit component port classifier_table trace",
        ),
        ("mirror 3; ", "status clear exit component port trace"),
        ("pcap 4; ", "status start stop exit"),
        ("vf 2; component ", "start stop set"),
        ("vf 2; component set fw1 ", "learn"),
        ("vf 2; component set fw1 learn ", "on off"),
        ("mirror 3; component set m ", "copy snap filter"),
        ("mirror 3; component set m copy ", "shallow deep"),
        (
            "mirror 3; component set m filter vlan 1 ",
            "src dst vlan ethertype ip-src ip-dst proto sport dport",
        ),
        ("vf 2; component start ", "NAME"),
        ("vf 2; component start a ", "5"),
        ("vf 2; component start a 5 ", "forward merge classifier"),
        ("vf 2; component stop ", "fw1"),
        ("mirror 3; component start a 8 ", "mirror"),
        ("vf 2; port ", "add del"),
        ("vf 2; port add p", "pcap: phy:0nq0 phy:0nq1"),
        ("vf 2; port add phy:0 ", "rx tx nq"),
        ("vf 2; port add phy:0 nq ", "0 1"),
        ("vf 2; port add phy:0 nq 1 ", "rx tx"),
        ("vf 2; port add ring:1 rx ", "fw1"),
        ("vf 2; port add ring:1 rx fw1 ", "add_vlantag del_vlantag"),
        ("vf 2; port add ring:1 rx fw1 add_vlantag ", "VID"),
        ("vf 2; port add ring:1 rx fw1 add_vlantag 1 ", "PCP"),
        ("vf 2; port del ", "phy:0nq1 ring:1"),
        ("mirror 3; port add ring:1 rx m ", ""),
        ("vf 2; classifier_table ", "add del list"),
        ("vf 2; classifier_table add ", "mac vlan"),
        ("vf 2; classifier_table add vlan ", "VID"),
        ("vf 2; classifier_table add vlan 1 ", "default MAC_ADDR"),
        ("vf 2; classifier_table del mac default ", "phy:0nq1 ring:1"),
        ("container ", "apps build run dev demo ps logs exec stop"),
        ("c ", "apps build run dev demo ps logs exec stop"),
        ("container r", "run"),
        ("c run test", "testpmd"),
        ("c demo ", "sfc rings"),
        ("c demo sfc --ke", "--keep"),
        ("c run testpmd --forward-mode mac", "mac macswap"),
        ("c run l2fwd --port", "--port-mask"),
        ("container build -t ", "dpdk pktgen spp suricata"),
        ("c run testpmd -- --", ""),
        ("config sec_p", "sec_pcap_nof_lcores sec_pcap_port"),
        ("config sec_mem ", ""),
        ("server ", "1 2 3 list add del"),
        ("server del ", "2 3 10.0.0.2:8 10.0.0.3:7777"),
        ("load_cmd ", "hello"),
        ("bye ", "sec all"),
        ("rec", "record"),
        ("help vf port ", "add del"),
        ("pri; launch vf ", "10 11 12 13 14 15 16 5 6 7 8 9"),
        ("pri; launch nfv 1 -l 2 ", ""),
        ("pri; flow ", "validate create destroy list status"),
        ("pri; flow list ", "phy:0 phy:1"),
        ("pri; flow destroy phy:0 ", "ALL 0"),
        ("pri; flow status phy:0 ", "0"),
        (
            "pri; flow create phy:0 ",
            "group priority ingress egress transfer pattern",
        ),
        ("pri; flow create phy:0 group ", "GROUP_ID"),
        ("pri; flow create phy:0 priority ", "LEVEL"),
        (
            "pri; flow create phy:0 group 1 ingress ",
            "priority egress transfer pattern",
        ),
        ("pri; flow create phy:0 ingress pattern ", "eth vlan end"),
        (
            "pri; flow create phy:0 ingress pattern eth ",
            "dst src type /",
        ),
        (
            "pri; flow create phy:0 ingress pattern vlan ",
            "tci pcp dei vid inner_type /",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth dst ",
            "is spec last mask prefix",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth dst is ",
            "MAC_ADDRESS",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth dst prefix ",
            "Prefix",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth type is ",
            "UNSIGNED_INT",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth type is 1 ",
            "dst src type /",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth / ",
            "eth vlan end",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth / end ",
            "actions",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth / end actions ",
            "jump of_pop_vlan of_push_vlan of_set_vlan_pcp of_set_vlan_vid queue end",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth / end actions queue ",
            "index",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth / end actions queue index ",
            "UNSIGNED_INT",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth / end actions queue index 1 ",
            "/",
        ),
    ] {
        let Candidates { words, hints, .. } = completion.complete(head);
        let mut all: Vec<&str> = words
            .iter()
            .chain(&hints)
            .map(|word| word.trim_end())
            .collect();
        if head.ends_with("launch vf ") {
            // The original sorts ids as text; the line editor shows them as they come.
            all.sort_unstable();
        }
        assert_eq!(all.join(" "), expected, "{head}");
    }
}

#[test]
fn the_options_of_a_launch_are_offered_as_a_whole() {
    let fake = Fake::start(switchboard);
    let completion = completion(&fake);
    let text = |line: &str| completion.complete(line);
    let host = "127.0.0.1";
    // Unused above 2 are 4 to 7. Asked twice: nothing piles up.
    for _ in 0..2 {
        assert_eq!(
            text("pri; launch pcap 5 ").words,
            [format!(
                "-l 2,4,5 -m 512 -- --client-id 5 -s {host}:6666  -c phy:0"
            )]
        );
    }
    assert_eq!(
        text("pri; launch nfv 5 -l").words,
        [format!("-l 2,4 -m 512 -- -n 5 -s {host}:6666 ")]
    );
    assert_eq!(
        text("pri; launch vf 6 ").words,
        [format!(
            "-l 2,4,5,6 -m 512 -- --client-id 6 -s {host}:6666 "
        )]
    );
    let fake = Fake::start(|request, body, number| match request {
        "GET /v1/cpu_layout" => (200, "[]".into()),
        _ => switchboard(request, body, number),
    });
    let completion = Completion::new(&fake.client(), &Session::default());
    let found = completion.complete("pri; launch nfv 5 ");
    assert_eq!(found.words, Vec::<String>::new());
    assert_eq!(
        found.note.as_deref(),
        Some("// WARN: No available lcores remained!")
    );
}
