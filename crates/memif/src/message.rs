//! Messages on the socket: 128 bytes each, numbers in the machine's order, nothing aligned.

/// Bytes of a message.
pub const SIZE: usize = 128;
/// Version 2.0.
pub const VERSION: u16 = 0x0200;
/// Largest ring, as a power of two.
pub const MAX_LOG2: u8 = 14;
/// Most regions of memory.
pub const MAX_REGIONS: usize = 256;

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// It has understood.
    Ack,
    /// Who it is; the interface id does not matter, as the socket says which port is meant.
    Init { version: u16, mode: u8 },
    /// Here is memory (with a descriptor).
    AddRegion { index: u16, size: u64 },
    /// Here is a ring (with the descriptor of its bell).
    AddRing(RingPlan),
    /// All is said: begin.
    Connect,
    /// It goes.
    Disconnect,
    /// Something else.
    Unknown(u16),
}

/// Where a ring lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingPlan {
    /// Whether the client sends on it.
    pub from_client: bool,
    /// Number among those of its direction.
    pub index: u16,
    /// Region in which it lies.
    pub region: u16,
    /// Where it begins there.
    pub offset: u32,
    /// Its size as a power of two.
    pub log2_size: u8,
}

fn bytes<const N: usize>(message: &[u8; SIZE], at: usize) -> [u8; N] {
    std::array::from_fn(|i| message.get(at + i).copied().unwrap_or(0))
}

/// Reads a message.
pub fn parse(message: &[u8; SIZE]) -> Request {
    let word = |at| u16::from_ne_bytes(bytes(message, at));
    match word(0) {
        1 => Request::Ack,
        3 => Request::Init {
            version: word(2),
            mode: message[8],
        },
        4 => Request::AddRegion {
            index: word(2),
            size: u64::from_ne_bytes(bytes(message, 4)),
        },
        5 => Request::AddRing(RingPlan {
            from_client: word(2) & 1 != 0,
            index: word(4),
            region: word(6),
            offset: u32::from_ne_bytes(bytes(message, 8)),
            log2_size: message[12],
        }),
        6 => Request::Connect,
        8 => Request::Disconnect,
        other => Request::Unknown(other),
    }
}

fn message(kind: u16, parts: &[(usize, &[u8])]) -> [u8; SIZE] {
    let mut message = [0; SIZE];
    message[..2].copy_from_slice(&kind.to_ne_bytes());
    for (at, part) in parts {
        message[*at..at + part.len()].copy_from_slice(part);
    }
    message
}

/// What a text of at most `most` bytes, with a NUL behind, leaves of `text`.
fn cut(text: &str, most: usize) -> &[u8] {
    &text.as_bytes()[..text.len().min(most - 1)]
}

/// We have understood.
pub fn ack() -> [u8; SIZE] {
    message(1, &[])
}

/// What we can: one ring in each direction.
pub fn hello() -> [u8; SIZE] {
    let version = VERSION.to_ne_bytes();
    let last_region = (MAX_REGIONS as u16 - 1).to_ne_bytes();
    message(
        2,
        &[
            (2, cut("SPP", 32)),
            (34, &version),
            (36, &version),
            (38, &last_region),
            // The highest ring of each direction is number 0.
            (44, &[MAX_LOG2]),
        ],
    )
}

/// It has begun.
pub fn connected(name: &str) -> [u8; SIZE] {
    message(7, &[(2, cut(name, 32))])
}

/// We go, and why.
pub fn disconnect(why: &str) -> [u8; SIZE] {
    message(8, &[(6, cut(why, 96))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_read_from_where_the_protocol_has_it() {
        let sent = message(
            5,
            &[
                (2, &1u16.to_ne_bytes()),
                (4, &2u16.to_ne_bytes()),
                (6, &3u16.to_ne_bytes()),
                (8, &0x1234_5678u32.to_ne_bytes()),
                (12, &[10]),
            ],
        );
        let plan = RingPlan {
            from_client: true,
            index: 2,
            region: 3,
            offset: 0x1234_5678,
            log2_size: 10,
        };
        assert_eq!(parse(&sent), Request::AddRing(plan));
    }

    #[test]
    fn every_kind_of_message_is_read() {
        for kind in 0..=u16::MAX {
            let read = parse(&message(kind, &[(4, &[0xff; 100])]));
            assert_eq!(
                matches!(read, Request::Unknown(_)),
                ![1, 3, 4, 5, 6, 8].contains(&kind)
            );
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "x".repeat(500);
        assert_eq!(disconnect(&long)[6 + 95..], [0; 128 - 101]);
        assert_eq!(connected(&long)[2 + 31], 0);
    }
}
