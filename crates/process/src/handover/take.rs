//! The side of the new process.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use protocol::command::component::ComponentCommand;
use protocol::command::{Change, PanelCommand};
use protocol::desired::Desired;
use protocol::port::PortName;
use registry::folder::Folder;
use registry::lease::{Holder, IdLease, holders};
use sys::talk::Talk;

use super::{Card, FORM, New, Offer, Old, STEP, gone, hear, missing, path, say};
use crate::Error;
use crate::eal_options::NamedLcore;
use crate::secondary::Leases;
use crate::service::Service;
use crate::watch::passed;

/// How long a process that said nothing more may take to end.
const ENDING: Duration = Duration::from_secs(4);
/// Time between two looks whether it has.
const POLL: Duration = Duration::from_millis(5);

/// Asks the process `old` where its workers are.
///
/// # Errors
/// It does not answer.
pub fn workers(folder: &Folder, old: &Holder) -> Result<Vec<NamedLcore>, Error> {
    let (mut talk, path) = call(folder, old)?;
    let asked = say(&mut talk, &New::Workers).and_then(|()| hear(&mut talk, STEP));
    match asked.map_err(|e| gone(&path, &format!("{old} does not answer"), e))? {
        Old::Workers(all) => {
            let named = all
                .into_iter()
                .map(|(shown, cpu)| NamedLcore { shown, cpu });
            Ok(named.collect())
        }
        other => Err(unexpected(other)),
    }
}

/// Begins to talk with the process `old`; gives the socket's path, too.
fn call(folder: &Folder, old: &Holder) -> Result<(Talk, PathBuf), Error> {
    let path = path(folder, old.id);
    match UnixStream::connect(&path).and_then(Talk::over) {
        Ok(talk) => Ok((talk, path)),
        Err(e) => Err(gone(
            &path,
            &format!("{old} cannot be asked to hand over"),
            e,
        )),
    }
}

fn unexpected(said: Old) -> Error {
    match said {
        Old::Refused(why) => Error::Refused(why),
        other => Error::Refused(format!("the old process said {other:?}")),
    }
}

/// Takes the place of the process `old`, in the name of `us`, and waits until that gives up its id.
///
/// # Errors
/// It cannot be taken: then the old process goes on with all that it had, and this one has nothing.
pub fn take(
    service: &mut impl Service,
    leases: &mut Leases,
    folder: &Folder,
    us: &Holder,
    old: &Holder,
) -> Result<(), Error> {
    let (mut talk, _) = call(folder, old)?;
    let taken = talk_over(service, folder, us, &mut talk);
    let (lease, times) = match taken {
        Ok(taken) => taken,
        Err(e) => {
            // What we claim must be free before the old one takes it back.
            service.shut();
            // It may be gone.
            let _ = say(&mut talk, &New::Failed(e.to_string()));
            return Err(e);
        }
    };
    leases.set_id(lease);
    log::info!(
        "took over from {old}: what rings and devices bring waited for {:.1} ms, {}",
        times.shared.as_secs_f64() * 1e3,
        match times.exclusive {
            Some(time) => format!(
                "sockets and capture files were closed for {:.1} ms",
                time.as_secs_f64() * 1e3
            ),
            None => "there are no sockets and capture files".to_owned(),
        }
    );
    match hear(&mut talk, STEP) {
        Ok(Old::Bye) => Ok(()),
        // It has died, or has taken all back because we were too slow.
        _ if has_ended(folder, old)? => Ok(()),
        _ => {
            service.shut();
            leases.hand_on_id();
            Err(Error::Refused(format!(
                "{old} did not wait for this process and goes on itself"
            )))
        }
    }
}

/// For how long packets could not go on.
struct Times {
    /// Those of rings and devices.
    shared: Duration,
    /// Those of what only one process can have open, if there is any.
    exclusive: Option<Duration>,
}

