//! The start of the primary, one line a phase.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use dpdk::ethdev::EthDev;
use dpdk::{EalConfig, Pool, ProcessType, Ring};
use panel::bell::Ringer;
use panel::{Area, Board};
use process::commands::Console;
use process::devices::{self, Phy, PortInfo, virtual_port};
use process::eal_options::NamedLcore;
use process::ports::{Opener, Plugger};
use process::report::Identity;
use process::secondary::{Crew, Placement, holder_names, place};
use process::watch::Watch;
use process::{Error, VERSION, capabilities, sweep};
use registry::Incarnation;
use registry::announce::{Panel, PanelInfo, PoolInfo};
use registry::folder::{Folder, runtime_dir};
use registry::lease::{Holder, LcoreLease};

use crate::children::ControllerChild;
use crate::flow::Flows;
use crate::heap::Heap;
use crate::house::House;
use crate::launch::{Launcher, Recorded};
use crate::memory;
use crate::options::Options;
use crate::plugs::Plugs;
use crate::primary::Primary;
use crate::reaper::Estate;
use crate::replace;

/// Name of the panel's pool.
pub const POOL: &str = "spp_mbufs";
/// Most ports of a process.
const MAX_PORTS: u32 = 512;

/// A primary that is ready, and what it holds until it ends.
pub struct Booted {
    /// The primary.
    pub primary: Primary,
    /// Its announcement; dropping it withdraws it.
    pub panel: Panel,
    /// Its lcore ids.
    pub leases: Vec<LcoreLease>,
    /// What a former primary had launched, to be launched again.
    pub again: Vec<Recorded>,
}

/// True if a PCI device is bound to a driver that hands it to user space.
fn pci_devices_for_us() -> bool {
    sys::pci::USER_DRIVERS.iter().any(|driver| {
        let Ok(entries) = std::fs::read_dir(Path::new("/sys/bus/pci/drivers").join(driver)) else {
            return false;
        };
        entries
            .flatten()
            .any(|e| e.file_name().to_string_lossy().contains(':'))
    })
}

/// Starts the primary. A start that fails leaves nothing behind.
pub fn boot(options: &Options) -> Result<Booted, Error> {
    let dir = runtime_dir(&options.file_prefix)?;
    let folder = Folder::create(&dir)?;
    let incarnation = Incarnation::new()?;
    let panel = Panel::claim(folder.clone(), incarnation)?;
    let again = match options.replace {
        Some(how) => replace::clear(&folder, how)?,
        None => Vec::new(),
    };
    let old = sweep::secondaries(&folder)?;
    if !old.is_empty() {
        return Err(Error::Refused(format!(
            "{} of a former primary still run and hold its memory: end them first, or have them leave (--replace)",
            replace::names(&old)
        )));
    }
    raise(options, &dir, &folder, incarnation)
        .and_then(|(raised, info)| {
            panel.publish(&info)?;
            Ok(raised)
        })
        .map(|(primary, leases)| Booted {
            primary,
            panel,
            leases,
            again,
        })
        .inspect_err(|_| {
            sweep::remove(&folder, &options.file_prefix, options.huge_dir.as_deref());
        })
}

/// A primary and its lcore ids, and what it announces.
type Raised = ((Primary, Vec<LcoreLease>), PanelInfo);

