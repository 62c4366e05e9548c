//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use panel::Poll;
use process::cli::{Common, Polling, seconds};
use process::secondary::{Options, Placement};
use process::{Error, eal_options};
use protocol::port::PortName;
use traffic::craft::{Scope, least_size};
use traffic::packet::Packet;
use traffic::rate::{Rate, Speed, duration};
use traffic::run::{Plan, RunError, Until, What};
use traffic::size::Sizes;

/// Bytes of a frame if nothing is said.
const SIZE: usize = 64;
/// Flows if nothing is said.
const FLOWS: u16 = 4;

const EXAMPLES: &str = "\
Packets (--packet): layers from the outside to the inside, with the fields that are not to have their usual values:
  eth(dst,src,type)  vlan(id,pcp,dei,tpid)  ipv4(src,dst,ttl,dscp,ecn,id,proto)  ipv6(src,dst,hops,dscp,ecn,label,proto)
  udp(sport,dport)  tcp(sport,dport,seq,ack,flags,window)  icmp(type,code,id,seq)
  A value is one (dport=53), a range that is counted through (dport=1000-2000), random, or random(1000-2000).

Examples:
  --tx ring:0 --rx ring:1 --rate 1mpps --seconds 10
  --tx phy:0 --rx phy:1 --rate 10gbit --size imix --interval 1 --allow-loss
  --tx vhost:1 --rx vhost:2 --packet 'eth(dst=52:54:00:00:00:01)/vlan(id=100-110)/ipv4(dst=random)/udp(dport=1000-2000)'
  --tx ring:0 --rx ring:1 --replay office.pcapng --speed 10x --loop 5

Exit status: 0 only if each frame arrived once, whole and in order (with --allow-loss some may be missing), 3 if not,
1 if there was no run, 2 if the command line could not be understood.";

/// Sends numbered frames into one port of a panel and accounts for what arrives at another.
///
/// SIGINT or SIGTERM end the sending; what is on its way is waited for. The second one ends that, too.
#[derive(Parser, Debug)]
#[command(name = "spp-traffic", version, after_help = EXAMPLES)]
pub struct Args {
    /// Id of this process, 1 to 127, unique in the panel [default: the highest that is free]
    #[arg(long, value_name = "ID", env = "SPP_SEC_ID", value_parser = clap::value_parser!(u32).range(1..=127))]
    pub sec_id: Option<u32>,
    /// How long to wait for the primary, in seconds
    #[arg(long, value_name = "SECONDS", env = "SPP_WAIT", default_value_t = 10.0)]
    wait: f64,
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    polling: Polling,
    /// Port to send into, such as ring:0
    #[arg(long, value_name = "PORT")]
    tx: Option<PortName>,
    /// Port to receive from
    #[arg(long, value_name = "PORT")]
    rx: Option<PortName>,
    /// Bytes of a frame, without the frame check sequence, 60 to 9600: one size, a range that is counted through (64-1518),
    /// random(64-1518), sizes with weights (64*7,594*4,1514), or imix [default: 64, or as many as --packet needs]
    #[arg(long, value_name = "SIZE")]
    size: Option<Sizes>,
    /// Flows whose frames take turns; each is numbered by itself [default: 4, or as many as --packet is given]
    #[arg(long, value_name = "N")]
    flows: Option<u16>,
    /// What frames look like (see below); repeatable, for flows that differ
    #[arg(long, value_name = "LAYERS")]
    packet: Vec<Packet>,
    /// Another one gives other random values; the same one gives the same
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How much of a frame made by --packet or of several sizes has to arrive unchanged
    #[arg(long, value_name = "WHAT", default_value = "frame")]
    check: Check,
    /// Send the packets of this pcap or pcapng file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["size", "flows", "packet", "seed", "check", "rate"])]
    replay: Option<PathBuf>,
    /// How fast: 1x as it was captured, 10x, 0.5x, max, or evenly at a rate (50kpps, 100mbit)
    #[arg(long, value_name = "SPEED", default_value = "1x", requires = "replay")]
    speed: Speed,
    /// How often the file is sent; 0: without end
    #[arg(
        long = "loop",
        value_name = "N",
        default_value_t = 1,
        requires = "replay"
    )]
    rounds: u64,
    /// End after so many frames [default: when told to]
    #[arg(long, value_name = "N", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so long: seconds, or 500ms, 10s, 2m, 1h
    #[arg(long, value_name = "S", alias = "duration", value_parser = duration)]
    seconds: Option<Duration>,
    /// Most frames a second, all flows together (50000, 1.5mpps), or bits a second on the line (100mbit, 10gbit) [default: as
    /// many as the port takes]
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// CPU to run on [default: the one with the fewest workers]
    #[arg(long, value_name = "CPU")]
    lcores: Option<String>,
    /// End when nothing has moved for so many seconds
    #[arg(long, value_name = "S", default_value_t = 3.0)]
    patience: f64,
    /// Lost frames are counted, but are no failure
    #[arg(long)]
    allow_loss: bool,
    /// Say each S seconds how it goes
    #[arg(long, value_name = "S", value_parser = interval)]
    pub interval: Option<Duration>,
    /// Show in which mbufs the first N frames lay that were sent, and the first N that came: equal addresses were not copied
    #[arg(long, value_name = "N", conflicts_with = "replay", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    show_buffers: Option<u32>,
    /// Print the totals (and what --interval asks for) as JSON
    #[arg(long)]
    pub json: bool,
    /// End when standard input does
    #[arg(long, hide = true)]
    pub until_input_ends: bool,
}

