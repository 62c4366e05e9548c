//! What is measured and traced on a board: it belongs to ports, and follows them from patch to patch.

use std::collections::BTreeMap;
use std::sync::Arc;

use dpdk::Stamps;

use crate::board::{Board, BoardError};
use crate::code::PortCode;
use crate::latency::{End, Path, Reader, Stamper, Start, Times};
use crate::line::{Line, Outlet, Way};
use crate::trace::{self, Traced, Tracer};

/// Probes of a wiring.
#[derive(Clone, Default)]
pub(crate) struct Probes {
    starts: BTreeMap<Path, Arc<Start>>,
    ends: BTreeMap<Path, Arc<End>>,
    stamps: Option<Stamps>,
    traces: BTreeMap<PortCode, Arc<Tracer>>,
    /// Another one with every change.
    pub(crate) edition: u64,
}

/// A latency as it is measured in this process.
#[derive(Debug, Clone)]
pub struct LatencyView {
    /// From where to where.
    pub path: Path,
    /// If packets are stamped here: one of so many, and how many were.
    pub start: Option<(u32, u64)>,
    /// If stamps are read here: what was found.
    pub end: Option<Times>,
}

impl Probes {
    /// Puts what is to be done on lines that are otherwise finished.
    pub(crate) fn fit(&self, lines: &mut [Line]) {
        if let Some(stamps) = self.stamps {
            lines.iter_mut().for_each(|line| self.stamp(stamps, line));
        }
        for line in lines {
            if let Some(tracer) = self.traces.get(&line.src.code()) {
                let traced = Traced {
                    tracer: tracer.clone(),
                    line: line.clone(),
                };
                line.stages = Vec::new();
                line.way = Way::Traced(Arc::new(traced));
            }
        }
    }

    fn stamp(&self, stamps: Stamps, line: &mut Line) {
        let src = line.src.code();
        let starts = self.starts.iter().filter(|(path, _)| path.src == src);
        let starts: Vec<Arc<Start>> = starts.map(|(_, start)| start.clone()).collect();
        if !starts.is_empty() {
            line.stages.insert(0, Arc::new(Stamper { stamps, starts }));
        }
        let fit = |outlet: &mut Outlet| {
            let dst = outlet.dst.code();
            for (_, end) in self.ends.iter().filter(|(path, _)| path.dst == dst) {
                let end = end.clone();
                outlet.stages.push(Arc::new(Reader { stamps, end }));
            }
        };
        match &mut line.way {
            Way::Straight(outlet) => fit(outlet),
            Way::Dealt(_, outlets) => outlets.iter_mut().for_each(fit),
            Way::Traced(_) => {}
        }
    }

    /// Forgets what belongs to a port that goes.
    pub(crate) fn without(&mut self, code: PortCode) {
        self.starts.retain(|path, _| path.src != code);
        self.ends.retain(|path, _| path.dst != code);
        self.traces.remove(&code);
    }
}

impl Board {
    /// Measures the time from `path.src`, whose packets are stamped here if `stamp` is said (one of so many), to
    /// `path.dst`, where stamps are read here if `read`. What the ends counted before is forgotten.
    ///
    /// # Errors
    /// [`BoardError::NoPort`], [`BoardError::Stuck`]
    pub fn measure(
        &mut self,
        stamps: Stamps,
        path: Path,
        stamp: Option<u32>,
        read: bool,
    ) -> Result<(), BoardError> {
        let missing = |code: PortCode| self.port(code).is_none();
        for (here, code) in [(stamp.is_some(), path.src), (read, path.dst)] {
            if here && missing(code) {
                return Err(BoardError::NoPort(code));
            }
        }
        self.probe(|probes| {
            probes.stamps = Some(stamps);
            if let Some(every) = stamp {
                probes
                    .starts
                    .insert(path, Arc::new(Start::new(path, every)));
            }
            if read {
                probes.ends.insert(path, Arc::new(End::new(path)));
            }
        })
    }

    /// Whether packets are taken from a port now.
    pub fn takes_from(&self, code: PortCode) -> bool {
        self.forwarding() && self.wiring().takes_from(code)
    }