fn talk_over(
    service: &mut impl Service,
    folder: &Folder,
    us: &Holder,
    talk: &mut Talk,
) -> Result<(IdLease, Times), Error> {
    let lost = |e: std::io::Error| Error::Refused(format!("the old process does not go on: {e}"));
    let card = Card {
        form: FORM,
        kind: us.kind.clone(),
        id: us.id,
        pid: us.pid,
        incarnation: us.incarnation,
    };
    say(talk, &New::Take(card)).map_err(lost)?;
    let offer = match hear(talk, STEP).map_err(lost)? {
        Old::Offer(offer) => offer,
        other => return Err(unexpected(other)),
    };
    check_cpus(service, &offer.desired)?;
    let shared = offer.shared();
    // Patches are put in while nothing moves, and all begin at once.
    service.console().board.set_forwarding(false)?;
    open(service, &shared)?;

    say(talk, &New::Ready).map_err(lost)?;
    let since = match hear(talk, STEP).map_err(lost)? {
        Old::Free(since) => since,
        other => return Err(unexpected(other)),
    };
    let file = talk
        .file()
        .ok_or_else(|| Error::Refused("the old process sent no lease".into()))?;
    let lease = Handed(Some(IdLease::passed_on(folder, us, file)?));
    put_in(service, &shared)?;
    let forwards = offer.desired.forwarding != Some(false);
    service.console().board.set_forwarding(forwards)?;
    let waited = passed(since, dpdk::tsc());

    let taken = match hear(talk, STEP).map_err(lost)? {
        Old::Closed(taken) => taken,
        other => return Err(unexpected(other)),
    };
    let times = all_else(service, &offer, taken, since, waited)?;
    say(talk, &New::Done).map_err(lost)?;
    lease
        .keep()
        .map(|lease| (lease, times))
        .ok_or_else(|| Error::Refused("there is no lease".into()))
}

/// What needs ports that only one process can have open, and what is measured.
fn all_else(
    service: &mut impl Service,
    offer: &Offer,
    taken: Vec<(u16, u64)>,
    since: u64,
    waited: Duration,
) -> Result<Times, Error> {
    service.console().opener.go_on = taken.into_iter().collect();
    open(service, &offer.desired)?;
    put_in(service, &offer.desired)?;
    let console = service.console();
    console.opener.go_on.clear();
    let exclusive = passed(since, dpdk::tsc());
    for probe in &offer.probes {
        console.probe(probe);
    }
    Ok(Times {
        shared: waited,
        exclusive: (!offer.exclusive.is_empty()).then_some(exclusive),
    })
}

/// A lease that goes back to who passed it on, unless it is kept.
struct Handed(Option<IdLease>);

impl Handed {
    fn keep(mut self) -> Option<IdLease> {
        self.0.take()
    }
}

impl Drop for Handed {
    fn drop(&mut self) {
        if let Some(lease) = self.0.take() {
            lease.hand_on();
        }
    }
}

/// Refuses what names CPUs on which we have no worker.
fn check_cpus(service: &mut impl Service, wanted: &Desired) -> Result<(), Error> {
    let ours: BTreeSet<u32> = service
        .console()
        .board
        .hands()
        .iter()
        .map(|h| h.cpu)
        .collect();
    let patches = wanted.patches.iter().filter_map(|p| p.cpu);
    let components = wanted.components.iter().map(|c| c.core);
    match patches.chain(components).find(|cpu| !ours.contains(cpu)) {
        None => Ok(()),
        Some(cpu) => Err(Error::Refused(format!(
            "the old process works on CPU {cpu}, on which this one has no worker: it has some on {ours:?}, name others with --lcores"
        ))),
    }
}

/// Opens what is wanted, and makes its entries in tables, before anything is attached.
fn open(service: &mut impl Service, wanted: &Desired) -> Result<(), Error> {
    let has = service.has();
    for added in &wanted.ports {
        if !has.ports.iter().any(|p| p.port == added.port) {
            let (port, mode) = (added.port, added.mode);
            apply(service, &PanelCommand::Add { port, mode }.into())?;
        }
    }
    let ends = wanted
        .components
        .iter()
        .flat_map(|c| c.rx.iter().chain(&c.tx));
    let mut ports: Vec<PortName> = ends.map(|end| end.port).collect();
    ports.extend(wanted.classifier.iter().map(|entry| entry.port));
    for port in ports {
        service.console().have(port)?;
    }
    for entry in &wanted.classifier {
        if !has.classifier.contains(entry) {
            apply(service, &ComponentCommand::AddEntry(entry.clone()).into())?;
        }
    }
    Ok(())
}

fn put_in(service: &mut impl Service, wanted: &Desired) -> Result<(), Error> {
    missing(service, wanted)
        .iter()
        .try_for_each(|change| apply(service, change))
}

fn apply(service: &mut impl Service, change: &Change) -> Result<(), Error> {
    let failed = |e| Error::Refused(format!("{change}: {e}"));
    service.apply(change).map_err(failed)
}

/// Whether the process has ended, or does so soon.
fn has_ended(folder: &Folder, old: &Holder) -> Result<bool, Error> {
    let end = Instant::now() + ENDING;
    loop {
        let held = holders(folder)?;
        if !held.iter().any(|lease| lease.holder == *old) {
            return Ok(true);
        }
        if Instant::now() >= end {
            return Ok(false);
        }
        std::thread::sleep(POLL);
    }
}
