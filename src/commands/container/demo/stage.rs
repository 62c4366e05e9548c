//! The panel of a demo: what was started for it, commands to it, and its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use container::app;
use container::checks;
use container::engine::Engine;
use container::layout::{Layout, Placed, Wish};
use container::options::Given;
use container::plan::Plan;
use serde_json::Value;

use super::super::run;
use super::account::{Account, Totals};
use super::names::Names;
use super::{Settings, lay_out};
use crate::address::Address;
use crate::client::Client;
use crate::commands;
use crate::context::Context;
use crate::failure::Failure;
use crate::session::Session;

/// Between two looks at what runs.
const GLANCE: Duration = Duration::from_millis(200);
/// For the last packets to arrive or to be counted.
const SETTLE: Duration = Duration::from_secs(10);
/// For a run of the generator, beside the time that its rate asks for.
const SPARE: Duration = Duration::from_secs(60);
/// Longest run that is waited for.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What came of a demo.
pub struct Played {
    /// The account of its packets.
    pub account: Account,
    /// Something of its own.
    pub more: Value,
    /// Why it failed although the account agrees.
    pub failure: Option<String>,
}

/// A demo that goes on.
pub struct Stage<'a, 'b> {
    pub(super) context: &'a mut Context<'b>,
    pub(super) engine: &'a Engine,
    pub(super) settings: &'a Settings,
    pub(super) names: Names,
    client: Client,
    pub(super) layout: Option<Layout>,
    /// Containers that are there, in the order of their start.
    pub(super) started: Vec<String>,
}

impl<'a, 'b> Stage<'a, 'b> {
    pub fn new(
        context: &'a mut Context<'b>,
        engine: &'a Engine,
        settings: &'a Settings,
        names: Names,
    ) -> Result<Self, Failure> {
        let address: Result<Address, String> = format!("127.0.0.1:{}", names.ports[2]).parse();
        let client = Client::new(address.map_err(Failure::refused)?);
        Ok(Self {
            context,
            engine,
            settings,
            names,
            client,
            layout: None,
            started: Vec::new(),
        })
    }

