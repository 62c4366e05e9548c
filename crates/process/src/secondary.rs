//! Starting a secondary: find the panel, take an id and lcore ids, start EAL, build the board.

use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::{Sender, bounded};
use dpdk::{Eal, EalConfig, Lcore, Pool, ProcessType};
use panel::bell::{Bell, Ringer};
use panel::board::Hand;
use panel::port::Context;
use panel::published::published;
use panel::worker::{Table, Worker};
use panel::{Area, Board, Poll};
use protocol::command::VhostMode;
use registry::Incarnation;
use registry::announce::{PanelInfo, wait_ready};
use registry::folder::{Folder, runtime_dir};
use registry::lease::{Holder, IdLease, LcoreLease, LcoreRange, Slot, StartTurn, holders};
use registry::pid;
use sys::affinity::CpuSet;
use sys::lock::FileLock;

use crate::commands::Console;
use crate::confine::{self, Confinement};
use crate::devices::{self, PortInfo};
use crate::eal_options::NamedLcore;
use crate::handover;
use crate::ports::Opener;
use crate::report::Identity;
use crate::watch::{Watch, check_primary};
use crate::{Error, threads};

/// How long an id that is being freed is waited for.
const ID_WAIT: Duration = Duration::from_secs(1);
/// How long lcore ids that are being cleaned up are waited for.
const LCORE_WAIT: Duration = Duration::from_secs(2);
/// How long other processes that start are let go first.
const TURN_WAIT: Duration = Duration::from_secs(2);
/// How long EAL may take to start: it maps all hugepages of the primary.
const EAL_WAIT: Duration = Duration::from_secs(30);

/// Where a process's workers shall run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// As many workers as that, on the CPUs of our affinity with the fewest workers.
    Any(usize),
    /// One worker on each of these.
    On(Vec<NamedLcore>),
}

/// How a secondary starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// Kind of process: `nfv`, …
    pub kind: &'static str,
    /// Its id, 1..=127.
    pub id: u32,
    /// `--file-prefix` of the panel.
    pub file_prefix: String,
    /// The main lcore as shown, if the user named it.
    pub main_lcore: Option<u32>,
    /// Workers.
    pub placement: Placement,
    /// How long to wait for the primary.
    pub wait: Duration,
    /// Who makes vhost sockets.
    pub vhost_mode: VhostMode,
    /// Where capture files lie.
    pub pcap_dir: PathBuf,
    /// Whether workers rest.
    pub poll: Poll,
    /// When a worker counts as stuck.
    pub stall: Duration,
    /// Forward at once, and attach the rings that a patch names.
    pub forwarding: bool,
    /// Where it registers, if not where the primary says.
    pub controller: Option<String>,
    /// What it gives up.
    pub confinement: Confinement,
    /// Whether it takes the place of the process that has its id.
    pub take_over: bool,
    /// Mount of hugetlbfs.
    pub huge_dir: Option<PathBuf>,
    /// Further EAL arguments.
    pub eal: Vec<String>,
}

/// A started secondary.
pub struct Secondary {
    /// What the primary announced.
    pub info: PanelInfo,
    /// Who we are.
    pub identity: Identity,
    /// Our ports and patches.
    pub console: Console,
    /// The panel's shared memory.
    pub area: Area,
    /// What we hold of the registry.
    pub leases: Leases,
    /// The panel's folder.
    pub folder: Folder,
    /// Tells others that we live.
    pub watch: Watch,
    /// Where our workers are.
    pub workers: Vec<NamedLcore>,
    /// Us, and the process whose place is to be taken.
    pub predecessor: Option<(Holder, Holder)>,
}

/// The id and lcore ids of a process. Dropped, they are still held until the kernel ends the process: it lets go of
/// them only when the last thread is gone, so that the primary never cleans up after a worker that is still at work,
/// stuck as it may be.
pub struct Leases {
    held: ManuallyDrop<(Option<IdLease>, Vec<LcoreLease>, FileLock)>,
}

impl Leases {
    /// The lease of the id; a process that takes the place of another has none at first.
    pub fn id(&self) -> Option<&IdLease> {
        self.held.0.as_ref()
    }

    /// Takes the lease of the id.
    pub fn set_id(&mut self, lease: IdLease) {
        self.held.0 = Some(lease);
    }

    /// Leaves the id to the process that it was passed on to, or came from.
    pub fn hand_on_id(&mut self) {
        if let Some(lease) = self.held.0.take() {
            lease.hand_on();
        }
    }

