//! Virtual devices that come and go while the panel runs: tap ports.

use dpdk::ethdev::EthDev;
use panel::Area;
use panel::area::{DEVICES, Direction};
use panel::board::HolderName;
use process::Error;
use process::devices::{RUNTIME, runtime_name};
use protocol::port::PortName;

use crate::house::House;
use crate::reaper::Estate;

/// mbufs that a driver may want for the queues of a device at its start.
const FOR_QUEUES: u32 = 1024;

/// Makes the device of `port` and starts it, for secondaries to attach to; one that is there already is left as it is.
pub fn plug(port: PortName, estate: &Estate, house: &House) -> Result<(), Error> {
    let name = runtime_name(port).ok_or_else(|| refused(port))?;
    if EthDev::by_name(&name).is_ok() {
        return Ok(());
    }
    let arguments = format!("iface=vtap{}", port.number());
    if EthDev::all().len() >= DEVICES {
        return Err(Error::Refused(format!(
            "{port}: a panel can have {DEVICES} devices, which are all in use"
        )));
    }
    EthDev::attach(&name, &arguments).map_err(|e| explain(port, e.into()))?;
    let device = EthDev::by_name(&name)?;
    let pool = estate.pool;
    let started = house.run(move |us| {
        pool.lend(FOR_QUEUES, us);
        let started = device.start(1, 1, &pool);
        pool.stock(us);
        started
    })?;
    if let Err(e) = started {
        if let Err(e) = EthDev::detach(&name) {
            log::error!("{port}: {e}");
        }
        return Err(e.into());
    }
    log::info!("{port}: {name} ({arguments})");
    Ok(())
}

/// Stops and removes the device of `port`. Refused while a worker uses it.
pub fn unplug(
    port: PortName,
    estate: &Estate,
    house: &House,
    holder: &HolderName,
) -> Result<(), Error> {
    let name = runtime_name(port).ok_or_else(|| refused(port))?;
    let device = EthDev::by_name(&name).map_err(|_| {
        Error::Refused(format!(
            "{port} was not added while the panel ran: it stays until the primary ends"
        ))
    })?;
    let ends = estate.area.queue_ends(device.port(), 0);
    let us = house.run(|us| us.id())?;
    let mut claimed = Vec::new();
    for (ends, direction) in ends
        .iter()
        .flat_map(|e| [(*e, Direction::Rx), (*e, Direction::Tx)])
    {
        // Claimed by us, nobody can begin to use it.
        if let Err(held) = Area::claim(ends, direction, us) {
            claimed
                .into_iter()
                .for_each(|(ends, direction)| Area::release(ends, direction, us));
            return Err(Error::Refused(format!(
                "{port} is patched by {}: unpatch it there first",
                holder(held.lcore)
            )));
        }
        claimed.push((ends, direction));
    }
    let pool = estate.pool;
    let gone = house
        .run(move |_| device.stop())
        .and_then(|stopped| Ok(stopped?))
        .and_then(|()| Ok(EthDev::detach(&name)?));
    claimed
        .into_iter()
        .for_each(|(ends, direction)| Area::release(ends, direction, us));
    if let (Err(e), Ok(device)) = (&gone, EthDev::by_name(&name)) {
        log::warn!("{port} stays, and is started again: {e}");
        house.run(move |us| {
            pool.lend(FOR_QUEUES, us);
            let started = device.start(1, 1, &pool);
            pool.stock(us);
            started
        })??;
    }
    gone?;
    // What its queues held was freed while it closed.
    house.run(move |us| pool.stock(us))?;
    log::info!("{port} is gone");
    Ok(())
}

fn refused(port: PortName) -> Error {
    Error::Refused(format!(
        "{port}: only tap ports can be added to a running panel ({RUNTIME})"
    ))
}

/// Adds what a refusal most often means.
fn explain(port: PortName, e: Error) -> Error {
    let may = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    match (port, may) {
        (PortName::Tap(_), Err(why)) => Error::Refused(format!(
            "{port}: {e}; /dev/net/tun cannot be opened ({why})"
        )),
        (PortName::Tap(_), Ok(_)) => Error::Refused(format!(
            "{port}: {e} (a tap device needs the capability CAP_NET_ADMIN)"
        )),
        _ => e,
    }
}
