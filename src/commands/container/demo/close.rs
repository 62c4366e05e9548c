//! The end of a demo: nothing is left, or it is said how to go on.

use std::fs;

use container::host;
use serde_json::{Value, json};

use super::stage::{Played, Stage};
use crate::context::{Outcome, Report};
use crate::failure::Failure;

impl Stage<'_, '_> {
    /// Removes all that was started, or says how to go on with it and how to end it.
    pub fn close(mut self, case: &str, played: Result<Played, Failure>) -> Outcome {
        // Nobody could be told how to end what goes on: then it does not.
        let kept = self.settings.keep && played.is_ok() && self.tell_what_next().is_ok();
        let removed = match kept {
            true => Ok(()),
            false => self.clear(),
        };
        let played = match (played, removed) {
            (Ok(played), removed) => removed.map(|()| played)?,
            (Err(failure), Ok(())) => return Err(failure),
            // A reader who is gone is told of neither.
            (Err(failure), Err(_)) if failure.is_broken_pipe() => return Err(failure),
            (Err(failure), Err(left)) => {
                return Err(Failure::refused(format!("{failure}\n{left}")));
            }
        };
        let mut document = json!({
            "result": "succeeded", "demo": case, "account": played.account.json(), "layout": self.layout,
        });
        if let (Some(document), Value::Object(more)) = (document.as_object_mut(), played.more) {
            document.extend(more);
            if kept {
                document.insert("containers".to_owned(), json!(self.started));
                document.insert(
                    "address".to_owned(),
                    json!(self.client().address().to_string()),
                );
            }
        }
        if !played.account.agrees() {
            return Err(Failure::refused(format!(
                "not every packet is accounted for:\n{}",
                played.account.text()
            )));
        }
        match played.failure {
            Some(failure) => Err(Failure::refused(failure)),
            None if self.context.json => Ok(Report::new("", document)),
            None => Ok(Report::written()),
        }
    }

    fn tell_what_next(&mut self) -> Result<(), Failure> {
        let spp = format!("spp -b {}", self.client().address());
        let names: Vec<&str> = self.started.iter().rev().map(String::as_str).collect();
        let end = format!(
            "spp container stop {} && rm -r {}",
            names.join(" "),
            self.folder().display()
        );
        self.say(&format!(
            "\n== It goes on. What to type next\n  {spp} topo term        the topology\n  {spp} top              live rates\n  \
             {spp} nfv 1 status     ports and patches of a worker\n  spp container ps                      its containers\nEnd it all:\n  {end}"
        ))
    }

    /// Ends every container, the last one first, and looks for what a killed process left.
    fn clear(&mut self) -> Result<(), Failure> {
        // Also if nobody reads it any more.
        let told = self.say("\n== The end: all that was started is removed");
        let mut failed = Vec::new();
        let start = format!("{}-", self.names.stem);
        let mut names: Vec<String> = self.started.drain(..).rev().collect();
        // And what did not come to be one of those that have to live.
        let there = self.engine.list(true).unwrap_or_default();
        let others = there.into_iter().filter(|c| c.name.starts_with(&start));
        let others: Vec<String> = others
            .map(|c| c.name)
            .filter(|name| !names.contains(name))
            .collect();
        names.splice(0..0, others);
        for name in &names {
            if let Err(error) = self.engine.stop(name) {
                // Whoever is gone already is no failure.
                if self.engine.find(name).is_ok() {
                    failed.push(error.to_string());
                }
            }
        }
        // Nothing is taken from under a process that may still run.
        if failed.is_empty()
            && let Err(error) = host::sweep(&self.names.stem, &self.settings.huge_dir)
        {
            failed.push(error.to_string());
        }
        if let Err(error) = fs::remove_dir_all(self.folder()) {
            failed.push(format!(
                "cannot remove {}: {error}",
                self.folder().display()
            ));
        }
        match failed.is_empty() {
            true => told,
            false => Err(Failure::refused(format!(
                "not all could be removed: {}",
                failed.join("; ")
            ))),
        }
    }
}
