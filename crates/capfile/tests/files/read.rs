//! Files of every kind, sound, cut off and hostile.

use std::io::Read;

use crate::encode::{
    Order, block, enhanced, interface, obsolete, option, pcap_header, pcap_record, section, simple,
};
use capfile::{Error, Fault, Format, MAX_PACKET, Reader, Writer};
use proptest::prelude::*;

const ORDERS: [Order; 2] = [Order::Little, Order::Big];

/// A packet as it was read: data, length on the wire, time, interface.
type Packet = (Vec<u8>, u32, Option<u64>, u32);

/// What can be read, and the error that ended it.
fn read(file: impl Read) -> (Vec<Packet>, Option<Error>) {
    let mut packets = Vec::new();
    let mut reader = match Reader::new(file, "file") {
        Ok(reader) => reader,
        Err(e) => return (packets, Some(e)),
    };
    loop {
        match reader.next_packet() {
            Ok(Some(p)) => {
                packets.push((p.data.to_vec(), p.original_len, p.timestamp_ns, p.interface));
            }
            Ok(None) => {
                assert!(
                    reader.next_packet().unwrap().is_none(),
                    "the end must stay the end"
                );
                return (packets, None);
            }
            Err(e) => {
                let again = reader.next_packet().unwrap_err();
                assert!(
                    matches!(again.fault, Fault::Stopped),
                    "an error must not become an end"
                );
                return (packets, Some(e));
            }
        }
    }
}

fn whole(file: &[u8]) -> Vec<Packet> {
    let (packets, error) = read(file);
    assert!(error.is_none(), "{error:?}");
    packets
}

fn refused(file: &[u8]) -> Error {
    read(file).1.unwrap()
}

/// Gives one byte at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(&mut buffer[..1])
    }
}

#[test]
fn classic_files_in_both_orders_and_resolutions() {
    for order in ORDERS {
        for (nanos, part, expected) in [
            (false, 123_456, 123_456_000),
            (true, 123_456_789, 123_456_789),
        ] {
            let mut file = pcap_header(order, nanos, 1);
            file.extend(pcap_record(order, 5, part, b"first", 5));
            file.extend(pcap_record(order, u32::MAX, 0, b"cut", 1500));
            file.extend(pcap_record(order, 0, 0, b"", 0));
            let packets = whole(&file);
            assert_eq!(
                packets[0],
                (b"first".to_vec(), 5, Some(5_000_000_000 + expected), 0)
            );
            assert_eq!(
                packets[1],
                (b"cut".to_vec(), 1500, Some(4_294_967_295_000_000_000), 0)
            );
            assert_eq!(packets[2], (Vec::new(), 0, Some(0), 0));
            assert_eq!(packets.len(), 3);
            assert_eq!(Reader::new(&file[..], "x").unwrap().format(), Format::Pcap);
            assert_eq!(read(Trickle(&file)).0, packets);
        }
    }
}

/// Every kind of block, in two sections of different byte order.
fn rich(orders: [Order; 2]) -> Vec<u8> {
    let mut file = Vec::new();
    for order in orders {
        file.extend(section(order));
        file.extend(block(order, 0x0bad, &[1; 333]));
        let mut nanos = option(order, 2, b"eth0");
        nanos.extend(option(order, 9, &[9]));
        nanos.extend(option(order, 0, b""));
        file.extend(interface(order, 1, 4, &nanos));
        file.extend(interface(order, 1, 0, &[]));
        file.extend(interface(order, 1, 0, &option(order, 9, &[0x80 | 10])));
        file.extend(enhanced(order, 0, 7_000_000_001, b"one", 100));
        file.extend(block(order, 5, &[0; 20]));
        file.extend(enhanced(order, 1, 7_000_001, b"twotwo", 6));
        file.extend(enhanced(order, 2, 7 * 1024 + 512, b"three", 5));
        file.extend(simple(order, b"four", 9));
        file.extend(obsolete(order, 1, 3, b"five!"));
    }
    file
}

#[test]
fn pcapng_with_many_sections_interfaces_and_blocks() {
    for orders in [ORDERS, [Order::Big, Order::Little]] {
        let file = rich(orders);
        let packets = whole(&file);
        let section = [
            (b"one".to_vec(), 100, Some(7_000_000_001), 0),
            (b"twotwo".to_vec(), 6, Some(7_000_001_000), 1),
            (b"three".to_vec(), 5, Some(7_500_000_000), 2),
            (b"four".to_vec(), 9, None, 0),
            (b"five!".to_vec(), 5, Some(3_000), 1),
        ];
        assert_eq!(packets, [&section[..], &section[..]].concat());
        assert_eq!(read(Trickle(&file)).0, packets);
        assert_eq!(
            Reader::new(&file[..], "x").unwrap().format(),
            Format::PcapNg
        );
    }
}

