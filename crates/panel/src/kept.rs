//! What drivers keep of a worker's mbufs.

use std::sync::atomic::Ordering::Relaxed;

use dpdk::Kept;
use dpdk::ethdev::Keeps;

use crate::area::{Area, Direction, WorkerBlock};
use crate::port::Port;

impl WorkerBlock {
    /// Notes that the worker receives from `port` from now on, or sends to it.
    pub fn uses(&self, port: &Port, direction: Direction) {
        let device = match (port.keeps(), direction) {
            (None | Some((_, Keeps::Nothing)), _) => return,
            (Some((_, Keeps::ToReceive)), Direction::Tx) => return,
            (Some((device, Keeps::ToReceive)), Direction::Rx) => Some(device),
            (Some((_, Keeps::All)), _) => None,
        };
        match device.and_then(|device| 1_u32.checked_shl(u32::from(device))) {
            Some(bit) => {
                self.received_from.fetch_or(bit, Relaxed);
            }
            None => self.driver_held.store(1, Relaxed),
        }
    }
}

impl Area {
    /// Where drivers may keep mbufs of the worker `dead`, from now until its claims are taken away
    /// ([`Area::release_all`]): queues that it used before have become its own again, so that nobody begins to use them.
    pub fn kept_of(&self, dead: u32) -> Kept {
        let workers = &self.layout().workers;
        let block = &workers[dead as usize];
        let devices = block.received_from.load(Relaxed);
        if block.driver_held.load(Relaxed) != 0 {
            return Kept::Anywhere;
        }
        if devices == 0 {
            return Kept::Nowhere;
        }
        let queues = self.layout().queues.iter().enumerate();
        let mut ends = queues
            .filter(|(device, _)| devices >> device & 1 == 1)
            .flat_map(|(_, queues)| queues);
        // What the dead one has put into a queue somebody may have in hand who used that queue later.
        let others = workers.iter().filter(|other| !std::ptr::eq(*other, block));
        if ends.all(|ends| Area::claim(ends, Direction::Rx, dead).is_ok())
            && others.fold(0, |all, other| all | other.received_from.load(Relaxed)) & devices == 0
        {
            Kept::InQueues
        } else {
            Kept::Anywhere
        }
    }
}
