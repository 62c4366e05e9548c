//! Random commands, kills, stops, reconnections and traffic by a seeded schedule, on real processes. After each command every
//! process has what a plain model says; at the end every packet of the path that nobody touched, and every mbuf, is accounted for.
//!
//! `SPP_SOAK_SECONDS` (60) says how long, `SPP_SOAK_SEED` which schedule comes first: the one that a failure names comes again. See
//! `scripts/soak.sh`.

#![allow(clippy::expect_used, clippy::panic)]

mod model;
#[path = "../common/runs.rs"]
mod runs;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use testbed::proc::Signal;
use testbed::{Panel, Random, Standstills, wait_until};

use model::{Change, Model, Process};
use runs::{assert_untouched, end_whole, report_without, traffic, unharmed};

const LIMIT: Duration = Duration::from_secs(60);
/// For the command of an operator to be answered.
const PATIENCE: Duration = Duration::from_secs(10);
/// A CPU that stands still for longer, and all that waits for it with it, is beyond any limit of ours.
const STANDSTILL: Duration = Duration::from_secs(2);
/// In so many runs of one schedule, one after the other, the machine may stand still.
const AGAIN: u32 = 3;
/// Processes whose ports and patches are changed.
const CHANGED: [u32; 3] = [1, 2, 3];
/// The one that nobody touches.
const UNTOUCHED: u32 = 4;
/// Steps of a schedule.
const STEPS: u32 = 250;

/// What is chosen for a schedule.
struct Choices(Random);

impl Choices {
    fn below(&mut self, end: usize) -> usize {
        self.0.below(end)
    }

    fn port(&mut self) -> String {
        match self.below(12) {
            0..8 => format!("ring:{}", 2 + self.below(10)),
            8 | 9 => format!("vhost:{}", 1 + self.below(4)),
            _ => format!("nullpmd:{}", 1 + self.below(2)),
        }
    }

    fn change(&mut self) -> Change {
        match self.below(20) {
            0..4 => Change::Add(self.port()),
            4 | 5 => Change::Del(self.port()),
            6..15 => {
                let src = self.port();
                let mut dst = self.port();
                while dst == src {
                    dst = self.port();
                }
                Change::Patch(src, dst)
            }
            15 | 16 => Change::Unpatch(self.port()),
            17 => Change::Reset,
            18 => Change::Forward(true),
            _ => Change::Forward(self.below(2) == 0),
        }
    }
}

/// What happened in a schedule.
#[derive(Default, Debug)]
struct Counts {
    done: u32,
    refused: u32,
    kills: u32,
    upgrades: u32,
    stops: u32,
    connections: u32,
    controllers: u32,
}

struct Scene {
    panel: Panel,
    model: Model,
    random: Choices,
    /// Processes that stand still, and the step in which they go on.
    stopped: BTreeMap<u32, u32>,
    counts: Counts,
}

