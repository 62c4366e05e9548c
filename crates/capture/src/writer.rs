//! A writer: a thread that puts records into files. It holds no mbufs, so a slow disk holds up nothing but itself.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use capfile::{Interface, Statistics};
use crossbeam::channel::{Receiver, Sender, TryRecvError};

use crate::clock::wall_ns;
use crate::file::{Output, unfinished, whole};
use crate::intake::Intake;
use crate::lane::{CHUNK, Outlet};
use crate::plan::{OnError, Plan, Target};
use crate::stream::Stream;
use crate::tally::Tally;

/// Between two looks at a chunk that is not full.
const BATCH: Duration = Duration::from_millis(5);
/// Longest sleep of a writer that has nothing to do; a packet wakes it.
const SLEEP: Duration = Duration::from_millis(500);
/// Between two looks whether the file is still there, and two attempts to make a new one.
const CARE: Duration = Duration::from_secs(1);
/// Most names tried for a file.
const NAMES: u32 = 100_000;

/// A run of a capture as its writers see it.
pub struct Run {
    /// What is captured.
    pub plan: Arc<Plan>,
    /// When the run began, as in file names: `20240131235959`, local time.
    pub stamp: String,
    /// The same in nanoseconds from 1970.
    pub start_ns: u64,
    /// What the writers have done.
    pub tally: Tally,
}

/// What a writer is told.
pub enum Order {
    /// Begin a run; the answer says whether there is a file.
    Begin(Arc<Run>, Sender<Result<(), String>>),
    /// Write what has come, and complete the file. With `true` an empty file is removed.
    End(bool, Sender<()>),
}

/// The name of the file that a writer writes; empty if none.
pub type FileName = Arc<Mutex<String>>;

/// A writer before it runs.
pub struct Writer {
    /// Its number, from 1.
    pub number: usize,
    /// Where records come from.
    pub outlet: Outlet,
    /// What it is told; it ends when nobody can tell it anything any more.
    pub orders: Receiver<Order>,
    /// For others to read.
    pub name: FileName,
    /// Counts for statistics in files.
    pub intake: Arc<Intake>,
}

enum Open {
    File(Output),
    Stream(Stream),
}

/// A writer in a run.
struct Job {
    run: Arc<Run>,
    number: usize,
    name: FileName,
    intake: Arc<Intake>,
    open: Option<Open>,
    sequence: u32,
    /// When the file has covered its time, in nanoseconds from 1970.
    due_ns: Option<u64>,
    cared: Instant,
    /// Completed files with their packets, oldest first.
    done: VecDeque<(PathBuf, u64)>,
}

impl Writer {
    /// Runs until there can be no more orders.
    pub fn run(mut self) {
        self.outlet.attend();
        let mut job: Option<Job> = None;
        let mut looked = Instant::now();
        let mut quiet = 0;
        loop {
            match self.orders.try_recv() {
                Ok(Order::Begin(run, answer)) => {
                    let mut new = Job::new(run, &self);
                    let opened = new.begin();
                    if opened.is_ok() {
                        job = Some(new);
                    }
                    let _ = answer.send(opened);
                }
                Ok(Order::End(discard, answer)) => {
                    self.drain(job.as_mut());
                    if let Some(mut job) = job.take() {
                        job.end(discard);
                    }
                    let _ = answer.send(());
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    self.drain(job.as_mut());
                    if let Some(mut job) = job.take() {
                        job.end(false);
                    }
                    return;
                }
            }
            let look = looked.elapsed() >= BATCH;
            if look {
                looked = Instant::now();
            }
            if let Some(chunk) = self.outlet.next(look) {
                if let Some(job) = &mut job {
                    job.write(&chunk.records);
                    job.care(false);
                }
                self.outlet.give_back(chunk);
                quiet = 0;
                continue;
            }
            if let Some(job) = &mut job {
                job.care(true);
            }
            // A chunk that was begun after the last look wakes us.
            quiet = if look { quiet + 1 } else { quiet };
            std::thread::park_timeout(if quiet > 2 { SLEEP } else { BATCH });
        }
    }

    /// Writes what waits.
    fn drain(&mut self, mut job: Option<&mut Job>) {
        while let Some(chunk) = self.outlet.next(true) {
            if let Some(job) = &mut job {
                job.write(&chunk.records);
            }
            self.outlet.give_back(chunk);
        }
    }
}

impl Job {
    fn new(run: Arc<Run>, writer: &Writer) -> Self {
        Job {
            run,
            number: writer.number,
            name: writer.name.clone(),
            intake: writer.intake.clone(),
            open: None,
            sequence: 0,
            due_ns: None,
            cared: Instant::now(),
            done: VecDeque::new(),
        }
    }

