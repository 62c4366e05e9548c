//! `container dev APP PROGRAM [OPTIONS]`: a program of this host in the application's image, started again when it changes.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use container::app::{self, App};
use container::checks;
use container::engine::Engine;
use container::options::Given;
use container::plan::Plan;

use super::{NO_PROGRAM, Words, folder, foreground, run};
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// How often the program is looked at.
const GLANCE: Duration = Duration::from_millis(100);
/// How often the container is.
const ALIVE: Duration = Duration::from_secs(1);
/// A program that is still being written changes again within this time.
const SETTLED: Duration = Duration::from_millis(300);
/// Where the program is in the container.
const PLACE: &str = "/opt/spp-dev";

const USAGE: &str = "Usage: container dev APP PROGRAM [OPTIONS]";

/// `container dev APP PROGRAM [OPTIONS]`
pub fn dev(context: &mut Context, args: &Args) -> Outcome {
    let taken = Words::take(context, args, "APP PROGRAM [OPTIONS]", NO_PROGRAM);
    let [name, program, words @ ..] = taken.words.as_slice() else {
        return Err(Failure::usage(format!(
            "Which application, and which program of this host?\n{USAGE}"
        )));
    };
    let mut app = app::find(name, folder(words).as_deref())?;
    if taken.help {
        return run::help_of(&app);
    }
    let program = Program::of(program)?;
    app.mounts
        .push(format!("{}:{}:ro", program.path.display(), program.place));
    app.binary.clone_from(&program.place);
    let given = app.given(words)?;
    for option in ["--dry-run", "--foreground"] {
        if given.typed(option) {
            return Err(Failure::usage(format!("{option} is not for dev.\n{USAGE}")));
        }
    }
    let engine = Engine::connect()?;
    let mut developed = Developed {
        app,
        given,
        engine,
        running: None,
    };
    let outcome = foreground::interruptible(context, |context, stop| {
        while !stop.load(Ordering::Relaxed) {
            let seen = program.state();
            developed.start_again(context)?;
            developed.watch(context, &program, seen)?;
        }
        Ok(())
    });
    let stopped = developed.stop();
    outcome?;
    stopped?;
    Ok(Report::written())
}

/// The program of this host.
struct Program {
    path: PathBuf,
    place: String,
}

/// By which a program that was built anew is known: compilers replace the file.
type State = Option<(u64, SystemTime, u64)>;

impl Program {
    fn of(text: &str) -> Result<Self, Failure> {
        let path = Path::new(text);
        let found = path.canonicalize().ok().filter(|path| path.is_file());
        match found.as_deref().map(|path| (path, path.file_name())) {
            Some((found, Some(name))) => Ok(Self {
                path: found.to_owned(),
                place: format!("{PLACE}/{}", name.to_string_lossy()),
            }),
            _ => Err(Failure::refused(format!(
                "{text} is no program of this host: build it first"
            ))),
        }
    }

    /// Nothing while it is being replaced.
    fn state(&self) -> State {
        let file = std::fs::metadata(&self.path).ok()?;
        Some((file.ino(), file.modified().ok()?, file.len()))
    }
}

/// The application, and the container that it runs in.
struct Developed {
    app: App,
    given: Given,
    engine: Engine,
    running: Option<String>,
}

impl Developed {
    /// Starts it in the place of what runs. A program that does not come up is told of, and waited with until it changes.
    fn start_again(&mut self, context: &mut Context) -> Result<(), Failure> {
        let begin = Instant::now();
        self.stop()?;
        let running = self.engine.list(true)?;
        let (plan, layout) = Plan::laid_out(&self.app, &self.given, &run::unique()?, &running)?;
        checks::plan(&plan, &running)?;
        if let Some(layout) = &layout {
            write!(context.err, "{}", run::table(layout))?;
        }
        let name = self.engine.create(&plan)?;
        let interrupted = || context.interrupted();
        match self.engine.start(&name, &plan, &interrupted) {
            Ok(started) => {
                let how = if started.ended {
                    "ran to its end"
                } else {
                    "runs"
                };
                let seconds = begin.elapsed().as_secs_f64();
                writeln!(
                    context.out,
                    "{} {how} in container {name}, after {seconds:.1} s.",
                    self.app.name
                )?;
                self.running = Some(name);
            }
            Err(error) => writeln!(context.out, "{error}")?,
        }
        context.out.flush()?;
        Ok(())
    }

    /// Waits until the program is another than that of `seen`, or the user has enough.
    fn watch(
        &mut self,
        context: &mut Context,
        program: &Program,
        seen: State,
    ) -> Result<(), Failure> {
        let mut looked = Instant::now();
        while context.pause(GLANCE) {
            let now = program.state();
            if now.is_some() && now != seen {
                // Until it has been written as a whole.
                while context.pause(SETTLED) && program.state() != now {}
                return Ok(());
            }
            if looked.elapsed() < ALIVE {
                continue;
            }
            looked = Instant::now();
            self.tell_of_an_end(context)?;
        }
        Ok(())
    }

    /// Says once that the container has ended by itself.
    fn tell_of_an_end(&mut self, context: &mut Context) -> Result<(), Failure> {
        let Some(name) = &self.running else {
            return Ok(());
        };
        let container = self.engine.find(name)?;
        if !container.running {
            writeln!(
                context.out,
                "Container {name} has ended ({}): waiting for a new program.",
                container.status
            )?;
            context.out.flush()?;
            self.stop()?;
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Failure> {
        match self.running.take() {
            Some(name) => Ok(self.engine.stop(&name)?),
            None => Ok(()),
        }
    }
}
