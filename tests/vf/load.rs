//! Components, ports and entries that come and go a thousand times beside traffic that nobody touches; inputs
//! that get the same of an output that is too slow; processes that are killed.

use serde_json::Value;
use testbed::http::Connection;
use testbed::{Panel, wait_until};

use crate::LIMIT;
use crate::bench::{Bench, assert_frames, lcores};
use crate::frames::{Frame, frame, mac};
use crate::runs::{assert_untouched, end_whole, traffic, unharmed};

/// Makes requests of the vf 1 that take effect.
pub struct Hands<'a>(pub &'a mut Connection);

impl Hands<'_> {
    #[track_caller]
    fn ask(&mut self, method: &str, path: &str, body: &str) {
        let path = format!("/v1/vfs/1/{path}");
        let answer = self.0.request(method, &path, body).expect("an answer");
        assert_eq!(
            answer.status, 204,
            "{method} {path} {body}: {}",
            answer.body
        );
    }

    pub fn port(&mut self, action: &str, port: &str, dir: &str, name: &str) {
        let body = format!(r#"{{"action":"{action}","port":"{port}","dir":"{dir}"}}"#);
        self.ask("PUT", &format!("components/{name}/ports"), &body);
    }

    pub fn start(&mut self, name: &str, core: u32, role: &str) {
        let body = format!(r#"{{"name":"{name}","core":{core},"type":"{role}"}}"#);
        self.ask("POST", "components", &body);
    }

    pub fn stop(&mut self, name: &str) {
        self.ask("DELETE", &format!("components/{name}"), "");
    }

    pub fn entry(&mut self, action: &str, vlan: u32, last: u32, port: &str) {
        let body = format!(
            r#"{{"action":"{action}","type":"vlan","vlan":{vlan},"mac_address":"02:00:00:00:{:02x}:{:02x}","port":"{port}"}}"#,
            last >> 8,
            last & 0xff
        );
        self.ask("PUT", "classifier_table", &body);
    }
}

#[test]
fn what_nobody_touches_loses_nothing_while_all_else_comes_and_goes() {
    const TIMES: u32 = 1000;
    let panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "12", "--ring-size", "4096"])
        .pages(128)
        .vf(1)
        .nfv_args(1, ["--lcores".to_owned(), lcores()])
        .start();
    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    let mut hands = Hands(&mut rest);
    // Untouched: a forwarder, and a classifier whose default takes all. Both on the worker on which all else happens.
    hands.start("fwd", 2, "forward");
    hands.port("attach", "ring:1", "tx", "fwd");
    hands.port("attach", "ring:0", "rx", "fwd");
    hands.start("cls", 2, "classifier");
    hands.port("attach", "ring:3", "tx", "cls");
    let default = r#"{"action":"add","type":"mac","mac_address":"default","port":"ring:3"}"#;
    hands.ask("PUT", "classifier_table", default);
    hands.port("attach", "ring:2", "rx", "cls");
    let mut one = traffic(
        &panel,
        8,
        "--tx ring:0 --rx ring:1 --rate 20000 --allow-loss",
    );
    let mut two = traffic(
        &panel,
        9,
        "--tx ring:2 --rx ring:3 --rate 20000 --allow-loss",
    );
    for port in ["ring:0", "ring:2"] {
        wait_until("the load to flow", LIMIT, || {
            panel.port(1, port).counters.rx_packets > 100
        });
    }
    // Touched: endless packets through another forwarder and a merger.
    hands.start("busy", 2, "merge");
    hands.port("attach", "ring:5", "tx", "busy");
    hands.port("attach", "nullpmd:1", "rx", "busy");
    for i in 0..TIMES {
        hands.port("attach", "nullpmd:2", "rx", "busy");
        hands.start("brief", 2 + i % 2, "forward");
        hands.port("attach", "nullpmd:3", "rx", "brief");
        hands.port("attach", "ring:6", "tx", "brief");
        // Also on a side of the classifier that carries the load.
        hands.entry("add", 100, i, "ring:3");
        hands.port("detach", "nullpmd:2", "rx", "busy");
        hands.port("detach", "ring:6", "tx", "brief");
        hands.stop("brief");
    }
    for i in 0..TIMES {
        hands.entry("del", 100, i, "ring:3");
    }
    hands.stop("busy");
    one.terminate(LIMIT);
    assert_untouched(&panel, 1, "ring:1", &unharmed(&mut one));
    two.terminate(LIMIT);
    assert_untouched(&panel, 1, "ring:3", &unharmed(&mut two));
    let status = panel.ok("vf 1 status");
    assert!(
        status.contains("Classifier Table:\n  - default, ring:3\nComponents:"),
        "{status}"
    );
    panel.finish();
}