    /// Gives them up now. Only when all workers have ended.
    pub fn let_go(self) {
        drop(ManuallyDrop::into_inner(self.held));
    }
}

/// What an lcore does until it returns.
pub type Work = Box<dyn FnOnce(Lcore) + Send>;

/// A process that has joined a panel: EAL runs, and its lcores wait for work.
pub struct Joined {
    /// What the primary announced.
    pub info: PanelInfo,
    /// Which run of the process this is.
    pub incarnation: Incarnation,
    /// The panel's folder.
    pub folder: Folder,
    /// The panel's mbufs.
    pub pool: Pool,
    /// Those that foreign processes allocate.
    pub foreign: Pool,
    /// The panel's shared memory.
    pub area: Area,
    /// Physical ports.
    pub ports: &'static PortInfo,
    /// Wakes workers.
    pub ringer: Ringer,
    /// Our lcores: their ids, and where they run.
    pub lcores: Vec<(u32, NamedLcore)>,
    /// Tells others that we live.
    pub watch: Watch,
    options: Options,
    eal: Eal,
    first: Sender<Work>,
    predecessor: Option<(Holder, Holder)>,
    leases: Leases,
}

/// Joins a panel: finds it, takes an id and lcore ids, starts EAL. Signals must be blocked already.
pub fn join(options: &Options) -> Result<Joined, Error> {
    if let Some(dir) = &options.huge_dir
        && !sys::hugepages::mounts()?.iter().any(|m| m.path == *dir)
    {
        return Err(Error::Usage(format!(
            "--huge-dir {}: no hugetlbfs is mounted there",
            dir.display()
        )));
    }
    let dir = runtime_dir(&options.file_prefix)?;
    let (folder, info) = wait_ready(&dir, options.wait)?;
    let ours = dpdk::dpdk_version();
    if info.dpdk_version != ours {
        return Err(Error::Refused(format!(
            "the primary runs DPDK {}, this program DPDK {ours}: both must use the same version",
            info.dpdk_version
        )));
    }
    let pid = pid::settle(&folder)?;
    confine::before_start(options, &info, &dir);
    let incarnation = Incarnation::new()?;
    let holder = Holder {
        kind: options.kind.into(),
        id: options.id,
        pid: std::process::id(),
        incarnation,
    };
    let predecessor = match options.take_over {
        true => Some(predecessor(&folder, &holder)?),
        false => None,
    };
    let id = match predecessor {
        Some(_) => None,
        None => Some(IdLease::take(&folder, &holder, ID_WAIT)?),
    };
    let placement = match (&predecessor, &options.placement) {
        (Some(old), Placement::Any(_)) => Placement::On(handover::workers(&folder, old)?),
        (_, asked) => asked.clone(),
    };
    let placed = place(&folder, &holder, &placement)?;

    let mut config = EalConfig::new(
        ProcessType::Secondary,
        &options.file_prefix,
        placed
            .iter()
            .map(|(lease, named)| (lease.id(), named.cpu))
            .collect(),
    );
    config.huge_dir = options.huge_dir.clone();
    config.pci = info.pci;
    config.extra = options.eal.clone();
    if let (Some(base), false) = (
        info.base_virtaddr,
        options.eal.iter().any(|a| a.starts_with("--base-virtaddr")),
    ) {
        config.extra.push(format!("--base-virtaddr={base:#x}"));
    }

    let turn = StartTurn::take(&folder, TURN_WAIT)?;
    // EAL pins the thread that starts it: that thread becomes the first worker, ours stays free.
    let (ready, started) = bounded::<Result<Eal, dpdk::EalError>>(1);
    let (first, hired) = bounded::<Work>(1);
    threads::spawn("spp-worker", move || match Eal::init(&config) {
        Ok((eal, lcore)) => {
            if ready.send(Ok(eal)).is_ok()
                && let Ok(work) = hired.recv()
            {
                work(lcore);
            }
        }
        Err(e) => {
            let _ = ready.send(Err(e));
        }
    })?;
    let eal = started
        .recv_timeout(EAL_WAIT)
        .map_err(|_| Error::Refused(format!("DPDK's EAL did not start within {EAL_WAIT:?}")))??;
    drop(turn);

    let pool = Pool::lookup(&info.pool.name)?;
    let operations = pool.operations();
    if operations != (info.pool.ops_index, Some(info.pool.ops.clone())) {
        return Err(Error::Refused(format!(
            "the pool {} uses the operations {:?} number {}, which are {:?} here: use the same build of DPDK and its plugins as the primary",
            info.pool.name, info.pool.ops, info.pool.ops_index, operations.1
        )));
    }
    let foreign = Pool::lookup(devices::FOREIGN_POOL)?;
    let area = Area::lookup()?;
    dpdk::Stamps::find()?;
    let (lcores, leases): (Vec<_>, Vec<_>) = placed
        .into_iter()
        .map(|(lease, named)| ((lease.id(), named), lease))
        .unzip();
    let watch = Watch::start(
        area,
        lcores.iter().map(|(id, _): &(u32, _)| *id).collect(),
        Some((folder.clone(), incarnation)),
        options.stall,
    )?;
    Ok(Joined {
        watch,
        options: options.clone(),
        ports: dpdk::memzone::lookup_bare(devices::NAME)?,
        ringer: Ringer::new(area, folder.path()),
        info,
        incarnation,
        folder,
        pool,
        foreign,
        area,
        lcores,
        eal,
        first,
        predecessor: predecessor.map(|old| (holder, old)),
        leases: Leases {
            held: ManuallyDrop::new((id, leases, pid)),
        },
    })
}

