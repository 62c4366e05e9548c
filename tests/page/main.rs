//! The panel in a real browser: mouse, keyboard, and what the page asks of whom.

// Also in functions that are not tests themselves.
#![allow(clippy::expect_used, clippy::panic)]

mod browser;
mod token;

use std::time::Duration;

use browser::Browser;
use serde_json::json;
use testbed::{Panel, wait_until};

/// For a condition to come, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// The socket of a port in a process's box: `in` where packets come from, `out` where they go to.
fn jack(process: &str, side: &str, port: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-process=\"{process}\"] .{side} .jack')]
           .find(e => e.dataset.port === '{port}')"
    )
}

/// The button on a cable, which shows its rate.
fn chip(process: &str, src: &str) -> String {
    format!(
        "[...document.querySelectorAll('[data-process=\"{process}\"] .chip')]
           .find(e => e.dataset.src === '{src}')"
    )
}

/// Does something in the page until the process has exactly these patches, as REST tells. It is
/// done again only if the page says that the process was too busy, and so nothing was changed.
#[track_caller]
fn until_patches(
    panel: &Panel,
    browser: &mut Browser,
    id: u32,
    expected: &[(&str, &str)],
    mut action: impl FnMut(&mut Browser),
) {
    for _ in 0..5 {
        browser.value("document.querySelector('#said').textContent = ''");
        action(browser);
        let mut last = String::new();
        let settled = testbed::wait::poll(LIMIT, || {
            let said = browser.value("document.querySelector('#said').textContent");
            if said
                .as_str()
                .is_some_and(|said| said.contains("did not answer within"))
            {
                return Some(false);
            }
            let answer = panel.http("GET", &format!("/v1/nfvs/{id}"), "");
            last = answer.body.clone();
            // A busy process is asked again.
            let status = (answer.status == 200).then(|| answer.json())?;
            let patches = status["patches"].as_array()?;
            let same = patches.len() == expected.len()
                && expected.iter().all(|(src, dst)| {
                    patches
                        .iter()
                        .any(|patch| patch["src"] == *src && patch["dst"] == *dst)
                });
            same.then_some(true)
        });
        match settled {
            Some(true) => return,
            Some(false) => {}
            None => panic!("nfv {id} says {last}, not {expected:?}"),
        }
    }
    panic!("nfv {id} was too busy five times");
}

/// Presses a key until the element with the focus fulfils a condition on `e`.
#[track_caller]
fn press_until(browser: &mut Browser, key: &str, condition: &str) {
    for _ in 0..60 {
        browser.key(key);
        let at = browser.value(&format!(
            "(e => Boolean({condition}))(document.activeElement)"
        ));
        if at == true {
            return;
        }
    }
    let focus = browser.value("document.activeElement.outerHTML");
    panic!("{key} never leads to {condition}; the focus is at {focus}");
}

fn start() -> (Panel, Browser) {
    let panel = Panel::builder().memory(256).nfv(1).nfv(2).start();
    panel.ok("nfv 1 add nullpmd:1");
    panel.ok("nfv 2 add nullpmd:2");
    let mut browser = Browser::start(&panel);
    browser.open(&format!("http://{}/", panel.rest()));
    browser.wait(&format!("Boolean({})", jack("nfv:2", "in", "nullpmd:2")));
    assert_eq!(browser.value("location.pathname"), "/panel/");
    (panel, browser)
}

/// Ends both; nobody but the panel's controller was asked, and the console has no complaints.
fn finish(panel: Panel, mut browser: Browser) {
    let (requests, mut complaints) = browser.log();
    let ours = format!("http://{}/", panel.rest());
    let others: Vec<_> = requests
        .keys()
        .filter(|url| !url.starts_with(&ours) && *url != "about:blank")
        .collect();
    assert!(others.is_empty(), "asked elsewhere: {others:?}");
    assert!(requests.contains_key(&format!("{ours}panel/main.js")));
    // Of requests that are refused the browser makes a note by itself; the page tells its user.
    let refused = format!(": {ours}v1/");
    complaints.retain(|text| !text.contains(&refused));
    assert!(complaints.is_empty(), "in the console: {complaints:?}");
    drop(browser);
    browser::wait_ended(&panel);
    panel.finish();
}

