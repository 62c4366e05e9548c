//! Command lines of spp-pcap: ours, and the original's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use capture::plan::{FILE_SIZE, Plan, SNAPLEN};
use capture::{Compress, Format, OnError, Target};
use clap::{Parser, ValueEnum};
use process::Error;
use process::cli::{
    Common, Joining, OriginalClient, Polling, Registering, Start, Succeeding, original_lcores,
    original_options,
};
use process::confine::Confinement;
use process::eal_options::{EalOptions, NamedLcore, lcore_map, split_original};
use process::secondary::{Options, Placement};
use protocol::port::PortName;

/// A process that captures what a port receives into files.
///
/// Whoever captures a port takes its packets: to capture beside other traffic, let a mirror copy it into a ring.
///
/// The original's form works too: spp-pcap EAL-OPTIONS -- --client-id ID -s HOST:PORT -c PORT [nq QUEUE] [--out-dir
/// DIR] [--fsize BYTES]
#[derive(Parser, Debug)]
#[command(name = "spp-pcap", version)]
struct Args {
    #[command(flatten)]
    joining: Joining,
    #[command(flatten)]
    polling: Polling,
    #[command(flatten)]
    succeeding: Succeeding,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    registering: Registering,
    #[command(flatten)]
    what: What,
    /// CPUs: the receiver's, then one for each writer; a list such as 1,3-5, or an EAL map such as 1@0,2@1
    /// [default: the receiver on the CPU with the fewest workers]
    #[arg(long, value_name = "CPUS", env = "SPP_LCORES")]
    lcores: Option<String>,
    /// Number of writers that run on any CPU, where --lcores names none for them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    writers: u16,
    /// Wait for the command `start`
    #[arg(long, env = "SPP_IDLE")]
    idle: bool,
    /// Write into this file or pipe (- is standard output) instead of a folder: one stream of pcapng without
    /// compression, unless told otherwise
    #[arg(long, value_name = "FILE", conflicts_with_all = ["out_dir", "fsize", "rotate_seconds", "files", "compress"])]
    out: Option<PathBuf>,
    /// Form of the files [default: pcap; with --out: pcapng]
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
    /// Compression of the files
    #[arg(long, value_name = "METHOD", default_value = "lz4")]
    compress: Method,
    /// Begin a new file when one covers so much time
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    rotate_seconds: Option<u64>,
    /// Keep only so many files of each writer, with the one being written; the oldest of this run go
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    files: Option<u32>,
    /// Most bytes kept of a packet
    #[arg(long, value_name = "BYTES", default_value_t = SNAPLEN, value_parser = clap::value_parser!(u32).range(1..=131_072))]
    snaplen: u32,
    /// Capture only what this says in tcpdump's language, such as 'tcp port 80'
    #[arg(long, value_name = "FILTER", default_value = "")]
    filter: String,
    /// What happens when a file cannot be written
    #[arg(long, value_name = "ACTION", default_value = "stop")]
    on_error: Action,
    /// Megabytes of packets that may wait for each writer
    #[arg(long, value_name = "MB", default_value_t = BUFFER_MB, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    buffer: u32,
}

/// What both forms have.
#[derive(clap::Args, Debug)]
struct What {
    /// Port to capture: ring:0, phy:0, phy:0 nq 1, vhost:1, …
    #[arg(short = 'c', value_name = "PORT", num_args = 1..=3, required = true)]
    port: Vec<String>,
    /// Folder of the files, which has to be there
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    out_dir: PathBuf,
    /// Begin a new file when the content of one would be longer than this, before compression
    #[arg(long, value_name = "BYTES", default_value_t = FILE_SIZE, value_parser = clap::value_parser!(u64).range(1..))]
    fsize: u64,
}

/// The words after `--` in the original's form.
#[derive(Parser, Debug)]
#[command(name = "spp-pcap", no_binary_name = true)]
struct Original {
    #[command(flatten)]
    client: OriginalClient,
    #[command(flatten)]
    what: What,
}

const BUFFER_MB: u32 = 32;

