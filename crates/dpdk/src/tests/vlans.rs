//! VLAN tags of packets, however these lie in memory, against a plain model.

use dpdk_sys as ffi;
use testbed::Random;

use crate::mbuf::Mbuf;
use crate::testing::with_eal;
use crate::tests::copies::{assert_sums, content};
use crate::tests::stocked;
use crate::{BURST, Burst, PoolCache, audit};

/// What has to be put in, in the words of IEEE 802.1Q.
fn pushed(frame: &[u8], tci: u16) -> Vec<u8> {
    let mut out = frame.to_vec();
    match frame {
        [.., _] if frame.len() < 14 => {}
        [] => {}
        _ if frame[12..14] == [0x88, 0xa8] => {}
        _ if frame[12..14] == [0x81, 0x00] => {
            if frame.len() >= 18 {
                out[14..16].copy_from_slice(&tci.to_be_bytes());
            }
        }
        _ => {
            let [high, low] = tci.to_be_bytes();
            out.splice(12..12, [0x81, 0x00, high, low]);
        }
    }
    out
}

/// What is left when the tag is taken out.
fn popped(frame: &[u8]) -> Vec<u8> {
    let mut out = frame.to_vec();
    if frame.len() >= 18 && frame[12..14] == [0x81, 0x00] {
        out.drain(12..16);
        if frame.len() >= 60 {
            out.resize(out.len().max(60), 0);
        }
    }
    out
}

/// A frame of any kind.
fn frame(random: &mut Random) -> Vec<u8> {
    let len = match random.below(4) {
        0 => random.below(20),
        1 => 56 + random.below(12),
        2 => random.below(300),
        _ => random.of(&[14, 18, 60, 64, 1514, 1518, 2048, 4000]),
    };
    let mut bytes: Vec<u8> = (0..len).map(|_| random.below(256) as u8).collect();
    let types: &[u8] = random.of(&[
        &[0x08, 0x00][..],
        &[0x81, 0x00],
        &[0x81, 0x00],
        &[0x88, 0xa8, 0x00, 0x07, 0x81, 0x00],
        &[0x81, 0x00, 0x60, 0x65, 0x81, 0x00],
        &[0x91, 0x00],
    ]);
    for (at, byte) in (12..).zip(types) {
        if let Some(place) = bytes.get_mut(at) {
            *place = *byte;
        }
    }
    bytes
}

fn set_holders(m: Mbuf, holders: u16) {
    // SAFETY: an mbuf of this test, which nobody else sees; the offset is that of a u16.
    unsafe { *m.field(ffi::SPP_MBUF_REFCNT) = holders };
}

/// A packet with these bytes, in segments of these lengths and what is left, after so much headroom.
fn lay(bytes: &[u8], cuts: &[usize], headroom: u16, cache: &mut PoolCache) -> Burst {
    let mut burst = Burst::new();
    let mut at = 0;
    let mut parts: Vec<&[u8]> = Vec::new();
    for cut in cuts {
        let end = (at + cut).min(bytes.len());
        parts.push(&bytes[at..end]);
        at = end;
    }
    parts.extend(bytes[at..].chunks(2000));
    if parts.is_empty() {
        parts.push(&[]);
    }
    assert!(cache.balance());
    assert_eq!(cache.alloc(&mut burst, parts.len()), parts.len());
    let mbufs: Vec<Mbuf> = burst.mbufs().iter().map(|m| Mbuf(*m)).collect();
    for (i, (m, part)) in mbufs.iter().zip(&parts).enumerate() {
        // SAFETY: an mbuf of ours; the offset is that of a u16.
        unsafe { *m.field(ffi::SPP_MBUF_DATA_OFF) = headroom };
        let mut m = *m;
        m.fill(part.len()).unwrap().copy_from_slice(part);
        if i > 0 {
            mbufs[i - 1].link(m);
        }
    }
    mbufs[0].head_of(bytes.len() as u32, mbufs.len() as u16);
    burst.keep(1, bytes.len() as u64, mbufs.len() as u32);
    burst
}

#[test]
fn tags_are_as_in_a_plain_model_however_packets_lie() {
    with_eal(
        "tests::vlans::tags_are_as_in_a_plain_model_however_packets_lie",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            for seed in 0..400 {
                let mut random = Random(seed);
                let mut burst = Burst::new();
                let mut frames = Vec::new();
                // Packets that somebody else holds, too.
                let mut held: Vec<(Mbuf, Vec<u8>)> = Vec::new();
                // Within what is freed at once, with all the segments.
                for _ in 0..random.below(24) {
                    let bytes = frame(&mut random);
                    let cuts: Vec<usize> = match random.below(3) {
                        0 => Vec::new(),
                        1 => vec![random.below(20)],
                        _ => (0..random.below(6)).map(|_| random.below(10)).collect(),
                    };
                    let headroom = random.of(&[0, 1, 3, 4, 5, 8, 128]);
                    let mut one = lay(&bytes, &cuts, headroom, &mut cache);
                    let m = one.mbuf(0).unwrap();
                    if random.below(4) == 0 {
                        m.segments().for_each(|s| set_holders(s, 2));
                        held.push((m, bytes.clone()));
                    }
                    burst.append(&mut one);
                    frames.push(bytes);
                }
                assert_sums(&burst);
                for _ in 0..1 + random.below(3) {
                    cache.balance();
                    let tci = random.below(65536) as u16;
                    let lost = if random.below(2) == 0 {
                        frames.iter_mut().for_each(|f| *f = pushed(f, tci));
                        burst.push_vlan(tci, &mut cache)
                    } else {
                        frames.iter_mut().for_each(|f| *f = popped(f));
                        burst.pop_vlan(&mut cache)
                    };
                    assert_eq!((lost, burst.len()), (0, frames.len()));
                    for (i, frame) in frames.iter().enumerate() {
                        assert_eq!(&content(&burst, i), frame, "seed {seed}, packet {i}");
                    }
                    assert_sums(&burst);
                }
                burst.clear(&mut cache);
                for (m, bytes) in held {
                    let mut last = Burst::new();
                    last.push(m, m.pkt_len(), u32::from(m.nb_segs()));
                    assert_eq!(content(&last, 0), bytes, "seed {seed}");
                    last.clear(&mut cache);
                }
                cache.balance();
            }
            cache.flush();
            pool.stock(&lcore);
            assert_eq!(audit(&pool, &[]), crate::Audit::default());
        },
    );
}

