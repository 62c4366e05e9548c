//! The layouts of the original's `status` commands, to the letter.

use protocol::reply::{NfvStatus, PatchPorts, PhyPortStatus, PrimaryStatus, RingPortStatus};

/// `status`: the controller, the primary and the other processes with a running number.
pub fn overview(address: &str, primary: bool, secondaries: &[(String, u32)]) -> String {
    let primary = if primary { "running" } else { "not running" };
    let mut text = format!(
        "- spp-ctl:\n  - address: {address}\n- primary:\n  - status: {primary}\n\
         - secondary:\n  - processes:\n"
    );
    for (number, (kind, id)) in (1..).zip(secondaries) {
        text.push_str(&format!("    {number}: {kind}:{id}\n"));
    }
    text
}

/// `nfv ID; status`
pub fn nfv(status: &NfvStatus) -> String {
    let main = status.main_lcore;
    let mut text = format!("- status: {}\n", status.status);
    text.push_str(&lcores(main, &without_main(&status.lcores, main)));
    text.push_str("- ports:\n");
    text.push_str(&ports("  ", &status.ports, &status.patches));
    text
}

/// `pri; status`
pub fn primary(status: &PrimaryStatus) -> String {
    let main = status.lcores.first().unwrap_or(&status.main_lcore);
    let mut text = lcores(*main, status.lcores.get(1..).unwrap_or_default());
    if let Some(forwarder) = &status.forwarder {
        text.push_str(&format!(
            "- forwarder:\n  - status: {}\n  - ports:\n",
            forwarder.status
        ));
        text.push_str(&ports("    ", &forwarder.ports, &forwarder.patches));
    }
    text.push_str("- stats\n  - physical ports:\n");
    text.push_str("      ID          rx          tx     tx_drop  rxq  txq mac_addr\n");
    for PhyPortStatus {
        id,
        eth,
        rx,
        tx,
        tx_drop,
        nof_queues,
        ..
    } in &status.phy_ports
    {
        text.push_str(&format!(
            "      {id:>2}  {rx:>10}  {tx:>10}  {tx_drop:>10} {:>4} {:>4} {eth}\n",
            nof_queues.rx, nof_queues.tx
        ));
    }
    text.push_str("  - ring ports:\n");
    text.push_str("      ID          rx          tx     rx_drop     tx_drop\n");
    for RingPortStatus {
        id,
        rx,
        rx_drop,
        tx,
        tx_drop,
    } in &status.ring_ports
    {
        text.push_str(&format!(
            "      {id:>2}  {rx:>10}  {tx:>10}  {rx_drop:>10}  {tx_drop:>10}\n"
        ));
    }
    text
}

/// All lcores but the first that is the main one.
fn without_main(lcores: &[u32], main: u32) -> Vec<u32> {
    let at = lcores.iter().position(|lcore| *lcore == main);
    lcores
        .iter()
        .enumerate()
        .filter(|(index, _)| Some(*index) != at)
        .map(|(_, l)| *l)
        .collect()
}

fn lcores(main: u32, workers: &[u32]) -> String {
    let mut text = format!("- lcore_ids:\n  - master: {main}\n");
    match workers {
        [] => {}
        [one] => text.push_str(&format!("  - slave: {one}\n")),
        many => text.push_str(&format!("  - slaves: {many:?}\n")),
    }
    text
}

fn ports(indent: &str, ports: &[String], patches: &[PatchPorts]) -> String {
    let mut text = String::new();
    for port in ports {
        match patches.iter().find(|patch| patch.src == *port) {
            Some(patch) => text.push_str(&format!("{indent}- {port} -> {}\n", patch.dst)),
            None => text.push_str(&format!("{indent}- {port}\n")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overview_is_laid_out_as_the_original_did() {
        let secondaries = [("nfv".to_owned(), 1), ("vf".to_owned(), 3)];
        assert_eq!(
            overview("127.0.0.1:7777", true, &secondaries),
            "- spp-ctl:\n  - address: 127.0.0.1:7777\n- primary:\n  - status: running\n\
             - secondary:\n  - processes:\n    1: nfv:1\n    2: vf:3\n"
        );
        assert!(overview("x:1", false, &[]).contains("  - status: not running\n"));
    }

    #[test]
    fn nfv_status_is_laid_out_as_the_original_did() {
        let status: NfvStatus = serde_json::from_str(
            r#"{"client-id": 1, "status": "running", "master-lcore": 1, "lcores": [1, 2],
                "ports": ["phy:0 nq 0", "phy:0 nq 1", "ring:0"],
                "patches": [{"src": "phy:0 nq 0", "dst": "ring:0"}]}"#,
        )
        .unwrap();
        assert_eq!(
            nfv(&status),
            "- status: running\n- lcore_ids:\n  - master: 1\n  - slave: 2\n- ports:\n  \
             - phy:0 nq 0 -> ring:0\n  - phy:0 nq 1\n  - ring:0\n"
        );
        let several = NfvStatus {
            lcores: vec![1, 2, 3],
            ..status.clone()
        };
        assert!(nfv(&several).contains("  - slaves: [2, 3]\n"));
        let same_cpu = NfvStatus {
            lcores: vec![1, 1],
            ..status.clone()
        };
        assert!(nfv(&same_cpu).contains("  - master: 1\n  - slave: 1\n"));
        let none = NfvStatus {
            lcores: vec![],
            ..status
        };
        assert!(nfv(&none).contains("- lcore_ids:\n  - master: 1\n- ports:\n"));
    }

    #[test]
    fn primary_status_is_laid_out_as_the_original_did() {
        let status: PrimaryStatus = serde_json::from_str(
            r#"{"master-lcore": 0, "lcores": [0, 12],
                "forwarder": {"status": "running", "ports": ["phy:0", "phy:1"],
                              "patches": [{"src": "phy:0", "dst": "phy:1"}]},
                "phy_ports": [{"id": 0, "eth": "02:00:00:00:00:0a", "rx": 78932932, "tx": 78932931,
                               "tx_drop": 1, "nof_queues": {"rx": 16, "tx": 16}, "flow": []}],
                "ring_ports": [{"id": 0, "rx": 89283, "rx_drop": 0, "tx": 89283, "tx_drop": 0}]}"#,
        )
        .unwrap();
        assert_eq!(
            primary(&status),
            "- lcore_ids:\n  - master: 0\n  - slave: 12\n\
             - forwarder:\n  - status: running\n  - ports:\n    - phy:0 -> phy:1\n    - phy:1\n\
             - stats\n  - physical ports:\n      \
             ID          rx          tx     tx_drop  rxq  txq mac_addr\n       \
             0    78932932    78932931           1   16   16 02:00:00:00:00:0a\n  \
             - ring ports:\n      \
             ID          rx          tx     rx_drop     tx_drop\n       \
             0       89283       89283           0           0\n"
        );
        let plain = PrimaryStatus {
            forwarder: None,
            lcores: vec![0],
            ..status
        };
        assert!(primary(&plain).starts_with("- lcore_ids:\n  - master: 0\n- stats\n"));
    }
}
