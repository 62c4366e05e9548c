//! Starts that are refused: with the reason and the remedy, and without a trace.

use std::net::TcpListener;
use std::path::PathBuf;

use serde_json::{Value, json};
use testbed::{huge, proc};

use crate::hand::Hand;
use crate::{LIMIT, small};

#[test]
fn another_dpdk_or_pool_is_refused() {
    let panel = small().start();
    let path: PathBuf = huge::runtime_dir(panel.prefix()).join("spp/panel.json");
    let truth = std::fs::read_to_string(&path).expect("the announcement");
    let forge = |change: &dyn Fn(&mut Value)| {
        let mut announced: Value = serde_json::from_str(&truth).expect("JSON");
        change(&mut announced);
        std::fs::write(&path, announced.to_string()).expect("written");
    };
    let start = || proc::run(&mut panel.nfv_command(1), LIMIT).failure();

    let dpdk = serde_json::from_str::<Value>(&truth).expect("JSON")["dpdk_version"].clone();
    forge(&|a| a["dpdk_version"] = json!("DPDK 99.11.0"));
    let told = start();
    let ours = dpdk.as_str().expect("a version");
    assert!(
        told.contains("the primary runs DPDK DPDK 99.11.0") || told.contains("DPDK 99.11.0"),
        "{told}"
    );
    assert!(
        told.contains(ours) && told.contains("both must use the same version"),
        "{told}"
    );

    forge(&|a| a["pool"]["ops"] = json!("stack"));
    let told = start();
    assert!(
        told.contains("\"stack\"") && told.contains("spp_mbufs"),
        "{told}"
    );
    assert!(
        told.contains("use the same build of DPDK and its plugins"),
        "{told}"
    );

    forge(&|a| a["pool"]["ops_index"] = json!(99));
    assert!(start().contains("number 99"));

    forge(&|a| a["format"] = json!(2));
    let told = start();
    assert!(
        told.contains("it has format 2, this program reads 1"),
        "{told}"
    );

    std::fs::write(&path, "{\"format\":1,\"incarn").expect("written");
    let nonsense = proc::run(panel.nfv_command(1).args(["--wait", "1"]), LIMIT).failure();
    assert!(nonsense.contains("spp-nfv: "), "{nonsense}");

    // Nobody was harmed.
    std::fs::write(&path, &truth).expect("written");
    let mut panel = panel;
    panel.start_nfv(1);
    panel.ok("nfv 1 add nullpmd:0");
    panel.finish();
}

#[test]
fn more_memory_than_is_free_is_refused() {
    let hand = Hand::new();
    let arguments = hand.primary("").replace("--memory 256", "--memory 1000000");
    let told = hand.run("spp-primary", &arguments).failure();
    assert!(
        told.contains("1000000 MB of hugepages are asked for"),
        "{told}"
    );
    assert!(told.contains("MB are free: reserve more"), "{told}");
    assert!(
        told.contains("nr_hugepages") && told.contains("--memory"),
        "{told}"
    );
    hand.wait_nothing_left();
}

#[test]
fn a_sum_of_buffers_that_does_not_fit_is_refused_and_shown() {
    let hand = Hand::new();
    let told = hand
        .run("spp-primary", &hand.primary("--rings 256 --ring-size 8192"))
        .failure();
    assert!(told.contains("256 rings of 8192 (2097152)"), "{told}");
    hand.wait_nothing_left();
}

#[test]
fn ports_that_are_in_use_are_refused() {
    let hand = Hand::new();
    for port in hand.ports {
        let other = TcpListener::bind(("127.0.0.1", port)).expect("the port");
        let told = hand.run("spp-primary", &hand.primary("")).failure();
        assert!(told.contains(&port.to_string()), "{told}");
        assert!(told.contains("--ctl-ports"), "{told}");
        hand.wait_nothing_left();
        drop(other);
    }
}

#[test]
fn two_primaries_of_one_prefix_are_refused() {
    let mut panel = small().nfv(1).start();
    let before = panel.shape();
    let pid = panel.primary().pid();
    let told = proc::run(&mut panel.primary_command(), LIMIT).failure();
    assert!(
        told.contains(&format!("a primary (pid {pid}) runs already in")),
        "{told}"
    );
    assert!(
        told.contains("stop it, or use another --file-prefix"),
        "{told}"
    );
    assert_eq!(panel.shape(), before);
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    panel.finish();
}

#[test]
fn two_panels_do_not_share_a_controller() {
    let panel = small().nfv(1).start();
    let mut hand = Hand::new();
    // All of its ports are the other's.
    hand.ports = [
        panel.control()[0].port(),
        panel.control()[1].port(),
        panel.rest().port(),
    ];
    let before = panel.shape();
    let told = hand.run("spp-primary", &hand.primary("")).failure();
    assert!(told.contains("serves another primary"), "{told}");
    assert!(told.contains("--ctl-ports"), "{told}");
    assert_eq!(panel.shape(), before);
    hand.wait_nothing_left();
}