impl Joined {
    /// Sets the lcore `id`, one of ours, to work, which is done once.
    pub fn set_to_work(&self, id: u32, work: Work) -> Result<(), Error> {
        if self.lcores.first().is_none_or(|(first, _)| *first != id) {
            return Ok(self.eal.launch(id, work)?);
        }
        self.first
            .try_send(work)
            .map_err(|_| Error::Refused("the first worker is at work or has ended".into()))
    }

    /// What opens ports in this process.
    pub fn opener(&self) -> Opener {
        let (desk, area) = (self.folder.clone(), self.area);
        Opener {
            area: self.area,
            ringer: self.ringer.clone(),
            lcores: self.lcores.iter().map(|(id, _)| *id).collect(),
            rings: self.info.rings,
            vhost_dir: self.info.vhost_dir.clone(),
            vhost_owner: self.options.confinement.owner.or(self.info.vhost_owner),
            vhost_mode: self.options.vhost_mode,
            pcap_dir: self.options.pcap_dir.clone(),
            go_on: BTreeMap::new(),
            info: self.ports,
            secondary: true,
            plug: Box::new(move |plug, port| {
                check_primary(&area, &desk)?;
                crate::desk::ask(desk.path(), &plug.command(port))
            }),
        }
    }
}

/// Starts a secondary. Signals must be blocked already.
pub fn start(options: &Options) -> Result<Secondary, Error> {
    let joined = join(options)?;
    let crew = Crew {
        area: joined.area,
        pool: joined.pool,
        foreign: joined.foreign,
        ringer: joined.ringer.clone(),
        folder: joined.folder.clone(),
        poll: options.poll,
    };
    let mut hands = Vec::new();
    for (id, named) in &joined.lcores {
        let (hand, work) = crew.hire(*id, named.shown, &joined.watch)?;
        joined.set_to_work(*id, Box::new(work))?;
        hands.push(hand);
    }
    let shown: Vec<u32> = joined.lcores.iter().map(|(_, named)| named.shown).collect();
    let main_lcore = match options.main_lcore {
        Some(main) => main,
        None => free_cpu(&shown)?,
    };
    let board = Board::new(
        joined.area,
        joined.ringer.clone(),
        hands,
        options.forwarding,
        holder_names(joined.folder.clone()),
    );
    let mut console = Console {
        board,
        opener: joined.opener(),
        attach_rings: options.forwarding,
        traces: Default::default(),
    };
    console.add_present();
    crate::vhost_watch::start()?;
    let identity = Identity {
        kind: options.kind,
        id: options.id,
        incarnation: joined.incarnation.to_string(),
        main_lcore,
        lcores: std::iter::once(main_lcore).chain(shown).collect(),
    };
    Ok(Secondary {
        info: joined.info,
        identity,
        console,
        area: joined.area,
        leases: joined.leases,
        folder: joined.folder,
        watch: joined.watch,
        workers: joined.lcores.into_iter().map(|(_, named)| named).collect(),
        predecessor: joined.predecessor,
    })
}

/// The process that has the id of `us`.
fn predecessor(folder: &Folder, us: &Holder) -> Result<Holder, Error> {
    let held = holders(folder)?;
    let id = held.iter().find(|l| l.slot == Slot::Id(us.id));
    let refused = |words: String| Err(Error::Refused(words));
    let Some(old) = id.map(|lease| lease.holder.clone()) else {
        return refused(format!(
            "--take-over: no process with the id {} runs: start {} without it",
            us.id, us.kind
        ));
    };
    if old.kind != us.kind {
        return refused(format!(
            "--take-over: the id {} is that of {old}, which a {} cannot replace",
            us.id, us.kind
        ));
    }
    Ok(old)
}

