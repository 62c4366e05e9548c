//! The expectation `packets`: captures that are sent, and those that have to arrive.

use std::path::Path;

use capfile::Writer;

use crate::network::Place;

/// A frame from h1 to h2 with a tag in front of what it carries, if it has one, and its number.
fn frame(tag: bool, number: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    if tag {
        frame.extend([0x81, 0, 0, 7]);
    }
    // A type for experiments (IEEE 802).
    frame.extend([0x88, 0xb5]);
    frame.resize(length, number);
    frame
}

fn write(path: &str, frames: &[Vec<u8>]) {
    let mut writer = Writer::create(Path::new(path)).expect("a capture file");
    for (time, frame) in (0..).zip(frames) {
        writer.write_packet(time, &[frame]).expect("a packet");
    }
    writer.flush().expect("all packets");
}

/// Two hosts and a link between them, and what is expected of it.
fn network(place: &Place, link: &str, expect: &str) -> String {
    place.file(&format!(
        "hosts: [h1, h2]
links:
  - {{link: [{{node: h1, mac: '02:00:00:00:00:01'}}, {{node: h2, mac: '02:00:00:00:00:02'}}]{link}}}
expect:
{expect}"
    ))
}

fn test(place: &Place, file: &str) -> String {
    place.lab(&["test", file, "--name", &place.name]).output
}

#[test]
fn packets_arrive_as_they_were_sent_or_it_is_said_what_is_missing() {
    let place = Place::new();
    let numbers = |numbers: &[u8]| -> Vec<Vec<u8>> {
        let frame =
            |number: &u8| frame(number.is_multiple_of(2), *number, 60 + usize::from(*number));
        numbers.iter().map(frame).collect()
    };
    write(&place.path("sent.pcap"), &numbers(&[1, 2, 3, 4]));
    write(&place.path("less.pcap"), &numbers(&[1, 3]));
    write(&place.path("turned.pcap"), &numbers(&[2, 1, 3, 4]));
    let mut other = numbers(&[1, 2, 3, 4]);
    other[2][40] = 9;
    write(&place.path("other.pcap"), &other);
    let file = network(
        &place,
        "",
        "  - packets: {send: sent.pcap, from: h1, to: h2}
  - packets: {send: sent.pcap, from: h1, to: 'h2:eth0', arrive: sent.pcap, only: true, limit: 200ms}
  - packets: {send: sent.pcap, from: h1, to: h2, arrive: less.pcap}
  - packets: {send: sent.pcap, from: h1, to: h2, arrive: less.pcap, only: true, limit: 200ms}
  - packets: {send: sent.pcap, from: h1, to: h2, arrive: turned.pcap}
  - packets: {send: sent.pcap, from: h1, to: h2, arrive: turned.pcap, unordered: true}
  - packets: {send: sent.pcap, from: h1, to: h2, arrive: other.pcap, limit: 200ms}
  - packets: {send: sent.pcap, from: h1, to: h2, arrive: false, limit: 200ms}
  - packets: {send: sent.pcap, from: h2, to: h1, arrive: other.pcap, limit: 200ms, name: something}
",
    );
    let text = test(&place, &file);
    for part in [
        "ok 1 - sent.pcap from h1 arrives at h2\nok 2 - sent.pcap from h1 arrives as sent.pcap at h2:eth0\nok 3 ",
        "\nnot ok 4 ",
        "2 packets arrived that are not expected, the first one with 62 bytes: 02 00 00 00 00 02 02 00",
        "\nnot ok 5 ",
        "packet 1 arrived after packet 2",
        "\nok 6 ",
        "\nnot ok 7 ",
        "1 of 4 packets have not arrived: 3; what is most like packet 3 has 63 of 63 bytes and from byte 40 on 03 03",
        "\nnot ok 8 - sent.pcap from h1 does not arrive at h2\n",
        "4 of 4 packets arrived",
        "\nnot ok 9 - something\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in:\n{text}");
    }
}

#[test]
fn many_packets_pass_a_panel_and_what_is_lost_there_is_counted() {
    let place = Place::new();
    let frames: Vec<Vec<u8>> = (0..=255).map(|number| frame(false, number, 200)).collect();
    write(&place.path("sent.pcap"), &frames);
    let expect = "  - packets: {send: sent.pcap, from: h1, to: h2, limit: 5s}\n";
    let text = test(&place, &network(&place, ", delay: 5ms", expect));
    assert!(text.contains("\nok 1 "), "{text}");
    let text = test(&place, &network(&place, ", loss: 20%, seed: 3", expect));
    assert!(text.contains("of 256 packets have not arrived: "), "{text}");
}

#[test]
fn what_cannot_be_sent_is_refused_with_its_number() {
    let place = Place::new();
    write(
        &place.path("sent.pcap"),
        &[frame(false, 1, 60), frame(false, 2, 3000)],
    );
    let expect = "  - packets: {send: sent.pcap, from: h1, to: h2}\n";
    let text = test(&place, &network(&place, "", expect));
    let refusal = "packet 2 of 3000 bytes cannot be sent at h1:eth0: ";
    assert!(text.contains(refusal), "{text}");
    assert_eq!(place.left(), Vec::<String>::new());
}