    pub fn settings(&self) -> &'a Settings {
        self.settings
    }

    /// The panel's controller.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Writes a line: documents are not to be mixed with it.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        let text = text.trim_end();
        let to = match self.context.json {
            true => &mut *self.context.err,
            false => &mut *self.context.out,
        };
        writeln!(to, "{text}")?;
        to.flush()?;
        Ok(())
    }

    pub fn step(&mut self, title: &str) -> Result<(), Failure> {
        self.go_on()?;
        self.say(&format!("\n== {title}"))
    }

    /// Ends it if the user has enough, or if a container has died.
    pub fn go_on(&self) -> Result<(), Failure> {
        if self.context.interrupted() {
            return Err(Failure::refused("interrupted"));
        }
        let there = self.engine.list(true)?;
        for name in &self.started {
            let found = there.iter().find(|container| container.name == *name);
            match found {
                Some(container) if container.running => {}
                Some(container) => {
                    let what = format!("container {name} has died ({})", container.status);
                    return Err(self.engine.last_words(name, &what).into());
                }
                None => {
                    return Err(Failure::refused(format!(
                        "container {name} is gone: somebody removed it"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Lays out all threads, and says how.
    pub fn lay_out(&mut self, wishes: &[Wish]) -> Result<(), Failure> {
        self.step("CPUs (--lcores auto)")?;
        let layout = lay_out(self.settings, self.engine, wishes)?;
        self.say(&run::table(&layout))?;
        self.layout = Some(layout);
        Ok(())
    }

    fn placed(&self, name: &str) -> Option<&Placed> {
        self.layout
            .iter()
            .flat_map(|l| &l.placed)
            .find(|placed| placed.name == name)
    }

    /// The name of a container.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.names.stem)
    }

    /// A command as a user would type it.
    fn show(&mut self, words: &[&str]) -> Result<(), Failure> {
        let line = shlex::try_join(words.iter().copied());
        self.say(&format!(
            "$ spp {}",
            line.unwrap_or_else(|_| words.join(" "))
        ))
    }

    /// Starts an application in a container; gives its name. `own`: options of its own. It is one of those that have to live, unless it is
    /// `passing`.
    pub fn start(
        &mut self,
        app: &str,
        name: &str,
        own: &[&str],
        passing: bool,
    ) -> Result<String, Failure> {
        let full = self.name(name);
        let mut words = vec!["--name".to_owned(), full.clone()];
        let mut main = None;
        if let Some(placed) = self.placed(name) {
            main = placed.main;
            words.extend([
                "--lcores".to_owned(),
                placed.map(placed.ids()).unwrap_or_default(),
            ]);
            words.push("--share-lcores".to_owned());
        }
        words.extend(own.iter().map(|word| (*word).to_owned()));
        let shown: Vec<&str> = words.iter().map(String::as_str).collect();
        self.show(&[&["container", "run", app], shown.as_slice()].concat())?;
        let app = app::find(app, None)?;
        let given: Given = app.given(&words)?;
        let mut plan = Plan::new(&app, &given, &run::unique()?)?;
        plan.main = main;
        checks::plan(&plan, &self.engine.list(true)?)?;
        let made = self.engine.create(&plan)?;
        let interrupt = Arc::clone(&self.context.interrupt);
        let interrupted = || interrupt.load(std::sync::atomic::Ordering::Relaxed);
        // Removed by the engine if it does not come up.
        let started = self.engine.start(&made, &plan, &interrupted)?;
        match passing {
            // It may be over already.
            true => {}
            false if started.ended => {
                let error = self
                    .engine
                    .last_words(&made, &format!("container {made} ended at once"));
                self.engine.remove(&made)?;
                return Err(error.into());
            }
            false => self.started.push(made.clone()),
        }
        Ok(made)
    }

    /// A command to the panel, shown and carried out.
    pub fn command(&mut self, line: &str) -> Result<(), Failure> {
        let address = self.client.address().to_string();
        self.say(&format!("$ spp -b {address} {line}"))?;
        let mut output = Vec::new();
        let mut context = Context {
            client: self.client.clone(),
            out: &mut output,
            err: &mut *self.context.err,
            json: false,
            style: self.context.style,
            full_screen: false,
            interrupt: Arc::clone(&self.context.interrupt),
            subgraphs: Vec::new(),
            leave: false,
            session: Session::default(),
        };
        let done = commands::execute(&mut context, line);
        self.say(&String::from_utf8_lossy(&output))?;
        done
    }

    /// Waits for the end of a run of the generator.
    pub fn wait_for_end(&mut self, name: &str) -> Result<(), Failure> {
        let begin = Instant::now();
        let limit = self.longest();
        loop {
            if let Some(status) = self.engine.ended(name)? {
                return match status {
                    0 => Ok(()),
                    _ => Err(self
                        .engine
                        .last_words(
                            name,
                            &format!("container {name} ended with exit status {status}"),
                        )
                        .into()),
                };
            }
            if begin.elapsed() > limit {
                let what = format!(
                    "container {name} has not ended within {} s",
                    limit.as_secs()
                );
                return Err(self.engine.last_words(name, &what).into());
            }
            self.go_on()?;
            std::thread::sleep(GLANCE);
        }
    }

    /// Longer than the packets take at a thousandth of the slowest rate that makes sense.
    fn longest(&self) -> Duration {
        let slow = Duration::from_millis(self.settings.packets);
        SPARE.saturating_add(slow).min(LONGEST)
    }

    /// Asks `done` until it says so, for a while: the last packets are on their way. Says nothing if it does not: the account will.
    pub fn settle(
        &mut self,
        done: &mut dyn FnMut(&mut Self) -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let begin = Instant::now();
        while !done(self)? && begin.elapsed() < SETTLE {
            self.go_on()?;
            std::thread::sleep(GLANCE);
        }
        Ok(())
    }

    /// What a container wrote.
    pub fn log(&self, name: &str) -> Result<String, Failure> {
        Ok(self.engine.last_lines(name, None)?)
    }

    /// The totals of a run that has ended; its container goes.
    pub fn totals(&mut self, name: &str) -> Result<Totals, Failure> {
        let totals = Totals::read(&self.log(name)?)?;
        self.engine.remove(name)?;
        Ok(totals)
    }

    /// Has a container end, and keeps what it wrote.
    pub fn end(&self, name: &str) -> Result<(), Failure> {
        Ok(self.engine.end(name)?)
    }
}