fn raise(
    options: &Options,
    dir: &Path,
    folder: &Folder,
    incarnation: Incarnation,
) -> Result<Raised, Error> {
    if !options.vhost_dir.is_dir() {
        return Err(Error::Usage(format!(
            "--vhost-dir {}: no such folder",
            options.vhost_dir.display()
        )));
    }
    for vdev in &options.vdevs {
        capabilities::check(vdev)?;
    }
    let plan = memory::plan(
        options,
        options.vdevs.len() as u64,
        memory::free_megabytes(options)?,
    )?;
    log::info!("memory: {}", plan.words);

    let holder = Holder {
        kind: "primary".into(),
        id: 0,
        pid: std::process::id(),
        incarnation,
    };
    clean_old_leases(folder)?;
    let placement = if options.lcores.is_empty() {
        Placement::Any(1)
    } else {
        Placement::On(options.lcores.clone())
    };
    let placed = place(folder, &holder, &placement)?;
    let pci = options.pci.unwrap_or_else(pci_devices_for_us);
    let mut config = EalConfig::new(
        ProcessType::Primary,
        &options.file_prefix,
        placed
            .iter()
            .map(|(lease, named)| (lease.id(), named.cpu))
            .collect(),
    );
    config.memory_mb = Some(plan.megabytes);
    config.huge_dir = options.huge_dir.clone();
    config.pci = pci;
    config.vdevs = options.vdevs.clone();
    config.extra = options.eal.clone();
    if options.confinement.off {
        log::warn!("not confined (--no-confine): all capabilities are kept");
    } else {
        process::confine::drop_capabilities(capabilities::of_primary(&options.vdevs, pci));
    }
    let begun = Instant::now();
    let (house, eal) = House::start(config)?;
    log::info!(
        "DPDK {}: started in {} ms",
        dpdk::dpdk_version(),
        begun.elapsed().as_millis()
    );

    let area = Area::create()?;
    // Secondaries look it up.
    dpdk::Stamps::find()?;
    let pool = Pool::create(POOL, plan.mbufs, memory::DATA_ROOM)?;
    area.share_mbufs(plan.mbufs);
    let foreign = Pool::create_foreign(devices::FOREIGN_POOL, memory::FOREIGN, memory::DATA_ROOM)?;
    let rings = (0..options.rings)
        .map(|i| Ring::create(&Opener::ring_name(i), options.ring_size))
        .collect::<Result<Vec<_>, _>>()?;
    log::info!(
        "rings: ring:0 to ring:{}, {} packets each",
        options.rings - 1,
        options.ring_size - 1
    );
    let phys = check_probed(&options.vdevs)
        .and_then(|()| start_devices(options, &pool, &house))
        // Nobody has joined yet, so nobody misses it.
        .inspect_err(|_| {
            sweep::remove(folder, &options.file_prefix, options.huge_dir.as_deref())
        })?;
    let info: &'static PortInfo = dpdk::memzone::create_bare(devices::NAME)?;
    info.announce(&phys);
    house.run(move |us| pool.stock(us))?;

    let ringer = Ringer::new(area, folder.path());
    let crew = Crew {
        area,
        pool,
        foreign,
        ringer: ringer.clone(),
        folder: folder.clone(),
        poll: options.poll,
    };
    let ids = placed.iter().map(|(lease, _)| lease.id()).collect();
    let watch = Watch::start(area, ids, None, options.stall)?;
    let mut hands = Vec::new();
    for (lease, named) in placed.iter().skip(1) {
        let (hand, work) = crew.hire(lease.id(), named.shown, &watch)?;
        eal.launch(lease.id(), work)?;
        hands.push(hand);
    }
    let estate = Estate {
        area,
        pool,
        foreign,
        rings,
        orphans: Default::default(),
    };
    let tidied = estate.clone();
    house.keep(move |us| tidied.tidy(us))?;
    let plugs = Plugs::new(&estate, &house, folder);
    let plugger: Plugger = {
        let plugs = plugs.clone();
        Box::new(move |way, port| plugs.run(way, port))
    };
    let console = (!hands.is_empty() && !options.monitor).then(|| {
        let lcores = hands.iter().map(|h| h.lcore).collect();
        let board = Board::new(
            area,
            ringer.clone(),
            hands,
            false,
            holder_names(folder.clone()),
        );
        let opener = Opener {
            area,
            ringer: ringer.clone(),
            lcores,
            rings: options.rings,
            vhost_dir: options.vhost_dir.clone(),
            vhost_owner: options.confinement.owner,
            vhost_mode: options.vhost_mode,
            pcap_dir: options.pcap_dir.clone(),
            go_on: BTreeMap::new(),
            info,
            secondary: false,
            plug: plugger,
        };
        let mut console = Console {
            board,
            opener,
            attach_rings: false,
            traces: Default::default(),
        };
        console.add_present();
        console
    });
    if console.is_some() {
        process::vhost_watch::start()?;
    }

    let controller = options
        .controller
        .as_ref()
        .map(ControllerChild::start)
        .transpose()?
        .flatten();
    let (ops_index, ops) = pool.operations();
    let address = |port: u16| {
        options
            .controller
            .as_ref()
            .map(|c| format!("{}:{port}", c.address))
    };
    let announced = PanelInfo {
        incarnation,
        pid: std::process::id(),
        spp_version: VERSION.into(),
        dpdk_version: dpdk::dpdk_version(),
        pci,
        base_virtaddr: base_virtaddr(&options.eal),
        controller_primary: options.controller.as_ref().and_then(|c| address(c.primary)),
        controller_secondary: options
            .controller
            .as_ref()
            .and_then(|c| address(c.secondary)),
        vhost_dir: options.vhost_dir.clone(),
        vhost_owner: options.confinement.owner,
        capabilities: capabilities::of_secondaries(&options.vdevs),
        rings: options.rings,
        ring_size: options.ring_size,
        pool: PoolInfo {
            name: POOL.into(),
            ops: ops.unwrap_or_default(),
            ops_index,
        },
        max_ports: MAX_PORTS,
    };

    let named: Vec<NamedLcore> = placed.iter().map(|(_, n)| n.clone()).collect();
    let identity = Identity {
        kind: "primary",
        id: 0,
        incarnation: incarnation.to_string(),
        main_lcore: named[0].shown,
        lcores: named.iter().map(|n| n.shown).collect(),
    };
    let log_dir = options.log_dir.clone().unwrap_or_else(|| dir.join("log"));
    let primary = Primary {
        identity,
        console,
        estate,
        house,
        folder: folder.clone(),
        flows: Flows::of(&phys),
        phys,
        info,
        controller,
        connected: Default::default(),
        launcher: Launcher::new(log_dir, &options.file_prefix, folder.path()),
        plugs,
        _watch: watch,
        holder: holder_names(folder.clone()),
        recovered: 0,
        recovered_foreign: 0,
        litter: Default::default(),
        heap: Heap::watch()?,
        audit: None,
        base: Default::default(),
        lines: false,
        monitor: options.monitor,
        counted: Instant::now(),
    };
    let leases = placed.into_iter().map(|(lease, _)| lease).collect();
    Ok(((primary, leases), announced))
}

