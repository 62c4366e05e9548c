//! Frames through components, compared one by one with what the specification says.

use crate::bench::{Bench, assert_frames};
use crate::frames::{Frame, frame, mac};

const C_TAG: u16 = 0x8100;
const S_TAG: u16 = 0x88a8;
const BROADCAST: [u8; 6] = [0xff; 6];
const MULTICAST: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

/// Frames of all addresses, tags and lengths, many of them too short for what they announce.
fn mixture(count: u32) -> Vec<Frame> {
    let addresses = [mac(1), mac(2), mac(3), mac(9), BROADCAST, MULTICAST];
    let tags: [&[(u16, u16)]; 7] = [
        &[],
        &[(C_TAG, 100)],
        &[(C_TAG, 3 << 13 | 100)],
        &[(C_TAG, 200)],
        &[(C_TAG, 4095)],
        &[(S_TAG, 100)],
        &[(C_TAG, 100), (C_TAG, 200)],
    ];
    let lengths = [60, 64, 65, 128, 1514, 1518, 2048, 9018, 26, 60, 60];
    let one = |i: u32| {
        let pick = |n: usize, by: u32| {
            (i.wrapping_mul(2_654_435_761).wrapping_add(by * 40_503) >> 7) as usize % n
        };
        let dst = addresses[pick(addresses.len(), 1)];
        let tags = tags[pick(tags.len(), 2)];
        let mut one = frame(dst, mac(77), tags, i, lengths[pick(lengths.len(), 3)]);
        match i % 97 {
            // No whole Ethernet header; a header that breaks off within its tag.
            5 => one.truncate(13),
            6 => one.truncate(14),
            7 => one.truncate(17),
            _ => {}
        }
        one
    };
    (0..count).map(one).collect()
}

#[test]
fn a_forwarder_passes_every_frame_on_as_it_is() {
    let bench = Bench::vf();
    let frames = mixture(3000);
    bench.feed(1, &frames);
    bench.play("component start fwd 2 forward\nport add pcap:2 tx fwd");
    let status = bench.status();
    assert!(
        status.contains("- lacks: a port to receive from"),
        "{status}"
    );
    bench.play("port add pcap:1 rx fwd");
    bench.drained(1, frames.len());
    assert_frames(&bench.written(2), &frames, "forwarded");
    let status = bench.status();
    assert!(!status.contains("lacks"), "{status}");
    bench.panel.finish();
}

#[test]
fn a_merger_takes_from_all_and_keeps_the_order_of_each() {
    let bench = Bench::vf();
    let inputs: Vec<Vec<Frame>> = (0..4u8)
        .map(|n| {
            (0..800)
                .map(|i| frame(mac(1), mac(n), &[], i, 60 + n as usize))
                .collect()
        })
        .collect();
    bench.play("component start mgr 3 merge\nport add pcap:9 tx mgr");
    for (port, frames) in (1..).zip(&inputs) {
        bench.feed(port, frames);
        bench.play(&format!("port add pcap:{port} rx mgr"));
    }
    for port in 1..=4 {
        bench.drained(port, 800);
    }
    let out = bench.written(9);
    assert_eq!(out.len(), 3200);
    for (n, frames) in (0..).zip(&inputs) {
        let of: Vec<Frame> = out.iter().filter(|f| f[11] == n).cloned().collect();
        assert_frames(&of, frames, &format!("input {n}"));
    }
    bench.panel.finish();
}

/// A table: VLAN (`None` for untagged), address (`None` for the default), port.
type Table = Vec<(Option<u16>, Option<[u8; 6]>, u16)>;

/// VLAN and destination of a frame, as a classifier sees them; `None` if it has no whole header.
fn key(frame: &Frame) -> Option<(Option<u16>, [u8; 6])> {
    let dst = frame.get(..6)?.try_into().ok()?;
    let kind = u16::from_be_bytes(frame.get(12..14)?.try_into().ok()?);
    if kind != C_TAG {
        return Some((None, dst));
    }
    let tci = u16::from_be_bytes(frame.get(14..16)?.try_into().ok()?);
    frame.get(16..18)?;
    let vid = tci & 0xfff;
    // The reserved id means packets without a tag.
    Some(((vid != 4095).then_some(vid), dst))
}

/// Ports that get a frame, by the letter of the specification.
fn ports_of(table: &Table, frame: &Frame) -> Vec<u16> {
    let Some((vlan, dst)) = key(frame) else {
        return Vec::new();
    };
    let find = |vlan, mac| {
        let found = table.iter().find(|(v, m, _)| (*v, *m) == (vlan, mac));
        found.map(|(_, _, port)| *port)
    };
    let general = find(None, None);
    let of_vlan: Vec<u16> = table
        .iter()
        .filter(|(v, ..)| *v == vlan)
        .map(|e| e.2)
        .collect();
    if of_vlan.is_empty() {
        let fallback = general.filter(|_| vlan.is_some() || find(None, None).is_some());
        return fallback.into_iter().collect();
    }
    if let Some(port) = find(vlan, Some(dst)) {
        return vec![port];
    }
    if dst[0] & 1 == 1 {
        let mut all = of_vlan;
        all.extend(general.filter(|_| vlan.is_some()));
        all.sort_unstable();
        all.dedup();
        return all;
    }
    let fallback = find(vlan, None).or_else(|| general.filter(|_| vlan.is_some()));
    fallback.into_iter().collect()
}