#[test]
fn timestamps_that_do_not_fit_become_the_nearest() {
    let order = Order::Little;
    let time = |options: Vec<u8>, time| {
        let file = [section(order), interface(order, 1, 0, &options)].concat();
        whole(&[file, enhanced(order, 0, time, b"x", 1)].concat())[0]
            .2
            .unwrap()
    };
    let resol = |value| option(order, 9, &[value]);
    assert_eq!(time(resol(0), 3), 3_000_000_000);
    assert_eq!(time(resol(0), u64::MAX), u64::MAX);
    assert_eq!(time(resol(12), 5_000_000), 5_000);
    assert_eq!(time(resol(127), u64::MAX), 0);
    assert_eq!(time(resol(255), u64::MAX), 0);
    let shifted = |by: i64| [resol(9), option(order, 14, &by.to_le_bytes())].concat();
    assert_eq!(time(shifted(2), 1), 2_000_000_001);
    assert_eq!(time(shifted(-1), 3_000_000_000), 2_000_000_000);
    assert_eq!(time(shifted(i64::MIN), 1), 0);
    assert_eq!(time(shifted(i64::MAX), 1), u64::MAX);
}

/// Cuts a file at every byte: what is read is a beginning of the whole, and only at `ends` it is
/// the end of a file.
fn cut_everywhere(file: &[u8], ends: &[usize]) {
    let packets = whole(file);
    for length in 0..file.len() {
        let (got, error) = read(&file[..length]);
        assert_eq!(got[..], packets[..got.len()], "cut at {length}");
        match error {
            None => assert!(ends.contains(&length), "cut at {length} passed for the end"),
            Some(e) => {
                assert!(!ends.contains(&length), "cut at {length}: {e}");
                assert!(
                    matches!(e.fault, Fault::Truncated { .. } | Fault::Empty),
                    "{length}: {e}"
                );
                assert!(e.offset <= length as u64);
            }
        }
    }
}

#[test]
fn a_cut_at_any_byte_is_an_error_and_never_an_end() {
    for order in ORDERS {
        let mut file = pcap_header(order, false, 1);
        let mut ends = vec![file.len()];
        for length in [60, 0, 1, 77] {
            file.extend(pcap_record(order, 1, 1, &vec![9; length], length as u32));
            ends.push(file.len());
        }
        cut_everywhere(&file, &ends);
    }
    for orders in [ORDERS, [Order::Big, Order::Little]] {
        let file = rich(orders);
        // The ends of blocks, found by their lengths.
        let (mut ends, mut at) = (Vec::new(), 0);
        while at < file.len() {
            let length: [u8; 4] = file[at + 4..at + 8].try_into().unwrap();
            at += u32::from_le_bytes(length).min(u32::from_be_bytes(length)) as usize;
            ends.push(at);
        }
        cut_everywhere(&file, &ends);
    }
}

#[test]
fn errors_name_the_file_the_place_and_the_reason() {
    let order = Order::Little;
    let sec = section(order);
    let eth = [sec.clone(), interface(order, 1, 0, &[])].concat();
    let with = |tail: Vec<u8>| [eth.clone(), tail].concat();
    let at = |offset: usize| format!("file, byte {offset}: ");
    let mut bad_tail = enhanced(order, 0, 0, b"x", 1);
    let last = bad_tail.len() - 4;
    bad_tail[last] ^= 4;
    let mut no_order = sec.clone();
    no_order[8] = 0;
    let mut version = pcap_header(order, false, 1);
    version[4] = 3;
    let mut fcs = pcap_header(order, false, 1);
    fcs[23] = 0x24;
    let mut long = pcap_header(order, false, 1);
    long.extend(order.u32(0).repeat(2));
    long.extend(order.u32(MAX_PACKET as u32 + 1).repeat(2));
    let mut long_ng = enhanced(order, 0, 0, &[0; 8], 8);
    long_ng[20..24].copy_from_slice(&order.u32(MAX_PACKET as u32 + 1));
    let mut beyond = enhanced(order, 0, 0, &[0; 8], 8);
    beyond[20..24].copy_from_slice(&order.u32(1000));
    let mut odd = block(order, 99, b"1234");
    odd[4] = 17;
    let mut tiny = block(order, 99, b"");
    tiny[4] = 8;
    let option_beyond = interface(order, 1, 0, &[2, 0, 0xff, 0xff]);
    let many = [sec.clone(), interface(order, 1, 0, &[]).repeat(4097)].concat();
    let many_at = many.len() - interface(order, 1, 0, &[]).len();
    let cases = [
        (Vec::new(), at(0) + "the file is empty"),
        (
            b"GET / HTTP".to_vec(),
            at(0) + "not a pcap or pcapng file: it begins with [47, 45, 54",
        ),
        (vec![0x1f, 0x8b, 8, 0, 0], "unpack it first".into()),
        (
            vec![0xd4, 0xc3],
            at(0) + "the file is cut off: the file's first number needs 2 more",
        ),
        (version, at(4) + "pcap version 3.4"),
        (
            pcap_header(order, false, 113),
            at(20) + "link type 113 is not read, only Ethernet (1)",
        ),
        (fcs, at(20) + "the frames carry their FCS"),
        (long, at(24) + "a packet of 262145 bytes"),
        (
            no_order,
            at(8) + "a section header without a byte-order magic",
        ),
        (
            [&sec[..], &interface(order, 113, 0, &[])].concat(),
            at(sec.len() + 8) + "link type 113",
        ),
        (
            [&sec[..], &enhanced(order, 0, 0, b"", 0)].concat(),
            at(sec.len()) + "a packet of interface 0",
        ),
        (
            with(enhanced(order, 1, 0, b"x", 1)),
            at(eth.len()) + "a packet of interface 1, but",
        ),
        (with(long_ng), at(eth.len()) + "a packet of 262145 bytes"),
        (
            with(beyond),
            "a packet has a length of 1000, which cannot be".into(),
        ),
        (
            with(bad_tail.clone()),
            at(eth.len() + last) + "a block's second length has a length",
        ),
        (with(odd), at(eth.len() + 4) + "a block has a length of 17"),
        (with(tiny), at(eth.len() + 4) + "a block has a length of 8"),
        (
            with(block(order, 6, b"short")),
            at(eth.len()) + "a packet's block has a length of 20",
        ),
        (
            [&sec[..], &option_beyond].concat(),
            "an option has a length of 65536".into(),
        ),
        (
            [&sec[..], &interface(order, 1, 0, &option(order, 13, &[4]))].concat(),
            "FCS".into(),
        ),
        (
            many,
            at(many_at) + "a section with more than 4096 interfaces",
        ),
    ];
    for (file, expected) in cases {
        let error = refused(&file).to_string();
        assert!(
            error.contains(&expected),
            "{error}\nshould contain\n{expected}"
        );
    }
    assert!(
        Reader::open("/no/such/file".as_ref())
            .err()
            .unwrap()
            .to_string()
            .contains("/no/such")
    );
    assert!(
        Reader::open("/".as_ref()).is_err(),
        "a folder is no capture file"
    );
}