#[test]
fn inputs_of_a_merger_get_the_same_of_an_output_that_is_too_slow() {
    const INPUTS: u16 = 5;
    let bench = Bench::vf();
    // The one that empties the ring takes its turn on the same worker: what comes just behind it finds room each time.
    bench.play(
        "component start mgr 2 merge
         component start slow 2 forward
         port add ring:0 tx mgr
         port add ring:0 rx slow",
    );
    for n in 1..=INPUTS {
        // Packets without end, told from each other by a tag.
        bench.play(&format!("port add nullpmd:{n} rx mgr add_vlantag {n} 0"));
    }
    bench.play("clear\nport add pcap:9 tx slow");
    wait_until("an overload", LIMIT, || {
        let slow = bench.panel.port(1, "ring:0").counters;
        slow.rx_packets > 100_000 && slow.drops.full > 100_000
    });
    bench.play("component stop mgr\ncomponent stop slow");
    let out = bench.written(9);
    let of = |n: u16| out.iter().filter(|f| f[14..16] == n.to_be_bytes()).count();
    let shares: Vec<usize> = (1..=INPUTS).map(of).collect();
    let fair = out.len() / usize::from(INPUTS);
    println!("{shares:?} of {}", out.len());
    for share in &shares {
        let off = share.abs_diff(fair) * 100 / fair;
        assert!(off <= 3, "{shares:?} of {}: {off} % off", out.len());
    }
    bench.panel.finish();
}

#[test]
fn killed_processes_have_their_components_again_and_no_mbuf_is_lost() {
    let mut panel = Panel::builder()
        .primary_args(["--memory", "256", "--rings", "8"])
        .pages(128)
        .keeps_state()
        .vf(1)
        .nfv_args(1, ["--lcores".to_owned(), lcores()])
        .mirror(2)
        .nfv_args(2, ["--lcores".to_owned(), lcores()])
        .start();
    for line in [
        "vf 1 component start mgr 2 merge",
        "vf 1 port add nullpmd:1 rx mgr",
        "vf 1 port add nullpmd:2 rx mgr add_vlantag 100 3",
        "vf 1 port add ring:0 tx mgr",
        "vf 1 component start cls 3 classifier",
        "vf 1 port add ring:1 rx cls del_vlantag",
        "vf 1 port add ring:2 tx cls",
        "vf 1 port add ring:3 tx cls add_vlantag 7 1",
        "vf 1 classifier_table add mac default ring:2",
        "vf 1 classifier_table add mac 02:00:00:00:00:01 ring:3",
        "vf 1 classifier_table add vlan 100 default ring:3",
        "vf 1 classifier_table add vlan 100 02:00:00:00:00:01 ring:3",
        "mirror 2 component start mir 2 mirror",
        "mirror 2 component set mir snap 64",
        "mirror 2 component set mir filter vlan 100",
        "mirror 2 component set mir copy deep",
        "mirror 2 port add ring:0 rx mir",
        "mirror 2 port add ring:1 tx mir",
        "mirror 2 port add nullpmd:7 tx mir",
    ] {
        panel.ok(line);
    }
    let flows = |panel: &Panel| {
        let taken = |panel: &Panel| panel.port(1, "ring:1").counters.rx_packets;
        let before = taken(panel);
        wait_until("packets through all of it", LIMIT, || taken(panel) > before);
    };
    let shape = |panel: &Panel| [panel.ok("vf 1 status"), panel.ok("mirror 2 status")];
    flows(&panel);
    let before = shape(&panel);
    for line in ["- filter vlan 100", "- snap 64", "- copy deep"] {
        assert!(before[1].contains(line), "{line}: {}", before[1]);
    }
    for round in 0..6 {
        let id = 1 + round % 2;
        panel.kill_nfv(id);
        panel.start_nfv(id);
        let same = || shape(&panel) == before;
        wait_until(&format!("process {id} to have what it had"), LIMIT, same);
        flows(&panel);
    }
    end_whole(panel, &[1, 2]);
}

