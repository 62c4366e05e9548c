//! What cannot work by the options alone.

use super::Planner;
use crate::app::{Role, Rule};
use crate::uid::{Kind, Uid};
use crate::{Error, Result, check};

/// Most queue pairs of a virtio-user device (DPDK's `VIRTIO_MAX_VIRTQUEUE_PAIRS`).
const MOST_QUEUES: u32 = 8;
/// Most memory regions that a vhost-user peer tells of (`VHOST_MEMORY_MAX_NREGIONS`).
const MOST_REGIONS: usize = 8;
impl Planner<'_> {
    /// What the application's file wants checked of its options as a whole.
    pub(super) fn rules(&self, ports: &[Uid]) -> Result<()> {
        for rule in &self.app.rules {
            match rule {
                Rule::Ports => self.enough_ports(ports)?,
                Rule::EvenPorts => {
                    let mask = self.given.value("--port-mask").and_then(check::mask);
                    if mask.is_some_and(|mask| mask.count_ones() % 2 == 1) {
                        return Err(Error::usage(format!(
                            "Number of ports must be an even number: {} of {} forwards between pairs",
                            self.given.value("--port-mask").unwrap_or_default(),
                            self.app.name
                        )));
                    }
                }
                Rule::Queues => self.queues_of_config()?,
                Rule::Matrix => {}
            }
        }
        Ok(())
    }

    fn enough_ports(&self, ports: &[Uid]) -> Result<()> {
        let text = self.given.value("--port-mask").unwrap_or_default();
        let Some(mask) = check::mask(text) else {
            return Ok(());
        };
        // Ports may be PCI devices, too.
        let devices = ports.len()
            + self.given.all("--pci-whitelist").count()
            + self.given.all("--vdev").count();
        let digits = u128::BITS - mask.leading_zeros();
        match devices >= digits as usize {
            true => Ok(()),
            false => Err(Error::usage(format!(
                "Not enough ports, {devices} devs for '{text}(=0b{mask:b})': name as many with -d"
            ))),
        }
    }

    fn queues_of_config(&self) -> Result<()> {
        let text = self.given.value("--config").unwrap_or_default();
        let tuples = check::tuples(text).unwrap_or_default();
        let most = u64::from(self.given.number("--nof-queues")?.unwrap_or(1));
        let mut ports: Vec<u64> = tuples.iter().map(|tuple| tuple[0]).collect();
        ports.sort_unstable();
        ports.dedup();
        for port in ports {
            let of_port = tuples.iter().filter(|tuple| tuple[0] == port);
            let queues: Vec<u64> = of_port.map(|tuple| tuple[1]).collect();
            if queues
                .iter()
                .enumerate()
                .any(|(at, queue)| at as u64 != *queue)
            {
                return Err(Error::usage(format!(
                    "--config {text}: the queues of port {port} must be 0, 1, … one after the other"
                )));
            }
            if queues.len() as u64 > most {
                return Err(Error::usage(format!(
                    "--config {text}: {} queues for port {port}, which has {most} (-nq)",
                    queues.len()
                )));
            }
        }
        // l3fwd sends from each of its lcores by a queue of its own, to every port.
        let lcores = self.lcore_ids()?.len() as u64;
        if lcores > most && self.given.typed("--dev-uids") {
            return Err(Error::usage(format!(
                "{lcores} lcores send by a queue each, and vhost ports have {most} (-nq). SPP's vhost ports have one: \
                 name one lcore for them"
            )));
        }
        Ok(())
    }

    /// What virtio-user cannot do, before it is tried.
    pub(super) fn virtio_limits(&self, ports: &[Uid]) -> Result<()> {
        if self.app.role != Role::Guest || !ports.iter().any(|port| port.kind == Kind::Vhost) {
            return Ok(());
        }
        let queues = self.given.number("--nof-queues")?.unwrap_or(1);
        if queues > MOST_QUEUES {
            return Err(Error::usage(format!(
                "-nq {queues}: a virtio-user device has at most {MOST_QUEUES} pairs of queues"
            )));
        }
        let nodes = self.given.value("--socket-mem").map_or(1, |text| {
            let some = |part: &&str| part.trim() != "0";
            text.split(',').filter(some).count()
        });
        if nodes > MOST_REGIONS {
            return Err(Error::usage(format!(
                "--socket-mem names memory of {nodes} NUMA nodes: that is a memory region each, and a vhost port takes {MOST_REGIONS}"
            )));
        }
        Ok(())
    }
}