#[test]
fn a_bad_link_type_shows_at_opening_even_behind_other_blocks() {
    let order = Order::Big;
    let file = [
        section(order),
        block(order, 99, &[0; 500_000]),
        interface(order, 113, 0, &[]),
    ];
    assert!(Reader::new(&file.concat()[..], "x").is_err());
    assert!(
        whole(&section(order)).is_empty(),
        "no interface and no packet is a valid file"
    );
}

#[test]
fn the_longest_packet_passes() {
    let data: Vec<u8> = (0..MAX_PACKET).map(|n| n as u8).collect();
    let order = Order::Little;
    let mut classic = pcap_header(order, false, 1);
    let mut ng = [section(order), interface(order, 1, 0, &[])].concat();
    for _ in 0..5 {
        classic.extend(pcap_record(order, 1, 1, &data, MAX_PACKET as u32));
        ng.extend(enhanced(order, 0, 1, &data, MAX_PACKET as u32));
    }
    for file in [classic, ng] {
        let packets = whole(&file);
        assert_eq!(packets.len(), 5);
        assert!(packets.iter().all(|packet| packet.0 == data));
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        packets in prop::collection::vec(
            (0..4_000_000_000_000_000_000u64, prop::collection::vec(any::<u8>(), 0..2000), 0usize..2000),
            0..50,
        )
    ) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.pcap");
        let mut writer = Writer::create(&path).unwrap();
        for (time, data, cut) in &packets {
            let (head, tail) = data.split_at((*cut).min(data.len()));
            writer.write_packet(*time, &[head, tail]).unwrap();
        }
        prop_assert_eq!(writer.packets(), packets.len() as u64);
        drop(writer);
        let expected: Vec<Packet> = packets
            .into_iter()
            .map(|(time, data, _)| (data.clone(), data.len() as u32, Some(time / 1000 * 1000), 0))
            .collect();
        let (got, error) = read(std::fs::File::open(&path).unwrap());
        prop_assert!(error.is_none());
        prop_assert_eq!(got, expected);
    }

    /// Damaged in a few places: packets, an end or an error, but never a panic or a hang.
    #[test]
    fn damage_never_panics(
        ng in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut file = if ng { rich(ORDERS) } else {
            let mut file = pcap_header(Order::Big, true, 1);
            (0..20).for_each(|n| file.extend(pcap_record(Order::Big, n, n, &[1; 33], 40)));
            file
        };
        for (place, value) in changes {
            let place = place.index(file.len());
            file[place] = value;
        }
        let (packets, _) = read(&file[..]);
        prop_assert!(packets.iter().all(|packet| packet.0.len() <= MAX_PACKET));
    }

    #[test]
    fn noise_never_panics(kind in 0..3usize, noise in prop::collection::vec(any::<u8>(), 0..300)) {
        let start = [Vec::new(), pcap_header(Order::Little, false, 1), section(Order::Little)];
        read(&[start[kind].clone(), noise].concat()[..]);
    }
}