/// How much of a frame has to arrive unchanged.
#[derive(ValueEnum, Debug, Clone, Copy)]
enum Check {
    /// All of it
    Frame,
    /// What is behind its headers, which may be changed on the way
    Payload,
}

fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        time if time >= Duration::from_millis(100) => Ok(time),
        _ => Err("at least 0.1 s".to_owned()),
    }
}

impl Args {
    /// What is to be done.
    pub fn plan(&self) -> Result<Plan, Error> {
        let (what, rate) = self
            .what()
            .map_err(|error| Error::Usage(error.to_string()))?;
        let plan = Plan {
            tx: self.tx,
            rx: self.rx,
            until: self.until(&what),
            what,
            rate,
            patience: seconds("--patience", self.patience)?,
            busy: matches!(self.polling.poll(), Poll::Busy),
            show_buffers: self.show_buffers.unwrap_or(0) as usize,
        };
        plan.check().map_err(|e| Error::Usage(e.to_string()))?;
        Ok(plan)
    }

    fn until(&self, what: &What) -> Until {
        let whole = match what {
            What::Replay { capture, .. } if self.rounds > 0 => {
                Some(capture.packets().saturating_mul(self.rounds))
            }
            _ => None,
        };
        match (self.count, self.seconds, whole) {
            (_, Some(time), _) => Until::Elapsed(time),
            (None, None, None) => Until::Told,
            (count, None, whole) => {
                let most = u64::MAX;
                Until::Count(count.unwrap_or(most).min(whole.unwrap_or(most)))
            }
        }
    }

    /// What is sent, and how many frames a second.
    fn what(&self) -> Result<(What, Option<u64>), RunError> {
        if let Some(file) = &self.replay {
            let (what, rate) = What::replay(file, self.speed)?;
            let mean = match &what {
                What::Replay { capture, .. } => capture.mean(),
                What::Flows(_) => 0.0,
            };
            return Ok((what, rate.map(|rate| rate.packets(mean))));
        }
        let least = self.packet.iter().map(least_size).max().unwrap_or(SIZE);
        let sizes = self
            .size
            .clone()
            .unwrap_or_else(|| Sizes::one(least.max(SIZE)));
        let rate = self.rate.map(|rate| rate.packets(sizes.mean()));
        let what = match (self.packet.as_slice(), sizes.fixed()) {
            ([], Some(size)) => What::numbered(self.flows.unwrap_or(FLOWS), size)?,
            ([], None) => self.crafted(self.flows.unwrap_or(FLOWS), &[Packet::usual()], &sizes)?,
            (packets, _) => {
                let flows = self
                    .flows
                    .unwrap_or(u16::try_from(packets.len()).unwrap_or(u16::MAX));
                self.crafted(flows, packets, &sizes)?
            }
        };
        Ok((what, rate))
    }

    fn crafted(&self, flows: u16, packets: &[Packet], sizes: &Sizes) -> Result<What, RunError> {
        let scope = match self.check {
            Check::Frame => Scope::Frame,
            Check::Payload => Scope::Payload,
        };
        What::crafted(flows, packets, sizes, self.seed, scope)
    }

    /// How the process starts, with this id.
    pub fn options(&self, id: u32) -> Result<Options, Error> {
        let placement = match &self.lcores {
            Some(text) => {
                let lcores = eal_options::lcore_map(text)?;
                if lcores.len() != 1 {
                    return Err(Error::Usage(format!(
                        "--lcores {text}: one CPU is used, name one"
                    )));
                }
                Placement::On(lcores)
            }
            None => Placement::Any(1),
        };
        Ok(Options {
            kind: "traffic",
            id,
            file_prefix: self.common.file_prefix.clone(),
            main_lcore: None,
            placement,
            wait: seconds("--wait", self.wait)?,
            vhost_mode: self.common.vhost_mode(),
            pcap_dir: self.common.pcap_dir.clone(),
            poll: Poll::Busy,
            stall: process::watch::STALL,
            forwarding: false,
            controller: None,
            confinement: self.common.confining.confinement(),
            take_over: false,
            huge_dir: self.common.huge_dir.clone(),
            eal: self.common.eal.clone(),
        })
    }

    /// Whether missing frames are no failure.
    pub fn allows_loss(&self) -> bool {
        self.allow_loss
    }
}