fn classify(table: &Table) {
    let bench = Bench::vf();
    let frames = mixture(4000);
    bench.feed(1, &frames);
    let mut ports: Vec<u16> = table.iter().map(|entry| entry.2).collect();
    ports.sort_unstable();
    ports.dedup();
    bench.play("component start cls 4 classifier");
    for port in &ports {
        bench.play(&format!("port add pcap:{port} tx cls"));
    }
    for (vlan, mac, port) in table {
        let mac = mac.map_or("default".to_owned(), |mac| {
            mac.map(|b| format!("{b:02x}")).join(":")
        });
        bench.play(&match vlan {
            Some(id) => format!("classifier_table add vlan {id} {mac} pcap:{port}"),
            None => format!("classifier_table add mac {mac} pcap:{port}"),
        });
    }
    bench.play("port add pcap:1 rx cls");
    bench.drained(1, frames.len());
    for port in ports {
        let wanted: Vec<Frame> = frames
            .iter()
            .filter(|frame| ports_of(table, frame).contains(&port))
            .cloned()
            .collect();
        assert!(
            !wanted.is_empty(),
            "pcap:{port} gets something in this test"
        );
        assert_frames(&bench.written(port), &wanted, &format!("pcap:{port}"));
    }
    // What nobody got is counted.
    let nobody = frames
        .iter()
        .filter(|frame| ports_of(table, frame).is_empty());
    let cls = bench.panel.detail(1).components.remove(0);
    assert_eq!(cls.rx[0].counters.drops.total(), nobody.count() as u64);
    bench.panel.finish();
}

#[test]
fn a_classifier_without_defaults_drops_what_it_does_not_know() {
    classify(&vec![
        (None, Some(mac(1)), 11),
        (None, Some(mac(2)), 12),
        (Some(100), Some(mac(1)), 12),
        (Some(100), Some(mac(3)), 13),
        (Some(200), Some(mac(2)), 11),
    ]);
}

#[test]
fn defaults_of_vlans_and_of_untagged_packets_take_the_rest() {
    classify(&vec![
        (None, Some(mac(1)), 11),
        (None, None, 14),
        (Some(100), Some(mac(1)), 12),
        (Some(100), None, 13),
        // Without a default of its own.
        (Some(200), Some(mac(2)), 11),
    ]);
}

#[test]
fn groups_go_to_all_of_their_vlan_unless_they_have_an_entry() {
    classify(&vec![
        (None, Some(mac(1)), 11),
        (None, Some(MULTICAST), 12),
        (Some(100), Some(mac(1)), 11),
        (Some(100), Some(mac(2)), 12),
        (Some(100), Some(BROADCAST), 13),
        (Some(200), Some(mac(3)), 13),
        (Some(200), Some(mac(2)), 11),
    ]);
}

/// What `add_vlantag` makes of a frame.
fn tagged(frame: &Frame, tci: u16) -> Frame {
    let mut frame = frame.clone();
    match key_type(&frame) {
        Some(C_TAG) if frame.len() >= 18 => frame[14..16].copy_from_slice(&tci.to_be_bytes()),
        Some(C_TAG | S_TAG) | None => {}
        Some(_) => {
            let tag = [C_TAG.to_be_bytes(), tci.to_be_bytes()].concat();
            frame.splice(12..12, tag);
        }
    }
    frame
}

/// What `del_vlantag` makes of one: no shorter than an Ethernet frame may be, unless it was already.
fn untagged(frame: &Frame) -> Frame {
    let mut frame = frame.clone();
    if key_type(&frame) == Some(C_TAG) && frame.len() >= 18 {
        let before = frame.len();
        frame.drain(12..16);
        if before >= 60 {
            frame.resize(frame.len().max(60), 0);
        }
    }
    frame
}

fn key_type(frame: &Frame) -> Option<u16> {
    Some(u16::from_be_bytes(frame.get(12..14)?.try_into().ok()?))
}