#[test]
fn what_was_pushed_is_popped_again() {
    with_eal(
        "tests::vlans::what_was_pushed_is_popped_again",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let lens = [0, 13, 14, 55, 60, 61, 1514, 9000, 60_000];
            let mut burst = crate::tests::copies::packets(&lens, &mut cache);
            let before: Vec<Vec<u8>> = (0..lens.len()).map(|i| content(&burst, i)).collect();
            for round in 0..200 {
                assert_eq!(burst.push_vlan(0x6065, &mut cache), 0);
                assert_eq!(content(&burst, 4)[12..16], [0x81, 0x00, 0x60, 0x65]);
                assert_eq!(burst.pop_vlan(&mut cache), 0);
                let after: Vec<Vec<u8>> = (0..lens.len()).map(|i| content(&burst, i)).collect();
                assert!(before == after, "round {round}");
            }
            assert_sums(&burst);
        },
    );
}

#[test]
fn what_is_shared_is_copied_before_it_is_written() {
    with_eal(
        "tests::vlans::what_is_shared_is_copied_before_it_is_written",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let lens = [60, 300, 1514, 5000, 14, 2048];
            let mut burst = crate::tests::copies::packets(&lens, &mut cache);
            let plain: Vec<Vec<u8>> = (0..lens.len()).map(|i| content(&burst, i)).collect();
            let all = |burst: &Burst| (0..lens.len()).map(|i| content(burst, i)).collect();
            let with = |tci| plain.iter().map(|f| pushed(f, tci)).collect::<Vec<_>>();
            let mut outs = [Burst::new(), Burst::new()];
            burst.share_into(u64::MAX, &mut outs, None, &mut cache);
            assert!(burst.is_shared());
            let [mut one, mut other] = outs;
            assert_eq!(one.push_vlan(5, &mut cache), 0);
            let got: Vec<Vec<u8>> = all(&burst);
            assert!(got == plain && all(&one) == with(5) && all(&other) == plain);
            assert_eq!(burst.push_vlan(6, &mut cache), 0);
            assert!(all(&burst) == with(6) && all(&one) == with(5) && all(&other) == plain);
            // A tag that is shared is neither changed nor taken out for the others.
            let mut outs = [Burst::new(), Burst::new()];
            one.share_into(u64::MAX, &mut outs, None, &mut cache);
            assert_eq!(one.pop_vlan(&mut cache), 0);
            assert_eq!(outs[0].push_vlan(7, &mut cache), 0);
            assert!(all(&one) == plain && all(&outs[0]) == with(7) && all(&outs[1]) == with(5));
            [&burst, &one, &other, &outs[0], &outs[1]]
                .into_iter()
                .for_each(assert_sums);
            for burst in [&mut burst, &mut one, &mut other]
                .into_iter()
                .chain(&mut outs)
            {
                cache.balance();
                burst.clear(&mut cache);
            }
            cache.flush();
            pool.stock(&lcore);
            assert_eq!(audit(&pool, &[]), crate::Audit::default());
        },
    );
}

#[test]
fn without_mbufs_only_what_needs_one_is_lost() {
    with_eal(
        "tests::vlans::without_mbufs_only_what_needs_one_is_lost",
        |_, lcore| {
            let pool = stocked("p", &lcore);
            let mut cache = pool.cache(&lcore);
            let mut burst = Burst::new();
            let plain = |n: usize| vec![n as u8; 100];
            for n in 0..20 {
                let headroom = if n % 5 == 3 { 0 } else { 128 };
                burst.append(&mut lay(&plain(n), &[], headroom, &mut cache));
            }
            let mut held: Vec<Burst> = Vec::new();
            while cache.balance() {
                let mut more = Burst::new();
                if cache.alloc(&mut more, BURST) == 0 {
                    break;
                }
                held.push(more);
            }
            assert_eq!(burst.push_vlan(5, &mut cache), 4);
            assert_eq!(burst.len(), 16);
            for (i, n) in (0..20).filter(|n| n % 5 != 3).enumerate() {
                assert_eq!(content(&burst, i), pushed(&plain(n), 5));
            }
            assert_sums(&burst);
            drop((burst, held));
            cache.flush();
            pool.stock(&lcore);
            assert_eq!(audit(&pool, &[]), crate::Audit::default());
        },
    );
}
