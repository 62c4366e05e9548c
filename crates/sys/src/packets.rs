//! Frames that pass an interface, as the kernel shows them to whoever looks (`packet(7)`): both directions, each with the time
//! when it was there. Looking changes nothing for anybody else. And frames that are sent as they are.

use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_void};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockType, send, setsockopt, socket, sockopt,
};

use crate::{Error, Result};

/// Bytes in the kernel for frames that wait to be read.
const WAITING: usize = 4 << 20;
/// Of the Ethernet addresses, behind which a tag stands.
const ADDRESSES: usize = 12;
/// Bytes of a tag (IEEE 802.1Q).
const TAG: usize = 4;
/// What a tag is called if the kernel does not say (`ETH_P_8021Q`).
const TAGGED: u16 = 0x8100;

/// A frame that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// How many bytes of it are in the buffer.
    pub length: usize,
    /// How many it had.
    pub original: usize,
    /// When it was there, in nanoseconds from 1970; `None` if the kernel had not begun to look at its clock
    /// ([`Socket::wait_for_times`]).
    pub timestamp_ns: Option<u64>,
    /// It left by the interface; the others arrived.
    pub sent: bool,
}

/// A socket that is shown every frame at an interface.
#[derive(Debug)]
pub struct Socket(OwnedFd);

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Socket {
    /// Opens it for an interface of the calling thread's network namespace, by its number (`ifindex`). It takes CAP_NET_RAW.
    ///
    /// # Errors
    /// There is no such interface, or it is not ours to look at.
    pub fn open(interface: u32) -> Result<Self> {
        let failed = |e| Error::call(format!("look at the interface {interface}"), e);
        let fd = raw().map_err(failed)?;
        // Beyond the limit for ordinary users if we may, else what is allowed.
        if setsockopt(&fd, sockopt::RcvBufForce, &WAITING).is_err() {
            setsockopt(&fd, sockopt::RcvBuf, &WAITING).map_err(|e| failed(e.into()))?;
        }
        let times = libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
        set(&fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, times as c_int).map_err(failed)?;
        set(&fd, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1).map_err(failed)?;
        bind(&fd, interface, libc::ETH_P_ALL as u16).map_err(failed)?;
        Ok(Self(fd))
    }

    /// Reads the next frame into `buffer`; `None` if there is none now. Never waits. A tag that the kernel has taken out is put
    /// back.
    ///
    /// # Errors
    /// The kernel's refusal; none is known. An interface that goes down has no frames.
    pub fn read(&self, buffer: &mut [u8]) -> Result<Option<Frame>> {
        // Room for a tag in front of the frame's own bytes.
        let Some(room) = buffer.len().checked_sub(TAG) else {
            return Err(Error::Invalid("no buffer for a frame".into()));
        };
        // SAFETY: all of it is numbers.
        let mut from: libc::sockaddr_ll = unsafe { zeroed() };
        // For the kernel's remarks, aligned as their heads are.
        let mut remarks = [0u64; 32];
        let mut pieces = libc::iovec {
            iov_base: buffer[TAG..].as_mut_ptr().cast(),
            iov_len: room,
        };
        // SAFETY: numbers, and pointers that may be null.
        let mut message: libc::msghdr = unsafe { zeroed() };
        message.msg_name = (&raw mut from).cast();
        message.msg_namelen = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        message.msg_iov = &raw mut pieces;
        message.msg_iovlen = 1;
        message.msg_control = remarks.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&remarks) as _;
        // SAFETY: an open socket; the header's pointers are to the four things above, with their sizes, and all outlive the call.
        // With MSG_TRUNC the frame's whole length is given, and no more written than there is room for.
        let read = unsafe { libc::recvmsg(self.0.as_raw_fd(), &raw mut message, libc::MSG_TRUNC) };
        let Ok(original) = usize::try_from(read) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                // Said once when the interface is brought down. It may come up again.
                io::ErrorKind::NetworkDown => Ok(None),
                _ => Err(Error::call("read a frame", error)),
            };
        };
        let (timestamp_ns, tag) = told(&message);
        let mut frame = Frame {
            length: original.min(room),
            original,
            timestamp_ns,
            sent: from.sll_pkttype == libc::PACKET_OUTGOING,
        };
        match tag {
            Some((kind, tag)) if frame.length >= ADDRESSES => {
                buffer.copy_within(TAG..TAG + ADDRESSES, 0);
                buffer[ADDRESSES..ADDRESSES + 2].copy_from_slice(&kind.to_be_bytes());
                buffer[ADDRESSES + 2..ADDRESSES + TAG].copy_from_slice(&tag.to_be_bytes());
                frame.length += TAG;
                frame.original += TAG;
            }
            _ => buffer.copy_within(TAG..TAG + frame.length, 0),
        }
        Ok(Some(frame))
    }

    /// How many frames the kernel had for this socket since the last question, and how many of these found no room
    /// (`PACKET_STATISTICS`).
    ///
    /// # Errors
    /// The kernel's refusal; none is known.
    pub fn counts(&self) -> Result<(u64, u64)> {
        // SAFETY: all of it is numbers.
        let mut counts: libc::tpacket_stats = unsafe { zeroed() };
        let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
        // SAFETY: an open socket, and room of the size that is told.
        let result = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut counts).cast(),
                &raw mut length,
            )
        };
        match result {
            0 => Ok((counts.tp_packets.into(), counts.tp_drops.into())),
            _ => Err(Error::call(
                "count the frames of a socket",
                io::Error::last_os_error(),
            )),
        }
    }

    /// Waits until frames get the time when they were there: the kernel begins to look at its clock a moment after the first
    /// socket wanted it. The calling thread is to be in a namespace whose loopback interface is up. False if that has not
    /// happened within `limit`.
    ///
    /// # Errors
    /// The loopback interface cannot be used.
    pub fn wait_for_times(limit: Duration) -> Result<bool> {
        const LOOPBACK: u32 = 1;
        let failed = |e| Error::call("send to ourselves", e);
        let socket = Self::open(LOOPBACK)?;
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").map_err(failed)?;
        let ourselves = sender.local_addr().map_err(failed)?;
        let end = std::time::Instant::now() + limit;
        let mut buffer = [0; 128];
        while std::time::Instant::now() < end {
            sender.send_to(b"?", ourselves).map_err(failed)?;
            crate::poll::wait(&socket, &[], Duration::from_millis(20));
            while let Some(frame) = socket.read(&mut buffer)? {
                if frame.timestamp_ns.is_some() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }
}

/// A socket that sends frames as they are by an interface.
#[derive(Debug)]
pub struct Sender(OwnedFd);

impl Sender {
    /// Opens it for an interface of the calling thread's network namespace, by its number (`ifindex`). It takes CAP_NET_RAW.
    ///
    /// # Errors
    /// There is no such interface, or it is not ours to use.
    pub fn open(interface: u32) -> Result<Self> {
        let failed = |e| Error::call(format!("send by the interface {interface}"), e);
        let fd = raw().map_err(failed)?;
        // It hears nothing.
        bind(&fd, interface, 0).map_err(failed)?;
        Ok(Self(fd))
    }

    /// Sends a frame, from its destination address on, without FCS. Waits for `limit` at most, if the interface has no room.
    ///
    /// # Errors
    /// It is longer than the interface's MTU or shorter than a header, the interface is down, or there is still no room.
    pub fn send(&self, frame: &[u8], limit: Duration) -> Result<()> {
        let end = std::time::Instant::now() + limit;
        loop {
            match send(self.0.as_raw_fd(), frame, MsgFlags::empty()) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN | Errno::ENOBUFS) if std::time::Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(e) => return Err(Error::call("send a frame", e)),
            }
        }
    }
}