/// Lcore ids of a former panel: its memory is gone, so there is nothing to recover.
fn clean_old_leases(folder: &Folder) -> Result<(), Error> {
    for dead in registry::lease::dead_leases(folder)? {
        dead.finish()?;
    }
    Ok(())
}

fn base_virtaddr(eal: &[String]) -> Option<u64> {
    let at = eal.iter().position(|a| a.starts_with("--base-virtaddr"))?;
    let text = eal[at]
        .strip_prefix("--base-virtaddr=")
        .or_else(|| eal.get(at + 1).map(String::as_str))?;
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}

/// Checks that every Ethernet device that was asked for is there: EAL goes on without one that failed.
fn check_probed(vdevs: &[String]) -> Result<(), Error> {
    let names = vdevs.iter().map(|v| v.split(',').next().unwrap_or(v));
    let ethernet = ["net_", "eth_", "virtio_user"];
    for name in names.filter(|n| ethernet.iter().any(|prefix| n.starts_with(prefix))) {
        if EthDev::by_name(name).is_err() {
            return Err(Error::Refused(format!(
                "--vdev {name}: the device could not be made; DPDK's own messages are above"
            )));
        }
    }
    Ok(())
}

/// Starts the devices that become ports, while the pool's mbufs lie where drivers find them.
fn start_devices(options: &Options, pool: &Pool, house: &House) -> Result<Vec<Phy>, Error> {
    let mut phys = Vec::new();
    for (order, device) in EthDev::all().into_iter().enumerate() {
        let info = device.info()?;
        let virtual_kind = virtual_port(&info);
        let masked = options
            .port_mask
            .is_none_or(|mask| order < 128 && mask >> order & 1 == 1);
        if virtual_kind.is_none() && !masked {
            continue;
        }
        let number = phys.len() as u16;
        let wanted = options
            .queues
            .iter()
            .find(|(port, ..)| virtual_kind.is_none() && *port == number);
        let (rx, tx) = wanted.map_or((1, 1), |(_, rx, tx)| (*rx, *tx));
        if rx > info.max_rx_queues || tx > info.max_tx_queues {
            return Err(Error::Refused(format!(
                "{}: {rx} receive and {tx} transmit queues are asked for, its driver {} has at most {} and {}",
                info.name, info.driver, info.max_rx_queues, info.max_tx_queues
            )));
        }
        let pool = *pool;
        house.run(move |_| device.start(rx, tx, &pool))??;
        let name = match virtual_kind {
            Some((kind, n)) => panel::PortCode::new(kind, n, 0).to_string(),
            None => {
                phys.push(Phy {
                    number,
                    device,
                    rx_queues: rx,
                    tx_queues: tx,
                });
                format!("phy:{number}")
            }
        };
        log::info!(
            "{name}: {} ({}), {rx} receive and {tx} transmit queues",
            info.name,
            info.driver
        );
    }
    check_devices(options, &phys)?;
    if let Some(mask) = options.port_mask {
        if phys.is_empty() {
            return Err(Error::Refused(format!(
                "-p {mask:#x} selects no port: there are {}",
                EthDev::all().len()
            )));
        }
        if mask >> EthDev::all().len() != 0 {
            log::warn!(
                "-p {mask:#x} names more ports than the {} that there are",
                EthDev::all().len()
            );
        }
    }
    Ok(phys)
}

/// What was asked for is there: every virtual device, and every port whose queues were named.
fn check_devices(options: &Options, phys: &[Phy]) -> Result<(), Error> {
    let names: Vec<String> = EthDev::all()
        .into_iter()
        .filter_map(|device| Some(device.info().ok()?.name))
        .collect();
    for vdev in &options.vdevs {
        let name = vdev.split(',').next().unwrap_or_default();
        if !names.iter().any(|n| n == name) {
            return Err(Error::Refused(format!(
                "--vdev {vdev}: DPDK made no network device of it; its own messages are above"
            )));
        }
    }
    if let Some((port, ..)) = options
        .queues
        .iter()
        .find(|(port, ..)| usize::from(*port) >= phys.len())
    {
        return Err(Error::Refused(format!(
            "queues are asked for phy:{port}, which does not exist: there are {} physical ports (--vdev, or NICs bound to a driver of DPDK)",
            phys.len()
        )));
    }
    Ok(())
}
