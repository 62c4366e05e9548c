//! The socket of a port, and what is said on it.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, accept_with, bind, listen, recvmsg, send, socket_with,
};
use sys::shared::Shared;

use crate::link::Link;
use crate::message::{self, MAX_REGIONS, Request, RingPlan, SIZE, VERSION};
use crate::ring::{Receiver, Sender};

/// Longest path of a UNIX socket.
const MAX_PATH: usize = 107;

/// A memif port: a socket on which one client at a time can connect. Dropping it disconnects and closes.
pub struct Memif {
    path: PathBuf,
    link: Arc<Link>,
    thread: Option<JoinHandle<()>>,
}

impl Memif {
    /// Makes the socket `path` and listens. `up` is called whenever a peer has come.
    ///
    /// # Errors
    /// The path is too long or cannot be bound.
    pub fn open(path: &Path, up: Box<dyn Fn() + Send + Sync>) -> sys::Result<Self> {
        let len = path.as_os_str().len();
        if len > MAX_PATH {
            return Err(sys::Error::Invalid(format!(
                "the socket path {} has {len} bytes: at most {MAX_PATH} are possible (choose a shorter --vhost-dir)",
                path.display()
            )));
        }
        let failed = |e: Errno| sys::Error::Call {
            what: format!("open the memif socket {}", path.display()),
            source: e.into(),
        };
        // Before the socket has its name: what fails from there on has to take that back.
        let link = Arc::new(Link::new(up)?);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let listener =
            socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(failed)?;
        bind(&listener, &SocketAddrUnix::new(path).map_err(failed)?).map_err(failed)?;
        // From here on dropping `port` removes the socket.
        let mut port = Memif {
            path: path.into(),
            link,
            thread: None,
        };
        listen(&listener, 8).map_err(failed)?;
        let server = Server {
            name: path.display().to_string(),
            listener,
            link: port.link.clone(),
            peer: None,
        };
        let thread = std::thread::Builder::new().name("spp-memif".into());
        let thread = thread.spawn(move || server.run());
        port.thread = Some(thread.map_err(|source| sys::Error::Call {
            what: "start the thread spp-memif".into(),
            source,
        })?);
        Ok(port)
    }

    /// The connection, for the worker.
    #[must_use]
    pub fn link(&self) -> Arc<Link> {
        self.link.clone()
    }

    /// Path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Memif {
    fn drop(&mut self) {
        self.link.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("{}: its thread panicked", self.path.display());
        }
        if let Err(e) = std::fs::remove_file(&self.path) {
            log::warn!("{}: {e}", self.path.display());
        }
    }
}

/// Somebody who has connected to the socket.
struct Peer {
    socket: OwnedFd,
    greeted: bool,
    regions: Vec<Shared>,
    /// Ring and bell to receive from, and to send to.
    rings: [Option<(RingPlan, Option<OwnedFd>)>; 2],
    connected: bool,
}

/// How a conversation ended, and whether the peer is to be told.
enum End {
    Gone,
    Told(String),
}

struct Server {
    name: String,
    listener: OwnedFd,
    link: Arc<Link>,
    peer: Option<Peer>,
}

impl Server {
    fn run(mut self) {
        loop {
            let readable = self.wait();
            let drained = self.link.bell.drain();
            if self.link.is_ending() || drained.is_err() {
                self.part(End::Told("the port is deleted".into()));
                return;
            }
            if let Some(fault) = self.link.take_fault() {
                self.part(End::Told(fault.into()));
            }
            // Before a newcomer: who has gone makes room.
            if readable.1
                && let Some(peer) = &mut self.peer
                && let Err(end) = peer.hear(&self.link, &self.name)
            {
                self.part(end);
            }
            if readable.0 {
                self.welcome();
            }
        }
    }