#[test]
fn cables_are_dragged_and_clicked_away_and_packets_follow() {
    let (panel, mut browser) = start();
    // Drags from socket to socket, through a ring from one process to the other.
    let patched = [("nullpmd:1", "ring:0")];
    until_patches(&panel, &mut browser, 1, &patched, |browser| {
        let from = browser.middle(&jack("nfv:1", "in", "nullpmd:1"));
        let to = browser.middle(&jack("nfv:1", "out", "ring:0"));
        browser.drag(from, to);
    });
    browser.wait(&format!("Boolean({})", chip("nfv:1", "nullpmd:1")));
    let joined = [("ring:0", "nullpmd:2")];
    until_patches(&panel, &mut browser, 2, &joined, |browser| {
        let from = browser.middle(&jack("nfv:2", "in", "ring:0"));
        let to = browser.middle(&jack("nfv:2", "out", "nullpmd:2"));
        browser.drag(from, to);
    });

    // The counter on the cable moves, as do that of the panel and the rate.
    let counter = format!("Number({}?.dataset.packets)", chip("nfv:2", "ring:0"));
    browser.wait(&format!("{counter} > 0"));
    let seen = browser.value(&counter).as_u64().expect("packets");
    browser.wait(&format!("{counter} > {seen}"));
    wait_until("packets in the panel, too", LIMIT, || {
        panel.port(2, "nullpmd:2").counters.tx_packets > seen
    });
    let shown = chip("nfv:2", "ring:0");
    browser.wait(&format!(
        "/^[0-9.]+ [kM]?pps/.test({shown}.textContent) && !{shown}.textContent.startsWith('0 ')"
    ));
    browser.wait("document.querySelectorAll('#links .ring').length === 1");

    // A click on the cable itself takes it out; what is laid down elsewhere changes nothing.
    until_patches(&panel, &mut browser, 1, &[], |browser| {
        let spot = browser.value(
            "(() => { const p = document.querySelector('[data-process=\"nfv:1\"] .hit');
               const q = p.getPointAtLength(p.getTotalLength() / 2).matrixTransform(p.getScreenCTM());
               return [q.x, q.y] })()",
        );
        let number = |at: usize| spot[at].as_f64().expect("a position");
        browser.click((number(0), number(1)));
    });
    until_patches(&panel, &mut browser, 1, &[], |browser| {
        let from = browser.middle(&jack("nfv:1", "in", "nullpmd:1"));
        let to = browser.middle(&jack("nfv:2", "out", "nullpmd:2"));
        browser.drag(from, to);
        let said = "document.querySelector('#said').textContent";
        browser.wait(&format!("{said}.includes('joins ports of one process')"));
    });
    until_patches(&panel, &mut browser, 2, &joined, |_| {});

    // What was taken out by mistake comes back.
    until_patches(&panel, &mut browser, 2, &[], |browser| {
        let button = browser.middle(&chip("nfv:2", "ring:0"));
        browser.click(button);
    });
    until_patches(&panel, &mut browser, 2, &joined, |browser| {
        let undo = browser.middle("document.querySelector('#undo:not([hidden])')");
        browser.click(undo);
    });

    // Forwarding is stopped and started.
    let run = "document.querySelector('[data-process=\"nfv:2\"] .run')";
    for (before, after) in [("Stop", "idling"), ("Forward", "running")] {
        browser.wait(&format!("{run}.textContent === '{before}'"));
        let button = browser.middle(run);
        browser.click(button);
        let what = format!("nfv 2 to be {after}");
        wait_until(&what, LIMIT, || panel.detail(2).status == after);
    }
    if let Some(folder) = std::env::var_os("SPP_PAGE_PICTURES") {
        portray(&panel, &mut browser, folder.as_ref());
    }
    finish(panel, browser);
}

