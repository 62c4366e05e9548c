//! Workers that share and free packets as fast as they can, and are killed at any time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use testbed::Random;

use crate::tests::copies::{content, pattern};
use crate::tests::stepper::{BYSTANDER, STEPPED, begin, with_mould};
use crate::{Audit, BURST, Burst, Kept, Lcore, Orphans, Pool, PoolCache, Ring, audit, recover};

const MBUFS: u32 = 4096;
const ROOM: usize = 2048;
const KILLS: u32 = 400;
/// A killed worker has run this long at most, in microseconds.
const LONGEST: usize = 3000;
/// Frames begin with their seed and their length.
const HEAD: usize = 8;
/// Bursts that a worker keeps for a while.
const KEPT: usize = 6;

/// A frame whose every byte follows from its first ones.
pub fn frame(random: &mut Random) -> Vec<u8> {
    let lengths = [60, 64, 200, 256, 300, 700, 1518, 1518, 2048, 2100, 5000];
    let (seed, len) = (random.below(1 << 31) as u32, random.of(&lengths));
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend((len as u32).to_le_bytes());
    bytes.extend(pattern(seed, len - HEAD));
    bytes
}

pub fn assert_intact(burst: &Burst) {
    for i in 0..burst.len() {
        let bytes = content(burst, i);
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let (seed, len) = (word(0), word(4) as usize);
        assert!(
            bytes.len() == len && bytes[HEAD..] == pattern(seed, len - HEAD),
            "a frame of {len} bytes with seed {seed:#x} has {} others",
            bytes.len()
        );
    }
}

/// What a worker does with packets that it holds: it looks at them, and frees them as they are, or as its own.
fn finish(mut burst: Burst, random: &mut Random, cache: &mut PoolCache) {
    assert_intact(&burst);
    if random.below(3) == 0 && burst.unshare(cache) == burst.len() {
        assert!(!burst.is_shared());
        assert_intact(&burst);
    }
    burst.clear(cache);
    cache.balance();
}

/// Shares packets with who receives from the ring, until it is told to stop.
fn produce(pool: &Pool, ring: &Ring, lcore: &Lcore, seed: u32, mut goes_on: impl FnMut() -> bool) {
    let mut random = Random(u64::from(seed));
    let mut cache = pool.cache(lcore);
    let mut kept: VecDeque<Burst> = VecDeque::new();
    while goes_on() {
        cache.balance();
        let mut burst = Burst::new();
        for i in 0..1 + random.below(16) {
            if cache.alloc(&mut burst, 1) != 1 {
                break;
            }
            if !burst.write_frame(i, &frame(&mut random), &mut cache, ROOM) {
                burst.drop_last();
                break;
            }
        }
        cache.balance();
        let mut outs = [Burst::new(), Burst::new()];
        let outs = &mut outs[..1 + random.below(2)];
        burst.share_from(256, u64::MAX, outs, None, &mut cache);
        ring.producer().send(lcore, &cache, &mut outs[0], true);
        outs[0].clear(&mut cache);
        cache.balance();
        kept.push_back(burst);
        kept.extend(outs.iter_mut().skip(1).map(std::mem::take));
        while kept.len() > KEPT {
            let at = random.below(KEPT);
            if let Some(burst) = kept.remove(at) {
                finish(burst, &mut random, &mut cache);
            }
        }
    }
    kept.into_iter()
        .for_each(|burst| finish(burst, &mut random, &mut cache));
    cache.flush();
}

/// Receives what others share, until it is told to stop and nothing is left; counts it.
fn consume(
    pool: &Pool,
    ring: &Ring,
    lcore: &Lcore,
    seed: u32,
    count: &AtomicU64,
    mut goes_on: impl FnMut() -> bool,
) {
    let mut random = Random(u64::from(seed));
    let mut cache = pool.cache(lcore);
    let mut kept: VecDeque<Burst> = VecDeque::new();
    loop {
        let last = !goes_on();
        cache.balance();
        let mut burst = Burst::new();
        let n = ring.consumer().receive(lcore, cache.owner(), &mut burst);
        count.fetch_add(n as u64, Ordering::Relaxed);
        if n > 0 {
            kept.push_back(burst);
        } else if last {
            break;
        }
        // Who has nothing to receive holds what it has.
        while n > 0 && kept.len() > random.below(KEPT) {
            let at = random.below(kept.len());
            if let Some(burst) = kept.remove(at) {
                finish(burst, &mut random, &mut cache);
            }
        }
    }
    kept.into_iter()
        .for_each(|burst| finish(burst, &mut random, &mut cache));
    cache.flush();
}