#[test]
fn tags_are_put_in_changed_and_taken_out_on_both_sides() {
    let bench = Bench::vf();
    let frames = mixture(3000);
    for port in [1, 2, 3] {
        bench.feed(port, &frames);
    }
    bench.play(
        "component start push 2 forward
         component start pop 3 forward
         component start both 4 forward
         port add pcap:11 tx push add_vlantag 101 3
         port add pcap:12 tx pop
         port add pcap:13 tx both add_vlantag 7 0
         port add pcap:1 rx push
         port add pcap:2 rx pop del_vlantag
         port add pcap:3 rx both del_vlantag",
    );
    for port in [1, 2, 3] {
        bench.drained(port, frames.len());
    }
    let status = bench.status();
    for line in [
        "- tx: pcap:11 (vlan operation: add, id: 101, pcp: 3)",
        "- rx: pcap:2 (vlan operation: del)",
    ] {
        assert!(status.contains(line), "{line}: {status}");
    }
    let made = |make: &dyn Fn(&Frame) -> Frame| frames.iter().map(make).collect::<Vec<_>>();
    assert_frames(
        &bench.written(11),
        &made(&|f| tagged(f, 3 << 13 | 101)),
        "push",
    );
    assert_frames(&bench.written(12), &made(&untagged), "pop");
    assert_frames(
        &bench.written(13),
        &made(&|f| tagged(&untagged(f), 7)),
        "both",
    );

    // Another tag, with all eight words, while it is attached; anything else is a second use.
    bench.play("port add pcap:11 tx push add_vlantag 102 1");
    let status = bench.status();
    assert!(status.contains("add, id: 102, pcp: 1"), "{status}");
    assert!(
        bench
            .refused("port add pcap:11 tx push del_vlantag")
            .contains("port rxtx")
    );
    bench.panel.finish();
}

/// What a mirror makes of a frame.
type Copied<'a> = &'a dyn Fn(&Frame) -> Option<Frame>;

/// Whether a filter for the first address lets it through: what has no whole Ethernet header fulfils none.
fn wanted(frame: &Frame) -> bool {
    frame.len() >= 14 && frame.starts_with(&mac(1))
}

#[test]
fn a_mirror_copies_all_or_what_is_wanted_and_as_much_as_is_wanted() {
    let bench = Bench::mirror();
    let frames = mixture(3000);
    let rounds: [(&str, Copied); 5] = [
        ("copy shallow", &|f| Some(f.clone())),
        ("copy deep", &|f| Some(f.clone())),
        ("snap 64", &|f| Some(f[..f.len().min(64)].to_vec())),
        ("filter dst 02:00:00:00:00:01", &|f| {
            wanted(f).then(|| f[..f.len().min(64)].to_vec())
        }),
        ("snap off", &|f| wanted(f).then(|| f.clone())),
    ];
    bench.play("component start mir 2 mirror\nport add pcap:11 tx mir\nport add pcap:12 tx mir");
    bench.play("port add pcap:13 tx mir");
    let (mut main, mut copies) = (Vec::new(), Vec::new());
    for (port, (setting, copy)) in (1..).zip(rounds) {
        bench.feed(port, &frames);
        bench.play(&format!(
            "component set mir {setting}\nport add pcap:{port} rx mir"
        ));
        bench.drained(port, frames.len());
        bench.play(&format!("port del pcap:{port} rx mir"));
        main.extend(frames.iter().cloned());
        copies.extend(frames.iter().filter_map(copy));
        assert_frames(&bench.written(11), &main, &format!("main path, {setting}"));
        for port in [12, 13] {
            assert_frames(&bench.written(port), &copies, &format!("copies, {setting}"));
        }
    }
    let status = bench.status();
    assert!(
        status.contains("- filter dst 02:00:00:00:00:01"),
        "{status}"
    );
    let why = bench.refused("component set mir snap 3");
    assert!(why.contains("14 to 65535"), "{why}");
    let why = bench.refused("component set mir learn on");
    assert!(why.contains("a mirror has no learn"), "{why}");
    bench.panel.finish();
}

#[test]
fn a_classifier_learns_who_is_behind_its_ports() {
    let bench = Bench::vf();
    let from_guest: Vec<Frame> = (0..20).map(|i| frame(mac(9), mac(1), &[], i, 60)).collect();
    bench.feed(12, &from_guest);
    let to_guest: Vec<Frame> = (0..40)
        .map(|i| frame(mac(1 + (i % 2) as u8), mac(9), &[], i, 60))
        .collect();
    bench.feed(1, &to_guest);
    bench.play(
        "component start cls 2 classifier
         component start back 3 forward
         component set cls learn on 100
         port add pcap:11 tx cls
         port add pcap:12 tx cls
         classifier_table add mac default pcap:11
         port add pcap:2 tx back
         port add pcap:12 rx back",
    );
    let learned = || {
        bench
            .panel
            .ok("vf 1 classifier_table list")
            .contains("learned")
    };
    testbed::wait_until(
        "the address of the guest to be learned",
        crate::LIMIT,
        learned,
    );
    assert!(!bench.status().contains("02:00:00:00:00:01"));
    bench.play("port add pcap:1 rx cls");
    bench.drained(1, to_guest.len());
    let of = |last| {
        to_guest
            .iter()
            .filter(|f| f[5] == last)
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_frames(&bench.written(12), &of(1), "to the guest");
    assert_frames(&bench.written(11), &of(2), "to all others");
    bench.play("component set cls learn off");
    assert!(!learned());
    bench.panel.finish();
}
