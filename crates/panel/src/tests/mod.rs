//! Board, workers and area on a real EAL: this thread is the control thread and, on the main lcore, the
//! process at the other end of the rings; lcore 1 is a worker.

mod claims;
mod classifier;
mod counters;
mod filter;
mod frames;
mod kept;
mod mirror;
mod model;
mod probes;
mod published;
mod rack;
mod rest;
mod vlan;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dpdk::testing::with_eal;
use dpdk::{BURST, Burst, Eal, Lcore, Pool, Ring};

use crate::area::Direction;
use crate::bell::{Bell, Ringer};
use crate::board::Hand;
use crate::port::Context;
use crate::published::published;
use crate::worker::{Table, Worker};
use crate::{Area, Board, Poll, Port, PortCode, PortKind};

const LIMIT: Duration = Duration::from_secs(60);
const RINGS: u16 = 8;
/// nullpmd:1 to nullpmd:20.
const NULLS: u16 = 20;

pub(crate) fn ring(n: u16) -> PortCode {
    PortCode::new(PortKind::Ring, n, 0)
}

pub(crate) fn null(n: u16) -> PortCode {
    PortCode::new(PortKind::Nullpmd, n, 0)
}

#[track_caller]
pub(crate) fn wait(what: &str, mut probe: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !probe() {
        assert!(Instant::now() < end, "waited {LIMIT:?} in vain for {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// A panel in one process.
pub(crate) struct Bench {
    pub(crate) area: Area,
    rings: Vec<Ring>,
    folder: PathBuf,
    eal: Eal,
    pub(crate) pool: Pool,
    /// The main lcore's.
    pub(crate) cx: Context,
}

/// What a hand without mbufs was last told to run.
type Told = Arc<Mutex<Vec<(PortCode, PortCode)>>>;

impl Bench {
    pub(crate) fn new(eal: Eal, lcore: Lcore) -> Self {
        let pool = Pool::create("p", 4096, 2176).unwrap();
        let rings = (0..RINGS)
            .map(|n| Ring::create(&format!("r{n}"), 256).unwrap())
            .collect();
        let area = Area::create().unwrap();
        area.share_mbufs(pool.size());
        pool.stock(&lcore);
        // The test's own folder, which goes with it.
        let folder = PathBuf::from(std::env::var_os("RUNTIME_DIRECTORY").unwrap());
        let cx = Context {
            cache: pool.cache(&lcore),
            lcore,
            ringer: Ringer::new(area, &folder),
            stocked: true,
            traced: false,
        };
        Bench {
            area,
            rings,
            folder,
            eal,
            pool,
            cx,
        }
    }

    pub(crate) fn port(&self, code: PortCode) -> Port {
        match code.kind() {
            PortKind::Ring => {
                let n = code.number();
                let ends = self.area.ring_ends(n).unwrap();
                Port::ring(code, self.rings[usize::from(n)], ends)
            }
            _ => Port::null(code),
        }
    }

    /// A hand on lcore 1 and CPU 1 that works.
    pub(crate) fn worker(&self, poll: Poll) -> Hand {
        let (tables, subscriber) = published(Table::default());
        let worker = Worker {
            tables: subscriber,
            block: &self.area.layout().workers[1],
            bell: Bell::new(self.area, &self.folder, 1).unwrap(),
            poll,
        };
        let (pool, ringer) = (self.pool, self.cx.ringer.clone());
        self.eal
            .launch(1, move |lcore| {
                let cache = pool.cache(&lcore);
                worker.run(Context {
                    lcore,
                    cache,
                    ringer,
                    stocked: false,
                    traced: false,
                });
            })
            .unwrap();
        Hand {
            lcore: 1,
            cpu: 1,
            tables,
        }
    }

    /// A hand that adopts its tables and moves nothing.
    fn listener(&self, lcore: u32, cpu: u32) -> (Hand, Told) {
        let (tables, mut subscriber) = published(Table::default());
        let told = Told::default();
        let note = told.clone();
        std::thread::spawn(move || {
            loop {
                let table = subscriber.get();
                if table.end {
                    return;
                }
                let patches = table
                    .lines
                    .iter()
                    .flat_map(|l| l.outlets().iter().map(|o| (l.src.code(), o.dst.code())));
                *note.lock().unwrap() = patches.collect();
                std::thread::sleep(Duration::from_micros(20));
            }
        });
        (Hand { lcore, cpu, tables }, told)
    }

    /// A board with all ports on it.
    pub(crate) fn board(&self, hands: Vec<Hand>) -> Board {
        let holder = Box::new(|lcore| format!("lcore {lcore}"));
        let mut board = Board::new(self.area, self.cx.ringer.clone(), hands, true, holder);
        for code in (0..RINGS).map(ring).chain((1..=NULLS).map(null)) {
            board.add(self.port(code)).unwrap();
        }
        board
    }

    /// Who claims the consumer's and the producer's end of a ring.
    fn holders(&self, n: u16) -> (Option<u32>, Option<u32>) {
        let ends = self.area.ring_ends(n).unwrap();
        let of = |direction| Area::holder(ends, direction);
        (of(Direction::Rx), of(Direction::Tx))
    }

    /// Sends so many packets into a ring, as another process would.
    fn feed(&mut self, n: u16, count: usize) {
        let port = self.port(ring(n));
        let mut left = count;
        while left > 0 {
            self.cx.cache.balance();
            let mut burst = Burst::new();
            assert!(self.cx.cache.alloc(&mut burst, left.min(BURST)) > 0);
            left -= port.send(&mut self.cx, &mut burst).0;
            burst.clear(&mut self.cx.cache);
        }
    }

    /// Takes everything out of a ring; returns how many.
    fn empty(&mut self, n: u16) -> usize {
        let port = self.port(ring(n));
        let mut all = 0;
        loop {
            self.cx.cache.balance();
            let mut burst = Burst::new();
            let count = port.receive(&mut self.cx, &mut burst, BURST);
            burst.clear(&mut self.cx.cache);
            if count == 0 {
                return all;
            }
            all += count;
        }
    }
}