    fn show(&self, name: String) {
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    fn beginning(&self) -> Vec<u8> {
        let plan = &self.run.plan;
        plan.format.beginning(&Interface {
            name: &plan.port,
            program: concat!("spp-pcap ", env!("CARGO_PKG_VERSION")),
            filter: &plan.filter,
            snaplen: plan.snaplen,
        })
    }

    /// Opens the first file. Its words are an error's.
    fn begin(&mut self) -> Result<(), String> {
        match &self.run.plan.target {
            Target::Folder { .. } => self.new_file(),
            Target::Stream(path) => {
                let stream = Stream::to(path.clone(), self.beginning());
                self.show(path.display().to_string());
                self.open = Some(Open::Stream(stream));
                Ok(())
            }
            Target::Output => {
                let stream = Stream::to_output(self.beginning()).map_err(|e| e.to_string())?;
                self.show("-".into());
                self.open = Some(Open::Stream(stream));
                Ok(())
            }
        }
    }

    /// Makes the next file; none is open.
    fn new_file(&mut self) -> Result<(), String> {
        let run = self.run.clone();
        let plan = &run.plan;
        let Target::Folder { dir, keep, .. } = &plan.target else {
            return Err("a stream is not begun again".into());
        };
        self.cared = Instant::now();
        while keep.is_some_and(|keep| self.done.len() >= keep.max(1)) {
            self.remove_oldest();
        }
        for _ in 0..NAMES {
            self.sequence += 1;
            let path = dir.join(format!(
                "spp_pcap.{}.{}.{}.{}{}",
                run.stamp,
                plan.port_in_names,
                self.number,
                self.sequence,
                plan.suffix()
            ));
            // Another run that began in the same second.
            if path.exists() || unfinished(&path).exists() {
                continue;
            }
            return match Output::create(path.clone(), plan.format, plan.compress, &self.beginning())
            {
                Ok(file) => {
                    self.show(path.display().to_string());
                    self.open = Some(Open::File(file));
                    Ok(())
                }
                Err(e) => {
                    self.sequence -= 1;
                    Err(format!("cannot make {}: {e}", unfinished(&path).display()))
                }
            };
        }
        Err(format!("{}: all names are taken", dir.display()))
    }

    fn remove_oldest(&mut self) {
        let Some((path, packets)) = self.done.pop_front() else {
            return;
        };
        match std::fs::remove_file(&path) {
            Ok(()) => {
                Tally::add(&self.run.tally.removed_files, 1);
                Tally::add(&self.run.tally.removed_packets, packets);
            }
            Err(e) => log::warn!("{} stays: {e}", path.display()),
        }
    }

    /// Writes whole records.
    fn write(&mut self, records: &[u8]) {
        let mut rest = records;
        while !rest.is_empty() {
            let (length, packets) = match &mut self.open {
                Some(Open::Stream(_)) => whole(self.run.plan.format, rest),
                Some(Open::File(_)) => self.fitting(rest),
                None => {
                    if !self.try_again() {
                        self.lose(rest);
                        return;
                    }
                    continue;
                }
            };
            if length == 0 {
                if self.is_empty() {
                    // Not even one fits: no record of ours.
                    self.lose(rest);
                    return;
                }
                self.close(false);
                if let Err(words) = self.new_file() {
                    self.fail(words);
                }
                continue;
            }
            self.put(&rest[..length], packets);
            rest = &rest[length..];
        }
    }

    fn is_empty(&self) -> bool {
        !matches!(&self.open, Some(Open::File(file)) if file.packets > 0)
    }

    /// How much of `records` goes into the file that is open. Nothing: it is complete.
    fn fitting(&mut self, records: &[u8]) -> (usize, u64) {
        let (Some(Open::File(file)), Target::Folder { size, time, .. }) =
            (&self.open, &self.run.plan.target)
        else {
            return (0, 0);
        };
        let format = self.run.plan.format;
        let (mut length, mut packets) = (0, 0);
        while let Some(record) = format.first(&records[length..]) {
            let empty = file.packets + packets == 0;
            if let Some(time) = time {
                let due = self.due_ns.get_or_insert(self.run.start_ns + nanos(*time));
                if record.timestamp_ns >= *due {
                    if !empty {
                        break;
                    }
                    let behind = (record.timestamp_ns - *due) / nanos(*time) + 1;
                    *due += behind * nanos(*time);
                }
            }
            let after = file.bytes + (length + record.length) as u64;
            if (!empty && after > *size) || length + record.length > CHUNK {
                break;
            }
            length += record.length;
            packets += 1;
        }
        (length, packets)
    }

    /// Puts whole records into what is open.
    fn put(&mut self, records: &[u8], packets: u64) {
        let tally = &self.run.tally;
        let result = match &mut self.open {
            Some(Open::File(file)) => {
                let path = file.path().display().to_string();
                let result = file.append(records, packets);
                result.map_err(|e| (e.kept, format!("cannot write {path}: {}", e.source)))
            }
            Some(Open::Stream(stream)) => {
                let result = stream.write(records, &tally.failed);
                result.map_err(|e| (0, format!("cannot write the stream: {e}")))
            }
            None => return,
        };
        match result {
            Ok(()) => {
                Tally::add(&tally.written, packets);
                Tally::add(&tally.bytes, records.len() as u64);
            }
            Err((kept, words)) => {
                let (_, in_file) = whole(self.run.plan.format, &records[..kept]);
                Tally::add(&tally.written, in_file);
                Tally::add(&tally.bytes, kept as u64);
                Tally::add(&tally.lost, packets - in_file);
                self.close(false);
                self.fail(words);
            }
        }
    }

    fn lose(&self, records: &[u8]) {
        let (_, packets) = whole(self.run.plan.format, records);
        Tally::add(&self.run.tally.lost, packets);
    }

    fn fail(&self, words: String) {
        self.run.tally.complain(words);
        let stream = !matches!(self.run.plan.target, Target::Folder { .. });
        if stream || self.run.plan.on_error == OnError::Stop {
            self.run.tally.failed.store(true, SeqCst);
        }
    }

    /// Makes a new file after an error, if it is time to try. False: there is none.
    fn try_again(&mut self) -> bool {
        if self.run.tally.failed.load(SeqCst) || self.cared.elapsed() < CARE {
            return false;
        }
        match self.new_file() {
            Ok(()) => {
                log::info!("the capture of {} goes on", self.run.plan.port);
                true
            }
            Err(words) => {
                self.fail(words);
                false
            }
        }
    }

    /// What has to be looked after from time to time: a file that was removed; while there is nothing to write also one
    /// whose time is over, and a stream that nobody has read from yet.
    fn care(&mut self, idle: bool) {
        if idle && matches!(&self.open, Some(Open::Stream(stream)) if stream.is_new()) {
            self.put(&[], 0);
        }
        if self.cared.elapsed() < CARE {
            return;
        }
        self.cared = Instant::now();
        let Some(Open::File(file)) = &self.open else {
            return;
        };
        if !file.is_there() {
            self.close(false);
            return;
        }
        // Packets from before may still be on their way for a moment.
        let late = nanos(CARE);
        let over = self.due_ns.is_some_and(|due| wall_ns() > due + late);
        if idle && over && file.packets > 0 {
            self.close(false);
            if let Err(words) = self.new_file() {
                self.fail(words);
            }
        }
    }

    /// Completes what is open.
    fn close(&mut self, discard: bool) {
        self.show(String::new());
        let counts = &self.intake.counts;
        let statistics = Statistics {
            start_ns: self.run.start_ns,
            end_ns: wall_ns(),
            received: counts.received.load(Relaxed),
            accepted: counts.accepted.load(Relaxed),
            dropped: counts.full.load(Relaxed) + self.run.tally.lost.load(Relaxed),
        };
        let ending = self.run.plan.format.ending(&statistics);
        match self.open.take() {
            Some(Open::File(file)) if discard && file.packets == 0 => file.discard(),
            Some(Open::File(file)) => self.close_file(file, &ending),
            Some(Open::Stream(mut stream)) => {
                if let Err(e) = stream.write(&ending, &self.run.tally.failed) {
                    log::debug!("the end of the stream: {e}");
                }
            }
            None => {}
        }
    }

    fn close_file(&mut self, file: Output, ending: &[u8]) {
        let (path, packets) = (file.path().to_owned(), file.packets);
        let bytes = file.bytes;
        let there = file.is_there();
        let tally = &self.run.tally;
        match file.close(ending) {
            Ok(path) => {
                Tally::add(&tally.files, 1);
                self.done.push_back((path, packets));
            }
            Err(_) if !there => {
                // What was written into it is gone with it.
                tally.written.fetch_sub(packets, Relaxed);
                tally
                    .bytes
                    .fetch_sub(bytes.min(tally.bytes.load(Relaxed)), Relaxed);
                Tally::add(&tally.lost, packets);
                self.fail(format!(
                    "{} was removed while it was being written, with {packets} packets",
                    unfinished(&path).display()
                ));
            }
            Err(e) => {
                let words = format!("{} keeps that name: {e}", unfinished(&path).display());
                self.fail(words);
            }
        }
    }

    fn end(&mut self, discard: bool) {
        self.close(discard);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos())
        .unwrap_or(u64::MAX / 4)
        .max(1)
}
