//! Virtual machines boot, answer and reach each other.

use std::time::Duration;

use testbed::machine::{TempDir, free_ports};
use testbed::{Nic, TestPmd, Vm};

#[test]
fn a_machine_boots_and_answers() {
    let mut vm = Vm::start("alone", &[]);
    assert_eq!(vm.sh("echo $((6 * 7))"), "42\n");
    let (status, output) = vm.run("echo out; echo err >&2; exit 3", Duration::from_secs(30));
    assert_eq!((status, output.as_str()), (3, "out\nerr\n"));
    // Like the last words of a command that ends without a newline.
    assert_eq!(vm.sh("printf '@@1 0'"), "@@1 0");
    assert!(!vm.sh("ip link").contains("eth0"));
}

#[test]
fn two_machines_ping_and_move_a_file() {
    let [port] = free_ports();
    let mut one = Vm::launch("one", &[Nic::Listen(port)]);
    testbed::wait_until(
        "the first machine to listen",
        Duration::from_secs(30),
        || std::net::TcpListener::bind(("127.0.0.1", port)).is_err(),
    );
    let mut two = Vm::launch("two", &[Nic::Connect(port)]);
    one.wait_boot();
    two.wait_boot();
    one.address(0, "10.9.0.1/24");
    two.address(0, "10.9.0.2/24");
    one.wait_ping("10.9.0.2");
    two.wait_ping("10.9.0.1");

    one.sh("head -c 2000000 /dev/urandom >file");
    two.receive_file(5000, "file");
    one.send_file("10.9.0.2", 5000, "file");
    two.sh("until [ -e file.done ]; do usleep 50000; done");
    assert_eq!(one.sh("md5sum file"), two.sh("md5sum file"));
    assert_eq!(two.sh("wc -c <file"), "2000000\n");
}

#[test]
fn two_machines_reach_each_other_through_vhost_user() {
    let dir = TempDir::new();
    let (left, right) = (dir.join("left"), dir.join("right"));
    let mut middle = TestPmd::builder("middle")
        .vhost_server(&left)
        .vhost_server(&right)
        .start();
    middle.start();
    let mut one = Vm::launch("one", &[Nic::VhostClient(left)]);
    let mut two = Vm::launch("two", &[Nic::VhostClient(right)]);
    one.wait_boot();
    two.wait_boot();
    one.address(0, "10.9.1.1/24");
    two.address(0, "10.9.1.2/24");
    one.wait_ping("10.9.1.2");
    two.wait_ping("10.9.1.1");
    let forwarded = middle.stop();
    assert!(
        forwarded
            .iter()
            .all(|port| port.rx_packets > 0 && port.tx_packets > 0)
    );
}
