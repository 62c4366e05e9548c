//! Recipes for several machines, played on several controllers at the recipes' own addresses.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use testbed::machine::{self, TempDir};
use testbed::{Netns, Proc, wait_until};

use crate::{LIMIT, in_shell};

/// The shell's own controller, then those that the recipe names.
const ADDRESSES: [&str; 4] = [
    "192.168.11.101",
    "192.168.11.102",
    "192.168.11.103",
    "192.168.11.104",
];

const RECIPES: [&str; 2] = [
    "multiple_nodes/1_add_server",
    "multiple_nodes/2_switch_check",
];

fn controller(net: &Netns, address: &str, token: &str) -> Proc {
    let bin = machine::bin("spp-ctl");
    let mut command = net.command(bin.to_str().expect("a path"));
    command.args(["-b", address, "-p", "0", "-s", "0", "--stateless"]);
    let name = format!("spp-ctl {address}");
    let mut controller = Proc::spawn(&name, command.args(["--token-file", token]));
    controller.wait_output(&format!("REST {address}:7777"), LIMIT);
    controller
}

#[test]
fn the_shell_goes_from_one_controller_to_another() {
    let folder = TempDir::new();
    let token = folder.join("token");
    std::fs::write(&token, "a-token-of-all-four-controllers").expect("a file");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(&token, private).expect("a mode");
    let token = token.to_str().expect("a path");
    // A machine of its own has all the addresses: what listens on one of them is reached by no other.
    let net = Netns::new();
    for address in ADDRESSES {
        net.ip(&["address", "add", &format!("{address}/32"), "dev", "lo"]);
    }
    let mut controllers = ADDRESSES.map(|address| controller(&net, address, token));
    // One process, at the third one only.
    let said = controllers[2].output();
    let (_, port) = said.rsplit_once("secondaries 127.0.0.1:").expect("a port");
    let port = port.split(',').next().expect("text").to_owned();
    let mut nfv = Proc::spawn(
        "a played nfv",
        net.command("python3").args(["-c", PLAYED, &port]),
    );
    let bin = machine::bin("spp");
    let bin = bin.to_str().expect("a path");
    let spp = |address: &str| {
        let mut command = net.command(bin);
        command.args(["-b", address, "--token-file", token]);
        command.env("HOME", folder.path());
        command
    };
    wait_until("the process to be listed", LIMIT, || {
        let finished = testbed::proc::run(spp(ADDRESSES[2]).arg("status"), Duration::from_secs(30));
        finished.output.contains("nfv:7")
    });

    let told = in_shell(&mut spp(ADDRESSES[0]), &RECIPES);
    for address in &ADDRESSES[1..] {
        let line = format!("Registered spp-ctl \"{address}:7777\".");
        assert!(told.contains(&line), "{line}: {told}");
    }
    let list = ADDRESSES.iter().enumerate().map(|(place, address)| {
        let mark = if place == 0 { "*" } else { "" };
        format!("  {}: {address}:7777 {mark}\n", place + 1)
    });
    let list: String = list.collect();
    assert!(told.contains(&list), "{list}: {told}");
    assert!(
        told.contains("Switch spp-ctl to \"3: 192.168.11.103:7777\"."),
        "{told}"
    );
    let (_, status) = told.rsplit_once("- spp-ctl:").expect("a status");
    assert!(status.contains("- address: 192.168.11.103:7777"), "{told}");
    assert!(status.contains("nfv:7"), "{told}");

    // A controller that is gone is no place to go to.
    assert!(controllers[3].terminate(LIMIT).success());
    let recipe = crate::folder().join("multiple_nodes/1_add_server.rcps");
    let mut command = spp(ADDRESSES[0]);
    let finished = testbed::proc::run(command.arg("-f").arg(recipe), LIMIT);
    let told = finished.failure();
    assert!(told.contains("192.168.11.104"), "{told}");

    nfv.kill();
    for controller in &mut controllers[..3] {
        assert!(controller.terminate(LIMIT).success());
    }
}

/// A process of the original's form that says its id and an empty status, until it is killed.
const PLAYED: &str = r#"
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
who = '{"results":[{"result":"success"}],"client_id":7,"process_type":"nfv"}'
status = '{"client-id":7,"status":"idling","master-lcore":1,"lcores":[1,2],"ports":[],"patches":[]}'
while command := peer.recv(65536):
    peer.sendall((who if command.startswith(b"_get") else status).encode().ljust(32768, b"\0"))
"#;
