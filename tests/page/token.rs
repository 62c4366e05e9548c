//! The page at a controller that wants a token.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use testbed::{Panel, Proc, http, machine, wait_until};

use crate::browser::{Browser, wait_ended};
use crate::{LIMIT, chip, jack};

const SECRET: &str = "a-token/with+signs&that=matter#here%20";

/// What the address of the page says after `#token=`, so that it means [`SECRET`].
const CODED: &str = "a-token%2Fwith%2Bsigns%26that%3Dmatter%23here%2520";

/// Asks the controller with the token.
#[track_caller]
fn ask(rest: SocketAddr, method: &str, path: &str, body: &str) -> http::Response {
    let header = format!("Authorization: Bearer {SECRET}");
    http::request(rest, method, path, &[&header], body, LIMIT)
        .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// A controller with a token; gives where processes and others find it.
fn controller(panel: &Panel) -> (Proc, SocketAddr, SocketAddr) {
    let file = panel.dir().join("token");
    std::fs::write(&file, format!("{SECRET}\n")).expect("a file");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&file, private).expect("a mode");
    let mut command = panel.command(Command::new(machine::bin("spp-ctl")));
    command.args(["-p", "0", "-s", "0", "-a", "0", "--token-file"]);
    let mut controller = Proc::spawn("spp-ctl", command.arg(&file));
    let mut find = |name: &str| {
        let rest = controller.wait_rest_of_line(name, LIMIT);
        let address = rest.split(',').next().expect("text");
        address.trim().parse().expect("an address")
    };
    let (secondary, rest) = (find("secondaries "), find("REST "));
    (controller, secondary, rest)
}

#[test]
fn with_the_token_in_its_address_all_of_the_page_works_and_without_it_says_so() {
    let panel = Panel::builder().memory(256).start();
    let (mut controller, secondary, rest) = controller(&panel);
    let mut command = panel.nfv_command(3);
    command.args(["--ctl", &secondary.to_string()]);
    let mut nfv = Proc::spawn("spp-nfv 3", &mut command);
    wait_until("the nfv to be there", LIMIT, || {
        ask(rest, "GET", "/v1/nfvs/3", "").status == 200
    });
    for port in ["nullpmd:1", "nullpmd:2"] {
        let body = format!(r#"{{"action":"add","port":"{port}"}}"#);
        let answer = ask(rest, "PUT", "/v1/nfvs/3/ports", &body);
        assert_eq!(answer.status, 204, "{}", answer.body);
    }

    let mut browser = Browser::start(&panel);
    let events = format!("http://{rest}/v1/events");
    browser.open(&format!("http://{rest}/"));
    let trouble = "document.querySelector('#trouble:not([hidden])').textContent";
    browser.wait(&format!(
        "{trouble}.includes('wants a token') && {trouble}.includes('add #token=… to this page')"
    ));
    assert_eq!(browser.value("document.querySelectorAll('.box').length"), 0);
    assert!(!browser.answers(&events).contains(&200));
    // A wrong one.
    browser.value("location.hash = 'token=another-token-than-that'");
    browser.wait(&format!("{trouble}.includes('the token is wrong')"));

    // As the page said: without loading it anew. It is not left in the address, or in a history.
    browser.value(&format!("location.hash = 'token={CODED}'"));
    browser.wait(&format!("Boolean({})", jack("nfv:3", "in", "nullpmd:1")));
    browser.wait("location.hash === '' && document.querySelector('#trouble').hidden");
    wait_until("the stream of events", LIMIT, || {
        browser.answers(&events).contains(&200)
    });

    // Drag, and what somebody else does.
    let patches = || {
        let answer = ask(rest, "GET", "/v1/nfvs/3", "");
        answer.json()["patches"].clone()
    };
    let patched = serde_json::json!([{"src": "nullpmd:1", "dst": "nullpmd:2"}]);
    let from = browser.middle(&jack("nfv:3", "in", "nullpmd:1"));
    let to = browser.middle(&jack("nfv:3", "out", "nullpmd:2"));
    browser.drag(from, to);
    wait_until("the patch", LIMIT, || patches() == patched);
    browser.wait(&format!("Boolean({})", chip("nfv:3", "nullpmd:1")));
    let answer = ask(rest, "DELETE", "/v1/nfvs/3/patches", "");
    assert_eq!(answer.status, 204, "{}", answer.body);
    browser.wait(&format!("!{}", chip("nfv:3", "nullpmd:1")));

    // The address as it is handed on, in a page that is loaded anew.
    browser.value("sessionStorage.clear()");
    browser.open("about:blank");
    browser.open(&format!("http://{rest}/panel/#token={CODED}"));
    browser.wait(&format!("Boolean({})", jack("nfv:3", "in", "nullpmd:1")));

    // It is sent to nobody in an address.
    let (requests, _) = browser.log();
    assert!(
        requests
            .keys()
            .all(|url| url.starts_with(&format!("http://{rest}/")) || url == "about:blank")
    );
    let sent = |url: &&String| url.contains("token");
    assert_eq!(
        requests.keys().filter(sent).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    drop(browser);
    wait_ended(&panel);
    assert!(nfv.terminate(LIMIT).success());
    assert!(controller.terminate(LIMIT).success());
    panel.finish();
}
