//! The side of the old process.

use std::io::ErrorKind;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam::channel::Sender;
use protocol::port::PortName;
use registry::folder::Folder;
use sys::talk::Talk;

use super::{Card, FORM, New, Offer, Old, STEP, gone, hear, missing, path, say};
use crate::eal_options::NamedLcore;
use crate::events::Event;
use crate::secondary::Leases;
use crate::service::Service;
use crate::{Error, probes, threads};

/// How long a caller may take to say who it is, and may wait for us to have time.
const PATIENCE: Duration = Duration::from_secs(1);
/// For how long it is tried to put back what a new process did not take: it may still hold some of it.
const BACK: Duration = Duration::from_secs(8);
/// Time between two tries.
const BETWEEN: Duration = Duration::from_millis(20);

/// A process that wants to take the place of this one.
#[derive(Debug)]
pub struct Caller {
    talk: Talk,
    card: Card,
}

/// Where others ask for the place of this process. Dropping it removes the socket.
pub struct Door {
    path: Option<PathBuf>,
}

impl Door {
    /// Opens it for the process `id`, whose lease this process has; who comes is told to the control thread, or is told where our
    /// `workers` are.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn open(
        folder: &Folder,
        id: u32,
        workers: &[NamedLcore],
        events: Sender<Event>,
    ) -> Result<Self, Error> {
        let path = path(folder, id);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(gone(&path, "remove", e)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(|e| gone(&path, "listen", e))?;
        let workers: Vec<(u32, u32)> = workers.iter().map(|w| (w.shown, w.cpu)).collect();
        threads::spawn("spp-handover", move || {
            for stream in listener.incoming().flatten() {
                // A caller that says nothing, or goes away, needs no answer.
                let _ = receive(stream, &workers, &events);
            }
        })?;
        Ok(Door { path: Some(path) })
    }

    /// Removes the socket now.
    pub fn close(&mut self) {
        if let Some(path) = self.path.take() {
            // The folder goes with the panel in any case.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.close();
    }
}

fn receive(
    stream: UnixStream,
    workers: &[(u32, u32)],
    events: &Sender<Event>,
) -> std::io::Result<()> {
    let mut talk = Talk::over(stream)?;
    match hear(&mut talk, PATIENCE)? {
        New::Workers => say(&mut talk, &Old::Workers(workers.to_vec())),
        New::Take(card) => {
            let caller = Box::new(Caller { talk, card });
            if let Err(unheard) = events.send_timeout(Event::Successor(caller), PATIENCE)
                && let Event::Successor(mut caller) = unheard.into_inner()
            {
                caller.refuse("the process is busy or ending");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

impl Caller {
    fn refuse(&mut self, words: &str) {
        // It may have gone.
        let _ = say(&mut self.talk, &Old::Refused(words.to_owned()));
    }

    /// Why it cannot take the place of this process.
    fn unfit(&self, kind: &str, id: u32) -> Option<String> {
        let Card {
            form,
            kind: theirs,
            id: wanted,
            ..
        } = &self.card;
        if *form != FORM {
            return Some(format!(
                "the two programs do not know each other's way to hand over ({form} and {FORM}): end {kind} {id} and start the new one"
            ));
        }
        ((theirs.as_str(), *wanted) != (kind, id))
            .then(|| format!("this is {kind} {id}, not {theirs} {wanted}"))
    }
}

/// What is said at the end, once all is let go of that the other side needs.
pub struct Farewell(Talk);

impl Farewell {
    /// Says it.
    pub fn say(mut self) {
        // Who does not hear it sees that we have ended.
        let _ = say(&mut self.0, &Old::Bye);
    }
}

/// What became of a caller.
enum Given {
    All,
    /// Nothing was changed.
    Nothing(String),
    /// It has to be put back.
    Some(String),
}

/// Gives the caller what this process has. `None` if it did not take it: then everything is as it was, as far as it can be, and what
/// cannot be is said.
pub fn give(
    service: &mut impl Service,
    leases: &Leases,
    kind: &str,
    id: u32,
    mut caller: Caller,
) -> Option<Farewell> {
    if let Some(words) = caller.unfit(kind, id) {
        caller.refuse(&words);
        return None;
    }
    let from = caller.card.pid;
    log::info!("process {from} takes the place of this one");
    let offer = offer(service);
    match hand_over(service, leases, &offer, &mut caller) {
        Given::All => {
            log::info!("process {from} has taken the place of this one, which ends");
            return Some(Farewell(caller.talk));
        }
        Given::Nothing(why) => log::warn!("process {from} did not take over: {why}"),
        Given::Some(why) => {
            log::error!("process {from} did not take over, taking all back: {why}");
            // From now on whatever it says is of no account: it ends when it sees that nobody listens.
            drop(caller);
            take_back(service, leases, &offer);
        }
    }
    None
}

/// All that the process has.
fn offer(service: &mut impl Service) -> Offer {
    Offer {
        desired: service.has(),
        exclusive: service.exclusive(),
        probes: probes::standing(&service.console().board)
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

fn hand_over(
    service: &mut impl Service,
    leases: &Leases,
    offer: &Offer,
    caller: &mut Caller,
) -> Given {
    let talk = &mut caller.talk;
    let Some(lease) = leases.id() else {
        return Given::Nothing("this process has no id yet".into());
    };
    let ready = say(talk, &Old::Offer(offer.clone())).and_then(|()| hear(talk, STEP));
    match ready {
        Ok(New::Ready) => {}
        Ok(New::Failed(why)) => return Given::Nothing(why),
        Ok(other) => return Given::Nothing(format!("it said {other:?}")),
        Err(e) => return Given::Nothing(e.to_string()),
    }
    let since = dpdk::tsc();
    if let Err(e) = service.unplug() {
        caller.refuse(&e.to_string());
        return Given::Nothing(e.to_string());
    }
    let free = serde_json::to_string(&Old::Free(since)).map_err(std::io::Error::from);
    if let Err(e) = free.and_then(|free| talk.say(&free, Some(lease.file()))) {
        return Given::Some(e.to_string());
    }
    let taken = close(service, &offer.exclusive);
    let end = say(talk, &Old::Closed(taken)).and_then(|()| hear(talk, STEP));
    match end {
        Ok(New::Done) => Given::All,
        Ok(New::Failed(why)) => Given::Some(why),
        Ok(other) => Given::Some(format!("it said {other:?}")),
        Err(e) => Given::Some(e.to_string()),
    }
}

/// Closes the ports that only one process can have open; gives how much was taken out of capture files, which is also kept for
/// the case that they are opened here again.
fn close(service: &mut impl Service, ports: &[PortName]) -> Vec<(u16, u64)> {
    let console = service.console();
    let mut all = Vec::new();
    for port in ports {
        let Ok(code) = crate::ports::code(*port) else {
            continue;
        };
        let taken = console.board.port(code).and_then(|p| p.taken());
        all.extend(taken.map(|taken| (code.number(), taken)));
        if let Err(e) = console.board.del(code) {
            log::error!("{port}: {e}");
        }
    }
    console.opener.go_on = all.iter().copied().collect();
    all
}

fn take_back(service: &mut impl Service, leases: &Leases, offer: &Offer) {
    if let Some(Err(e)) = leases.id().map(|lease| lease.keep()) {
        log::error!("the lease of the id still names the other process: {e}");
    }
    let end = Instant::now() + BACK;
    let failures = loop {
        let changes = missing(service, &offer.desired);
        let failed = changes.iter().filter_map(|change| {
            let failure = service.apply(change).err()?;
            Some(format!("{change}: {failure}"))
        });
        let failures: Vec<String> = failed.collect();
        if failures.is_empty() || Instant::now() >= end {
            break failures;
        }
        std::thread::sleep(BETWEEN);
    };
    let console = service.console();
    console.opener.go_on.clear();
    for probe in &offer.probes {
        console.probe(probe);
    }
    match failures.as_slice() {
        [] => log::info!("all is as it was"),
        _ => failures
            .iter()
            .for_each(|f| log::error!("not put back: {f}")),
    }
}