/// A socket for whole frames. Without a protocol it hears nothing before it knows of which interface.
fn raw() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(AddressFamily::Packet, SockType::Raw, flags, None)?)
}

/// Binds a socket to an interface, to receive frames of a protocol; 0 is none.
fn bind(fd: &OwnedFd, interface: u32, protocol: u16) -> io::Result<()> {
    // SAFETY: all of it is numbers.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = interface.cast_signed();
    // SAFETY: an open socket, and an address of its family with its size.
    let result = unsafe {
        libc::bind(
            fd.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sets an option that is a number.
fn set(fd: &OwnedFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    // SAFETY: an open socket, and a number with its size.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw const value).cast::<c_void>(),
            size_of::<c_int>() as libc::socklen_t,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What the kernel remarked of a frame: its time, and the kind and the content of a tag that it has taken out.
fn told(message: &libc::msghdr) -> (Option<u64>, Option<(u16, u16)>) {
    let (mut time, mut tag) = (None, None);
    // SAFETY: a header that recvmsg has filled in.
    let mut head = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !head.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give heads that are wholly in the buffer, or null.
        let (level, kind) = unsafe { ((*head).cmsg_level, (*head).cmsg_type) };
        // SAFETY: as above; the data follows the head.
        let data = unsafe { libc::CMSG_DATA(head) };
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPING) => {
                // SAFETY: the data of this kind is three times, of which the first is the kernel's; it may be unaligned.
                let at = unsafe { data.cast::<libc::timespec>().read_unaligned() };
                let seconds = u64::try_from(at.tv_sec).unwrap_or(0);
                let nanos = u64::try_from(at.tv_nsec).unwrap_or(0);
                time = (seconds > 0).then(|| seconds * 1_000_000_000 + nanos);
            }
            (libc::SOL_PACKET, libc::PACKET_AUXDATA) => {
                // SAFETY: the data of this kind is this structure; it may be unaligned.
                let more = unsafe { data.cast::<libc::tpacket_auxdata>().read_unaligned() };
                let named = more.tp_status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
                let kind = if named { more.tp_vlan_tpid } else { TAGGED };
                let tagged = more.tp_status & libc::TP_STATUS_VLAN_VALID != 0;
                tag = tagged.then_some((kind, more.tp_vlan_tci));
            }
            _ => {}
        }
        // SAFETY: the same header, and a head in its buffer.
        head = unsafe { libc::CMSG_NXTHDR(message, head) };
    }
    (time, tag)
}
