//! What a machine costs whoever works on two of its CPUs, for `scripts/bench.sh`:
//!
//! - `cpu_pair distance A B` prints the nanoseconds that a cache line takes there and back. A hypervisor may move
//!   virtual CPUs at any time, between cores that share a cache and cores that do not, and whatever passes packets
//!   from one to the other is then several times slower.
//! - `cpu_pair wake A B SECONDS` wakes a thread on B from A by an eventfd, every three milliseconds, and prints the median
//!   and the 99th percentile in microseconds. An idle virtual CPU is the host's, which takes its time to give it back.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sys::Result;
use sys::affinity::CpuSet;
use sys::eventfd::EventFd;

/// How long the distance is measured.
const TIME: Duration = Duration::from_millis(10);
/// Rounds between two looks at the clock.
const ROUNDS: u64 = 500;
/// How long the sleeper sleeps.
const PAUSE: Duration = Duration::from_millis(3);
/// Longest wait for a sign.
const LIMIT: Duration = Duration::from_secs(2);
/// Says that it is over.
const END: u64 = u64::MAX;

/// On a cache line of its own, and the one before it, which CPUs fetch along.
#[repr(align(128))]
struct Ball(AtomicU64);

static BALL: Ball = Ball(AtomicU64::new(0));

fn pin(cpu: u32) -> Result<()> {
    CpuSet::try_from(vec![cpu])?.apply_to_current_thread()
}

/// Gives back each odd number as the even one after it.
fn give_back() {
    loop {
        match BALL.0.load(Ordering::Acquire) {
            END => return,
            odd if odd % 2 == 1 => BALL.0.store(odd + 1, Ordering::Release),
            _ => std::hint::spin_loop(),
        }
    }
}

fn distance() -> String {
    let began = Instant::now();
    let mut number = 0;
    while began.elapsed() < TIME {
        for _ in 0..ROUNDS {
            BALL.0.store(number + 1, Ordering::Release);
            number += 2;
            while BALL.0.load(Ordering::Acquire) != number {
                std::hint::spin_loop();
            }
        }
    }
    let took = began.elapsed();
    BALL.0.store(END, Ordering::Release);
    format!("{:.1}", took.as_nanos() as f64 / (number / 2) as f64)
}

/// Sleeps until rung, says that it woke, again and again.
fn sleep(bell: &EventFd) {
    while BALL.0.load(Ordering::Acquire) != END {
        sys::poll::wait(bell, &[], LIMIT);
        if bell.drain().unwrap_or(false) {
            BALL.0.fetch_add(1, Ordering::Release);
        }
    }
}

fn wake(bell: &EventFd, time: Duration) -> Result<String> {
    let began = Instant::now();
    let mut times = Vec::new();
    while began.elapsed() < time || times.is_empty() {
        std::thread::sleep(PAUSE);
        let before = BALL.0.load(Ordering::Acquire);
        let rung = Instant::now();
        bell.ring()?;
        while BALL.0.load(Ordering::Acquire) == before && rung.elapsed() < LIMIT {
            std::hint::spin_loop();
        }
        times.push(rung.elapsed());
    }
    BALL.0.store(END, Ordering::Release);
    bell.ring()?;
    times.sort_unstable();
    let microseconds =
        |percent: usize| times[(times.len() - 1) * percent / 100].as_nanos() as f64 / 1e3;
    Ok(format!("{:.1} {:.1}", microseconds(50), microseconds(99)))
}

fn measure(what: &str, cpus: [u32; 2], seconds: u64) -> Result<String> {
    let bell = EventFd::new()?;
    let (ready, pinned) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let done = pin(cpus[1]);
            let play = done.is_ok();
            if ready.send(done).is_err() || !play {
                return;
            }
            match what {
                "wake" => sleep(&bell),
                _ => give_back(),
            }
        });
        // Only with the other in its place: the ball would never come back.
        let placed = pinned.recv().unwrap_or(Ok(())).and_then(|()| pin(cpus[0]));
        let figures = placed.and_then(|()| match what {
            "wake" => wake(&bell, Duration::from_secs(seconds)),
            _ => Ok(distance()),
        });
        BALL.0.store(END, Ordering::Release);
        figures
    })
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<u64> = args.iter().skip(1).filter_map(|a| a.parse().ok()).collect();
    let outcome = match (args.first().map(String::as_str), &numbers[..]) {
        (Some("distance"), &[a, b]) => measure("distance", [a as u32, b as u32], 0),
        (Some("wake"), &[a, b, seconds]) => measure("wake", [a as u32, b as u32], seconds),
        _ => {
            eprintln!("usage: cpu_pair distance CPU CPU | cpu_pair wake CPU CPU SECONDS");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("cpu_pair: {e}");
            ExitCode::FAILURE
        }
    }
}
