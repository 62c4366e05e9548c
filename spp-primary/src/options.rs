//! Command lines of spp-primary: ours, and the original's.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use panel::Poll;
use process::Error;
use process::cli::{Common, Polling, stall_of_environment, vhost_mode};
use process::confine::{Confinement, Confining};
use process::eal_options::{EalOptions, NamedLcore, lcore_map, split_original};
use protocol::command::VhostMode;

/// The process that owns the panel's memory, rings and NICs. It starts with no option at all.
///
/// The original's form works too: spp-primary EAL-OPTIONS -- -p MASK -n RINGS -s HOST:PORT
#[derive(Parser, Debug)]
#[command(name = "spp-primary", version)]
struct Args {
    #[command(flatten)]
    polling: Polling,
    #[command(flatten)]
    common: Common,
    /// Hugepage memory in megabytes, fixed at start [default: 512, or what is free]
    #[arg(long, value_name = "MB", env = "SPP_MEMORY", value_parser = clap::value_parser!(u32).range(64..=1_048_576))]
    memory: Option<u32>,
    /// Number of rings, ring:0 and up
    #[arg(long, value_name = "N", env = "SPP_RINGS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    rings: u32,
    /// Slots of a ring, a power of two; one less fits
    #[arg(
        long,
        value_name = "SLOTS",
        env = "SPP_RING_SIZE",
        default_value_t = 1024
    )]
    ring_size: u32,
    /// Packet buffers [default: what rings, workers and devices can hold, and as much again where memory allows]
    #[arg(long, value_name = "N", env = "SPP_MBUFS")]
    mbufs: Option<u32>,
    /// A virtual device of DPDK, such as net_null0 or net_tap1,iface=tap1 (repeatable)
    #[arg(long, value_name = "DEVICE")]
    vdev: Vec<String>,
    /// Queues of physical port N (repeatable)
    #[arg(long, value_name = "N:RXQ:TXQ")]
    queues: Vec<String>,
    /// CPUs: the first for the main lcore, each further one runs a worker of the primary's own forwarder;
    /// a list such as 0,2-3 or an EAL map such as 0@0,1@1 [default: any one]
    #[arg(long, value_name = "CPUS", env = "SPP_LCORES")]
    lcores: Option<String>,
    /// Where vhost sockets are made
    #[arg(
        long,
        value_name = "DIR",
        env = "SPP_VHOST_DIR",
        default_value = "/tmp"
    )]
    vhost_dir: PathBuf,
    /// Address of the controller, which is started if none answers there
    #[arg(
        long,
        value_name = "ADDR",
        env = "SPP_CTL",
        default_value = "127.0.0.1"
    )]
    ctl: String,
    /// Ports of the controller: for primaries, for secondaries, for REST
    #[arg(
        long,
        value_name = "P,S,R",
        env = "SPP_CTL_PORTS",
        default_value = "5555,6666,7777"
    )]
    ctl_ports: String,
    /// Folder in which the controller that is started keeps the desired state
    #[arg(long, value_name = "DIR", env = "SPP_STATE_DIR")]
    state_dir: Option<PathBuf>,
    /// The controller that is started keeps no state
    #[arg(long, env = "SPP_STATELESS", conflicts_with = "state_dir")]
    stateless: bool,
    /// No controller: secondaries are told of none, and none is started
    #[arg(long, env = "SPP_NO_CTL")]
    no_ctl: bool,
    /// Probe PCI devices [default: only if one is bound to a DPDK driver]
    #[arg(long, env = "SPP_PCI")]
    pci: bool,
    /// Print the counters of ports and rings every second
    #[arg(long)]
    disp_stats: bool,
    /// Where processes started by `launch` write their logs [default: log/ in the panel's runtime folder]
    #[arg(long, value_name = "DIR", env = "SPP_LOG_DIR")]
    log_dir: Option<PathBuf>,
    /// Launch this when all is up: 'nfv 1 --restart on-failure' (repeatable), type and id of a secondary and its options, as a shell
    /// takes them
    #[arg(long, value_name = "PROCESS", value_parser = order)]
    launch: Vec<Order>,
    /// Have the secondaries of a primary that is gone leave first, which have 5 s for it; then start, and launch again
    /// what was launched. `--replace=kill` kills those that do not leave
    #[arg(long, value_name = "HOW", env = "SPP_REPLACE", num_args = 0..=1, require_equals = true, default_missing_value = "ask")]
    replace: Option<Replace>,
}

