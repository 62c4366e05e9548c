//! How much passes from one node to another: a TCP connection that sends what it can.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::file::{Rate, RateExpectation};
use crate::ping;
use crate::running::Running;

/// How long the connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// How long a read or a write waits until it looks at the time again.
const GLANCE: Duration = Duration::from_millis(50);

/// Bytes of a write.
const CHUNK: usize = 64 << 10;

/// Lets TCP send for a while and counts what arrives; why that is not what is expected.
pub(super) fn rate(running: &Running, expected: &RateExpectation) -> Result<Option<String>> {
    let from = running.node(&expected.from)?;
    let far = running.node(&expected.to)?;
    let to = ping::target(running, from, &expected.to)?;
    let (sender, receiver) = match connection(running, from, far, to) {
        Ok(ends) => ends,
        Err(Error::Refused(text)) => return Ok(Some(text)),
        Err(error) => return Err(error),
    };
    let time = expected.during.0;
    let done = AtomicBool::new(false);
    let received = std::thread::scope(|scope| {
        scope.spawn(|| send(sender, &done));
        let received = receive(receiver, time);
        done.store(true, Ordering::Relaxed);
        received
    });
    let failed = |e| Error::io(format!("receive what {} sends", expected.from), e);
    let bits = received.map_err(failed)? * 8;
    let rate = Rate((bits as f64 / time.as_secs_f64()).round() as u64);
    let wrong = match (expected.min, expected.max) {
        (Some(min), _) if rate < min => format!("less than {min}"),
        (_, Some(max)) if rate > max => format!("more than {max}"),
        _ => return Ok(None),
    };
    Ok(Some(format!("{rate} arrived at {}, {wrong}", expected.to)))
}

/// A connection between two nodes: the sender's end and the receiver's.
fn connection(
    running: &Running,
    from: usize,
    far: usize,
    to: IpAddr,
) -> Result<(TcpStream, TcpStream)> {
    let failed = |what: &str, e| Error::io(format!("{what} {to}"), e);
    let listener = running.within(far, || {
        TcpListener::bind((to, 0)).map_err(|e| failed("listen at", e))
    })?;
    let address = listener.local_addr().map_err(|e| failed("listen at", e))?;
    let sender = running.within(from, || {
        TcpStream::connect_timeout(&SocketAddr::new(to, address.port()), CONNECT)
            .map_err(|e| Error::Refused(format!("no TCP connection to {to}: {e}")))
    })?;
    let (receiver, _) = listener.accept().map_err(|e| failed("accept at", e))?;
    for end in [&sender, &receiver] {
        end.set_read_timeout(Some(GLANCE))
            .and_then(|()| end.set_write_timeout(Some(GLANCE)))
            .map_err(|e| failed("prepare a connection to", e))?;
    }
    Ok((sender, receiver))
}

/// Sends until it is enough, or the connection fails, which the receiver notices, too.
fn send(mut to: TcpStream, done: &AtomicBool) {
    let bytes = vec![0; CHUNK];
    while !done.load(Ordering::Relaxed) {
        match to.write(&bytes) {
            Ok(_) => {}
            Err(error) if is_pause(&error) => {}
            Err(_) => return,
        }
    }
}

/// Counts bytes for a time that begins when a fourth of it has passed: TCP begins slowly.
fn receive(mut from: TcpStream, time: Duration) -> std::io::Result<u64> {
    let begin = Instant::now() + time / 4;
    let end = begin + time;
    let (mut bytes, mut count) = (vec![0; CHUNK], 0);
    loop {
        let read = match from.read(&mut bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read as u64,
            Err(error) if is_pause(&error) => 0,
            Err(error) => return Err(error),
        };
        let now = Instant::now();
        if now >= end {
            return Ok(count);
        }
        if now >= begin {
            count += read;
        }
    }
}

fn is_pause(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
