//! Networks of an ordinary user.

use std::path::Path;
use std::process::Command;

use testbed::machine::{self, TempDir};
use testbed::proc::{self, Finished};
use testbed::skipped;

use crate::network::{LIMIT, Place};

/// A user that nobody else is, without an entry in any database.
const USER: u32 = 61_724;

/// A folder of the user with a copy of `spp`: what is built may lie in a private one.
fn home() -> TempDir {
    let home = TempDir::new();
    std::fs::copy(machine::bin("spp"), home.join("spp")).expect("a copy of spp");
    std::os::unix::fs::chown(home.path(), Some(USER), Some(USER)).expect("chown");
    home
}

fn as_user(home: &Path, words: &[&str]) -> Finished {
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={USER}"), &format!("--regid={USER}")]);
    command.args(["--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]);
    command.args(["--no-new-privs", "--"]);
    command.arg(home.join("spp")).arg("lab").args(words);
    command
        .env("SPP_LAB_DIR", home.join("state"))
        .env("HOME", home);
    proc::run(command.current_dir(home), LIMIT)
}

#[test]
fn containers_of_networks_take_root() {
    let home = home();
    let file = home.join("net.yaml");
    std::fs::write(&file, "hosts: {box: {image: dpdk}}\n").expect("a file");
    let refused = as_user(home.path(), &["up", &file.to_string_lossy()]).failure();
    let part = "'box' is a container, of which only root can have the network";
    assert!(refused.contains(part), "{refused}");
}

#[test]
fn an_ordinary_user_has_networks_where_namespaces_are_allowed() {
    let home = home();
    let name = machine::unique("lu");
    let file = home.join("net.yaml");
    let text = "hosts: {h1: 10.0.0.1/24, h2: {address: 10.0.0.2/24, start: sleep 1000}}\nlinks: [[h1, s1], [s1, h2]]\nswitches: [s1]\n";
    std::fs::write(&file, text).expect("a file");
    let file = file.to_string_lossy().into_owned();
    let up = as_user(home.path(), &["up", &file, "--name", &name]);
    if !up.status.success() {
        assert!(
            up.output
                .contains("ordinary users may have no user namespaces"),
            "{}",
            up.output
        );
        let test = "an_ordinary_user_has_networks_where_namespaces_are_allowed";
        skipped(test, "ordinary users have no user namespaces here");
        return;
    }
    let shown = as_user(home.path(), &["ps"]).success();
    assert!(shown.contains("sleep 1000"), "{shown}");
    as_user(home.path(), &["ping", "h1", "h2"]).success();
    let who = as_user(home.path(), &["exec", "h1", "id", "-u"]).success();
    assert_eq!(who.trim(), "0");
    as_user(
        home.path(),
        &["exec", "h1", "ip", "link", "set", "eth0", "down"],
    )
    .success();
    as_user(home.path(), &["ping", "h1", "h2", "-c", "1"]).failure();
    as_user(home.path(), &["down"]).success();
    assert_eq!(Place::keepers(&name), Vec::<u32>::new());
    // What takes root says so.
    let slow = text.replace("[h1, s1]", "{link: [h1, s1], delay: 1ms}");
    std::fs::write(&file, slow).expect("a file");
    let refused = as_user(home.path(), &["up", &file, "--name", &name]).failure();
    assert!(refused.contains("which only root can mount"), "{refused}");
    let left: Vec<_> = std::fs::read_dir(home.join("state"))
        .expect("a folder")
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