#[derive(ValueEnum, Debug, Clone, Copy)]
enum Form {
    /// Classic pcap, microseconds
    Pcap,
    /// pcapng, nanoseconds, with statistics
    Pcapng,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum Method {
    None,
    Lz4,
    Zstd,
}

#[derive(ValueEnum, Debug, Clone, Copy)]
enum Action {
    /// The capture stops
    Stop,
    /// Packets are lost, and counted, until a file can be written again
    Continue,
}

/// What the command line asks for.
pub struct Asked {
    /// What every secondary is asked.
    pub start: Start,
    /// The port.
    pub port: PortName,
    /// What is captured, and how.
    pub plan: Plan,
    /// What is shown as the CPUs of the writers, where they were named.
    pub shown: Vec<u32>,
}

/// Reads the command line (without the program's name); clap's own messages end the process.
pub fn parse(args: &[String]) -> Result<Asked, Error> {
    match split_original(args) {
        Some((eal, own)) => original(eal, own),
        None => ours(args),
    }
}

impl What {
    fn port(&self) -> Result<PortName, Error> {
        let text = self.port.join(" ");
        text.parse()
            .map_err(|e| Error::Usage(format!("-c {text:?}: {e}")))
    }

    fn folder(&self, time: Option<Duration>, keep: Option<usize>) -> Result<Target, Error> {
        check_folder(&self.out_dir)?;
        Ok(Target::Folder {
            dir: self.out_dir.clone(),
            size: self.fsize,
            time,
            keep,
        })
    }
}

fn check_folder(dir: &Path) -> Result<(), Error> {
    match std::fs::metadata(dir) {
        Ok(meta) if meta.is_dir() => Ok(()),
        Ok(_) => Err(Error::Usage(format!(
            "--out-dir {}: that is no folder",
            dir.display()
        ))),
        Err(e) => Err(Error::Usage(format!(
            "--out-dir {}: {e}: name a folder that is there",
            dir.display()
        ))),
    }
}

/// What a capture writes: its folder; or the file or pipe, if it is there, else the folder in which it will be.
fn written(target: &Target) -> PathBuf {
    match target {
        Target::Folder { dir, .. } => dir.clone(),
        Target::Stream(path) if path.exists() => path.clone(),
        Target::Stream(path) => match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => ".".into(),
        },
        Target::Output => "/dev/stdout".into(),
    }
}

/// The port as files are named after it: `ring0`, `phy0nq1`.
fn in_names(port: PortName) -> String {
    port.to_string().replace(':', "")
}

/// The receiver's lcore, and those of the writers.
fn split(lcores: Vec<NamedLcore>) -> Result<(NamedLcore, Vec<NamedLcore>), Error> {
    let mut lcores = lcores.into_iter();
    let receiver = lcores.next().ok_or_else(|| {
        Error::Usage(
            "lcores are missing: name one for the receiver and one for each writer, for instance -l 1-3".into(),
        )
    })?;
    Ok((receiver, lcores.collect()))
}

fn ours(args: &[String]) -> Result<Asked, Error> {
    let args =
        Args::parse_from(std::iter::once("spp-pcap".to_string()).chain(args.iter().cloned()));
    let (placement, writers) = match &args.lcores {
        Some(text) => {
            let (receiver, writers) = split(lcore_map(text)?)?;
            (Placement::On(vec![receiver]), writers)
        }
        None => (Placement::Any(1), Vec::new()),
    };
    let port = args.what.port()?;
    let (target, compress) = match &args.out {
        Some(path) if path.as_os_str() == "-" => (Target::Output, Compress::None),
        Some(path) => (Target::Stream(path.clone()), Compress::None),
        None => {
            let keep = args.files.map(|n| n as usize);
            let time = args.rotate_seconds.map(Duration::from_secs);
            let compress = match args.compress {
                Method::None => Compress::None,
                Method::Lz4 => Compress::Lz4,
                Method::Zstd => Compress::Zstd,
            };
            (args.what.folder(time, keep)?, compress)
        }
    };
    let mut cpus: Vec<Option<u32>> = writers.iter().map(|w| Some(w.cpu)).collect();
    if cpus.is_empty() {
        cpus = vec![None; usize::from(args.writers)];
    }
    if args.out.is_some() && cpus.len() > 1 {
        return Err(Error::Usage(
            "--out has one writer: packets of several would be mixed up".into(),
        ));
    }
    let plan = Plan {
        port: port.report(),
        port_in_names: in_names(port),
        target,
        format: match args.format {
            Some(Form::Pcap) => Format::Pcap,
            Some(Form::Pcapng) => Format::PcapNg,
            None if args.out.is_some() => Format::PcapNg,
            None => Format::Pcap,
        },
        compress,
        snaplen: args.snaplen,
        filter: args.filter,
        on_error: match args.on_error {
            Action::Stop => OnError::Stop,
            Action::Continue => OnError::Continue,
        },
        writers: cpus,
        buffer_mb: args.buffer as usize,
    };
    let options = Options {
        kind: "pcap",
        id: args.joining.sec_id,
        file_prefix: args.common.file_prefix.clone(),
        main_lcore: None,
        placement,
        wait: args.joining.wait()?,
        vhost_mode: args.common.vhost_mode(),
        pcap_dir: args.common.pcap_dir,
        poll: args.polling.poll(),
        stall: args.polling.stall()?,
        forwarding: !args.idle,
        controller: args.registering.controller()?,
        confinement: Confinement {
            files: vec![written(&plan.target)],
            ..args.common.confining.confinement()
        },
        take_over: args.succeeding.take_over,
        huge_dir: args.common.huge_dir,
        eal: args.common.eal,
    };
    Ok(Asked {
        start: Start {
            options,
            log_level: args.common.log_level,
        },
        port,
        plan,
        shown: writers.iter().map(|w| w.shown).collect(),
    })
}

