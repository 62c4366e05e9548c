//! Noise on every port of the controller.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use testbed::{Random, wait_until};

use crate::panel;

const LIMIT: Duration = Duration::from_secs(60);

/// Sends bytes and reads until the other side closes, or has nothing to say for a moment.
fn shout(to: SocketAddr, bytes: &[u8]) {
    let mut stream = TcpStream::connect_timeout(&to, LIMIT).expect("the controller listens");
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("a limit");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    // It may close while we write: it has heard enough.
    if stream.write_all(bytes).is_ok() {
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

#[test]
fn noise_on_the_ports_of_the_controller_changes_nothing() {
    let mut panel = panel();
    let before = panel.shape();
    let mut random = Random(0x5eed);
    let doors = [panel.control()[0], panel.control()[1], panel.rest()];
    for round in 0..60 {
        let count = random.below(5000);
        let bytes = random.bytes(count);
        shout(doors[round % 3], &bytes);
    }
    // What begins well and ends badly.
    for beginning in [
        &b"GET /v1/processes HTTP/1.1\r\n"[..],
        b"PUT /v1/nfvs/1/ports HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"PUT /v1/nfvs/1/ports HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        b"POST /v1/nfvs/1/ports HTTP/9.9\r\n\r\n",
        b"{\"results\":[{\"result\":\"success\"}],\"client_id\":1,\"process_type\":\"nfv\"}",
        b"{\"results\":[{\"result\":\"success\"}],\"client_id\":99999999999999999999,\"process_type\":\"nfv\"}",
        b"{\"results\":[{\"result\":\"success\"}],\"client_id\":-1,\"process_type\":\"nfv\"}",
        b"{\"results\":[{\"result\":\"success\"}],\"client_id\":0,\"process_type\":\"primary\"}",
        b"{\"results\":[{\"result\":\"success\"}],\"client_id\":5,\"process_type\":\"dragon\"}",
        b"_bye\n",
        &[b'['; 100_000],
        &[b'{'; 100_000],
        &[0; 100_000],
    ] {
        for door in doors {
            let noise = random.bytes(500);
            shout(door, &[beginning, &noise].concat());
        }
    }
    // Connections that say nothing, many at once, hold nobody up.
    let silent: Vec<TcpStream> = (0..60)
        .map(|n| TcpStream::connect_timeout(&doors[n % 3], LIMIT).expect("the controller listens"))
        .collect();
    panel.start_nfv(2);
    panel.stop_nfv(2);
    drop(silent);
    wait_until("all to answer as before", LIMIT, || {
        let details = panel.details();
        details
            .iter()
            .all(|process| process.detail.is_some() || process.client_id == 2)
    });
    let after: Vec<_> = [0, 1].into_iter().map(|id| panel.detail(id)).collect();
    let names = |detail: &protocol::detail::Detail| {
        detail
            .ports
            .iter()
            .map(|port| format!("\n{} {}", port.name, port.link))
            .collect::<String>()
    };
    let all = before.join("\n");
    for detail in &after {
        assert!(
            all.contains(&detail.incarnation),
            "process {} is another one",
            detail.client_id
        );
        assert!(
            all.contains(&names(detail)),
            "{:?}, before {before:?}",
            detail.ports
        );
    }
    panel.ok("nfv 1 unpatch vhost:1");
    panel.ok("pri patch reset");
    panel.finish();
}
