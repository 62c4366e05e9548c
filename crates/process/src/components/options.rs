//! Command lines of spp-vf and spp-mirror: ours, and the original's.

use clap::{Args as Group, CommandFactory, FromArgMatches, Parser, ValueEnum};
use protocol::command::component::CopyMode;
use protocol::reply::ProcessKind;

use crate::Error;
use crate::cli::{
    Common, Joining, OriginalClient, Polling, Registering, Start, Succeeding, Workers,
    original_lcores, original_options, vhost_mode,
};
use crate::eal_options::{EalOptions, split_original};
use crate::secondary::Options;

#[derive(Parser, Debug)]
#[command(version)]
struct Ours {
    #[command(flatten)]
    joining: Joining,
    #[command(flatten)]
    polling: Polling,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    workers: Workers,
    #[command(flatten)]
    registering: Registering,
    #[command(flatten)]
    succeeding: Succeeding,
}

/// Of mirrors.
#[derive(Group, Debug)]
struct Copying {
    /// How mirrors copy that are not told otherwise (component set NAME copy MODE)
    #[arg(
        long,
        value_name = "MODE",
        env = "SPP_MIRROR_COPY",
        default_value = "shallow"
    )]
    mirror_copy: Mode,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum Mode {
    /// All copies share the bytes of the packet
    Shallow,
    /// Each copy has its own
    Deep,
}

impl From<Mode> for CopyMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Shallow => CopyMode::Shallow,
            Mode::Deep => CopyMode::Deep,
        }
    }
}

/// The words after `--` in the original's form.
#[derive(Parser, Debug)]
#[command(no_binary_name = true)]
struct Original {
    #[command(flatten)]
    client: OriginalClient,
    #[arg(long)]
    vhost_client: bool,
}

/// Reads the command line of a `vf` or `mirror`, without the program's name; clap's own messages end the process.
/// Gives how it starts, and how mirrors copy that do not say it.
///
/// # Errors
/// A value that cannot be taken.
pub fn parse(kind: ProcessKind, args: &[String]) -> Result<(Start, CopyMode), Error> {
    match split_original(args) {
        Some((eal, own)) => original(kind, eal, own),
        None => ours(kind, args),
    }
}

/// A command line of this process.
fn command(kind: ProcessKind, of: clap::Command, about: &'static str) -> clap::Command {
    let name = match kind {
        ProcessKind::Mirror => "spp-mirror",
        _ => "spp-vf",
    };
    let of = of.name(name).about(about);
    match kind {
        ProcessKind::Mirror => Copying::augment_args(of),
        _ => of,
    }
}

fn copy(kind: ProcessKind, matches: &clap::ArgMatches) -> CopyMode {
    match kind {
        ProcessKind::Mirror => {
            let copying = Copying::from_arg_matches(matches).unwrap_or_else(|e| e.exit());
            copying.mirror_copy.into()
        }
        _ => CopyMode::Shallow,
    }
}

fn about(kind: ProcessKind) -> &'static str {
    match kind {
        ProcessKind::Mirror => {
            "A process of the patch panel whose components copy packets to further ports.\n\n\
             The original's form works too: spp-mirror EAL-OPTIONS -- --client-id ID -s HOST:PORT [--vhost-client]"
        }
        _ => {
            "A process of the patch panel with components: forwarders, mergers, classifiers.\n\n\
             The original's form works too: spp-vf EAL-OPTIONS -- --client-id ID -s HOST:PORT [--vhost-client]"
        }
    }
}

fn ours(kind: ProcessKind, args: &[String]) -> Result<(Start, CopyMode), Error> {
    let name = std::iter::once(format!("spp-{kind}"));
    let matches = command(kind, Ours::command(), about(kind))
        .get_matches_from(name.chain(args.iter().cloned()));
    let args = Ours::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    let options = Options {
        kind: kind.word(),
        id: args.joining.sec_id,
        file_prefix: args.common.file_prefix.clone(),
        main_lcore: None,
        placement: args.workers.placement()?,
        wait: args.joining.wait()?,
        vhost_mode: args.common.vhost_mode(),
        pcap_dir: args.common.pcap_dir,
        poll: args.polling.poll(),
        stall: args.polling.stall()?,
        forwarding: true,
        controller: args.registering.controller()?,
        confinement: args.common.confining.confinement(),
        take_over: args.succeeding.take_over,
        huge_dir: args.common.huge_dir,
        eal: args.common.eal,
    };
    let start = Start {
        options,
        log_level: args.common.log_level,
    };
    Ok((start, copy(kind, &matches)))
}

fn original(kind: ProcessKind, eal: &[String], own: &[String]) -> Result<(Start, CopyMode), Error> {
    let matches = command(kind, Original::command(), about(kind)).get_matches_from(own);
    let own = Original::from_arg_matches(&matches).unwrap_or_else(|e| e.exit());
    let eal = EalOptions::parse(eal)?;
    let (main, workers) = original_lcores(&eal)?;
    if workers.is_empty() {
        return Err(Error::Usage(format!(
            "-l {main}: the first lcore is for control, components need a further one, for instance -l {main},{}",
            main + 1
        )));
    }
    let id = own.client.client_id;
    let options = Options {
        vhost_mode: vhost_mode(own.vhost_client),
        // Components move packets as soon as they are complete.
        forwarding: true,
        confinement: own.client.confining.confinement(),
        controller: Some(own.client.controller()?),
        ..original_options(kind.word(), id, eal, main, workers)?
    };
    let start = Start {
        options,
        log_level: log::LevelFilter::Info,
    };
    Ok((start, copy(kind, &matches)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secondary::Placement;
    use protocol::command::VhostMode;

    fn read(kind: ProcessKind, text: &str) -> Result<(Start, CopyMode), Error> {
        let words: Vec<String> = text.split_whitespace().map(String::from).collect();
        parse(kind, &words)
    }

    #[test]
    fn both_forms_are_read_and_components_run_at_once() {
        let (new, copy) = read(ProcessKind::Mirror, "--sec-id 3 --mirror-copy deep").unwrap();
        assert_eq!((new.options.kind, new.options.id), ("mirror", 3));
        assert!(new.options.forwarding && copy == CopyMode::Deep);
        let text =
            "-l 0,2-13 --proc-type secondary -- --client-id 1 -s 127.0.0.1:6666 --vhost-client";
        let (old, copy) = read(ProcessKind::Vf, text).unwrap();
        assert_eq!((old.options.kind, old.options.id), ("vf", 1));
        assert_eq!(old.options.main_lcore, Some(0));
        assert_eq!(old.options.vhost_mode, VhostMode::Client);
        assert!(old.options.forwarding && copy == CopyMode::Shallow);
        assert!(matches!(&old.options.placement, Placement::On(all) if all.len() == 12));
        assert_eq!(old.options.controller.as_deref(), Some("127.0.0.1:6666"));
    }

    #[test]
    fn the_control_lcore_alone_is_refused() {
        let text = "-l 3 -- --client-id 1 -s 127.0.0.1:6666";
        let words = read(ProcessKind::Vf, text).err().unwrap().to_string();
        assert!(words.contains("-l 3,4"), "{words}");
    }
}