/// The main thread floats: it is shown on the lowest CPU of our affinity without a worker of ours.
fn free_cpu(workers: &[u32]) -> Result<u32, Error> {
    let cpus = CpuSet::of_current_thread()?.to_vec();
    let free = cpus.iter().find(|c| !workers.contains(c)).or(cpus.first());
    Ok(free.copied().unwrap_or(0))
}

/// Takes the lcore ids of the workers.
pub fn place(
    folder: &Folder,
    holder: &Holder,
    placement: &Placement,
) -> Result<Vec<(LcoreLease, NamedLcore)>, Error> {
    crate::room::check(folder.path())?;
    let range = LcoreRange::beside_cpus(sys::affinity::cpu_count()?);
    let ours = CpuSet::of_current_thread()?;
    match placement {
        Placement::Any(count) => {
            let leases =
                LcoreLease::take_workers(folder, range, holder, &ours, *count, LCORE_WAIT)?;
            let named = |lease: LcoreLease| {
                let cpu = lease.cpu().unwrap_or(0);
                (lease, NamedLcore { shown: cpu, cpu })
            };
            Ok(leases.into_iter().map(named).collect())
        }
        Placement::On(lcores) => {
            let mut placed = Vec::new();
            for named in lcores {
                if !ours.contains(named.cpu) {
                    return Err(Error::Usage(format!(
                        "CPU {} cannot be used: this process may run on {:?} (see taskset, cpuset)",
                        named.cpu,
                        ours.to_vec()
                    )));
                }
                let lease = LcoreLease::take(folder, range, holder, Some(named.cpu), LCORE_WAIT)?;
                placed.push((lease, named.clone()));
            }
            Ok(placed)
        }
    }
}

/// Names the holders of lcore ids from the leases.
pub fn holder_names(folder: Folder) -> panel::board::HolderName {
    Box::new(move |lcore| {
        let held = holders(&folder).unwrap_or_default();
        let slot = Slot::Lcore(lcore);
        let found = held.into_iter().find(|h| h.slot == slot).map(|h| h.holder);
        found.map_or_else(
            || "a process that ended (the primary is cleaning up)".to_string(),
            |h| {
                if h.id == 0 {
                    h.kind
                } else {
                    format!("{}:{}", h.kind, h.id)
                }
            },
        )
    })
}

/// Makes workers.
pub struct Crew {
    /// The panel's shared memory.
    pub area: Area,
    /// Its mbufs.
    pub pool: Pool,
    /// Those that foreign processes allocate.
    pub foreign: Pool,
    /// Wakes other workers.
    pub ringer: Ringer,
    /// Where the bells lie.
    pub folder: Folder,
    /// Whether workers rest.
    pub poll: Poll,
}

impl Crew {
    /// The two sides of a worker on `lcore`: for the board, and to be run on that lcore.
    pub fn hire(
        &self,
        lcore: u32,
        shown: u32,
        watch: &Watch,
    ) -> Result<(Hand, impl FnOnce(Lcore) + Send + 'static), Error> {
        let (tables, subscriber) = published(Table::default());
        let bell = Bell::new(self.area, self.folder.path(), lcore)?;
        let block = &self.area.layout().workers[lcore as usize];
        block.started.store(0, Ordering::Relaxed);
        let worker = Worker {
            tables: subscriber,
            block,
            bell,
            poll: self.poll,
        };
        let (pool, foreign, ringer) = (self.pool, self.foreign, self.ringer.clone());
        let seat = watch.add(lcore, shown);
        let work = move |lcore: Lcore| {
            seat.take();
            let cache = pool.cache(&lcore).serving(&foreign);
            let context = Context {
                lcore,
                cache,
                ringer,
                stocked: false,
                traced: false,
            };
            // A process whose worker is gone would look alive; ended, it is cleaned up after and started again.
            let run = std::panic::AssertUnwindSafe(|| worker.run(context));
            if std::panic::catch_unwind(run).is_err() {
                log::error!("the worker on CPU {shown} has panicked: ending");
                std::process::abort();
            }
        };
        Ok((
            Hand {
                lcore,
                cpu: shown,
                tables,
            },
            work,
        ))
    }
}
