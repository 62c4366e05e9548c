//! An IPv6 router on DPDK: `nf-router EAL-ARGUMENTS -- --port 0=2001:db8:1::1/64 --port 1=2001:db8:2::1/64`. SIGUSR1 has it print its
//! counters; SIGINT and SIGTERM end it.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use dpdk::ethdev::{EthDev, EthInfo, EthQueue};
use dpdk::{BURST, Burst, Eal, KEEP, Lcore, Pool, PoolCache, ProcessType};
use nf_router::counters::Reason;
use nf_router::options::Options;
use nf_router::router::Router;
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};

/// mbufs in all: those of the ports' queues, of bursts on their way, and those kept at hand.
const MBUFS: u32 = 8192;
/// Bytes of an mbuf: DPDK's headroom, and more than any frame has.
const DATA_ROOM: u16 = 128 + 2048;
/// Time between two looks at what is due.
const TICK: Duration = Duration::from_millis(100);
/// Rounds without a packet after which it rests, and for how long.
const ROUNDS: u32 = 1000;
const REST: Duration = Duration::from_micros(50);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // Nobody is left to tell if this fails, too.
            let _ = writeln!(std::io::stderr(), "nf-router: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("warn")).init();
    let line: Vec<String> = std::env::args().skip(1).collect();
    let (eal, options) = Options::of(&line).unwrap_or_else(|e| e.exit());
    let (print, end) = (flag(&[SIGUSR1])?, flag(&[SIGINT, SIGTERM])?);
    let (eal, lcore) = Eal::init_with(&eal)?;
    if eal.process() != ProcessType::Primary {
        bail!("--proc-type=secondary: the router has memory of its own and is a primary only");
    }
    let pool = Pool::create("nf-router", MBUFS, DATA_ROOM)?;
    let devices = EthDev::all();
    let infos = devices.iter().map(EthDev::info);
    let infos: Vec<EthInfo> = infos.collect::<Result<_, _>>()?;
    let macs: Vec<_> = infos.iter().map(|info| (info.port, info.mac)).collect();
    let (ports, routes) = options.apply(&macs).map_err(anyhow::Error::msg)?;
    for device in &devices {
        device.start(1, 1, &pool)?;
    }
    pool.stock(&lcore);
    let queues = devices.iter().zip(&infos);
    let mut forwarder = Forwarder {
        router: Router::new(ports, &routes, Instant::now()),
        queues: queues.map(|(d, info)| d.queue(0, info.keeps())).collect(),
        burst: Burst::new(),
        outs: devices.iter().map(|_| Burst::new()).collect(),
        cache: pool.cache(&lcore),
        lcore,
    };
    writeln!(
        std::io::stdout(),
        "nf-router is ready: {} ports, {} routes beside their links",
        infos.len(),
        routes.len()
    )?;
    forwarder.run(&print, &end)?;
    for device in &devices {
        device.stop()?;
    }
    forwarder.print()
}

/// A flag that these signals set.
fn flag(signals: &[i32]) -> std::io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in signals {
        signal_hook::flag::register(*signal, flag.clone())?;
    }
    Ok(flag)
}

/// The router at its ports, on one lcore.
struct Forwarder {
    router: Router,
    /// One for each port.
    queues: Vec<EthQueue>,
    /// What has just arrived at a port.
    burst: Burst,
    /// What is to be sent, for each port.
    outs: Vec<Burst>,
    cache: PoolCache,
    lcore: Lcore,
}

impl Forwarder {
    /// Forwards until `end` is set; prints the counters whenever `print` is.
    fn run(&mut self, print: &AtomicBool, end: &AtomicBool) -> anyhow::Result<()> {
        let mut ticked = Instant::now();
        let mut quiet = 0;
        while !end.load(Ordering::Relaxed) {
            let now = Instant::now();
            quiet += 1;
            for port in 0..self.queues.len() {
                if self.serve(port, now) > 0 {
                    quiet = 0;
                }
            }
            if now.duration_since(ticked) >= TICK {
                ticked = now;
                self.router.tick(now);
                self.send_own();
            }
            if print.swap(false, Ordering::Relaxed) {
                self.print()?;
            }
            if quiet > ROUNDS {
                quiet = ROUNDS;
                std::thread::sleep(REST);
            }
        }
        Ok(())
    }

    /// Takes a burst from a port and sends on what comes of it; gives how many packets it had.
    fn serve(&mut self, port: usize, now: Instant) -> usize {
        self.cache.balance();
        let owner = self.cache.owner();
        let received = self.queues[port].receive(&self.lcore, owner, &mut self.burst, BURST);
        if received == 0 {
            return 0;
        }
        self.burst.prefetch_heads();
        let mut to = [KEEP; BURST];
        for (i, to) in to.iter_mut().enumerate().take(received) {
            let frame = self.burst.packet_mut(i).unwrap_or_default();
            let out = self.router.handle(port, frame, now);
            *to = out.and_then(|out| out.try_into().ok()).unwrap_or(KEEP);
        }
        self.burst.deal(&to, &mut self.outs);
        // What is left is done with.
        self.burst.clear(&mut self.cache);
        for out in 0..self.outs.len() {
            self.flush(out);
        }
        self.send_own();
        received
    }

    /// Sends what is for a port, and drops what it does not take.
    fn flush(&mut self, port: usize) {
        let (queue, out) = (&self.queues[port], &mut self.outs[port]);
        while !out.is_empty() {
            let (sent, _) = queue.send(&self.lcore, &self.cache, out);
            if sent == 0 {
                break;
            }
            self.router.counters.sent[port] += sent as u64;
        }
        let refused = out.len() as u64;
        self.router.counters.drop(Reason::PortFull, refused);
        out.clear(&mut self.cache);
    }

    /// Sends what the router made.
    fn send_own(&mut self) {
        for (port, frame) in std::mem::take(&mut self.router.out) {
            self.cache.balance();
            let out = &mut self.outs[port];
            if self.cache.alloc(out, 1) == 0 {
                self.router.counters.drop(Reason::NoMbuf, 1);
                continue;
            }
            match out.write_packet(0, frame.len()) {
                Some(to) => to.copy_from_slice(&frame),
                None => {
                    out.drop_last();
                    self.router.counters.drop(Reason::TooBig, 1);
                }
            }
            self.flush(port);
        }
    }

    fn print(&self) -> anyhow::Result<()> {
        let text = format!("nf-router: {}", self.router.report());
        Ok(std::io::stdout().write_all(text.as_bytes())?)
    }
}