fn original(eal: &[String], own: &[String]) -> Result<Asked, Error> {
    let own = Original::parse_from(own);
    let eal = EalOptions::parse(eal)?;
    let (main, lcores) = original_lcores(&eal)?;
    let (receiver, writers) = split(lcores)?;
    if writers.is_empty() {
        return Err(Error::Usage(
            "there is no lcore for a writer: name at least three, for instance -l 1-3".into(),
        ));
    }
    let id = own.client.client_id;
    let port = own.what.port()?;
    let plan = Plan {
        port: port.report(),
        port_in_names: in_names(port),
        target: own.what.folder(None, None)?,
        format: Format::Pcap,
        compress: Compress::Lz4,
        snaplen: SNAPLEN,
        filter: String::new(),
        on_error: OnError::Stop,
        writers: writers.iter().map(|w| Some(w.cpu)).collect(),
        buffer_mb: BUFFER_MB as usize,
    };
    Ok(Asked {
        start: Start {
            options: Options {
                confinement: Confinement {
                    files: vec![written(&plan.target)],
                    ..own.client.confining.confinement()
                },
                controller: Some(own.client.controller()?),
                ..original_options("pcap", id, eal, main, vec![receiver])?
            },
            log_level: log::LevelFilter::Info,
        },
        port,
        plan,
        shown: writers.iter().map(|w| w.shown).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn the_new_form_captures_at_once_and_the_originals_idles() {
        let new = parse(&words("--sec-id 3 -c ring:0")).unwrap();
        assert!(new.start.options.forwarding && new.start.options.controller.is_none());
        assert_eq!(
            (new.plan.port.as_str(), new.plan.writers),
            ("ring:0", vec![None])
        );
        assert_eq!(new.plan.compress, Compress::Lz4);
        let old = parse(&words(
            "-l 1-4 -m 64 --proc-type secondary --file-prefix x -- --client-id 5 -s 127.0.0.1:6666 -c phy:0 nq 1 --fsize 1000",
        ))
        .unwrap();
        assert!(!old.start.options.forwarding);
        assert_eq!(old.start.options.main_lcore, Some(1));
        assert_eq!(
            old.start.options.controller.as_deref(),
            Some("127.0.0.1:6666")
        );
        assert_eq!(
            (old.plan.port.as_str(), old.plan.port_in_names.as_str()),
            ("phy:0 nq 1", "phy0nq1")
        );
        assert_eq!(
            (old.plan.writers, old.shown),
            (vec![Some(3), Some(4)], vec![3, 4])
        );
        assert!(matches!(old.plan.target, Target::Folder { size: 1000, .. }));
    }

    #[test]
    fn a_stream_is_pcapng_without_compression() {
        let stream = parse(&words("--sec-id 3 -c ring:0 --out -")).unwrap().plan;
        assert_eq!(
            (stream.target, stream.compress),
            (Target::Output, Compress::None)
        );
        assert_eq!(stream.format, Format::PcapNg);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for bad in [
            "--sec-id 3 -c ring",
            "--sec-id 3 -c foo:0",
            "--sec-id 3 -c ring:0 nq 1",
            "--sec-id 3 -c ring:0 --out-dir /nonexistent",
            "--sec-id 3 -c ring:0 --out-dir /dev/null",
            "--sec-id 3 -c ring:0 --out - --writers 2",
            "--sec-id 3 -c ring:0 --ctl x",
            "-l 1 -- --client-id 3 -s 127.0.0.1:6666 -c ring:0",
            "-l 1,2 -- --client-id 3 -s 127.0.0.1:6666 -c ring:0",
            "-l 1,2,3 -- --client-id 3 -s nowhere -c ring:0",
        ] {
            assert!(parse(&words(bad)).is_err(), "{bad}");
        }
    }
}
