//! A worker that is killed, or stopped, at each single instruction of what moves mbufs.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::burst::{BURST, Burst};
use crate::mbuf::Mbuf;
use crate::tests::operations::{
    CACHE, Does, MAGAZINES, MBUFS, OPERATIONS, Operation, RING, RINGS, ROOM, SHARED, SHARES, drain,
    operate, packets, shared,
};
use crate::tests::stepper::{BYSTANDER, Mould, STEPPED, choose, with_mould};
use crate::{Eal, Kept, Lcore, Orphans, Pool, Ring, audit, recover};

/// Within it the bystander does its work, or it waits for the stopped one.
const LIMIT: Duration = Duration::from_secs(10);
/// Between two kills before which the others go on: a prime, so as to meet all instructions of a loop.
const STOPPED: usize = 7;
/// Between two kills before which the remaining instructions are counted.
const COUNTED: usize = 101;

#[test]
fn a_kill_at_any_instruction_of_moving_a_magazine_costs_nothing() {
    every_instruction(
        "tests::every_instruction::a_kill_at_any_instruction_of_moving_a_magazine_costs_nothing",
        0,
        MAGAZINES,
    );
}

#[test]
fn a_kill_at_any_instruction_of_allocating_and_freeing_costs_nothing() {
    every_instruction(
        "tests::every_instruction::a_kill_at_any_instruction_of_allocating_and_freeing_costs_nothing",
        1,
        CACHE,
    );
}

#[test]
fn a_kill_at_any_instruction_of_passing_a_burst_through_a_ring_costs_nothing() {
    every_instruction(
        "tests::every_instruction::a_kill_at_any_instruction_of_passing_a_burst_through_a_ring_costs_nothing",
        1,
        RINGS,
    );
}

#[test]
fn a_kill_at_any_instruction_of_sharing_packets_costs_nothing() {
    every_instruction(
        "tests::every_instruction::a_kill_at_any_instruction_of_sharing_packets_costs_nothing",
        0,
        SHARES,
    );
}

fn every_instruction(name: &str, cpu: usize, operations: Range<usize>) {
    let steps = |eal: Eal, lcore: Lcore, mould: &mut dyn FnMut() -> Mould| {
        let mut panel = Panel::new(&eal, lcore);
        let mut mould = mould();
        for operation in &OPERATIONS[operations] {
            panel.walk(operation, &mut mould);
        }
        mould.finish();
    };
    with_mould(name, cpu, steps, |lcore, asked| {
        let (pool, ring) = (Pool::lookup("p").unwrap(), Ring::lookup("r").unwrap());
        asked.serve(|name| {
            let operation = OPERATIONS.iter().find(|o| o.name == name);
            operate(operation.unwrap().does, &pool, &ring, lcore);
        });
    });
}

/// What the bystander is asked to do with the ring in which the other one stands.
#[derive(Clone, Copy)]
enum OtherEnd {
    Leave,
    /// Take out what is there.
    Drain,
    /// Send a burst that is numbered from here on.
    Send(u8),
}

/// The primary with all that the reaper needs.
struct Panel {
    lcore: Lcore,
    pool: Pool,
    /// The ring that is stepped in, and the bystander's own.
    ring: Ring,
    rings: [Ring; 2],
    /// Packets that went through the ring.
    passed: u32,
    ask: Sender<OtherEnd>,
    answer: Receiver<usize>,
    orphans: Orphans,
    /// What we share with the stopped one.
    kept: Burst,
}

impl Panel {
    fn new(eal: &Eal, lcore: Lcore) -> Self {
        let pool = Pool::create("p", MBUFS, (ROOM + 128) as u16).unwrap();
        assert_eq!(pool.stock(&lcore), MBUFS);
        let ring = Ring::create("r", RING).unwrap();
        let own = Ring::create("own", RING).unwrap();
        let (ask, asked) = channel();
        let (answered, answer) = channel();
        eal.launch(BYSTANDER, move |lcore| {
            for end in asked {
                let n = stand_by(&pool, &own, &ring, end, &lcore);
                answered.send(n).unwrap();
            }
        })
        .unwrap();
        Panel {
            lcore,
            pool,
            ring,
            rings: [ring, own],
            passed: 0,
            ask,
            answer,
            orphans: Orphans::default(),
            kept: Burst::new(),
        }
    }