#[test]
fn a_table_is_listed_part_by_part_and_put_back_as_a_whole() {
    const ENTRIES: u32 = 700;
    let mut panel = Panel::builder().memory(256).keeps_state().vf(1).start();
    let cpu = panel.detail(1).workers[0].cpu;
    let mut rest = Connection::open(panel.rest(), LIMIT).expect("the controller");
    let mut hands = Hands(&mut rest);
    hands.start("cls", cpu, "classifier");
    hands.port("attach", "ring:0", "tx", "cls");
    hands.port("attach", "ring:1", "tx", "cls");
    for i in 0..ENTRIES {
        hands.entry("add", 1 + i % 3, i, ["ring:0", "ring:1"][i as usize % 2]);
    }
    let list = |panel: &Panel, part: &str| {
        let answer = panel.http("GET", &format!("/v1/vfs/1/classifier_table{part}"), "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let all = list(&panel, "");
    let entries = all["entries"].as_array().expect("entries").clone();
    assert_eq!((all["total"].as_u64(), entries.len()), (Some(700), 700));
    let part = list(&panel, "?offset=650&limit=100");
    assert_eq!(
        part["entries"].as_array().map(Vec::as_slice),
        Some(&entries[650..])
    );
    let answer = panel.http("GET", "/v1/vfs/1/classifier_table?offset=x", "");
    assert_eq!(answer.status, 400, "{}", answer.body);
    let status = panel.ok("vf 1 status");
    assert!(
        status.contains("(256 of 700 entries; all: classifier_table list)"),
        "{status}"
    );
    let told = panel.ok("vf 1 classifier_table list 690 10");
    assert!(told.starts_with("Entries 691 to 700 of 700:"), "{told}");

    panel.kill_nfv(1);
    panel.start_nfv(1);
    wait_until("the table to be whole again", LIMIT, || {
        list(&panel, "")["entries"].as_array() == Some(&entries)
    });
    let same = panel.http("GET", "/v1/differences", "").json();
    let vf = same
        .as_array()
        .expect("an array")
        .iter()
        .find(|p| p["process"] == "vf:1");
    assert_eq!(
        vf.map(|p| &p["status"]),
        Some(&Value::from("as desired")),
        "{same}"
    );
    panel.finish();
}

#[test]
fn entries_that_wait_for_their_port_are_not_in_a_table_that_is_applied_without_them() {
    let panel = Panel::builder().memory(256).keeps_state().vf(1).start();
    let cpu = panel.detail(1).workers[0].cpu;
    let play = |lines: &str| {
        for line in lines.lines() {
            panel.ok(&format!("vf 1 {line}"));
        }
    };
    let entry = "classifier_table add mac 02:00:00:00:00:01 ring:0";
    play(&format!(
        "component start old {cpu} classifier\nport add ring:0 tx old\n{entry}\nport del ring:0 tx old\ncomponent stop old"
    ));
    let file = panel.dir().join("system.yaml");
    let name = file.display().to_string();
    let text = format!(
        "spp: 1\nprocesses:\n  vf:1:\n    components:\n    - {{name: new, core: {cpu}, type: classifier, tx: [{{port: ring:0}}]}}\n"
    );
    std::fs::write(&file, text).expect("a file");
    let told = panel.ok(&format!("apply {name}"));
    assert!(
        told.contains("classifier_table del mac 02:00:00:00:00:01 ring:0"),
        "{told}"
    );
    assert_eq!(panel.ok(&format!("diff {name}")), "");
    assert!(
        panel
            .refused(&format!("vf 1 {}", entry.replace("add", "del")))
            .contains("02:00:00:00:00:01")
    );
    panel.finish();
}

#[test]
fn ports_that_are_gone_from_all_components_are_closed_but_rings_and_sockets() {
    let bench = Bench::vf();
    let frames: Vec<Frame> = (0..50).map(|i| frame(mac(1), mac(2), &[], i, 60)).collect();
    bench.feed(1, &frames);
    bench.play("component start a 2 forward\nport add ring:0 tx a\nport add pcap:1 rx a");
    bench.drained(1, 50);
    bench.play("component stop a");
    assert_eq!(bench.panel.port_names(1), ["ring:0"]);
    // Attached again it begins anew.
    bench.play("component start a 2 forward\nport add pcap:2 tx a\nport add pcap:1 rx a");
    bench.drained(1, 100);
    assert_frames(&bench.written(2), &frames, "again");
    bench.panel.finish();
}
