//! What would fail on this host, found out before anything is started.

use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use crate::cpus;
use crate::engine::Container;
use crate::layout::Machine;
use crate::plan::{Plan, RUNTIME};
use crate::{Error, Result, host};

/// Megabytes in a byte count.
const MEGABYTE: u64 = 1024 * 1024;

/// Looks at what the plan needs of the host and of the containers that run.
///
/// # Errors
/// What is missing or taken, by whom, and what to do.
pub fn plan(plan: &Plan, running: &[Container]) -> Result<()> {
    sockets(plan, running)?;
    mounts(plan)?;
    lcores(plan, running)?;
    names(plan, running)?;
    hugepages(plan)
}

fn sockets(plan: &Plan, running: &[Container]) -> Result<()> {
    let table = host::unix_sockets();
    for socket in &plan.sockets {
        let shown = socket.display();
        let there = std::fs::metadata(socket).is_ok_and(|file| file.file_type().is_socket());
        if !there {
            return Err(Error::refused(format!(
                "{shown} is not there: add its port to a process of the panel first (spp nfv 1 add vhost:N), or name the panel's folder with --vhost-dir"
            )));
        }
        let text = shown.to_string();
        if let Some(holder) = running
            .iter()
            .find(|c| c.running && c.sockets.contains(&text))
        {
            return Err(Error::refused(format!(
                "{shown} is taken by container {} ({}): a socket takes one application (spp container stop {})",
                holder.name, holder.app, holder.name
            )));
        }
        if host::has_peer(&table, socket) {
            return Err(Error::refused(format!(
                "{shown} is taken: some process is connected to it already, and a socket takes one application"
            )));
        }
    }
    Ok(())
}

/// docker would make a folder of root's in the place of whatever is missing.
fn mounts(plan: &Plan) -> Result<()> {
    for mount in &plan.mounts {
        let host = Path::new(&mount.host);
        if host.exists() {
            continue;
        }
        if mount.host == RUNTIME {
            // A primary makes the folder of its panel in it.
            std::fs::create_dir_all(host).map_err(|error| Error::io("make", host, error))?;
            continue;
        }
        let reason = match host.strip_prefix(RUNTIME) {
            Ok(prefix) => format!(
                "no primary of panel {0} has run here ({1} is not there): start it first, or name the panel with --file-prefix",
                prefix.display(),
                mount.host
            ),
            Err(_) => format!("{} is not there, which the container is to get", mount.host),
        };
        return Err(Error::refused(reason));
    }
    Ok(())
}

fn lcores(plan: &Plan, running: &[Container]) -> Result<()> {
    let allowed: Vec<u32> = Machine::of_host()?.numbers().collect();
    if let Some(cpu) = plan.cpus.iter().find(|cpu| !allowed.contains(cpu)) {
        return Err(Error::refused(format!(
            "CPU {cpu} is not there, or not for us: {} can be used",
            cpus::text(&allowed)
        )));
    }
    lcore_ids(plan, running)?;
    if plan.share_cpus {
        return Ok(());
    }
    for holder in running.iter().filter(|container| container.running) {
        let own =
            |cpu: &&u32| Some(**cpu) != plan.main && holder.own_cpus().any(|held| held == **cpu);
        if let Some(cpu) = plan.cpus.iter().find(own) {
            return Err(Error::refused(format!(
                "CPU {cpu} is in use by container {} ({}): name others, or permit it with --share-lcores",
                holder.name, holder.app
            )));
        }
    }
    Ok(())
}

/// DPDK indexes caches in the memory of a panel by lcore ids: two processes with the same one would corrupt each other. SPP's
/// own lease theirs.
fn lcore_ids(plan: &Plan, running: &[Container]) -> Result<()> {
    let of_panel = |c: &&Container| c.running && c.prefix.is_some() && c.prefix == plan.prefix;
    for holder in running.iter().filter(of_panel) {
        if let Some(id) = plan
            .lcore_ids
            .iter()
            .find(|id| holder.lcore_ids.contains(id))
        {
            return Err(Error::refused(format!(
                "lcore id {id} is in use by container {} ({}) of the same panel, and two processes with one id corrupt its memory: name others, such as --lcores {}@{}",
                holder.name,
                holder.app,
                id + 1,
                plan.cpus.first().copied().unwrap_or_default()
            )));
        }
    }
    Ok(())
}

fn names(plan: &Plan, running: &[Container]) -> Result<()> {
    let Some(name) = &plan.name else {
        return Ok(());
    };
    match running.iter().find(|container| container.name == *name) {
        Some(container) if container.running => Err(Error::refused(format!(
            "there is a container {name} already, which runs {} (spp container stop {name})",
            container.app
        ))),
        _ => Ok(()),
    }
}

fn hugepages(plan: &Plan) -> Result<()> {
    let (Some(folder), Some(megabytes)) = (&plan.huge_dir, plan.huge_megabytes) else {
        return Ok(());
    };
    let mounts = sys::hugepages::mounts().map_err(|error| Error::refused(error.to_string()))?;
    let Some(mount) = mounts.iter().find(|mount| same(&mount.path, folder)) else {
        return Err(Error::refused(format!(
            "{} is no mount of hugetlbfs: mount -t hugetlbfs nodev {} (scripts/setup.sh does it), or give --no-huge",
            folder.display(),
            folder.display()
        )));
    };
    let pools = sys::hugepages::pools().map_err(|error| Error::refused(error.to_string()))?;
    let of_mount = |size: u64| mount.page_size.is_none_or(|page_size| page_size == size);
    let pool = pools.iter().find(|pool| of_mount(pool.page_size));
    let free = pool.map_or(0, |pool| pool.available_bytes() / MEGABYTE);
    if free >= megabytes {
        return Ok(());
    }
    Err(Error::refused(format!(
        "{megabytes} MB of hugepages are wanted, {free} MB are free: give less (-m), or reserve more (scripts/setup.sh --pages N)"
    )))
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || (a.canonicalize().ok().is_some() && a.canonicalize().ok() == b.canonicalize().ok())
}
