//! What becomes of launched processes that hang.

use std::time::{Duration, Instant};

use process::watch::{Hanging, Trouble};

use super::{Launcher, State};

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);

impl Launcher {
    /// Kills those that have hung for as long as they may. To be called again and again with what hangs.
    pub fn watch(&mut self, hanging: &[Hanging]) {
        // Time in which we did not run ourselves is nobody's fault.
        let passed = self.looked.elapsed().min(LOOK * 2);
        self.looked = Instant::now();
        for (id, launched) in &mut self.processes {
            let (State::Running(child), Some(limit)) = (&mut launched.state, launched.hang_limit)
            else {
                continue;
            };
            let ours = |h: &&Hanging| h.holder.id == *id && h.holder.kind == launched.kind;
            let Some(found) = hanging.iter().filter(ours).max_by_key(|h| h.trouble) else {
                launched.hung = Duration::ZERO;
                continue;
            };
            launched.hung += passed;
            // While another takes its place it may be that one that is meant.
            if launched.hung < limit || launched.killed.is_some() || launched.next.is_some() {
                continue;
            }
            let what = match found.trouble {
                Trouble::Silent => "gave no sign of life",
                Trouble::Stuck => "had a worker that was stuck",
            };
            let why = format!("it {what} for {:.1} s", found.time.as_secs_f64());
            log::error!("spp-{} {id} is killed: {why}", launched.kind);
            match child.kill() {
                Ok(()) => launched.killed = Some(why),
                Err(e) => log::error!("spp-{} {id} cannot be killed: {e}", launched.kind),
            }
        }
    }

    /// Whether anything is launched that may be killed when it hangs, and it is time to look again.
    pub fn wants_look(&self) -> bool {
        self.looked.elapsed() >= LOOK && self.processes.values().any(|l| l.hang_limit.is_some())
    }
}