/// Makes the pictures of the documentation: a small panel with guests, in light and dark.
fn portray(panel: &Panel, browser: &mut Browser, folder: &std::path::Path) {
    for line in [
        "nfv 1 patch nullpmd:1 ring:0",
        "nfv 1 add vhost:1",
        "nfv 1 add vhost:2",
        "nfv 1 patch vhost:1 vhost:2",
        "nfv 1 patch ring:1 vhost:1",
        "nfv 2 add vhost:3",
        "nfv 2 add memif:0",
        "nfv 2 patch vhost:3 ring:1",
        "nfv 2 add nullpmd:8",
    ] {
        panel.ok(line);
    }
    let size = json!({"width": 1440, "height": 470, "deviceScaleFactor": 1, "mobile": false});
    browser.call("Emulation.setDeviceMetricsOverride", size);
    browser.value("location.hash = 'subgraph=guest1,vhost:1,vhost:2&subgraph=guest2,vhost:3'");
    browser.wait("document.querySelectorAll('.in .group').length === 3");
    browser.wait("document.querySelectorAll('.cable').length === 5");
    browser.value("document.querySelector('#hush').click()");
    browser.value("document.activeElement.blur()");
    let counter = format!("Number({}?.dataset.packets)", chip("nfv:2", "ring:0"));
    for _ in 0..2 {
        let seen = browser.value(&counter);
        browser.wait(&format!("{counter} > {seen}"));
    }
    let script = folder.join("topo.rcp");
    let picture = folder.join("topology.png");
    let lines = format!(
        "topo_subgraph add guest1 vhost:1,vhost:2\ntopo_subgraph add guest2 vhost:3\ntopo {} --rates 1\n",
        picture.display()
    );
    std::fs::write(&script, lines).expect("a script");
    panel.ok(&format!("-f {}", script.display()));
    for scheme in ["light", "dark"] {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        browser.call("Emulation.setEmulatedMedia", json!({"features": [feature]}));
        browser.picture(&folder.join(format!("panel-{scheme}.png")));
    }
}

#[test]
fn the_keyboard_alone_patches_unpatches_and_names_are_only_text() {
    let (panel, mut browser) = start();
    press_until(
        &mut browser,
        "Tab",
        "e.dataset.key === 'in nullpmd:1' && e.closest('.box').dataset.process === 'nfv:1'",
    );
    // Picked up and laid down.
    browser.key("Enter");
    browser.wait("document.body.classList.contains('holding')");
    browser.wait("document.querySelector('#said').textContent.startsWith('Cable at nullpmd:1')");
    browser.key("Escape");
    browser.wait("!document.body.classList.contains('holding')");
    // Picked up and plugged in.
    let patched = [("nullpmd:1", "ring:0")];
    until_patches(&panel, &mut browser, 1, &patched, |browser| {
        browser.key("ArrowLeft");
        press_until(browser, "ArrowUp", "e.dataset.key === 'in nullpmd:1'");
        browser.key("Enter");
        browser.key("ArrowRight");
        press_until(browser, "ArrowDown", "e.dataset.key === 'out ring:0'");
        browser.key("Enter");
    });
    let said = "document.querySelector('#said[role=status]').textContent";
    browser.wait(&format!("{said} === 'nfv 1: patched nullpmd:1 → ring:0'"));
    // Every socket and every cable has a name that can be read out.
    browser.wait(&format!("Boolean({})", chip("nfv:1", "nullpmd:1")));
    browser.wait(
        "[...document.querySelectorAll('#boxes button')].every(e => (e.ariaLabel ?? e.textContent).trim())",
    );
    browser.wait(&format!(
        "{}.ariaLabel === 'nullpmd:1 of nfv 1, receives, patched to ring:0'",
        jack("nfv:1", "in", "nullpmd:1")
    ));
    // The focus is still where the cable was plugged in.
    browser.wait("document.activeElement.dataset.key === 'out ring:0'");
    browser.value("document.activeElement.blur()");
    until_patches(&panel, &mut browser, 1, &[], |browser| {
        press_until(browser, "Tab", "e.dataset.key === 'chip nullpmd:1'");
        browser.key("Enter");
    });

    // A port is added; another is refused, in the controller's words.
    let told = [
        ("nullpmd:7", "nfv 1: added nullpmd:7"),
        ("ring:16", "ring:16 does not exist"),
    ];
    for (port, words) in told {
        press_until(
            &mut browser,
            "Tab",
            "e.dataset.key === 'add' && e.closest('.box').dataset.process === 'nfv:1'",
        );
        browser.write(port);
        browser.key("Enter");
        browser.wait(&format!(
            "document.querySelector('#said').textContent.includes('{words}')"
        ));
    }
    browser.wait("document.querySelector('#results').classList.contains('failed')");
    assert_eq!(panel.port(1, "nullpmd:7").name, "nullpmd:7");

    // A subgraph of the address is shown, kept, and its label is nothing but text.
    let label = "<img src=x onerror=alert(1)>";
    let coded = "%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E";
    browser.value(&format!(
        "location.hash = 'subgraph={coded},nullpmd:1,nullpmd:2'"
    ));
    browser.wait(&format!(
        "[...document.querySelectorAll('.in .group')].filter(e => e.textContent === '{label}').length === 2"
    ));
    browser.wait("document.querySelectorAll('img').length === 0 && location.hash === ''");
    browser.open(&format!("http://{}/panel/", panel.rest()));
    browser.wait("document.querySelectorAll('.in .group').length === 2");

    // What does not match is hidden.
    let find = browser.middle("document.querySelector('#find')");
    browser.click(find);
    browser.write("nullpmd:2");
    browser.wait("document.querySelectorAll('.box').length === 1");
    finish(panel, browser);
}