/// What a worker is told from outside.
#[derive(Default)]
struct Told {
    stop: AtomicBool,
    /// Stand still, with what you hold.
    hold: AtomicBool,
}

impl Told {
    fn goes_on(&self) -> bool {
        while self.hold.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
        !self.stop.load(Ordering::Relaxed)
    }
}

/// Kills the worker at one end of a ring again and again while the other end goes on.
fn storm(name: &str, cpu: usize, producer_dies: bool) {
    let received = Arc::new(AtomicU64::new(0));
    let counted = received.clone();
    let work = move |pool: Pool, ring: Ring, lcore: &Lcore, producer, seed, told: &Told| {
        let goes_on = || told.goes_on();
        if producer {
            produce(&pool, &ring, lcore, seed, goes_on);
        } else {
            consume(&pool, &ring, lcore, seed, &counted, goes_on);
        }
    };
    let works = work.clone();
    with_mould(
        name,
        cpu,
        |eal, lcore, mould| {
            let pool = Pool::create("p", MBUFS, (ROOM + 128) as u16).unwrap();
            assert_eq!(pool.stock(&lcore), MBUFS);
            let ring = Ring::create("r", 256).unwrap();
            let (ended, end) = channel();
            let told = Arc::new(Told::default());
            let survivor = told.clone();
            eal.launch(BYSTANDER, move |other| {
                works(pool, ring, &other, !producer_dies, 1, &survivor);
                ended.send(()).unwrap();
            })
            .unwrap();
            let mut mould = mould();
            let mut orphans = Orphans::default();
            let mut random = Random(7);
            let (mut recovered, mut outlived) = (0, 0);
            for kill in 0..KILLS {
                let child = mould.cast(&kill.to_string());
                child.run();
                // Not waits for anything: any instant will do.
                let mut a_while =
                    || std::thread::sleep(Duration::from_micros(random.below(LONGEST) as u64));
                a_while();
                if kill % 2 == 0 {
                    // However fast the survivor is: in every other case it holds what is shared with the dead.
                    told.hold.store(true, Ordering::Relaxed);
                    if producer_dies {
                        a_while();
                    }
                }
                child.kill();
                ring.mend(producer_dies);
                let found = recover(&pool, &[ring], STEPPED, Kept::Nowhere, &mut orphans, &lcore);
                assert_eq!(found.left, 0);
                recovered += found.mbufs;
                outlived += u32::from(!orphans.is_empty());
                told.hold.store(false, Ordering::Relaxed);
            }
            mould.finish();
            told.stop.store(true, Ordering::Relaxed);
            end.recv_timeout(Duration::from_secs(60)).unwrap();
            if !producer_dies {
                // Nobody is left to receive it but us.
                consume(&pool, &ring, &lcore, 3, &received, || false);
            }
            orphans.look(&pool, &lcore);
            assert!(orphans.is_empty());
            pool.stock(&lcore);
            assert_eq!(audit(&pool, &[ring]), Audit::default());
            assert_eq!(pool.free(), MBUFS);
            let received = received.load(Ordering::Relaxed);
            println!(
                "{KILLS} kills: {recovered} mbufs recovered; after {outlived} kills others still shared with the dead; \
                 {received} packets received here"
            );
            assert!(
                recovered > KILLS && outlived > 0,
                "nothing was held at the kills"
            );
        },
        |lcore, asked| {
            let (pool, ring) = (Pool::lookup("p").unwrap(), Ring::lookup("r").unwrap());
            asked.serve(|kill| {
                begin();
                let seed = kill.parse::<u32>().unwrap_or(0).wrapping_mul(2_654_435_761);
                work(pool, ring, lcore, producer_dies, seed, &Told::default());
            });
        },
    );
}

#[test]
fn killing_who_shares_packets_costs_nothing() {
    storm(
        "tests::storm::killing_who_shares_packets_costs_nothing",
        0,
        true,
    );
}

#[test]
fn killing_who_receives_shared_packets_costs_nothing() {
    storm(
        "tests::storm::killing_who_receives_shared_packets_costs_nothing",
        1,
        false,
    );
}

const _: () = assert!(BURST >= 16);
