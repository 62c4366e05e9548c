//! `container demo CASE [OPTIONS]`: the original's use cases, from nothing to packets that are counted, with each step as a user
//! would type it.

mod account;
mod close;
mod names;
mod panel;
mod rings;
mod sfc;
mod stage;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use container::engine::Engine;
use container::layout::Machine;
use container::options::{self, Given};
use container::{cpus, layout};
use serde_json::json;

use super::{NO_PROGRAM, Words, foreground, help};
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use names::Names;
use stage::Stage;

/// Names of the demos.
pub const CASES: [&str; 2] = ["sfc", "rings"];

const USAGE: &str = "Usage: container demo sfc|rings [OPTIONS]";

/// What is to be shown, and how.
struct Settings {
    packets: u64,
    rate: String,
    buffers: u64,
    memory: u32,
    huge_dir: PathBuf,
    keep: bool,
    /// CPUs that may be used, if not all of this host.
    machine: Machine,
}

impl Settings {
    fn read(given: &Given) -> Result<Self, Failure> {
        let number = |name: &str| -> u64 {
            // Checked by the option's own condition already.
            given
                .value(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        };
        let machine = Machine::of_host()?;
        let machine = match given.value("--lcores").unwrap_or("auto") {
            "auto" => machine,
            list => {
                let cpus = cpus::list(list).map_err(|reason| {
                    Failure::usage(format!("--lcores {list}: {reason} (or auto)"))
                })?;
                machine.only(&cpus)?
            }
        };
        let rate = given.value("--rate").unwrap_or_default();
        if !is_rate(rate) {
            return Err(Failure::usage(format!(
                "--rate '{rate}': packets a second (50000, 20kpps), or bits (100mbit)"
            )));
        }
        Ok(Self {
            packets: number("--packets"),
            rate: rate.to_owned(),
            buffers: number("--show-buffers"),
            memory: given.number("--mem")?.unwrap_or(0),
            huge_dir: PathBuf::from(given.value("--huge-dir").unwrap_or_default()),
            keep: given.typed("--keep"),
            machine,
        })
    }
}

/// Whether the generator will take it: a number, a prefix, and what is counted.
fn is_rate(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_lowercase();
    let unit = unit.trim_end_matches("pps").trim_end_matches("bit");
    digits.parse::<f64>().is_ok_and(|number| number > 0.0) && ["", "k", "m", "g"].contains(&unit)
}

/// `container demo CASE [OPTIONS]`
pub fn demo(context: &mut Context, args: &Args) -> Outcome {
    let taken = Words::take(context, args, "CASE [OPTIONS]", NO_PROGRAM);
    if taken.help {
        let options = options::of_demo()?;
        let text = format!(
            "{USAGE}\n\nsfc: a chain of services: generator, rings, vhost ports, DPDK's l2fwd, and back\n\
             rings: containers chained by rings in shared memory, and the proof that no packet is copied\n\n{}",
            help::options("Options of demo:", &options)
        );
        return Ok(Report::new(text.clone(), json!(text)));
    }
    let (case, words) = match taken.words.split_first() {
        Some((case, words)) if CASES.contains(&case.as_str()) => (case.as_str(), words),
        Some((case, _)) => {
            return Err(Failure::usage(format!(
                "There is no demo '{case}' (there are: {}).\n{USAGE}",
                CASES.join(", ")
            )));
        }
        None => return Err(Failure::usage(format!("Which demo?\n{USAGE}"))),
    };
    let given = Given::read("demo", &options::of_demo()?, words)?;
    if let Some(word) = given.rest.first() {
        return Err(Failure::usage(format!(
            "'{word}' has no meaning here.\n{USAGE}"
        )));
    }
    let settings = Settings::read(&given)?;
    let engine = Engine::connect()?;
    let names = Names::new(given.value("--name"), &engine)?;
    foreground::interruptible(context, |context, _| {
        let mut stage = Stage::new(context, &engine, &settings, names)?;
        let played = match case {
            "sfc" => sfc::play(&mut stage),
            _ => rings::play(&mut stage),
        };
        stage.close(case, played)
    })
}

/// The threads of all, laid out beside what runs.
fn lay_out(
    settings: &Settings,
    engine: &Engine,
    wishes: &[layout::Wish],
) -> Result<layout::Layout, Failure> {
    let mut taken = layout::of_containers(&engine.list(false)?);
    taken.extend(layout::of_panels());
    Ok(layout::lay_out(&settings.machine, wishes, &taken, None))
}
