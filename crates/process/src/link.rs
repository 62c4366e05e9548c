//! The connection to the controller: kept up for as long as the process lives.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{RecvTimeoutError, Sender, bounded};
use protocol::command::MAX_COMMAND;
use protocol::reply::Simple;
use protocol::wire::{BYE, CommandFramer, Framed, Framing};

use crate::events::{ANSWER_LIMIT, Answer, Event, Then};

/// Time between two attempts to connect.
const RETRY: Duration = Duration::from_millis(200);
/// Longest time for connecting and for writing an answer.
const LIMIT: Duration = Duration::from_secs(2);
/// Longest wait for a command before looking whether the process ends.
const GLANCE: Duration = Duration::from_millis(200);

/// The thread that talks to the controller.
pub struct Link {
    ending: Arc<AtomicBool>,
    connected: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Connects to `address` (`host:port`) and keeps doing so; commands go to `events`.
    pub fn start(address: String, events: Sender<Event>) -> Result<Self, sys::Error> {
        let ending = Arc::new(AtomicBool::new(false));
        let connected = Arc::new(AtomicBool::new(false));
        let (flag, up) = (ending.clone(), connected.clone());
        let thread = crate::threads::spawn("spp-link", move || {
            keep_up(&address, &events, &flag, &up);
        })?;
        Ok(Link {
            ending,
            connected,
            thread: Some(thread),
        })
    }

    /// Whether it is connected now, for who wants to look from time to time.
    pub fn connected(&self) -> Arc<AtomicBool> {
        self.connected.clone()
    }
}

impl Drop for Link {
    /// Says goodbye and waits for the thread.
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn connect(address: &str) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(ErrorKind::NotFound, "no address");
    for to in address.to_socket_addrs()? {
        match try_one(to) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn try_one(to: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, LIMIT)?;
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

fn keep_up(address: &str, events: &Sender<Event>, ending: &AtomicBool, connected: &AtomicBool) {
    let mut complained = false;
    while !ending.load(Ordering::SeqCst) {
        match connect(address) {
            Ok(stream) => {
                log::info!("connected to the controller at {address}");
                complained = false;
                connected.store(true, Ordering::SeqCst);
                let served = serve(address, stream, events, ending);
                connected.store(false, Ordering::SeqCst);
                match served {
                    Ok(()) => return,
                    Err(e) => {
                        log::warn!("the controller at {address} is gone ({e}): connecting again")
                    }
                }
            }
            Err(e) if !complained => {
                log::warn!("no controller at {address} ({e}): trying again until there is one");
                complained = true;
            }
            Err(_) => {}
        }
        let until = Instant::now() + RETRY;
        while Instant::now() < until && !ending.load(Ordering::SeqCst) {
            std::thread::sleep(RETRY / 10);
        }
    }
}

/// Serves one connection. `Ok` when the process ends, an error when the controller is gone.
fn serve(
    address: &str,
    mut stream: TcpStream,
    events: &Sender<Event>,
    ending: &AtomicBool,
) -> std::io::Result<()> {
    let mut framer = CommandFramer::new();
    let mut framing = Framing::Legacy;
    let mut registered = false;
    let mut buffer = vec![0; MAX_COMMAND];
    loop {
        let now = Instant::now();
        let wait = framer
            .deadline()
            .map_or(GLANCE, |d| d.saturating_duration_since(now))
            .max(Duration::from_micros(100));
        stream.set_read_timeout(Some(wait))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Err(std::io::Error::new(ErrorKind::UnexpectedEof, "closed")),
            Ok(n) => framer.push(&buffer[..n], Instant::now()),
            Err(e)
                if matches!(
                    e.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                ) => {}
            Err(e) => return Err(e),
        }
        while let Some(framed) = framer.poll(Instant::now()) {
            if framing == Framing::Newline && !registered {
                // A controller of ours asks for the first report once others can see the process. Scripts wait for this.
                log::info!("registered with the controller at {address}");
                registered = true;
            }
            let answer = match framed {
                Framed::Command(text) => ask(&text, events, ending),
                Framed::TooLong => {
                    let words = format!("the command is longer than {MAX_COMMAND} bytes");
                    Answer::of(Simple::new("", Err(words)).to_json())
                }
            };
            let mut bytes = answer.text.into_bytes();
            if framing == Framing::Newline {
                bytes.push(b'\n');
            }
            stream.write_all(&bytes)?;
            match answer.then {
                Then::Go => {}
                Then::Newline => {
                    framing = Framing::Newline;
                    framer.set_framing(framing);
                }
                Then::End => {
                    goodbye(&mut stream, framing);
                    return Ok(());
                }
            }
        }
        if ending.load(Ordering::SeqCst) {
            goodbye(&mut stream, framing);
            return Ok(());
        }
    }
}

/// Tells a controller of ours that the process ends by its own will.
fn goodbye(stream: &mut TcpStream, framing: Framing) {
    if framing == Framing::Newline {
        // A controller that is gone needs no goodbye.
        let _ = stream.write_all(format!("{BYE}\n").as_bytes());
    }
}

/// Hands a command to the control thread and waits for its answer. Once the process ends nobody gives one,
/// and its end waits for us.
fn ask(text: &str, events: &Sender<Event>, ending: &AtomicBool) -> Answer {
    let (reply, answer) = bounded(1);
    let event = Event::Command {
        text: text.to_string(),
        reply,
    };
    let refused = |words: &str| {
        Answer::of(Simple::new(text.split(' ').next().unwrap_or_default(), Err(words)).to_json())
    };
    let limit = Instant::now() + ANSWER_LIMIT;
    if events.send_timeout(event, ANSWER_LIMIT).is_err() {
        return refused("the process is ending or busy");
    }
    loop {
        match answer.recv_timeout(GLANCE) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Disconnected) => return refused("the process is ending"),
            Err(RecvTimeoutError::Timeout) if ending.load(Ordering::SeqCst) => {
                return refused("the process is ending");
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() >= limit => {
                return refused("the process did not answer in time");
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_comes_too_late_is_refused_instead_of_holding_up_the_end() {
        // A queue that nobody reads any more.
        let (to, _events) = bounded(8);
        let answer = ask("status", &to, &AtomicBool::new(true));
        assert!(answer.text.contains("is ending"), "{answer:?}");
    }
}
