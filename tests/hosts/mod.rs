//! Kernel hosts in network namespaces that move data over TCP. Shared by several tests.

use std::time::Duration;

use testbed::{Netns, Proc};

/// For a transfer of some megabytes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Takes one connection, reads to its end, prints the number of bytes and their SHA-256.
const RECEIVE: &str = r#"
import hashlib, socket
listener = socket.create_server(("", 5001))
print("listening", flush=True)
peer, _ = listener.accept()
count, digest = 0, hashlib.sha256()
while data := peer.recv(1 << 16):
    count += len(data)
    digest.update(data)
peer.sendall(b"done")
print(count, digest.hexdigest(), flush=True)
"#;

/// Sends that many random bytes, prints the same, and waits until they have been read.
const SEND: &str = r#"
import hashlib, os, socket, sys
data = os.urandom(int(sys.argv[2]))
peer = socket.create_connection((sys.argv[1], 5001), 20)
peer.settimeout(50)
peer.sendall(data)
peer.shutdown(socket.SHUT_WR)
assert peer.recv(4) == b"done"
print(len(data), hashlib.sha256(data).hexdigest())
"#;

/// Moves so many random bytes over TCP from one host to the `address` of another and compares the
/// checksums.
///
/// # Panics
/// If it takes over a minute, or the checksums differ.
#[track_caller]
pub fn move_data(from: &Netns, to: &Netns, address: &str, bytes: u32) {
    let mut receiver = Proc::spawn("receiver", to.command("python3").args(["-c", RECEIVE]));
    receiver.wait_output("listening\n", LIMIT);
    let sent = from
        .run(&["python3", "-c", SEND, address, &bytes.to_string()], LIMIT)
        .success();
    assert!(receiver.wait_exit(LIMIT).success());
    let received = receiver.output().replace("listening\n", "");
    assert_eq!(received, sent);
    assert!(sent.starts_with(&format!("{bytes} ")), "{sent}");
}
