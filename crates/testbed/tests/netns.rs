//! Namespaces are made, connected and removed.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use testbed::{Netns, Proc, machine, netns};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn two_hosts_reach_each_other() {
    let (one, two) = (Netns::new(), Netns::new());
    one.cable("10.8.0.1/24", &two, "10.8.0.2/24");
    one.wait_ping("10.8.0.2");
    let lost = one.run(&["ping", "-c", "1", "-W", "1", "10.8.0.3"], LIMIT);
    assert!(
        !lost.status.success(),
        "nobody has 10.8.0.3: {}",
        lost.output
    );
}

#[test]
fn a_tap_device_moves_into_a_namespace() {
    let host = Netns::new();
    let tap = machine::unique("tap");
    netns::ip(&["tuntap", "add", "dev", &tap, "mode", "tap"]);
    host.take(&tap, "10.8.1.1/24");
    assert!(
        host.ip(&["address", "show", "dev", &tap])
            .contains("10.8.1.1/24")
    );
    assert!(!netns::ip(&["link"]).contains(&tap));
}

#[test]
fn a_namespace_goes_with_the_processes_in_it() {
    let host = Netns::new();
    let place = host.place().to_owned();
    let namespace = |path: &std::path::Path| std::fs::metadata(path).ok().map(|meta| meta.ino());
    let made = namespace(&place);
    assert!(made.is_some());
    let mut sleeper = Proc::spawn("sleeper", host.command("sleep").arg("60"));
    // `nsenter` becomes the command once it has entered.
    let own = format!("/proc/{}/ns/net", sleeper.pid());
    testbed::wait_until("the process to be in the namespace", LIMIT, || {
        namespace(own.as_ref()) == made
    });
    drop(host);
    assert!(!sleeper.wait_exit(LIMIT).success());
    assert_eq!(namespace(&place), None);
}
