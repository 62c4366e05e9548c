//! A stream of numbered packets through the panel, to the end of which each must be accounted for.

use std::process::Command;

use serde_json::Value;
use testbed::{Panel, Proc, machine};

use crate::LIMIT;

/// Packets a second.
pub const RATE: u32 = 1500;

/// A process that sends into one ring and receives from another.
pub struct Load {
    run: Proc,
}

impl Load {
    /// Starts it, with the id `id`, and waits until it sends. `more` are further options.
    #[track_caller]
    pub fn start(panel: &Panel, id: u32, from: u32, to: u32, more: &str) -> Self {
        let line = format!(
            "--json --sec-id {id} --tx ring:{from} --rx ring:{to} --rate {RATE} --patience 60 {more}"
        );
        let mut command = panel.command(Command::new(machine::bin("spp-traffic")));
        command.args(["--file-prefix", panel.prefix()]);
        command.args(line.split_whitespace());
        let mut run = Proc::spawn(&format!("spp-traffic {id}"), &mut command);
        run.wait_output("is running", LIMIT);
        Load { run }
    }

    /// Ends the sending, waits for what is on its way, and gives the report.
    #[track_caller]
    pub fn end(mut self) -> Value {
        self.run.terminate(LIMIT);
        self.report()
    }

    /// Waits for its end, which its options say, and gives the report.
    #[track_caller]
    pub fn wait(mut self) -> Value {
        self.run.wait_exit(LIMIT);
        self.report()
    }

    #[track_caller]
    fn report(&mut self) -> Value {
        let output = self.run.output();
        let line = output.lines().find(|line| line.starts_with('{'));
        serde_json::from_str(line.unwrap_or_else(|| panic!("no report: {output}"))).expect("JSON")
    }
}

/// All that was sent came, once and in order. Gives how many that were.
#[track_caller]
pub fn assert_whole(report: &Value) -> u64 {
    assert_eq!(report["received"], report["sent"], "{report}");
    assert_eq!(report["lost"], 0, "{report}");
    assert_orderly(report);
    let sent = report["sent"].as_u64().expect("a number");
    assert!(sent > 0, "{report}");
    sent
}

/// Nothing came twice, damaged or behind a later one.
#[track_caller]
pub fn assert_orderly(report: &Value) {
    for fault in ["duplicated", "reordered", "bad", "unplaced", "foreign"] {
        assert_eq!(report[fault], 0, "{report}");
    }
}
