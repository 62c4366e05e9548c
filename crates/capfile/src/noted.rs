//! Packets in pcapng with a comment each.

use crate::ng::ENHANCED;
use crate::reader::Format;
use crate::records::{block, number, option};

const OPTION_COMMENT: u16 = 1;

impl Format {
    /// Adds a packet of `original` bytes of which `data` is kept, received at `timestamp_ns` (from 1970), with
    /// `comment` (`opt_comment`); pcap has no room for that, there it is left out.
    pub fn push_noted(
        self,
        into: &mut Vec<u8>,
        timestamp_ns: u64,
        original: u32,
        data: &[u8],
        comment: &str,
    ) {
        if self == Format::Pcap {
            return self.push(into, timestamp_ns, original, data);
        }
        let mut body = Vec::with_capacity(data.len() + comment.len() + 32);
        let head = [
            0, // the interface
            (timestamp_ns >> 32) as u32,
            timestamp_ns as u32,
            data.len() as u32,
            original,
        ];
        head.into_iter().for_each(|n| number(&mut body, n));
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(4), 0);
        option(&mut body, OPTION_COMMENT, comment.as_bytes());
        block(into, ENHANCED, &body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reader;
    use crate::records::Interface;

    #[test]
    fn packets_with_comments_are_read_back() {
        let interface = Interface {
            name: "ring:0",
            program: "test",
            filter: "",
            snaplen: 128,
        };
        for format in [Format::PcapNg, Format::Pcap] {
            let mut file = format.beginning(&interface);
            for i in 0..10u8 {
                let data = vec![i; usize::from(i)];
                format.push_noted(&mut file, 1_000_000_001_000, 200, &data, "-> ring:1");
            }
            let words = file.windows(9).filter(|w| *w == b"-> ring:1").count();
            assert_eq!(words, if format == Format::PcapNg { 10 } else { 0 });
            let mut reader = Reader::new(&file[..], "test").unwrap();
            for i in 0..10u8 {
                let packet = reader.next_packet().unwrap().unwrap();
                assert_eq!(packet.data, vec![i; usize::from(i)]);
                assert_eq!(packet.original_len, 200);
                assert_eq!(packet.timestamp_ns, Some(1_000_000_001_000));
            }
            assert!(reader.next_packet().unwrap().is_none());
        }
    }
}