/// A secondary that is to be launched from the beginning on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: u32,
    /// `nfv`, `vf`, …
    pub kind: String,
    /// Its arguments, and those of its supervision.
    pub args: Vec<String>,
}

/// Reads `nfv 1 OPTIONS`.
fn order(text: &str) -> Result<Order, String> {
    let words = shlex::split(text).ok_or("a quote in it has no end")?;
    let mut words = words.into_iter();
    let kind = words.next().unwrap_or_default();
    if !crate::launch::KINDS.contains(&kind.as_str()) {
        return Err("write a type, an id and options, such as 'nfv 1 --restart on-failure'; types are nfv, vf, mirror, pcap".into());
    }
    let id = words.next().and_then(|word| word.parse().ok());
    let id = id.filter(|id| (1..=127).contains(id));
    let id: u32 = id.ok_or_else(|| format!("an id from 1 to 127 stands behind {kind}"))?;
    let own = ["--sec-id".to_owned(), id.to_string()];
    Ok(Order {
        id,
        kind,
        args: own.into_iter().chain(words).collect(),
    })
}

/// What becomes of secondaries of a former primary that do not leave when they are asked to.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// They are named, and the primary does not start
    Ask,
    /// They are killed
    Kill,
}

/// The words after `--` in the original's form.
#[derive(Parser, Debug)]
#[command(name = "spp-primary", no_binary_name = true)]
struct Original {
    #[arg(short = 'p', value_name = "MASK")]
    mask: String,
    #[arg(short = 'n', value_name = "RINGS", value_parser = clap::value_parser!(u32).range(1..=256))]
    rings: u32,
    #[arg(short = 's', value_name = "HOST:PORT")]
    server: String,
    #[arg(long)]
    disp_stats: bool,
    #[arg(long)]
    vhost_client: bool,
    /// Ours: the original makes its sockets in /tmp.
    #[arg(long, value_name = "DIR", default_value = "/tmp")]
    vhost_dir: PathBuf,
    #[command(flatten)]
    confining: Confining,
    /// `P rxq R txq T`
    #[arg(long, num_args = 5, value_names = ["P", "rxq", "R", "txq", "T"])]
    port_num: Vec<String>,
}

/// Where the controller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Its address.
    pub address: String,
    /// Port for primaries.
    pub primary: u16,
    /// Port for secondaries.
    pub secondary: u16,
    /// Port for REST; `None` if it is not ours to start.
    pub rest: Option<u16>,
    /// Further options of a controller that we start.
    pub options: Vec<std::ffi::OsString>,
}

/// What the command line asks for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Name of the panel.
    pub file_prefix: String,
    /// Megabytes, if the user said.
    pub memory_mb: Option<u32>,
    /// Number of rings.
    pub rings: u32,
    /// Slots of a ring.
    pub ring_size: u32,
    /// mbufs, if the user said.
    pub mbufs: Option<u32>,
    /// Virtual devices.
    pub vdevs: Vec<String>,
    /// Which Ethernet devices become physical ports, by their order; `None`: all.
    pub port_mask: Option<u128>,
    /// Queues of physical ports: number, rx, tx.
    pub queues: Vec<(u16, u16, u16)>,
    /// Lcores, the main one first; empty: any CPU.
    pub lcores: Vec<NamedLcore>,
    /// Where vhost sockets are made.
    pub vhost_dir: PathBuf,
    /// Who makes them.
    pub vhost_mode: VhostMode,
    /// Where capture files lie.
    pub pcap_dir: PathBuf,
    /// What is given up, and whose sockets are.
    pub confinement: Confinement,
    /// The controller, if there is one.
    pub controller: Option<Controller>,
    /// Whether workers rest.
    pub poll: Poll,
    /// When a worker counts as stuck.
    pub stall: Duration,
    /// What to do with secondaries of a former primary; `None`: refuse to start.
    pub replace: Option<Replace>,
    /// Whether PCI devices are probed; `None`: if one is bound to a DPDK driver.
    pub pci: Option<bool>,
    /// Mount of hugetlbfs.
    pub huge_dir: Option<PathBuf>,
    /// Print counters every second.
    pub monitor: bool,
    /// Where launched processes write their logs.
    pub log_dir: Option<PathBuf>,
    /// What is launched from the beginning on.
    pub launch: Vec<Order>,
    /// Further EAL arguments.
    pub eal: Vec<String>,
    /// What is logged.
    pub log_level: log::LevelFilter,
}