#[test]
fn a_hundred_ports_stay_readable() {
    let panel = Panel::builder().memory(256).nfv(1).start();
    // Packets would only make the machine slow.
    panel.ok("nfv 1 stop");
    for number in 0..50 {
        panel.ok(&format!("nfv 1 add nullpmd:{number}"));
        panel.ok(&format!(
            "nfv 1 patch nullpmd:{number} ring:{}",
            number % 16
        ));
    }
    let mut browser = Browser::start(&panel);
    browser.open(&format!("http://{}/panel/", panel.rest()));
    browser.wait("document.querySelectorAll('.chip[data-packets]').length === 50");
    browser.wait("document.querySelectorAll('.cable').length === 50");
    // No text is on another one, none is cut off, and every cable ends in the middle of its sockets.
    let overlaps = browser.value(
        "(() => {
           const shown = [...document.querySelectorAll('.box .port, .box .chip, .box .jack')];
           const spots = shown.map(e => e.getBoundingClientRect());
           const text = e => e.className + ' ' + e.textContent;
           return spots.flatMap((a, i) => spots.slice(i + 1).map((b, j) => [a, b, i, i + 1 + j]))
             .filter(([a, b]) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
             .map(([a, b, i, j]) => text(shown[i]) + ' over ' + text(shown[j]));
         })()",
    );
    assert_eq!(overlaps, serde_json::json!([]));
    let astray = browser.value(
        "[...document.querySelectorAll('.cable .wire')].filter(wire => {
           const [src, dst] = wire.parentElement.dataset.cable.split('→');
           const jack = (side, port) => document.querySelector(`.${side} [data-port='${port}']`).getBoundingClientRect();
           const end = (at, box) => { const p = wire.getPointAtLength(at).matrixTransform(wire.getScreenCTM());
             return Math.hypot(p.x - box.x - box.width / 2, p.y - box.y - box.height / 2) < 3 };
           return !end(0, jack('in', src)) || !end(wire.getTotalLength(), jack('out', dst));
         }).length",
    );
    assert_eq!(astray, 0);
    browser.wait("document.documentElement.scrollWidth <= innerWidth");
    finish(panel, browser);
}
