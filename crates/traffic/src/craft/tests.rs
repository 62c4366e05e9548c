//! Frames by description: bytes, repeatability, damage.

use super::*;
use crate::frame::MODULUS;
use proptest::prelude::*;

fn craft(packet: &str, size: &str, seed: u64, scope: Scope) -> Craft {
    let (packet, sizes) = (packet.parse().unwrap(), size.parse().unwrap());
    Craft::new(3, &packet, &sizes, seed, scope).unwrap()
}

fn frame(craft: &Craft, sequence: u64) -> Vec<u8> {
    let mut room = vec![0xee; 9600];
    let stamp = Stamp {
        sequence,
        time_ns: 77,
    };
    let size = craft.write_into(&mut room, stamp).unwrap();
    room.truncate(size);
    room
}

#[test]
fn fields_have_their_values_in_their_places() {
    let text = "eth(dst=52:54:00:00:00:01-52:54:00:00:00:02)/vlan(id=100-110,pcp=5)/ipv4(src=10.0.0.254-10.0.1.1,dst=10.9.8.7,ttl=9,dscp=46)/udp(dport=65535)";
    let craft = craft(text, "64-66", 1, Scope::Frame);
    let made = frame(&craft, 1);
    assert_eq!(made[..6], [0x52, 0x54, 0, 0, 0, 2]);
    assert_eq!(made[12..18], [0x81, 0, 0xa0, 101, 8, 0]);
    assert_eq!(made[18..22], [0x45, 46 << 2, 0, 65 - 18]);
    assert_eq!(made[26..28], [9, 17]);
    assert_eq!(made[30..38], [10, 0, 0, 255, 10, 9, 8, 7]);
    assert_eq!(made[40..44], [0xff, 0xff, 0, 65 - 38]);
    // The third address is 10.0.1.0, and the sixth frame has the second one again.
    assert_eq!(frame(&craft, 2)[30..34], [10, 0, 1, 0]);
    assert_eq!(frame(&craft, 5)[30..34], [10, 0, 0, 255]);
    assert_eq!(frame(&craft, 0).len(), 64);
}

#[test]
fn the_seed_decides_what_is_random() {
    let text = "eth(src=random)/ipv6(dst=random,label=random)/tcp(seq=random)";
    let made = |seed| {
        let craft = craft(text, "random(100-900)", seed, Scope::Frame);
        (0..50).map(|k| frame(&craft, k)).collect::<Vec<_>>()
    };
    assert_eq!(made(5), made(5));
    assert_ne!(made(5), made(6));
    assert!(
        made(5)
            .iter()
            .all(|frame| frame[6] == 2 && frame[38..42] == [0x20, 1, 0x0d, 0xb8])
    );
}

#[test]
fn sizes_without_room_are_refused_with_what_they_need() {
    let (packet, sizes) = (
        "eth/vlan/ipv6/tcp".parse().unwrap(),
        "64-200".parse().unwrap(),
    );
    let refused = Craft::new(0, &packet, &sizes, 1, Scope::Frame)
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("64 bytes") && refused.contains("at least 96"),
        "{refused}"
    );
    assert_eq!(least_size(&packet), 96);
    assert_eq!(least_size(&Packet::usual()), 60);
}

#[test]
fn changed_headers_show_unless_only_the_payload_counts() {
    let text = "eth/ipv4/udp";
    let mut made = frame(&craft(text, "100", 1, Scope::Frame), 9);
    let read = |scope, frame: &[u8]| {
        craft(text, "100", 1, scope)
            .read(frame)
            .map(|stamp| stamp.sequence)
    };
    assert_eq!(read(Scope::Frame, &made), Some(9));
    made[22] -= 1;
    assert_eq!(
        (read(Scope::Frame, &made), read(Scope::Payload, &made)),
        (None, Some(9))
    );
    let mut tagged = made.clone();
    tagged.splice(12..12, [0x81, 0, 0, 1]);
    assert_eq!(
        (read(Scope::Frame, &tagged), read(Scope::Payload, &tagged)),
        (None, Some(9))
    );
    made[42] ^= 1;
    assert_eq!(read(Scope::Payload, &made), None);
}

fn packets() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "eth",
        "eth(type=random,dst=random)/vlan(id=1-5)/vlan",
        "eth/ipv4(src=10.0.0.1-10.0.0.254,dst=random,ttl=1-9,dscp=random,id=random)/udp(dport=random,sport=5-9)",
        "eth/vlan(pcp=random)/ipv4(dst=random)/tcp(seq=random,ack=0-3,flags=0-255,window=random)",
        "eth/ipv4(proto=random,ecn=random)",
        "eth/ipv4(src=random)/icmp(type=8,code=0-3,id=random,seq=0-65535)",
        "eth/ipv6(src=random,dst=fd00::1-fd00::ffff,hops=random,dscp=random,label=random)/udp(sport=random)",
        "eth/vlan/ipv6(dst=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff)/icmp(seq=random)",
    ])
}

proptest! {
    #[test]
    fn what_was_written_is_read_and_no_damaged_bit_hides(
        packet in packets(), size in 110..400usize, sequence in 0..MODULUS, time_ns in 0..MODULUS,
        place in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        let mut craft = craft(packet, &size.to_string(), 4, Scope::Frame);
        let stamp = Stamp { sequence, time_ns };
        let mut room = vec![0; size];
        prop_assert_eq!(craft.write_into(&mut room, stamp), Ok(size));
        prop_assert_eq!(craft.read(&room), Some(stamp));
        prop_assert_eq!(mark::flow_of(&room), Some(3));
        room[place.index(size)] ^= 1u8 << bit;
        prop_assert_eq!(craft.read(&room), None);
    }
}