/// Reads the command line (without the program's name); clap's own messages end the process.
pub fn parse(args: &[String]) -> Result<Options, Error> {
    let options = match split_original(args) {
        Some((eal, own)) => original(eal, own)?,
        None => ours(args)?,
    };
    if !options.ring_size.is_power_of_two() || !(64..=65_536).contains(&options.ring_size) {
        return Err(Error::Usage(format!(
            "--ring-size {}: a power of two from 64 to 65536",
            options.ring_size
        )));
    }
    Ok(options)
}

fn ours(args: &[String]) -> Result<Options, Error> {
    let args =
        Args::parse_from(std::iter::once("spp-primary".to_string()).chain(args.iter().cloned()));
    let controller = if args.no_ctl {
        None
    } else {
        let mut controller = controller(&args.ctl, &args.ctl_ports)?;
        if let Some(dir) = &args.state_dir {
            controller.options = vec!["--state-dir".into(), dir.into()];
        } else if args.stateless {
            controller.options = vec!["--stateless".into()];
        }
        Some(controller)
    };
    let queues = args
        .queues
        .iter()
        .map(|q| queue_numbers(q))
        .collect::<Result<_, _>>()?;
    Ok(Options {
        file_prefix: args.common.file_prefix.clone(),
        memory_mb: args.memory,
        rings: args.rings,
        ring_size: args.ring_size,
        mbufs: args.mbufs,
        vdevs: args.vdev,
        port_mask: None,
        queues,
        lcores: args
            .lcores
            .as_deref()
            .map(lcore_map)
            .transpose()?
            .unwrap_or_default(),
        vhost_dir: args.vhost_dir,
        vhost_mode: args.common.vhost_mode(),
        pcap_dir: args.common.pcap_dir,
        confinement: args.common.confining.confinement(),
        controller,
        poll: args.polling.poll(),
        stall: args.polling.stall()?,
        replace: args.replace,
        pci: args.pci.then_some(true),
        huge_dir: args.common.huge_dir,
        monitor: args.disp_stats,
        log_dir: args.log_dir,
        launch: args.launch,
        eal: args.common.eal,
        log_level: args.common.log_level,
    })
}

fn controller(address: &str, ports: &str) -> Result<Controller, Error> {
    let bad = || {
        Error::Usage(format!(
            "--ctl-ports {ports:?}: three different ports, such as 5555,6666,7777"
        ))
    };
    let numbers: Vec<u16> = ports
        .split(',')
        .map(|p| p.trim().parse().map_err(|_| bad()))
        .collect::<Result<_, _>>()?;
    let [primary, secondary, rest] = numbers[..] else {
        return Err(bad());
    };
    if primary == secondary || secondary == rest || primary == rest || numbers.contains(&0) {
        return Err(bad());
    }
    Ok(Controller {
        address: address.to_string(),
        primary,
        secondary,
        rest: Some(rest),
        options: Vec::new(),
    })
}

fn queue_numbers(text: &str) -> Result<(u16, u16, u16), Error> {
    let bad = || {
        Error::Usage(format!(
            "{text:?}: PORT:RXQ:TXQ with 1 to {} queues each",
            panel::area::QUEUES
        ))
    };
    let n: Vec<u16> = text
        .split(':')
        .map(|p| p.parse().map_err(|_| bad()))
        .collect::<Result<_, _>>()?;
    match n[..] {
        [port, rx, tx]
            if (1..=panel::area::QUEUES as u16).contains(&rx)
                && (1..=panel::area::QUEUES as u16).contains(&tx) =>
        {
            Ok((port, rx, tx))
        }
        _ => Err(bad()),
    }
}

