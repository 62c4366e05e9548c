//! What the controller counts, and what it tells Prometheus.

mod list;
mod sheet;
mod text;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared as SharedFuture};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use protocol::detail::ProcessDetail;

use crate::rest::{Shared, collect_details};
pub(crate) use sheet::page;

/// Names and values.
pub(crate) type Labels = Vec<(&'static str, String)>;

/// Bounds of the histograms, in seconds: from a question to a process nearby, or an fsync, to the limit of a command.
const BOUNDS: [f64; 14] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// A histogram of times in seconds.
pub(crate) fn histogram() -> Histogram {
    Histogram::new(BOUNDS)
}

/// How long the answers of a process took.
#[derive(Debug)]
pub(crate) struct Times {
    questions: Histogram,
    changes: Histogram,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            questions: histogram(),
            changes: histogram(),
        }
    }
}

impl Times {
    /// The histograms, with the names of their classes.
    fn by_class(&self) -> [(&'static str, &Histogram); 2] {
        [("change", &self.changes), ("question", &self.questions)]
    }

    /// `command` was answered, or given up, after `time`.
    pub fn note(&self, command: &str, time: Duration) {
        let histogram = match command {
            "status" | "_detail" => &self.questions,
            _ => &self.changes,
        };
        histogram.observe(time.as_secs_f64());
    }
}

/// What the controller counts of itself.
#[derive(Debug)]
pub(crate) struct Figures {
    requests: Family<Labels, Counter>,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    refused: Family<Labels, Counter>,
    /// HTTP connections that are open.
    pub connections: Gauge,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            refused: Family::default(),
            connections: Gauge::default(),
        }
    }
}

impl Figures {
    /// A request was answered. `route` is a pattern, so that the number of series has a bound.
    pub fn answered(&self, method: &str, route: &str, status: u16, time: Duration) {
        const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"];
        let known = METHODS.iter().find(|known| **known == method);
        let mut labels = vec![
            ("method", (*known.unwrap_or(&"other")).to_owned()),
            ("route", route.to_owned()),
        ];
        self.durations
            .get_or_create(&labels)
            .observe(time.as_secs_f64());
        labels.push(("status", status.to_string()));
        self.requests.get_or_create(&labels).inc();
    }

    /// A connection to `door` was refused or closed early.
    pub fn refused(&self, door: &'static str, reason: &'static str) {
        let labels = vec![("door", door.to_owned()), ("reason", reason.to_owned())];
        self.refused.get_or_create(&labels).inc();
    }
}

/// What all processes answered in one round.
pub(crate) type Round = Arc<Vec<ProcessDetail>>;

/// Asks all processes once for all scrapes that come at the same time.
#[derive(Default)]
pub(crate) struct Rounds {
    running: Mutex<Option<SharedFuture<BoxFuture<'static, Round>>>>,
}

impl Rounds {
    /// The answers of the round that runs, or of a new one.
    pub async fn next(&self, shared: &Shared) -> Round {
        let round = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            match running.as_ref().filter(|round| round.peek().is_none()) {
                Some(round) => round.clone(),
                None => {
                    let shared = shared.clone();
                    // A task of its own: it goes on when the scrape that began it is given up.
                    let task = tokio::spawn(async move { collect_details(&shared).await });
                    let round = task.map(|answers| {
                        Arc::new(answers.unwrap_or_else(|error| {
                            log::error!("metrics: {error}");
                            Vec::new()
                        }))
                    });
                    running.insert(round.boxed().shared()).clone()
                }
            }
        };
        round.await
    }
}

#[cfg(test)]
mod tests;
