//! Runs of spp-traffic over a panel, and the end of a panel from which nothing is missing.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testbed::{Panel, Proc, machine, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// A sender and checker of numbered frames over the panel.
pub fn traffic(panel: &Panel, id: u32, args: &str) -> Proc {
    let mut command = panel.command(Command::new(machine::bin("spp-traffic")));
    command.args(["--file-prefix", panel.prefix(), "--json"]);
    command.args(["--sec-id", &id.to_string()]);
    command.args(args.split_whitespace());
    Proc::spawn(&format!("spp-traffic {id}"), &mut command)
}

/// What a run that has ended tells; no frame was damaged, doubled or out of order.
#[track_caller]
pub fn unharmed(run: &mut Proc) -> Value {
    report_without(
        run,
        &["duplicated", "reordered", "bad", "unplaced", "foreign"],
    )
}

/// What a run that has ended tells; these counts are 0.
#[track_caller]
pub fn report_without(run: &mut Proc, faults: &[&str]) -> Value {
    let output = run.output();
    let line = output.lines().find(|line| line.starts_with('{'));
    let report: Value =
        serde_json::from_str(line.unwrap_or_else(|| panic!("no report: {output}"))).expect("JSON");
    for fault in faults {
        assert_eq!(report[fault], 0, "{fault}: {report}");
    }
    report
}

/// A run that has ended lost no frame but those that the ring in front of its receiver had no room for, as process `id` counted.
#[track_caller]
pub fn assert_untouched(panel: &Panel, id: u32, ring: &str, report: &Value) {
    let drops = panel.port(id, ring).counters.drops;
    assert_eq!(drops.total(), drops.full, "{drops:?}");
    assert_eq!(report["lost"], drops.full, "{report}");
    assert!(report["received"].as_u64() > Some(1000), "{report}");
}

/// Ends these processes, and the panel once no mbuf is missing.
pub fn end_whole(mut panel: Panel, ids: &[u32]) {
    for id in ids {
        panel.stop_nfv(*id);
    }
    wait_until("the pool to be whole", LIMIT, || {
        let pool = panel.detail(0).pools.remove(0);
        let whole = u64::from(pool.free) + panel.in_rings() == u64::from(pool.size);
        whole && pool.audit.is_some_and(|a| (a.missing, a.twice) == (0, 0))
    });
    panel.finish();
}
