//! Cycles that a packet costs when it is copied, and when it is shared: made for one more destination or three, and freed by all.
//!
//! `cargo run --release -p dpdk --example share_cost`. Once with packets that are in the CPU's nearest cache, and once with packets that were
//! written a while ago, as are those that come from another CPU.

#![allow(clippy::print_stdout)]

use std::collections::VecDeque;

use dpdk::{Burst, Eal, EalConfig, Pool, PoolCache, ProcessType, tsc};

/// Packets in a burst.
const PACKETS: usize = 32;
const ROUNDS: usize = 5_000;
/// Bursts that lie between writing one and sharing it: 4 MB of long frames.
const AGE: usize = 80;

/// The median of the rounds, in cycles a packet.
fn median(mut cycles: Vec<u64>) -> u64 {
    cycles.sort_unstable();
    cycles[cycles.len() / 2] / PACKETS as u64
}

fn measure(cache: &mut PoolCache, len: usize, more: usize, share: bool, age: usize) -> u64 {
    let mut outs = [Burst::new(), Burst::new(), Burst::new()];
    let mut cycles = Vec::with_capacity(ROUNDS);
    let mut waiting = VecDeque::new();
    while cycles.len() < ROUNDS {
        cache.balance();
        let mut burst = Burst::new();
        for i in 0..PACKETS {
            cache.alloc(&mut burst, 1);
            burst.write_frame(i, &[0; 9018][..len], cache, 2048);
        }
        waiting.push_back(burst);
        if waiting.len() <= age {
            continue;
        }
        let Some(mut burst) = waiting.pop_front() else {
            continue;
        };
        cache.balance();
        let before = tsc();
        if share {
            burst.share_into(u64::MAX, &mut outs[..more], None, cache);
        } else {
            for out in &mut outs[..more] {
                burst.copy_into(u64::MAX, out, None, cache);
            }
        }
        for out in &mut outs[..more] {
            out.clear(cache);
        }
        burst.clear(cache);
        cycles.push(tsc().wrapping_sub(before));
    }
    for burst in &mut waiting {
        burst.clear(cache);
    }
    median(cycles)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let prefix = format!("share-cost-{}", std::process::id());
    let mut config = EalConfig::new(ProcessType::Primary, &prefix, vec![(0, 0)]);
    config.private_memory = true;
    config.memory_mb = Some(128);
    let (_eal, lcore) = Eal::init(&config)?;
    let pool = Pool::create("p", 4096, 2176)?;
    pool.stock(&lcore);
    let mut cache = pool.cache(&lcore);
    for age in [0, AGE] {
        println!(
            "bytes  copied x1  shared x1  copied x3  shared x3   (cycles a packet, {age} bursts later)"
        );
        for len in [64, 128, 200, 256, 300, 400, 512, 768, 1024, 1518, 2048] {
            let cost = |more, share, cache: &mut PoolCache| measure(cache, len, more, share, age);
            println!(
                "{len:5}  {:9}  {:9}  {:9}  {:9}",
                cost(1, false, &mut cache),
                cost(1, true, &mut cache),
                cost(3, false, &mut cache),
                cost(3, true, &mut cache)
            );
        }
    }
    Ok(())
}