    /// Kills at every instruction of the operation; before some of the kills the others go on for a while.
    fn walk(&mut self, operation: &Operation, mould: &mut Mould) {
        let begun = Instant::now();
        self.prepare(operation);
        let child = mould.cast(operation.name);
        let way = child.record();
        child.kill();
        self.recover(operation.does);
        self.check(operation, way.len(), 0);

        let chosen = choose(&way, operation.long);
        let mut stops = 0;
        for (turn, &n) in chosen.iter().enumerate() {
            self.prepare(operation);
            let child = mould.cast(operation.name);
            child.go_to(&way, n);
            let mut more = 0;
            if turn % STOPPED == 0 {
                more = self.others_go_on(operation.does);
                if stops % 2 == 0 {
                    child.go_on();
                }
                stops += 1;
            } else if turn % COUNTED == 0 {
                // It had indeed come as far as that.
                assert_eq!(child.step_to_end(), way.len() - n, "{}", operation.name);
            }
            child.kill();
            self.recover(operation.does);
            self.check(operation, n, more);
        }
        println!(
            "{}: killed at {} of {} instructions, stopped at {stops}, {:?}",
            operation.name,
            chosen.len(),
            way.len(),
            begun.elapsed()
        );
    }

    /// Brings the ring to where the operation begins, with a burst in it that may be received.
    fn prepare(&mut self, operation: &Operation) {
        let mut cache = self.pool.cache(&self.lcore);
        let mut burst = Burst::new();
        let (producer, consumer) = (self.ring.producer(), self.ring.consumer());
        while self.passed % RING != operation.slot {
            cache.balance();
            let n = ((operation.slot + RING - self.passed % RING) % RING).min(BURST as u32);
            assert_eq!(cache.alloc(&mut burst, n as usize), n as usize);
            producer.send(&self.lcore, &cache, &mut burst, true);
            consumer.receive(&self.lcore, cache.owner(), &mut burst);
            assert_eq!(burst.len(), n as usize);
            burst.clear(&mut cache);
            self.passed += n;
        }
        if operation.does == Does::Receive {
            cache.balance();
            packets(&mut burst, &mut cache, 0);
            assert_eq!(
                producer.send(&self.lcore, &cache, &mut burst, true).0,
                BURST
            );
            self.passed += BURST as u32;
        }
        if operation.does == Does::FreeReceived {
            cache.balance();
            let mut other = shared(&mut self.kept, &mut cache);
            let (n, _) = producer.send(&self.lcore, &cache, &mut other, true);
            assert_eq!(n, SHARED.len());
        }
        cache.flush();
        self.pool.stock(&self.lcore);
    }

    /// Has the bystander do all that a worker does, within the limit; returns how many packets it has sent to
    /// the ring that the stopped one receives from.
    fn others_go_on(&mut self, does: Does) -> usize {
        let end = match does {
            Does::Send | Does::SendForeign => OtherEnd::Drain,
            Does::Receive => OtherEnd::Send(BURST as u8),
            _ => OtherEnd::Leave,
        };
        self.ask.send(end).unwrap();
        let n = self.answer.recv_timeout(LIMIT);
        let n = n.expect("nobody waits for who stands still");
        self.passed += n as u32;
        if does == Does::Receive { n } else { 0 }
    }

    /// What the primary's reaper does.
    fn recover(&mut self, does: Does) {
        match does {
            Does::Send | Does::SendForeign => self.ring.mend(true),
            Does::Receive | Does::FreeReceived => self.ring.mend(false),
            _ => false,
        };
        let found = recover(
            &self.pool,
            &self.rings,
            STEPPED,
            Kept::Nowhere,
            &mut self.orphans,
            &self.lcore,
        );
        assert_eq!(found.left, 0);
    }

