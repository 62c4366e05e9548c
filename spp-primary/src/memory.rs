//! How much memory the panel needs, has, and gives to packets.

use process::Error;

use crate::options::Options;

/// Bytes that one mbuf takes in a pool: header, room, and the pool's own header, rounded up.
const MBUF: u64 = 2432;
/// Bytes of data room in an mbuf, headroom included.
pub const DATA_ROOM: u16 = 2176;
/// mbufs that an lcore keeps at hand, with a burst.
const PER_LCORE: u64 = 480 + 64;
/// Lcore ids that the default allows for.
const LCORES: u64 = 24;
/// mbufs that devices and guests may hold beside rings.
const QUOTA: u64 = 4096;
/// mbufs in the queues of a device, each direction.
const QUEUE: u64 = 512;
/// Bytes for the panel's area, DPDK's own structures and what vhost allocates in secondaries.
const REST: u64 = 48 << 20;
/// mbufs of the pool that foreign DPDK processes allocate from.
pub const FOREIGN: u32 = 2048;

/// What the primary reserves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Megabytes of hugepages.
    pub megabytes: u32,
    /// mbufs of the panel's pool.
    pub mbufs: u32,
    /// How that came about, in words.
    pub words: String,
}

/// Plans the memory. `free_mb` is what the hugepages have free.
pub fn plan(options: &Options, devices: u64, free_mb: u32) -> Result<Plan, Error> {
    let rings = u64::from(options.rings) * u64::from(options.ring_size);
    let queues: u64 = devices.max(options.queues.len() as u64)
        + options
            .queues
            .iter()
            .map(|(_, rx, tx)| u64::from(rx + tx))
            .sum::<u64>();
    let need = rings + LCORES * PER_LCORE + QUOTA + queues * 2 * QUEUE;
    let sum = format!(
        "{} rings of {} ({rings}) + {LCORES} lcores of {PER_LCORE} ({}) + devices ({}) + guests ({QUOTA}) = {need} mbufs",
        options.rings,
        options.ring_size,
        LCORES * PER_LCORE,
        queues * 2 * QUEUE
    );
    let megabytes = match options.memory_mb {
        Some(mb) if mb > free_mb => {
            return Err(Error::Refused(format!(
                "{mb} MB of hugepages are asked for, {free_mb} MB are free: reserve more (as root: echo N > /proc/sys/vm/nr_hugepages, N pages of 2 MB; or scripts/setup.sh) or ask for less (--memory)"
            )));
        }
        Some(mb) => mb,
        None => free_mb.min(512),
    };
    let room = (u64::from(megabytes) << 20)
        .saturating_sub(REST + rings * 8 + u64::from(FOREIGN) * MBUF)
        / MBUF;
    let mbufs = match options.mbufs {
        Some(n) => u64::from(n),
        None => room.min(need * 2),
    };
    if mbufs > room || mbufs < need {
        return Err(Error::Refused(format!(
            "{megabytes} MB of hugepages hold {room} mbufs beside all else, {} are needed: {sum} (reserve more hugepages, or use fewer --rings, a smaller --ring-size, more --memory)",
            mbufs.max(need)
        )));
    }
    Ok(Plan {
        megabytes,
        mbufs: mbufs as u32,
        words: format!("{megabytes} MB of hugepages, {mbufs} mbufs; needed: {sum}"),
    })
}

/// Megabytes of hugepages of the default size that are free and can be mapped; an error that says what is missing.
pub fn free_megabytes(options: &Options) -> Result<u32, Error> {
    let pools = sys::hugepages::pools()?;
    let mounts = sys::hugepages::mounts()?;
    // What a mount gives of pages of this size: all there are, if it has no limit of its own.
    let usable = |bytes: u64| {
        let fit = mounts.iter().filter(|m| {
            m.page_size.is_none_or(|size| size == bytes)
                && m.writable
                && options.huge_dir.as_ref().is_none_or(|d| *d == m.path)
        });
        fit.map(|m| m.free.unwrap_or(u64::MAX)).max().unwrap_or(0)
    };
    let free: u64 = pools
        .iter()
        .map(|p| p.available_bytes().min(usable(p.page_size)))
        .sum();
    if free == 0 {
        let what = if mounts.iter().all(|m| !m.writable) {
            "no hugetlbfs is mounted where this user may write (as root: scripts/setup.sh --user NAME)"
        } else {
            "no hugepage is free (as root: echo 512 > /proc/sys/vm/nr_hugepages; or scripts/setup.sh)"
        };
        return Err(Error::Refused(what.into()));
    }
    Ok((free >> 20).min(u64::from(u32::MAX)) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        crate::options::parse(&words).unwrap()
    }

    #[test]
    fn the_default_fits_into_half_of_what_it_takes() {
        let plan = plan(&options(""), 0, 4096).unwrap();
        assert_eq!(plan.megabytes, 512);
        let least = 16 * 1024 + LCORES * PER_LCORE + QUOTA;
        assert_eq!(u64::from(plan.mbufs), 2 * least);
        assert!(super::plan(&options(""), 0, 256).is_ok());
    }

    #[test]
    fn a_sum_that_does_not_fit_is_shown() {
        let e = plan(&options("--rings 256 --ring-size 4096"), 0, 1024)
            .unwrap_err()
            .to_string();
        assert!(e.contains("256 rings of 4096 (1048576)"), "{e}");
        let e = plan(&options("--memory 2048"), 0, 1024)
            .unwrap_err()
            .to_string();
        assert!(e.contains("1024 MB are free"), "{e}");
        assert!(plan(&options("--mbufs 100"), 0, 1024).is_err());
    }
}
