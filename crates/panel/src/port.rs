//! The kinds of ports, dispatched once a burst.

use std::sync::Arc;

use dpdk::ethdev::{EthDev, EthInfo, EthQueue, Keeps};
use dpdk::ring::{Consumer, Producer};
use dpdk::vhost::{Link, Mode, Vhost};
use dpdk::{BURST, Burst, Lcore, PoolCache, Ring};

use crate::area::{Area, Direction, DropReason, Ends};
use crate::bell::Ringer;
use crate::code::{PortCode, PortKind};
use crate::memif::Memif;
use crate::pcap::Pcap;
use crate::sink::Sink;

/// Length of a packet that a nullpmd port gives, in bytes without the frame check sequence.
const NULL_LEN: usize = 64;

/// What a worker lends to its ports for a burst.
pub struct Context {
    /// The worker's lcore.
    pub lcore: Lcore,
    /// Its mbufs.
    pub cache: PoolCache,
    /// Wakes those who wait for what it sends.
    pub ringer: Ringer,
    /// Whether there are mbufs to receive into.
    pub stocked: bool,
    /// Whether a packet is followed to see where it goes: all that it becomes is to come out of its element.
    pub traced: bool,
}

/// A port that is open in this process. Dropping it closes it, on the control thread.
pub struct Port {
    code: PortCode,
    kind: Kind,
    ends: Option<&'static Ends>,
}

enum Kind {
    Ring {
        ring: Ring,
        consumer: Consumer,
        producer: Producer,
        ends: &'static Ends,
    },
    Vhost {
        socket: Vhost,
        link: Arc<Link>,
    },
    Null,
    Pcap(Box<Pcap>),
    Memif(Memif),
    Sink(Arc<dyn Sink>),
    Device {
        device: EthDev,
        name: String,
        stay: Stay,
        queue: EthQueue,
        keeps: Keeps,
        longest: u32,
    },
}

/// How long a device is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stay {
    /// As long as the primary.
    Lasting,
    /// Until the primary removes it, which this process is.
    Ours,
    /// Until the primary removes it; this process has attached to it and lets go of it when the port is dropped.
    Attached {
        /// Name of the kernel's interface, for a tap device.
        interface: Option<String>,
    },
}

/// What a port says of its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Somebody is at the other end.
    Up,
    /// Nobody is.
    Down,
    /// The kind has no link.
    None,
}

impl Port {
    /// Ring `code` with its claims.
    pub fn ring(code: PortCode, ring: Ring, ends: &'static Ends) -> Self {
        let kind = Kind::Ring {
            ring,
            consumer: ring.consumer(),
            producer: ring.producer(),
            ends,
        };
        Port {
            code,
            kind,
            ends: Some(ends),
        }
    }

    /// The vhost socket `socket`.
    pub fn vhost(code: PortCode, socket: Vhost) -> Self {
        let link = socket.link();
        Port {
            code,
            kind: Kind::Vhost { socket, link },
            ends: None,
        }
    }

    /// An endless source and sink.
    pub fn null(code: PortCode) -> Self {
        Port {
            code,
            kind: Kind::Null,
            ends: None,
        }
    }

    /// A pair of capture files.
    pub fn pcap(code: PortCode, files: Pcap) -> Self {
        Port {
            code,
            kind: Kind::Pcap(Box::new(files)),
            ends: None,
        }
    }

    /// The memif socket `socket`.
    pub fn memif(code: PortCode, socket: Memif) -> Self {
        Port {
            code,
            kind: Kind::Memif(socket),
            ends: None,
        }
    }

    /// Something of this process that looks at packets and keeps none of them; nothing comes out of it.
    pub fn sink(code: PortCode, sink: Arc<dyn Sink>) -> Self {
        Port {
            code,
            kind: Kind::Sink(sink),
            ends: None,
        }
    }

    /// Queue `queue` of an Ethernet device with its claims.
    pub fn device(
        code: PortCode,
        device: EthDev,
        info: &EthInfo,
        stay: Stay,
        queue: u16,
        ends: &'static Ends,
    ) -> Self {
        let keeps = info.keeps();
        let kind = Kind::Device {
            device,
            name: info.name.clone(),
            stay,
            queue: device.queue(queue, keeps),
            keeps,
            longest: device.longest_frame(),
        };
        Port {
            code,
            kind,
            ends: Some(ends),
        }
    }

    /// Its name as a number.
    pub fn code(&self) -> PortCode {
        self.code
    }