    /// Every mbuf is in one place, fit for use, and the ring is whole, with whole bursts in it. `more` packets
    /// were sent by the bystander.
    fn check(&mut self, operation: &Operation, n: usize, more: usize) {
        let at = format!("{} at instruction {n}", operation.name);
        self.pool.stock(&self.lcore);
        // What is nobody's has come back at once, and what is kept here is in no place that an audit looks at.
        let kept = self.kept.segments() + self.carriers_of_kept();
        let found = audit(&self.pool, &self.rings);
        assert_eq!((found.missing, found.twice), (kept, 0), "{at}");
        for ring in self.rings {
            assert!(!ring.mend(true) && !ring.mend(false), "{at}");
        }
        let mut cache = self.pool.cache(&self.lcore);
        let numbers = drain(&self.ring, &self.lcore, &mut cache);
        for (i, len) in SHARED.iter().enumerate().take(self.kept.len()) {
            let mut frame = vec![0xff; *len];
            assert_eq!(self.kept.copy_packet(i, &mut frame), Some(*len));
            assert!(frame.iter().all(|byte| usize::from(*byte) == i), "{at}");
        }
        self.kept.clear(&mut cache);
        let sends = matches!(operation.does, Does::Send | Does::SendForeign);
        // A burst that is sent or received has left its place as a whole, or not at all.
        let all = operation.does.in_ring();
        let (first, least, most) = match operation.does {
            Does::Receive => (all + more - numbers.len(), more, all + more),
            Does::FreeFirst | Does::Unshare => (0, all, all),
            _ => (0, 0, all),
        };
        assert!(
            [least, most].contains(&numbers.len())
                && numbers
                    .iter()
                    .map(|n| usize::from(*n))
                    .eq(first..first + numbers.len()),
            "{at}: {numbers:?}"
        );
        match operation.does {
            Does::FreeFirst | Does::Unshare | Does::FreeReceived => self.passed += all as u32,
            _ if sends => self.passed += numbers.len() as u32,
            _ => {}
        }
        cache.flush();
        self.orphans.look(&self.pool, &self.lcore);
        assert!(self.orphans.is_empty(), "{at}");
        self.pool.stock(&self.lcore);
        assert_eq!(self.pool.free(), MBUFS, "{at}");
        // Drivers take what lies in the pool without looking at it.
        self.pool
            .depot
            .for_each(|m| assert_eq!(fresh(m), (1, 1, true, true), "{at}"));
    }
}

impl Panel {
    /// Carriers of which a clone is kept and none is in the ring.
    fn carriers_of_kept(&self) -> u32 {
        let carriers = |head: Mbuf| head.segments().filter(|m| m.is_clone()).map(Mbuf::carrier);
        let mut kept: HashSet<Mbuf> = (0..self.kept.len())
            .filter_map(|i| self.kept.mbuf(i))
            .flat_map(carriers)
            .collect();
        self.ring.for_each(|head| {
            carriers(head).for_each(|m| {
                kept.remove(&m);
            });
        });
        kept.len() as u32
    }
}

/// References, segments, whether it is the last of its chain, and whether it has its own data.
fn fresh(m: Mbuf) -> (u16, u16, bool, bool) {
    let own = m.carrier() == m && !m.is_clone();
    (m.references(), m.nb_segs(), m.next().is_null(), own)
}

/// What the other workers do meanwhile: allocate and free so much that magazines are taken and filled, pass
/// packets through a ring of their own, and use the other end of the ring in which somebody stands.
fn stand_by(pool: &Pool, own: &Ring, ring: &Ring, end: OtherEnd, lcore: &Lcore) -> usize {
    let mut cache = pool.cache(lcore);
    let mut held: Vec<Burst> = Vec::new();
    for _ in 0..10 {
        assert!(cache.balance());
        let mut burst = Burst::new();
        packets(&mut burst, &mut cache, 0);
        let (sent, _) = own.producer().send(lcore, &cache, &mut burst, true);
        assert_eq!(sent, BURST);
        let got = own.consumer().receive(lcore, cache.owner(), &mut burst);
        assert_eq!(got, BURST);
        held.push(burst);
    }
    for mut burst in held {
        burst.clear(&mut cache);
        cache.balance();
    }
    let n = match end {
        OtherEnd::Leave => 0,
        OtherEnd::Drain => drain(ring, lcore, &mut cache).len(),
        OtherEnd::Send(first) => {
            let mut burst = Burst::new();
            cache.balance();
            packets(&mut burst, &mut cache, first);
            let (n, _) = ring.producer().send(lcore, &cache, &mut burst, true);
            burst.clear(&mut cache);
            n
        }
    };
    cache.flush();
    n
}
