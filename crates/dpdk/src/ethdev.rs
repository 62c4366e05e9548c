//! Ethernet devices: what the primary probed, NICs and virtual devices alike.

use dpdk_sys as ffi;

use crate::burst::Burst;
use crate::pool::{Owner, Pool, PoolCache};
use crate::{Error, Lcore, c_string};

/// Descriptors of a queue.
const DESCRIPTORS: u16 = 512;

/// What a driver keeps of mbufs between two calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// Nothing: what it is given it has freed when it returns, and it allocates what it gives.
    Nothing,
    /// Those that it will receive into, their addresses being in shared memory. What it is given to send it has freed when it
    /// returns.
    ToReceive,
    /// Those that it will receive into, and those that it is given to send until some time later.
    All,
}

/// Drivers that keep no mbuf between two calls.
const KEEPS_NOTHING: [&str; 4] = ["net_null", "net_af_packet", "net_memif", "net_pcap"];
/// A driver that chains the mbufs that it will receive into, and has their buffers' addresses in a list. What it sends it
/// writes to a file.
const KEEPS_TO_RECEIVE: &str = "net_tap";

/// An Ethernet device (`rte_ethdev`), by its port id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EthDev {
    port: u16,
}

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EthInfo {
    /// Port id of DPDK.
    pub port: u16,
    /// Name of the device: a PCI address or that of a vdev.
    pub name: String,
    /// Name of the driver.
    pub driver: String,
    /// Configured receive queues.
    pub rx_queues: u16,
    /// Configured transmit queues.
    pub tx_queues: u16,
    /// Most receive queues that the driver takes.
    pub max_rx_queues: u16,
    /// Most transmit queues that the driver takes.
    pub max_tx_queues: u16,
    /// MAC address.
    pub mac: [u8; 6],
}

impl EthInfo {
    /// Which mbufs stay in the driver's queues between two calls.
    pub fn keeps(&self) -> Keeps {
        match self.driver.as_str() {
            driver if KEEPS_NOTHING.contains(&driver) => Keeps::Nothing,
            KEEPS_TO_RECEIVE => Keeps::ToReceive,
            _ => Keeps::All,
        }
    }
}

