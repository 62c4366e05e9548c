//! Devices that come and go while a process hangs.

use std::time::{Duration, Instant};

use testbed::http::Response;
use testbed::machine::cpu;
use testbed::proc::Signal;
use testbed::{Panel, wait_until};

use crate::held::Held;
use crate::load::{Load, assert_whole};
use crate::{LIMIT, carry, small, status};

/// A device that no other test has.
const TAP: &str = "tap:61";

fn add(panel: &Panel) -> (Response, Duration) {
    let begin = Instant::now();
    let body = format!(r#"{{"action":"add","port":"{TAP}"}}"#);
    let answer = panel.http("PUT", "/v1/nfvs/1/ports", &body);
    (answer, begin.elapsed())
}

fn wait_added(panel: &Panel) {
    wait_until("the device to be added", LIMIT, || {
        add(panel).0.status == 204
    });
}

#[test]
fn a_device_is_refused_at_once_or_soon_while_a_process_hangs_and_nobody_loses_a_packet() {
    let mut panel = small().nfv_on(1, cpu(0)).nfv_on(2, cpu(1)).start();
    carry(&panel, 1, 0, 1);
    wait_added(&panel);
    panel.ok(&format!("nfv 1 del {TAP}"));
    let load = Load::start(&panel, 9, 0, 1, "");

    // Long enough, and seen to be.
    panel.nfv(2).signal(Signal::STOP);
    wait_until("it to be seen", LIMIT, || {
        status(&panel, 2).0 == "not responding"
    });
    let (told, at_once) = add(&panel);
    assert!(told.status >= 400, "{}", told.body);
    assert!(
        told.body.contains("nfv:2 (pid") && told.body.contains("no sign of life"),
        "{}",
        told.body
    );
    println!("refused after {at_once:?}");
    panel.nfv(2).signal(Signal::CONT);
    wait_added(&panel);

    panel.ok(&format!("nfv 1 del {TAP}"));

    // The one that starts the device hangs in the middle of it: nobody could know.
    let pid = panel.primary().pid();
    let held = Held::thread(pid, "spp-house");
    let (told, later) = add(&panel);
    assert!(told.status >= 400, "{}", told.body);
    assert!(told.body.contains("still rolling back"), "{}", told.body);
    println!("refused after {later:?}: {}", told.body);
    // The primary goes on meanwhile, and makes no other device.
    let begin = Instant::now();
    panel.ok("pri status");
    println!("the primary answers after {:?}", begin.elapsed());
    let (again, _) = add(&panel);
    assert!(
        again.status >= 400 && again.body.contains("still being rolled back"),
        "{}",
        again.body
    );
    drop(held);
    // What came too late is gone again, and comes when it is asked for.
    panel
        .primary()
        .wait_output("came too late and is taken back: done", LIMIT);
    wait_added(&panel);
    panel.ok(&format!("nfv 1 del {TAP}"));

    // The primary itself hangs.
    panel.primary().signal(Signal::STOP);
    wait_until("it to be seen", LIMIT, || {
        status(&panel, 0).0 == "not responding"
    });
    let (told, by_primary) = add(&panel);
    assert!(
        told.status >= 400 && told.body.contains("the primary (pid"),
        "{}",
        told.body
    );
    println!("refused after {by_primary:?} while the primary hangs");
    assert!(by_primary < Duration::from_secs(1), "{by_primary:?}");
    panel.primary().signal(Signal::CONT);
    wait_added(&panel);
    panel.ok(&format!("nfv 1 del {TAP}"));
    assert_whole(&load.end());
    assert!(
        at_once < Duration::from_secs(1) && later < Duration::from_millis(2500),
        "{at_once:?}, {later:?}"
    );
    panel.finish();
}
