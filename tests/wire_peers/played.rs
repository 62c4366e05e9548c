//! Processes that a test plays.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use testbed::wait_until;

use crate::hand::LIMIT;

/// What a process says that it is.
pub fn client_id(id: &str, kind: &str) -> String {
    format!(r#"{{"results":[{{"result":"success"}}],"client_id":{id},"process_type":"{kind}"}}"#)
}

/// A status with brackets in a name.
pub const STATUS: &str = r#"{"client-id":9,"status":"idling","master-lcore":1,"lcores":[1,2],"ports":["phy:0","ring:\"}{"],"patches":[]}"#;

/// Connects; reads give up soon.
pub fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, LIMIT).expect("the controller listens");
    stream.set_nodelay(true).expect("no delay");
    stream.set_write_timeout(Some(LIMIT)).expect("a limit");
    stream
        .set_read_timeout(Some(Duration::from_millis(20)))
        .expect("a limit");
    stream
}

/// A process that a test plays: on a thread, until its connection closes or the test ends.
pub struct Played {
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Played {
    /// Connects and lets `answer` write what it likes to each command.
    pub fn start(
        to: SocketAddr,
        mut answer: impl FnMut(&str, &mut TcpStream) + Send + 'static,
    ) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ending);
        let mut stream = connect(to);
        let thread = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while !flag.load(Ordering::SeqCst) {
                match stream.read(&mut bytes) {
                    Ok(0) => return,
                    Ok(count) => answer(
                        String::from_utf8_lossy(&bytes[..count]).trim_end(),
                        &mut stream,
                    ),
                    Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                    Err(_) => return,
                }
            }
        });
        Played {
            ending,
            thread: Some(thread),
        }
    }

    /// A process that answers as the original's nfv, with these bytes.
    pub fn nfv(to: SocketAddr, id: u32) -> Self {
        Self::start(to, move |command, stream| {
            let reply = match command {
                "_get_client_id" => client_id(&id.to_string(), "nfv"),
                _ => STATUS.to_owned(),
            };
            // The controller may have closed.
            let _ = stream.write_all(reply.as_bytes());
        })
    }

    /// Waits until the controller closed its connection.
    pub fn wait_closed(mut self) {
        let thread = self.thread.take().expect("it was started");
        wait_until("the connection to be closed", LIMIT, || {
            thread.is_finished()
        });
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