fn text(chars: &[std::ffi::c_char]) -> String {
    let bytes: Vec<u8> = chars
        .iter()
        .take_while(|c| **c != 0)
        .map(|c| *c as u8)
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl EthDev {
    /// All devices of the panel, by port id.
    pub fn all() -> Vec<EthDev> {
        let mut devices = Vec::new();
        let mut port = 0;
        loop {
            // SAFETY: any number may be asked for.
            port = unsafe { ffi::spp_eth_next(port) };
            if u32::from(port) >= ffi::SPP_MAX_ETHPORTS {
                return devices;
            }
            devices.push(EthDev { port });
            port += 1;
        }
    }

    /// The device called `name`.
    pub fn by_name(name: &str) -> Result<EthDev, Error> {
        let c_name = c_string(name)?;
        let mut port = 0;
        // SAFETY: a valid string and a place for the number.
        let ret = unsafe { ffi::spp_eth_port_by_name(c_name.as_ptr(), &mut port) };
        if ret == 0 {
            Ok(EthDev { port })
        } else {
            Err(Error::NotFound {
                kind: "device",
                name: name.into(),
            })
        }
    }

    /// Port id of DPDK.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the device says of itself (`rte_eth_dev_info_get`).
    pub fn info(&self) -> Result<EthInfo, Error> {
        let mut raw = ffi::spp_eth_info::default();
        // SAFETY: a valid place for the answer.
        let ret = unsafe { ffi::spp_eth_info(self.port, &mut raw) };
        if ret != 0 {
            return Err(Error::from_ret(
                format!("asking Ethernet device {}", self.port),
                ret,
            ));
        }
        Ok(EthInfo {
            port: self.port,
            name: text(&raw.name),
            driver: text(&raw.driver),
            rx_queues: raw.rx_queues,
            tx_queues: raw.tx_queues,
            max_rx_queues: raw.max_rx_queues,
            max_tx_queues: raw.max_tx_queues,
            mac: raw.mac,
        })
    }

    /// Configures `rx` and `tx` queues with mbufs of `pool` and starts the device in promiscuous mode.
    /// Primary only, while the pool's mbufs lie in DPDK's ring.
    pub fn start(&self, rx: u16, tx: u16, pool: &Pool) -> Result<(), Error> {
        // SAFETY: a valid pool; the device is not polled yet.
        let ret = unsafe { ffi::spp_eth_start(self.port, rx, tx, DESCRIPTORS, pool.raw) };
        if ret == 0 {
            Ok(())
        } else {
            Err(Error::from_ret(
                format!("starting Ethernet device {}", self.port),
                ret,
            ))
        }
    }

    /// Whether the link is up (`rte_eth_link_get_nowait`); `None` if the device cannot tell.
    pub fn link(&self) -> Option<bool> {
        // SAFETY: any port id may be asked for.
        match unsafe { ffi::spp_eth_link(self.port) } {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Makes a virtual device in this process (`rte_vdev_init`): in the primary it comes into being, a
    /// secondary attaches to what the primary has made and started. No other process takes part, so none can hold it up.
    pub fn attach(name: &str, arguments: &str) -> Result<(), Error> {
        let (n, a) = (c_string(name)?, c_string(arguments)?);
        // SAFETY: valid strings.
        let ret = unsafe { ffi::rte_vdev_init(n.as_ptr(), a.as_ptr()) };
        if ret == 0 {
            Ok(())
        } else {
            Err(Error::from_ret(format!("adding device {name}"), ret))
        }
    }

    /// Lets go of a virtual device in this process (`rte_vdev_uninit`); in the primary it ends. No worker may
    /// poll it any more.
    pub fn detach(name: &str) -> Result<(), Error> {
        let n = c_string(name)?;
        // SAFETY: a valid string.
        let ret = unsafe { ffi::rte_vdev_uninit(n.as_ptr()) };
        if ret == 0 {
            Ok(())
        } else {
            Err(Error::from_ret(format!("removing device {name}"), ret))
        }
    }

    /// Stops the device (`rte_eth_dev_stop`). No worker may poll it any more. Primary only.
    pub fn stop(&self) -> Result<(), Error> {
        // SAFETY: the caller has taken all workers off.
        let ret = unsafe { ffi::spp_eth_stop(self.port) };
        if ret == 0 {
            Ok(())
        } else {
            Err(Error::from_ret(
                format!("stopping Ethernet device {}", self.port),
                ret,
            ))
        }
    }

    /// The longest frame that fits its MTU (`rte_eth_dev_get_mtu`), with two VLAN tags, without the
    /// frame check sequence.
    pub fn longest_frame(&self) -> u32 {
        const HEADER: u32 = 14 + 2 * 4;
        let mut mtu = 0;
        // SAFETY: a place for the number; an unknown port is refused.
        match unsafe { ffi::rte_eth_dev_get_mtu(self.port, &mut mtu) } {
            0 => u32::from(mtu) + HEADER,
            _ => u32::MAX,
        }
    }

    /// A queue pair for a worker. The caller has claimed it, and the queue exists.
    pub fn queue(&self, queue: u16, keeps: Keeps) -> EthQueue {
        EthQueue {
            port: self.port,
            queue,
            keeps,
        }
    }
}

/// A receive and a transmit queue of a device: one worker at a time for each direction.
#[derive(Debug, Clone, Copy)]
pub struct EthQueue {
    port: u16,
    queue: u16,
    keeps: Keeps,
}

impl EthQueue {
    /// Receives up to `most` packets (`rte_eth_rx_burst`).
    #[inline(always)]
    pub fn receive(&self, _lcore: &Lcore, owner: Owner, burst: &mut Burst, most: usize) -> usize {
        let room = burst.room();
        let most = most.min(room.len());
        // SAFETY: room for that many pointers; this worker alone uses the queue.
        let n = unsafe { ffi::spp_eth_rx(self.port, self.queue, room.as_mut_ptr(), most as u16) }
            as usize;
        match self.keeps {
            Keeps::Nothing => burst.received_own(n),
            Keeps::ToReceive | Keeps::All => burst.received(n, owner),
        }
        n
    }

    /// Sends from the front of the burst (`rte_eth_tx_burst`); what the driver refuses stays in it.
    /// Returns packets and bytes. Drivers free what they have sent in their own way, so packets that are shared
    /// are copied first.
    #[inline(always)]
    pub fn send(&self, _lcore: &Lcore, cache: &PoolCache, burst: &mut Burst) -> (usize, u64) {
        let step = burst.unshare_front(burst.step(), cache);
        let mbufs = &mut burst.mbufs()[..step];
        if self.keeps == Keeps::All {
            // The driver frees them some time; until then they are nobody's of ours.
            for m in mbufs.iter() {
                crate::mbuf::Mbuf(*m).own(0);
            }
        }
        // SAFETY: mbufs that we own; this worker alone uses the queue.
        let n = unsafe {
            ffi::spp_eth_tx(
                self.port,
                self.queue,
                mbufs.as_mut_ptr(),
                mbufs.len() as u16,
            )
        } as usize;
        (n, burst.passed_on(n))
    }

    /// Shows the packets from number `from` on to a driver that keeps no mbufs, and returns how many it took; all
    /// stay in the burst. Any other driver takes none: nobody could tell when it is done with them.
    ///
    /// The driver (`rte_eth_tx_burst`) is given a reference to each, which it has counted off again when it returns. So whenever this
    /// process is killed the packets are its own.
    #[inline(always)]
    pub fn offer(&self, burst: &Burst, from: usize) -> usize {
        let mbufs = burst.held().get(from..).unwrap_or_default();
        if self.keeps != Keeps::Nothing {
            return 0;
        }
        // SAFETY: mbufs that we own; this worker alone uses the queue; the array is only read.
        let n = unsafe {
            ffi::spp_eth_offer(self.port, self.queue, mbufs.as_ptr(), mbufs.len() as u16)
        };
        usize::from(n)
    }

    /// Port id and queue.
    pub fn id(&self) -> (u16, u16) {
        (self.port, self.queue)
    }
}
