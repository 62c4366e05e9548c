//! ICMP echo requests (RFC 792, RFC 4443) from a node, by the kernel's own socket for them (`icmp(7)`, SOCK_DGRAM), opened in the
//! node's namespace: no program has to be installed, and many nodes can ask at once.

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::error::{Error, Result};
use crate::running::Running;

/// Between two requests to one address.
const INTERVAL: Duration = Duration::from_millis(100);

/// How many nodes ask at the same time: each takes a thread.
const AT_ONCE: usize = 16;

/// What became of the requests to one address: how long each answer took, `None` where none came.
pub type Answers = Vec<Option<Duration>>;

/// Sends `count` requests from a node to an address, one after the other, and waits for each answer at most `limit`. Without a way
/// there is no answer.
///
/// # Errors
/// The network has gone, or the kernel has no such sockets.
pub fn ping(
    running: &Running,
    from: usize,
    to: IpAddr,
    count: u16,
    limit: Duration,
) -> Result<Answers> {
    let asker = open(running, from, to)?;
    let mut answers = Vec::new();
    for number in 1..=count {
        let answer = ask(&asker, number, &[], limit)?;
        answers.push(answer);
        if number < count
            && let Some(rest) = INTERVAL.checked_sub(answer.unwrap_or(INTERVAL))
        {
            std::thread::sleep(rest);
        }
    }
    Ok(answers)
}

/// A socket for requests to one address.
struct Asker {
    socket: Socket,
    v6: bool,
}

/// Opens one in the node.
fn open(running: &Running, from: usize, to: IpAddr) -> Result<Asker> {
    let node = running.nodes()[from].name.clone();
    running.within(from, || {
        let (domain, protocol) = match to {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let socket = Socket::new(domain, Type::DGRAM, Some(protocol))
            .map_err(|e| Error::io(format!("open a socket for ICMP on {node}"), e))?;
        match socket.connect(&SockAddr::from(SocketAddr::new(to, 0))) {
            Ok(()) => {}
            // Then no request leaves, and no answer comes.
            Err(e) if is_no_way(&e) => {}
            Err(e) => return Err(Error::io(format!("ask {to} from {node}"), e)),
        }
        Ok(Asker {
            socket,
            v6: to.is_ipv6(),
        })
    })
}

fn is_no_way(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::ConnectionRefused
            | ErrorKind::NotConnected
    ) || error.raw_os_error() == Some(nix::libc::EDESTADDRREQ)
        || error.raw_os_error() == Some(nix::libc::EACCES)
}

/// One request with `data` at the beginning of what it carries, at most 56 bytes, and its answer.
///
/// # Errors
/// As of [`ping`].
pub(crate) fn ask_with(
    running: &Running,
    from: usize,
    to: IpAddr,
    data: &[u8],
    limit: Duration,
) -> Result<Option<Duration>> {
    ask(&open(running, from, to)?, 1, data, limit)
}

/// One request and its answer.
fn ask(asker: &Asker, number: u16, data: &[u8], limit: Duration) -> Result<Option<Duration>> {
    let failed = |e| Error::io("ask for an echo", e);
    let (mut socket, v6) = (&asker.socket, asker.v6);
    // Type, code, checksum and identifier (the kernel's), number, and 56 bytes as ping(8) sends.
    let mut request = [0; 64];
    request[0] = if v6 { 128 } else { 8 };
    request[6..8].copy_from_slice(&number.to_be_bytes());
    for (to, &from) in request[8..].iter_mut().zip(data) {
        *to = from;
    }
    let answer = if v6 { 129 } else { 0 };
    let start = Instant::now();
    match socket.send(&request) {
        Ok(_) => {}
        Err(e) if is_no_way(&e) => return Ok(None),
        Err(e) if e.raw_os_error() == Some(nix::libc::ENOBUFS) => {
            return Err(Error::Refused(
                "the machine's table of neighbours is full, which all networks on it share: ask fewer pairs, or raise \
                 net.ipv4.neigh.default.gc_thresh3 (and net.ipv6's) by sysctl"
                    .into(),
            ));
        }
        Err(e) => return Err(failed(e)),
    }
    loop {
        let Some(left) = limit
            .checked_sub(start.elapsed())
            .filter(|left| !left.is_zero())
        else {
            return Ok(None);
        };
        socket.set_read_timeout(Some(left)).map_err(failed)?;
        let mut reply = [0; 256];
        match socket.read(&mut reply) {
            // An earlier one may come late.
            Ok(length) if length >= 8 && reply[0] == answer && reply[6..8] == request[6..8] => {
                return Ok(Some(start.elapsed()));
            }
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(None);
            }
            Err(e) if e.kind() == ErrorKind::Interrupted || is_no_way(&e) => {}
            Err(e) => return Err(failed(e)),
        }
    }
}

/// A pair of nodes, and whether one reached the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Number of the node that asked.
    pub from: usize,
    /// Number of the node that was asked.
    pub to: usize,
    /// How long the answer took.
    pub answer: Option<Duration>,
}

/// Every node that has addresses asks every other one, at its first address, once, and a second time if no answer came within
/// `limit`.
///
/// # Errors
/// As of [`ping`].
pub fn all(running: &Running, limit: Duration) -> Result<Vec<Pair>> {
    let addressed =
        |(number, node): (usize, &crate::plan::Node)| Some((number, node.addresses().next()?));
    let nodes: Vec<(usize, IpAddr)> = running
        .nodes()
        .iter()
        .enumerate()
        .filter_map(addressed)
        .collect();
    let from_one = |from: usize| -> Result<Vec<Pair>> {
        let mut pairs = Vec::new();
        for &(to, address) in nodes.iter().filter(|(to, _)| *to != from) {
            let asker = open(running, from, address)?;
            let mut answer = ask(&asker, 1, &[], limit)?;
            if answer.is_none() {
                answer = ask(&asker, 2, &[], limit)?;
            }
            pairs.push(Pair { from, to, answer });
        }
        Ok(pairs)
    };
    let mut pairs = Vec::new();
    for some in nodes.chunks(AT_ONCE) {
        let asked: Vec<Result<Vec<Pair>>> = std::thread::scope(|scope| {
            let threads: Vec<_> = some
                .iter()
                .map(|&(from, _)| scope.spawn(move || from_one(from)))
                .collect();
            let failed = || {
                Err(Error::Refused(
                    "a thread that asks for echoes failed".into(),
                ))
            };
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|_| failed()))
                .collect()
        });
        for some in asked {
            pairs.extend(some?);
        }
    }
    Ok(pairs)
}

/// What `text` means as something to ask: a node's first address (of the family that `from` has, where the node has several), or an
/// address.
///
/// # Errors
/// It is neither, or the node has no address.
pub fn target(running: &Running, from: usize, text: &str) -> Result<IpAddr> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let to = &running.nodes()[running.node(text)?];
    let families: Vec<bool> = running.nodes()[from]
        .addresses()
        .map(|address| address.is_ipv4())
        .collect();
    let shared = to
        .addresses()
        .find(|address| families.contains(&address.is_ipv4()));
    shared.or_else(|| to.addresses().next()).ok_or_else(|| {
        Error::Refused(format!(
            "'{text}' has no address to be asked: it is a {}",
            to.role.word()
        ))
    })
}
