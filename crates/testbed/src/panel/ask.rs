//! Asking a panel: by the operator's command, by REST, and what the answers add up to.

use std::process::Command;
use std::time::Duration;

use protocol::detail::{Detail, ProcessDetail};

use super::{Panel, START};
use crate::http::{self, Response};

use crate::proc::{self, Finished};
use crate::wait_until;

/// For the controller to answer. Its own limit for a process is 5 s.
const ANSWER: Duration = Duration::from_secs(15);

impl Panel {
    /// Runs the operator's command with these words.
    #[track_caller]
    pub fn spp(&self, words: &[&str]) -> Finished {
        let mut command = self.command(Command::new(self.bin("spp")));
        command.args(["-b", &self.rest().to_string()]).args(words);
        proc::run(&mut command, START)
    }

    /// Runs a command line of the operator that takes effect, such as `nfv 1 add vhost:1`; gives
    /// its output.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn ok(&self, line: &str) -> String {
        let finished = self.spp(&line.split_whitespace().collect::<Vec<_>>());
        assert!(
            finished.status.success(),
            "spp {line}: {}: {}",
            finished.status,
            finished.output
        );
        finished.output
    }

    /// Runs a command line of the operator that is refused; gives the reason.
    ///
    /// # Panics
    /// If it succeeds.
    #[track_caller]
    pub fn refused(&self, line: &str) -> String {
        let finished = self.spp(&line.split_whitespace().collect::<Vec<_>>());
        assert!(
            !finished.status.success(),
            "spp {line} was not refused: {}",
            finished.output
        );
        finished.failure()
    }

    /// Sends a request to the REST interface.
    ///
    /// # Panics
    /// If there is no answer within 15 s.
    #[track_caller]
    pub fn http(&self, method: &str, path: &str, body: &str) -> Response {
        http::request(self.rest(), method, path, &[], body, ANSWER)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// All processes, as the controller sees them.
    ///
    /// # Panics
    /// If the controller does not say.
    #[track_caller]
    pub fn details(&self) -> Vec<ProcessDetail> {
        let answer = self.http("GET", "/v1/details", "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        serde_json::from_str(&answer.body)
            .unwrap_or_else(|error| panic!("/v1/details: {error}: {}", answer.body))
    }

    /// A process (0 is the primary) about itself.
    ///
    /// # Panics
    /// If it does not say within half a minute. (The controller's own limit is 500 ms, which a busy
    /// machine may exceed.)
    #[track_caller]
    pub fn detail(&self, id: u32) -> Detail {
        let mut all = Vec::new();
        let found = crate::wait::poll(START, || {
            all = self.details();
            let found = all.iter().find(|process| process.client_id == id);
            found.and_then(|process| process.detail.clone())
        });
        found.unwrap_or_else(|| panic!("process {id} gives no details: {all:?}"))
    }

    pub(super) fn find_detail(&self, id: u32) -> Option<ProcessDetail> {
        let answer = http::request(self.rest(), "GET", "/v1/details", &[], "", ANSWER).ok()?;
        let all: Vec<ProcessDetail> = serde_json::from_str(&answer.body).ok()?;
        all.into_iter().find(|process| process.client_id == id)
    }

    /// Waits until a port's link is in this state (`up`, `down`).
    #[track_caller]
    pub fn wait_link(&self, id: u32, port: &str, link: &str) {
        wait_until(
            &format!("{port} of process {id} to be {link}"),
            START,
            || {
                self.detail(id)
                    .ports
                    .iter()
                    .any(|p| p.name == port && p.link == link)
            },
        );
    }

    /// Packets dropped by all patches and components of all processes, for every reason.
    pub fn dropped(&self) -> u64 {
        let details = self
            .details()
            .into_iter()
            .filter_map(|process| process.detail);
        let of = |detail: Detail| {
            let patches = detail.patches.into_iter().map(|patch| patch.counters);
            let ends = detail.components.into_iter();
            let ends = ends.flat_map(|component| component.rx.into_iter().chain(component.tx));
            let all = patches.chain(ends.map(|end| end.counters));
            all.map(|counters| counters.drops.total()).sum::<u64>()
        };
        details.map(of).sum()
    }

    /// Packets that are in rings now.
    pub fn in_rings(&self) -> u64 {
        self.detail(0)
            .rings
            .iter()
            .map(|ring| u64::from(ring.used))
            .sum()
    }

    /// Waits until as many packets as were `sent` were received (as `received` tells) or dropped and
    /// counted, and no ring holds one; gives the number of dropped ones.
    ///
    /// # Panics
    /// If the numbers do not agree within half a minute.
    #[track_caller]
    pub fn wait_accounted(&self, sent: u64, mut received: impl FnMut() -> u64) -> u64 {
        let mut last = String::new();
        let agreed = crate::wait::poll(START, || {
            let (got, dropped, waiting) = (received(), self.dropped(), self.in_rings());
            last = format!("{sent} sent, {got} received, {dropped} dropped, {waiting} in rings");
            (sent == got + dropped && waiting == 0).then_some(dropped)
        });
        agreed.unwrap_or_else(|| panic!("the numbers do not agree: {last}"))
    }
}
