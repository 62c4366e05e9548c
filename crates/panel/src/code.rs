//! A port's name as a number, for shared memory.

/// Kinds of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum PortKind {
    /// A NIC or another Ethernet device of the primary.
    Phy = 1,
    /// A ring between processes.
    Ring = 2,
    /// A vhost-user socket.
    Vhost = 3,
    /// Capture files.
    Pcap = 4,
    /// Endless source and sink.
    Nullpmd = 5,
    /// A tap device of the kernel.
    Tap = 6,
    /// A memif socket.
    Memif = 7,
    /// Capture files that a `pcap` process writes; the number is the process's id.
    Capture = 8,
}

/// Kind, number and queue of a port in 32 bits; zero is no port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortCode(u32);

impl PortCode {
    /// Before all ports in order.
    pub(crate) const LEAST: Self = PortCode(0);
    /// Behind all ports in order.
    pub(crate) const MOST: Self = PortCode(u32::MAX);

    /// The code of port `number`, queue `queue` (0 where the kind has none).
    pub const fn new(kind: PortKind, number: u16, queue: u8) -> Self {
        PortCode((kind as u32) << 24 | (queue as u32) << 16 | number as u32)
    }

    /// The number that stands in shared memory.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// The code in shared memory; `None` if there is none or it means nothing.
    pub fn from_raw(raw: u32) -> Option<Self> {
        (1..=8).contains(&(raw >> 24)).then_some(PortCode(raw))
    }

    /// Its kind.
    pub fn kind(self) -> PortKind {
        match self.0 >> 24 {
            1 => PortKind::Phy,
            2 => PortKind::Ring,
            3 => PortKind::Vhost,
            4 => PortKind::Pcap,
            5 => PortKind::Nullpmd,
            6 => PortKind::Tap,
            7 => PortKind::Memif,
            _ => PortKind::Capture,
        }
    }

    /// Its number.
    pub fn number(self) -> u16 {
        self.0 as u16
    }

    /// Its queue.
    pub fn queue(self) -> u8 {
        (self.0 >> 16) as u8
    }
}

impl std::fmt::Display for PortCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.kind() {
            PortKind::Phy => "phy",
            PortKind::Ring => "ring",
            PortKind::Vhost => "vhost",
            PortKind::Pcap => "pcap",
            PortKind::Nullpmd => "nullpmd",
            PortKind::Tap => "tap",
            PortKind::Memif => "memif",
            // The name that the original's topology has for it.
            PortKind::Capture => "spppcap",
        };
        write!(f, "{kind}:{}", self.number())?;
        if self.queue() > 0 {
            write!(f, " nq {}", self.queue())
        } else {
            Ok(())
        }
    }
}