impl Scene {
    fn set(seed: u64) -> Self {
        let panel = Panel::builder()
            .primary_args(["--memory", "256", "--rings", "16"])
            .pages(160)
            .keeps_state()
            .nfv(1)
            .nfv(2)
            .nfv(3)
            .nfv(UNTOUCHED)
            .start();
        panel.ok("nfv 4 patch ring:0 ring:1");
        Scene {
            panel,
            // The generator's ends.
            model: Model::new(&CHANGED, &[("ring:2", true), ("ring:3", false)]),
            random: Choices(Random(seed)),
            stopped: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// What the process has, in the words of the model.
    fn seen(&self, id: u32) -> Process {
        let detail = self.panel.detail(id);
        Process {
            ports: detail.ports.into_iter().map(|port| port.name).collect(),
            patches: detail
                .patches
                .into_iter()
                .map(|patch| (patch.src, patch.dst))
                .collect(),
            forwards: detail.status == "running",
        }
    }

    #[track_caller]
    fn check(&self, what: &str) {
        for (id, wanted) in &self.model.processes {
            if !self.stopped.contains_key(id) {
                let seen = self.seen(*id);
                assert_eq!(&seen, wanted, "nfv {id} after {what}");
            }
        }
    }

    fn change(&mut self, id: u32) {
        let change = self.random.change();
        let id_word = id.to_string();
        let mut words = vec!["nfv", &id_word];
        words.extend(change.words());
        let line = words.join(" ");
        let begun = Instant::now();
        let finished = self.panel.spp(&words);
        let took = begun.elapsed();
        let told = &finished.output;
        assert!(took < PATIENCE, "{line} took {took:?}: {told}");
        let before = self.model.clone();
        let expected = self.model.change(id, &change);
        let (success, output) = (finished.status.success(), finished.output);
        assert_eq!(success, expected, "{line}: {output}\nwith {before:#?}");
        *(if expected {
            &mut self.counts.done
        } else {
            &mut self.counts.refused
        }) += 1;
        self.check(&line);
    }

    /// Kills a process, lets it come back, and waits until it has all that it had.
    fn kill(&mut self, id: u32) {
        self.panel.kill_nfv(id);
        self.panel.start_nfv(id);
        let wanted = self.model.processes[&id].clone();
        wait_until(&format!("nfv {id} to have {wanted:?} again"), LIMIT, || {
            self.seen(id) == wanted
        });
        self.counts.kills += 1;
    }

    /// Lets a newer program take a process's place, with all that it has.
    fn upgrade(&mut self, id: u32) {
        self.panel.upgrade_nfv(id);
        self.check(&format!("nfv {id} was replaced"));
        self.counts.upgrades += 1;
    }

    fn stop(&mut self, id: u32, until: u32) {
        self.panel.nfv(id).signal(Signal::STOP);
        self.stopped.insert(id, until);
        self.counts.stops += 1;
    }

    fn go_on(&mut self, step: u32) {
        let due: Vec<u32> = self
            .stopped
            .iter()
            .filter(|(_, until)| **until <= step)
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.panel.nfv(id).signal(Signal::CONT);
            self.stopped.remove(&id);
            // The controller asks it again.
            self.panel.detail(id);
        }
    }

    /// A peer that comes, says something or nothing, and goes.
    fn connect(&mut self) {
        let sockets: Vec<u32> = (1..5).filter(|n| self.panel.socket(*n).exists()).collect();
        if sockets.is_empty() {
            return;
        }
        let socket = self.panel.socket(self.random.0.of(&sockets));
        // Nobody may listen: its process is stopped, or was killed while it was not restored.
        if let Ok(mut peer) = UnixStream::connect(socket) {
            let nonsense = self.random.0.of(&[0usize, 4, 12, 200]);
            let _ = peer.write_all(&[7; 200][..nonsense]);
            self.counts.connections += 1;
        }
    }

    /// Kills the controller; the primary starts another one.
    fn kill_controller(&mut self) {
        self.panel.replace_controller();
        for id in CHANGED.into_iter().chain([0, UNTOUCHED]) {
            if !self.stopped.contains_key(&id) {
                self.panel.detail(id);
            }
        }
        self.counts.controllers += 1;
    }

    fn step(&mut self, step: u32) {
        self.go_on(step);
        let id = self.random.0.of(&CHANGED);
        let what = self.random.below(100);
        if self.stopped.contains_key(&id) {
            return self.connect();
        }
        match what {
            0..6 => self.kill(id),
            6..10 => {
                let until = step + 1 + self.random.below(6) as u32;
                self.stop(id, until);
            }
            10..18 => self.connect(),
            18 => self.kill_controller(),
            19..22 => self.upgrade(id),
            _ => self.change(id),
        }
    }
}

/// A schedule from beginning to end.
fn run(seed: u64) {
    let mut scene = Scene::set(seed);
    let panel = &scene.panel;
    let start = |id, run: &str| traffic(panel, id, &format!("{run} --rate 20000 --allow-loss"));
    let mut untouched = start(8, "--tx ring:0 --rx ring:1 --patience 30");
    // Its ways come and go: however long nothing moves.
    let mut touched = start(9, "--tx ring:2 --rx ring:3 --patience 86400");
    for run in [&mut untouched, &mut touched] {
        run.wait_output("is running", LIMIT);
    }
    for step in 0..STEPS {
        scene.step(step);
    }
    scene.go_on(u32::MAX);
    scene.check("the end");
    touched.signal(Signal::INT);
    // The second time: what is on its way is not waited for.
    touched.terminate(LIMIT);
    report_without(&mut touched, &["duplicated", "bad"]);
    untouched.terminate(LIMIT);
    let report = unharmed(&mut untouched);
    assert_untouched(&scene.panel, UNTOUCHED, "ring:1", &report);
    println!("seed {seed}: {:?}, {report}", scene.counts);
    end_whole(scene.panel, &[1, 2, 3, UNTOUCHED]);
}

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text}: a number")),
        Err(_) => default,
    }
}

/// Runs a schedule. If it fails while a CPU stood still, it is not judged, and runs again.
fn judged(seed: u64) {
    for ran in 1.. {
        let standstills = Standstills::watch();
        let Err(failure) = std::panic::catch_unwind(|| run(seed)) else {
            return;
        };
        let (cpu, longest) = standstills.longest();
        if longest < STANDSTILL || ran == AGAIN {
            println!("SPP_SOAK_SEED={seed} brings this schedule again");
            std::panic::resume_unwind(failure);
        }
        println!("seed {seed}: not judged, CPU {cpu} stood still for {longest:?}; it runs again");
    }
}

#[test]
fn whatever_happens_all_is_as_the_model_says_and_nothing_is_lost() {
    let end = Instant::now() + Duration::from_secs(number("SPP_SOAK_SECONDS", 60));
    let first = number("SPP_SOAK_SEED", 1);
    for seed in first.. {
        judged(seed);
        if Instant::now() >= end {
            return;
        }
    }
}