    /// Where its ends are claimed, if other processes can reach it.
    pub fn ends(&self) -> Option<&'static Ends> {
        self.ends
    }

    /// Whether anybody is at the other end.
    pub fn link(&self) -> LinkState {
        let state = |up| if up { LinkState::Up } else { LinkState::Down };
        match &self.kind {
            Kind::Vhost { link, .. } => state(link.is_up()),
            Kind::Memif(socket) => state(socket.is_up()),
            // The kernel's side of a tap is what matters, and net_tap does not tell of it.
            Kind::Device { .. } if self.code.kind() == PortKind::Tap => LinkState::None,
            Kind::Device { device, .. } => device.link().map_or(LinkState::None, state),
            Kind::Pcap(files) if files.ended() => LinkState::Down,
            Kind::Ring { .. } | Kind::Null | Kind::Pcap(_) | Kind::Sink(_) => LinkState::None,
        }
    }

    /// What an operator needs to know to reach the other end; may be empty.
    pub fn info(&self) -> String {
        match &self.kind {
            Kind::Ring { ring, .. } => format!("{} of {} used", ring.used(), ring.capacity()),
            Kind::Vhost { socket, link } => match link.record() {
                None => socket.path().to_string(),
                Some((peers, fault)) => format!(
                    "{} (peers cut off: {peers}; the last {})",
                    socket.path(),
                    fault.words()
                ),
            },
            Kind::Null => String::new(),
            Kind::Memif(socket) => socket.path().display().to_string(),
            Kind::Pcap(files) => files.info(),
            Kind::Sink(sink) => sink.info(),
            Kind::Device { device, .. } => device
                .info()
                .map(|i| format!("{} ({})", i.name, i.driver))
                .unwrap_or_default(),
        }
    }

    /// Who makes its socket, if it is a vhost port.
    pub fn vhost_mode(&self) -> Option<Mode> {
        match &self.kind {
            Kind::Vhost { socket, .. } => Some(socket.mode()),
            _ => None,
        }
    }

    /// Packets that were taken out of its capture file, if it has one.
    pub fn taken(&self) -> Option<u64> {
        match &self.kind {
            Kind::Pcap(files) => Some(files.taken()),
            _ => None,
        }
    }

    /// Whether only one process can have it open at a time.
    pub fn is_exclusive(&self) -> bool {
        matches!(
            self.kind,
            Kind::Vhost { .. } | Kind::Memif(_) | Kind::Pcap(_) | Kind::Sink(_)
        )
    }

    /// How a worker that has nothing to do learns that this source has something.
    pub fn wakes(&self) -> Wakes {
        match &self.kind {
            Kind::Ring { ends, .. } if Area::holder(ends, Direction::Tx).is_some() => Wakes::ByBell,
            // A foreign process does not know of bells.
            Kind::Ring { .. } => Wakes::Not,
            // Its bell is the client's: not to be trusted with our sleep.
            Kind::Memif(_) => Wakes::Not,
            Kind::Vhost { link, .. } => Wakes::ByKick(link.clone()),
            // At its end it never has a packet again.
            Kind::Pcap(files) if files.ended() => Wakes::ByBell,
            // Nothing ever comes out of it.
            Kind::Sink(_) => Wakes::ByBell,
            Kind::Null | Kind::Pcap(_) | Kind::Device { .. } => Wakes::NeverRests,
        }
    }

    /// Whether it cannot be deleted, because it is there as long as the primary.
    pub fn stays(&self) -> bool {
        matches!(
            &self.kind,
            Kind::Device {
                stay: Stay::Lasting,
                ..
            }
        )
    }

    /// Whether what the port stands for is still there: a device can be removed by the primary.
    pub fn is_present(&self) -> bool {
        match &self.kind {
            Kind::Device { device, name, .. } => EthDev::by_name(name).is_ok_and(|d| d == *device),
            _ => true,
        }
    }

    /// Which mbufs its driver keeps in its queues, with DPDK's port id; `None` if it is no Ethernet device.
    pub fn keeps(&self) -> Option<(u16, Keeps)> {
        match &self.kind {
            Kind::Device { device, keeps, .. } => Some((device.port(), *keeps)),
            _ => None,
        }
    }

    /// Receives into the (empty) burst, at most `most` packets where they take mbufs.
    #[inline(always)]
    pub fn receive(&self, cx: &mut Context, burst: &mut Burst, most: usize) -> usize {
        match &self.kind {
            Kind::Ring { consumer, .. } => consumer.receive(&cx.lcore, cx.cache.owner(), burst),
            Kind::Vhost { link, .. } if cx.stocked => {
                link.receive(&cx.lcore, &cx.cache, burst, most)
            }
            Kind::Device { queue, .. } if cx.stocked => {
                queue.receive(&cx.lcore, cx.cache.owner(), burst, most)
            }
            Kind::Pcap(files) if cx.stocked => files.receive(cx, burst, most),
            Kind::Memif(socket) if cx.stocked => socket.receive(cx, burst, most),
            Kind::Null if cx.stocked => {
                let n = cx.cache.alloc(burst, BURST);
                for i in 0..n {
                    if let Some(data) = burst.write_packet(i, NULL_LEN) {
                        data.fill(0);
                    }
                }
                n
            }
            _ => 0,
        }
    }

    /// Sends the burst and returns the packets and bytes that the port took; what it refused stays in
    /// the burst.
    #[inline(always)]
    pub fn send(&self, cx: &mut Context, burst: &mut Burst) -> (usize, u64) {
        match &self.kind {
            Kind::Ring { producer, ends, .. } => {
                let consumer = Area::holder(ends, Direction::Rx);
                let sent = producer.send(&cx.lcore, &cx.cache, burst, consumer.is_some());
                if let Some(lcore) = consumer {
                    cx.ringer.ring(lcore);
                }
                sent
            }
            Kind::Vhost { link, .. } => {
                in_steps(cx, burst, |cx, burst| link.send(&cx.lcore, burst))
            }
            Kind::Device { queue, .. } => in_steps(cx, burst, |cx, burst| {
                queue.send(&cx.lcore, &cx.cache, burst)
            }),
            Kind::Pcap(_) | Kind::Memif(_) | Kind::Null => {
                let (sent, _) = self.offer(burst, 0);
                (sent, burst.clear_front(sent, &mut cx.cache))
            }
            Kind::Sink(sink) => {
                let taken = sink.take(burst);
                burst.clear_front(taken.done, &mut cx.cache);
                (taken.kept, taken.bytes)
            }
        }
    }

    /// Whether it copies what it is given, so that packets can be offered to it.
    #[inline(always)]
    pub(crate) fn copies(&self) -> bool {
        matches!(
            self.kind,
            Kind::Vhost { .. }
                | Kind::Pcap(_)
                | Kind::Memif(_)
                | Kind::Null
                | Kind::Device {
                    keeps: Keeps::Nothing,
                    ..
                }
        )
    }

    /// Shows a port that copies the packets from number `from` on, and returns the packets and bytes that it took. All stay in
    /// the burst.
    #[inline(always)]
    pub(crate) fn offer(&self, burst: &Burst, from: usize) -> (usize, u64) {
        let sent = match &self.kind {
            Kind::Vhost { link, .. } => link.offer(burst, from),
            Kind::Pcap(files) => files.write(burst, from),
            Kind::Memif(socket) => socket.offer(burst, from),
            Kind::Null => burst.len() - from,
            Kind::Device { queue, .. } => queue.offer(burst, from),
            Kind::Ring { .. } | Kind::Sink(_) => 0,
        };
        (sent, burst.bytes_of(from, sent))
    }

    /// Whether packets that share their data may go there as they are: a driver, and a foreign process at the other end of a
    /// ring, get copies.
    #[inline(always)]
    pub(crate) fn takes_shared(&self) -> bool {
        match &self.kind {
            Kind::Ring { ends, .. } => Area::holder(ends, Direction::Rx).is_some(),
            Kind::Device { .. } => false,
            _ => true,
        }
    }

    /// Whether a frame of `len` bytes is longer than the port ever takes.
    pub(crate) fn is_too_long(&self, len: u32) -> bool {
        match &self.kind {
            Kind::Device { longest, .. } => len > *longest,
            Kind::Memif(socket) => socket.is_too_long(len),
            _ => false,
        }
    }

    /// Why the port refused what is left of a burst.
    pub(crate) fn refusal(&self) -> DropReason {
        match &self.kind {
            Kind::Vhost { link, .. } if !link.is_up() => DropReason::LinkDown,
            Kind::Memif(socket) if !socket.is_up() => DropReason::LinkDown,
            Kind::Pcap(_) => DropReason::IoError,
            _ => DropReason::Full,
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let Kind::Device {
            name,
            stay: Stay::Attached { interface },
            ..
        } = &self.kind
        else {
            return;
        };
        if let Err(e) = EthDev::detach(name) {
            log::warn!("{}: {e}", self.code);
        }
        if let Some(interface) = interface
            && let Err(e) = sys::tap::close_queues(interface)
        {
            log::warn!("{}: {e}", self.code);
        }
    }
}

/// What wakes a worker that waits for packets of a source.
pub enum Wakes {
    /// The producer rings our bell.
    ByBell,
    /// The guest kicks a descriptor.
    ByKick(Arc<Link>),
    /// Nothing does: look again after a while.
    Not,
    /// It always may have packets, or would lose them while nobody looks.
    NeverRests,
}

/// Sends a burst whose chains may be too many to be freed at once.
#[inline(always)]
fn in_steps(
    cx: &mut Context,
    burst: &mut Burst,
    mut send: impl FnMut(&mut Context, &mut Burst) -> (usize, u64),
) -> (usize, u64) {
    let mut all = (0, 0);
    loop {
        let (n, bytes) = send(cx, burst);
        all = (all.0 + n, all.1 + bytes);
        // Always: a round may send several bursts, packets and their copies.
        cx.cache.balance();
        if n == 0 || burst.is_empty() {
            return all;
        }
    }
}
