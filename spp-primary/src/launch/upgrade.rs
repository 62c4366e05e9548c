//! A newer program in the place of a launched process, while packets flow.

use std::process::ExitStatus;

use process::Error;

use super::{Launched, Launcher, State, in_words, now, number};

/// What the environment says to the program that takes over.
pub(super) const TAKE_OVER: (&str, &str) = ("SPP_TAKE_OVER", "true");
/// What [`protocol::detail::LaunchedDetail::upgrade`] says while it goes on, and when it has succeeded.
const RUNNING: &str = "running";
const DONE: &str = "done";

impl Launcher {
    /// Starts the program of a launched process again, which takes the place of the one that runs. Whether it does shows in
    /// [`Launcher::details`].
    ///
    /// # Errors
    /// No such process runs, it cannot be replaced in this way, or the program cannot be started.
    pub fn upgrade(&mut self, id: &str) -> Result<(), Error> {
        let id = number(id)?;
        let refused = |words: String| Err(Error::Refused(words));
        let Some(launched) = self.processes.get_mut(&id) else {
            return refused(format!(
                "no process with the id {id} was launched here: start the new program with --take-over"
            ));
        };
        let kind = launched.kind;
        if kind == "pcap" {
            return refused(format!(
                "{kind} {id}: a capture cannot be taken over: end it and launch it again"
            ));
        }
        match (&launched.state, &launched.next) {
            (State::Running(_), None) => {}
            (State::Running(_), Some(next)) => {
                return refused(format!(
                    "{kind} {id} is being replaced already, by process {}",
                    next.id()
                ));
            }
            _ => return refused(format!("{kind} {id} does not run: launch it")),
        }
        launched.next = Some(launched.spawn(id, &[TAKE_OVER])?);
        launched.upgrade = Some(RUNNING.into());
        Ok(())
    }
}

impl Launched {
    /// The program that was to take over has ended instead.
    fn not_taken_over(&mut self, id: u32, status: ExitStatus) {
        let own = format!("spp-{}: ", self.kind);
        let words = self.log.last_words();
        let reason = words.iter().rev().find_map(|line| line.strip_prefix(&own));
        let why = format!(
            "{} ({})",
            reason.unwrap_or("its log tells more"),
            in_words(status)
        );
        ::log::error!(
            "spp-{} {id} goes on: the new program did not take over: {why}",
            self.kind
        );
        self.upgrade = Some(format!("failed: {why}"));
    }

    /// Reaps a program that was to take over and has ended.
    pub(super) fn reap_next(&mut self, id: u32) {
        let Some(next) = &mut self.next else { return };
        match next.try_wait() {
            Ok(Some(status)) => {
                self.next = None;
                self.not_taken_over(id, status);
            }
            Ok(None) => {}
            Err(e) => ::log::error!("the new {} {id} cannot be watched: {e}", self.kind),
        }
    }

    /// The process has ended: if another was to take its place that is the process from now on. False if there is none.
    pub(super) fn pass_on(&mut self, id: u32) -> bool {
        let Some(next) = self.next.take() else {
            return false;
        };
        ::log::info!(
            "process {} has taken the place of spp-{} {id}",
            next.id(),
            self.kind
        );
        self.pid = Some(next.id());
        self.state = State::Running(next);
        self.since = now();
        self.leaving = false;
        self.upgrade = Some(DONE.into());
        true
    }
}