    /// Whether packets are sent to a port now.
    pub fn sends_to(&self, code: PortCode) -> bool {
        self.forwarding() && self.wiring().sends_to(code)
    }

    /// Measures no more.
    ///
    /// # Errors
    /// [`BoardError::NotMeasured`], [`BoardError::Stuck`]
    pub fn unmeasure(&mut self, path: Path) -> Result<(), BoardError> {
        let probes = &self.wiring().probes;
        if !probes.starts.contains_key(&path) && !probes.ends.contains_key(&path) {
            return Err(BoardError::NotMeasured(path.src, path.dst));
        }
        self.probe(|probes| {
            probes.starts.remove(&path);
            probes.ends.remove(&path);
        })
    }

    /// Begins all measurements anew.
    ///
    /// # Errors
    /// [`BoardError::Stuck`]
    pub fn measure_anew(&mut self) -> Result<(), BoardError> {
        let probes = &self.wiring().probes;
        if probes.starts.is_empty() && probes.ends.is_empty() {
            return Ok(());
        }
        self.probe(|probes| {
            for (path, start) in &mut probes.starts {
                *start = Arc::new(Start::new(*path, start.every()));
            }
            for (path, end) in &mut probes.ends {
                *end = Arc::new(End::new(*path));
            }
        })
    }

    /// What is measured, by path.
    pub fn latencies(&self) -> Vec<LatencyView> {
        let probes = &self.wiring().probes;
        let mut paths: Vec<Path> = probes.starts.keys().copied().collect();
        paths.extend(probes.ends.keys());
        paths.sort_unstable();
        paths.dedup();
        let hz = dpdk::tsc_hz();
        let view = |path: Path| LatencyView {
            path,
            start: probes.starts.get(&path).map(|s| (s.every(), s.stamped())),
            end: probes.ends.get(&path).map(|end| end.times(hz)),
        };
        paths.into_iter().map(view).collect()
    }

    /// Traces the next `count` packets (1 to [`trace::MOST`]) of a source, keeping [`trace::SHORT`] bytes of each,
    /// or all of them if `whole` (then up to [`trace::MOST_WHOLE`] packets). It goes on until
    /// [`Board::untrace`], also when all packets are there.
    ///
    /// # Errors
    /// [`BoardError::NoSource`] if no packets are taken from the port now, [`BoardError::Traced`],
    /// [`BoardError::TraceCount`], [`BoardError::Stuck`]
    pub fn trace(
        &mut self,
        src: PortCode,
        count: usize,
        whole: bool,
    ) -> Result<Arc<Tracer>, BoardError> {
        let (most, keep) = if whole {
            (trace::MOST_WHOLE, trace::WHOLE)
        } else {
            (trace::MOST, trace::SHORT)
        };
        if !(1..=most).contains(&count) {
            return Err(BoardError::TraceCount { count, most });
        }
        if !self.takes_from(src) {
            return Err(BoardError::NoSource(src));
        }
        if self.wiring().probes.traces.contains_key(&src) {
            return Err(BoardError::Traced(src));
        }
        let tracer = Arc::new(Tracer::new(count, keep));
        let shared = tracer.clone();
        self.probe(|probes| {
            probes.traces.insert(src, shared);
        })?;
        Ok(tracer)
    }

    /// Ends the trace of a source; afterwards its line is as it was. Nothing happens if there is none.
    ///
    /// # Errors
    /// [`BoardError::Stuck`]
    pub fn untrace(&mut self, src: PortCode) -> Result<(), BoardError> {
        if !self.wiring().probes.traces.contains_key(&src) {
            return Ok(());
        }
        self.probe(|probes| {
            probes.traces.remove(&src);
        })
    }

    fn probe(&mut self, change: impl FnOnce(&mut Probes)) -> Result<(), BoardError> {
        let mut wiring = self.wiring().clone();
        change(&mut wiring.probes);
        wiring.probes.edition = self.next_edition();
        self.change(wiring)
    }
}