    /// Waits; whether the listener and the peer can be read.
    fn wait(&self) -> (bool, bool) {
        let mut fds = vec![
            PollFd::new(&self.link.bell, PollFlags::IN),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        if let Some(peer) = &self.peer {
            fds.push(PollFd::new(&peer.socket, PollFlags::IN));
        }
        // Interrupted or not: who looks again learns.
        if poll(&mut fds, None).is_err() {
            return (false, false);
        }
        let ready = |i: usize| fds.get(i).is_some_and(|fd| !fd.revents().is_empty());
        (ready(1), ready(2))
    }

    fn welcome(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let Ok(socket) = accept_with(&self.listener, flags) else {
            return;
        };
        if self.peer.as_ref().is_some_and(|peer| peer.connected) {
            // It may have gone already: then nobody is there to be told.
            let _ = say(&socket, &message::disconnect("another client is connected"));
            return;
        }
        // Who has not said all in the time until the next one comes has lost its turn.
        self.part(End::Told("another client has come".into()));
        if say(&socket, &message::hello()).is_ok() {
            self.peer = Some(Peer {
                socket,
                greeted: false,
                regions: Vec::new(),
                rings: [None, None],
                connected: false,
            });
        }
    }

    fn part(&mut self, end: End) {
        let Some(peer) = self.peer.take() else {
            return;
        };
        self.link.disconnect();
        if let End::Told(why) = end {
            log::info!("{}: disconnected: {why}", self.name);
            // As above.
            let _ = say(&peer.socket, &message::disconnect(&why));
        } else if peer.connected {
            log::info!("{}: the peer is gone", self.name);
        }
    }
}

fn say(socket: impl AsFd, message: &[u8; SIZE]) -> Result<(), End> {
    match send(socket, message, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
        Ok(SIZE) => Ok(()),
        // Who does not read does not get to speak.
        _ => Err(End::Gone),
    }
}

impl Peer {
    /// Takes a message and answers it.
    fn hear(&mut self, link: &Link, name: &str) -> Result<(), End> {
        let mut text = [0; SIZE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut beside = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        let heard = recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut text)],
            &mut beside,
            flags,
        );
        match heard {
            Ok(heard) if heard.bytes == SIZE => {}
            Ok(heard) if heard.bytes > 0 => {
                return Err(End::Told("message of a wrong size".into()));
            }
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            _ => return Err(End::Gone),
        }
        // Those beyond the first are closed.
        let descriptor = beside.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        let answer = match self.obey(message::parse(&text), descriptor, link) {
            Ok(None) => return Ok(()),
            Ok(Some(Answer::Ack)) => message::ack(),
            Ok(Some(Answer::Connected)) => {
                log::info!("{name}: a peer is connected");
                message::connected("SPP")
            }
            Err(end) => return Err(end),
        };
        say(&self.socket, &answer)
    }

    fn obey(
        &mut self,
        request: Request,
        descriptor: Option<OwnedFd>,
        link: &Link,
    ) -> Result<Option<Answer>, End> {
        let refused = |why: &str| Err(End::Told(why.into()));
        match request {
            Request::Ack => return Ok(None),
            Request::Disconnect => return Err(End::Gone),
            Request::Init { version, mode } => {
                if version >> 8 != VERSION >> 8 {
                    return refused("version not supported: 2.0 is");
                }
                if mode != 0 {
                    return refused("mode not supported: Ethernet is");
                }
                self.greeted = true;
            }
            _ if !self.greeted || self.connected => return refused("message out of order"),
            Request::AddRegion { index, size } => {
                if usize::from(index) != self.regions.len() || self.regions.len() >= MAX_REGIONS {
                    return refused("regions come one after the other, at most 256");
                }
                let Some(memory) = descriptor else {
                    return refused("region without a descriptor");
                };
                let region = Shared::map(memory, size).map_err(|e| End::Told(e.to_string()))?;
                self.regions.push(region);
            }
            Request::AddRing(plan) => {
                if plan.index != 0 {
                    return refused("one ring in each direction is supported");
                }
                if let Some(bell) = &descriptor {
                    // A worker rings it, and must never wait.
                    let flags = fcntl_getfl(bell).unwrap_or(OFlags::empty());
                    if fcntl_setfl(bell, flags | OFlags::NONBLOCK).is_err() {
                        return refused("ring with a bell that cannot be rung");
                    }
                }
                self.rings[usize::from(!plan.from_client)] = Some((plan, descriptor));
            }
            Request::Connect => {
                let [Some((from, from_bell)), Some((to, to_bell))] =
                    std::mem::take(&mut self.rings)
                else {
                    return refused("a ring in each direction is needed");
                };
                let regions: Arc<[Shared]> = std::mem::take(&mut self.regions).into();
                let told = |why: &str| End::Told(why.into());
                let receiver = Receiver::begin(&from, &regions, from_bell).map_err(told)?;
                let sender = Sender::begin(&to, &regions, to_bell).map_err(told)?;
                self.connected = true;
                link.connect(receiver, sender);
                return Ok(Some(Answer::Connected));
            }
            Request::Unknown(_) => return refused("unknown message"),
        }
        Ok(Some(Answer::Ack))
    }
}

/// What a peer is answered.
enum Answer {
    Ack,
    Connected,
}