fn original(eal: &[String], own: &[String]) -> Result<Options, Error> {
    let own = Original::parse_from(own);
    let eal = EalOptions::parse(eal)?;
    let digits = own.mask.trim_start_matches("0x").trim_start_matches("0X");
    let mask = u128::from_str_radix(digits, 16)
        .map_err(|_| Error::Usage(format!("-p {:?} is no hexadecimal mask of ports", own.mask)))?;
    let (address, port) = own
        .server
        .rsplit_once(':')
        .and_then(|(a, p)| Some((a.to_string(), p.parse::<u16>().ok()?)))
        .ok_or_else(|| {
            Error::Usage(format!(
                "-s {:?}: write HOST:PORT, for instance 127.0.0.1:5555",
                own.server
            ))
        })?;
    let mut queues = Vec::new();
    for words in own.port_num.chunks(5) {
        match words {
            [p, rxq, r, txq, t] if rxq == "rxq" && txq == "txq" => {
                queues.push(queue_numbers(&format!("{p}:{r}:{t}"))?)
            }
            _ => return Err(Error::Usage("--port-num: write P rxq R txq T".into())),
        }
    }
    Ok(Options {
        file_prefix: eal.file_prefix.unwrap_or_else(|| "rte".into()),
        memory_mb: eal.memory_mb,
        rings: own.rings,
        ring_size: 1024,
        mbufs: None,
        vdevs: eal.vdevs,
        port_mask: Some(mask),
        queues,
        lcores: eal.lcores,
        vhost_dir: own.vhost_dir,
        vhost_mode: vhost_mode(own.vhost_client),
        pcap_dir: "/tmp".into(),
        confinement: own.confining.confinement(),
        // Secondaries register beside the primary's port by the original's convention.
        controller: Some(Controller {
            address,
            primary: port,
            secondary: 6666,
            rest: None,
            options: Vec::new(),
        }),
        poll: Poll::Adaptive,
        stall: stall_of_environment()?,
        replace: None,
        pci: if eal.no_pci { Some(false) } else { None },
        huge_dir: eal.huge_dir,
        monitor: own.disp_stats,
        log_dir: None,
        launch: Vec::new(),
        eal: eal.extra,
        log_level: log::LevelFilter::Info,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn no_option_at_all_is_enough() {
        let o = parse(&[]).unwrap();
        assert_eq!(
            (o.rings, o.ring_size, o.file_prefix.as_str()),
            (16, 1024, "spp")
        );
        let c = o.controller.unwrap();
        assert_eq!(
            (c.address.as_str(), c.primary, c.secondary, c.rest),
            ("127.0.0.1", 5555, 6666, Some(7777))
        );
    }

    #[test]
    fn the_originals_command_line_is_understood() {
        let line = "-l 1,2 -n 4 --socket-mem 512 --huge-dir /dev/hugepages --proc-type primary --base-virtaddr 0x100000000 --vdev net_null0 -- -p 0x03 -n 10 -s 127.0.0.1:5555 --disp-stats --port-num 0 rxq 2 txq 2 --port-num 1 rxq 1 txq 3";
        let o = parse(&words(line)).unwrap();
        assert_eq!((o.port_mask, o.rings, o.monitor), (Some(3), 10, true));
        assert_eq!(o.queues, [(0, 2, 2), (1, 1, 3)]);
        assert_eq!(o.eal, words("--base-virtaddr 0x100000000"));
        assert_eq!(o.controller.unwrap().rest, None);
        assert_eq!(o.vhost_dir, PathBuf::from("/tmp"));
        let o = parse(&words(&format!("{line} --vhost-dir /run/x"))).unwrap();
        assert_eq!(o.vhost_dir, PathBuf::from("/run/x"));
    }

    #[test]
    fn processes_to_launch_are_read_as_a_shell_does() {
        let line = [
            "--launch",
            "nfv 1 --lcores 0,1",
            "--launch",
            "pcap 2 --filter 'tcp port 80'",
        ];
        let o = parse(&line.map(String::from)).unwrap();
        let shown: Vec<_> = o
            .launch
            .iter()
            .map(|order| (order.id, order.kind.as_str(), order.args.join("|")))
            .collect();
        assert_eq!(
            shown,
            [
                (1, "nfv", "--sec-id|1|--lcores|0,1".to_owned()),
                (2, "pcap", "--sec-id|2|--filter|tcp port 80".to_owned())
            ]
        );
        for bad in [
            "",
            "nfv",
            "nfv x",
            "nfv 0",
            "nfv 128",
            "primary 1",
            "nfv 1 '",
        ] {
            assert!(order(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bad_values_are_refused() {
        for bad in [
            "--ring-size 1000",
            "--ctl-ports 1,2",
            "--ctl-ports 1,1,2",
            "--queues 0:0:1",
            "--queues 0:17:1",
            "--lcores x",
        ] {
            assert!(parse(&words(bad)).is_err(), "{bad}");
        }
    }
}
