use protocol::command::{Change, PanelCommand};
use protocol::desired::ProcessName;
use protocol::port::PortName;

use super::super::memory::{Outcome, Record, What};
use super::*;

/// A disk that can be full, or fail to sync.
#[derive(Default)]
struct Disk {
    file: Vec<u8>,
    durable: Vec<u8>,
    /// Bytes that fit.
    room: usize,
    sync_fails: bool,
    replace_fails: bool,
    syncs: usize,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Disk>>);

impl Shared {
    fn with(room: usize) -> Self {
        let shared = Self::default();
        shared.disk().room = room;
        shared.disk().file = format::header();
        shared
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    fn start(&self) -> Journal {
        self.start_with(Duration::from_secs(60))
    }

    fn start_with(&self, patience: Duration) -> Journal {
        let length = self.disk().file.len() as u64;
        Journal::start(self.clone(), Memory::default(), length, patience).unwrap()
    }

    /// What a controller finds that starts now.
    fn replayed(&self) -> Memory {
        let mut memory = Memory::default();
        let contents = format::read(&self.disk().file).unwrap();
        contents
            .entries
            .into_iter()
            .for_each(|entry| memory.apply(entry));
        memory
    }
}

impl Store for Shared {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        let fits = bytes.len().min(disk.room - disk.file.len().min(disk.room));
        disk.file.extend(&bytes[..fits]);
        if fits < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.disk().file.truncate(length as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.syncs += 1;
        if disk.sync_fails {
            return Err(io::Error::other("the disk does not answer"));
        }
        disk.durable = disk.file.clone();
        Ok(())
    }

    fn replace(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        if disk.replace_fails || bytes.len() > disk.room {
            return Err(io::ErrorKind::StorageFull.into());
        }
        disk.file = bytes.to_vec();
        disk.durable = bytes.to_vec();
        Ok(())
    }
}

fn process() -> ProcessName {
    "nfv:1".parse().unwrap()
}

fn add(number: u64, ring: u16) -> Entry {
    let port = PortName::Ring(ring);
    let change = Change::from(PanelCommand::Add { port, mode: None });
    Entry::Intent {
        process: process(),
        number,
        what: What::Change(change),
    }
}

fn settled(number: u64, outcome: Outcome) -> Entry {
    Entry::Settled {
        process: process(),
        number,
        outcome,
    }
}

fn rings(memory: &Memory) -> usize {
    let record: Option<&Record> = memory.processes.get(&process());
    record.map_or(0, |record| record.desired.ports.len())
}

/// A disk does not answer until this is dropped.
struct Hanging(Option<(std::sync::mpsc::Sender<()>, JoinHandle<()>)>);

impl Hanging {
    fn new(disk: &Shared) -> Self {
        let ((holds, held), (release, released)) = (channel(), channel());
        let disk = disk.clone();
        let thread = std::thread::spawn(move || {
            let disk = disk.disk();
            holds.send(()).unwrap();
            // The other end is dropped.
            released.recv().unwrap_err();
            drop(disk);
        });
        held.recv().unwrap();
        Self(Some((release, thread)))
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        if let Some((release, thread)) = self.0.take() {
            drop(release);
            thread.join().unwrap();
        }
    }
}

const MUCH: usize = 16 << 20;

#[tokio::test]
async fn an_intent_is_on_disk_before_it_is_reported_and_its_settlement_in_the_file() {
    let disk = Shared::with(MUCH);
    let journal = disk.start();
    journal.commit(vec![add(0, 0)], PATIENCE).await.unwrap();
    let durable = disk.disk().durable.clone();
    assert_eq!(format::read(&durable).unwrap().entries, [add(0, 0)]);
    journal.note(vec![settled(0, Outcome::Done)]).await.unwrap();
    assert_eq!(rings(&disk.replayed()), 1);
    assert_eq!(*journal.memory(), disk.replayed());
    drop(journal);
    let disk = disk.disk();
    assert_eq!(disk.durable, disk.file, "the end brings everything to disk");
}

#[tokio::test]
async fn many_share_one_fsync() {
    let disk = Shared::with(MUCH);
    let journal = disk.start();
    let (waiting, before) = {
        // The thread takes what lies there together while the disk is held.
        let held = disk.disk();
        let mut waiting: Vec<_> = (0..100)
            .map(|n| Box::pin(journal.commit(vec![add(n, n as u16)], PATIENCE)))
            .collect();
        for write in &mut waiting {
            assert!(polled_once(write.as_mut()).is_none());
        }
        (waiting, held.syncs)
    };
    for write in waiting {
        write.await.unwrap();
    }
    let syncs = disk.disk().syncs - before;
    assert!(syncs <= 3, "{syncs} times");
}

/// Polls once.
fn polled_once<T>(future: std::pin::Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match future.poll(&mut context) {
        std::task::Poll::Ready(value) => Some(value),
        std::task::Poll::Pending => None,
    }
}

#[tokio::test]
async fn a_full_disk_refuses_changes_and_loses_no_settlement() {
    let disk = Shared::with(MUCH);
    let journal = disk.start();
    journal.commit(vec![add(0, 0)], PATIENCE).await.unwrap();
    let full = disk.disk().file.len() + 5;
    disk.disk().room = full;
    // Its settlement does not fit: it counts all the same, and waits.
    journal.note(vec![settled(0, Outcome::Done)]).await.unwrap();
    assert_eq!(rings(&journal.memory()), 1);
    let error = journal.commit(vec![add(1, 1)], PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("no storage space"), "{error}");
    assert_eq!(rings(&disk.replayed()), 0);
    assert_eq!(disk.replayed().processes[&process()].pending.len(), 1);
    disk.disk().room = MUCH;
    journal.commit(vec![add(2, 2)], PATIENCE).await.unwrap();
    assert_eq!(rings(&disk.replayed()), 1);
    assert_eq!(*journal.memory(), disk.replayed());
}

#[tokio::test]
async fn a_disk_that_fails_to_sync_is_given_a_new_file() {
    let disk = Shared::with(MUCH);
    let journal = disk.start();
    journal.commit(vec![add(0, 0)], PATIENCE).await.unwrap();
    disk.disk().sync_fails = true;
    let error = journal.commit(vec![add(1, 1)], PATIENCE).await.unwrap_err();
    assert!(error.to_string().contains("does not answer"), "{error}");
    // It is refused as long as no new file can be made.
    disk.disk().replace_fails = true;
    journal.commit(vec![add(2, 2)], PATIENCE).await.unwrap_err();
    journal.note(vec![settled(0, Outcome::Done)]).await.unwrap();
    disk.disk().replace_fails = false;
    disk.disk().sync_fails = false;
    journal.commit(vec![add(3, 3)], PATIENCE).await.unwrap();
    let replayed = disk.replayed();
    assert_eq!(rings(&replayed), 1);
    let pending = &replayed.processes[&process()].pending;
    assert_eq!(pending.iter().map(|p| p.number).collect::<Vec<_>>(), [3]);
}

#[tokio::test]
async fn the_file_stays_small() {
    let disk = Shared::with(MUCH);
    let journal = disk.start();
    for n in 0..5000 {
        let ring = (n % 7) as u16;
        let both = vec![add(n, ring), settled(n, Outcome::Done)];
        journal.note(both).await.unwrap();
    }
    let memory = journal.memory().clone();
    drop(journal);
    let length = disk.disk().file.len() as u64;
    assert!(length <= COMPACT_FROM + 4096, "{length} bytes");
    assert_eq!(disk.replayed().processes, memory.processes);
    assert_eq!(rings(&memory), 7);
}

#[tokio::test]
async fn a_disk_that_does_not_answer_holds_up_nobody_and_what_was_refused_counts_for_nothing() {
    let disk = Shared::with(MUCH);
    let journal = disk.start_with(Duration::from_millis(100));
    journal.commit(vec![add(0, 0)], PATIENCE).await.unwrap();
    {
        let _hanging = Hanging::new(&disk);
        let refused = async |number| {
            let error = journal
                .commit(vec![add(number, 1)], PATIENCE)
                .await
                .unwrap_err();
            assert!(
                error.to_string().contains("has not answered for"),
                "{error}"
            );
        };
        refused(1).await;
        let begun = Instant::now();
        refused(2).await;
        assert!(begun.elapsed() < Duration::from_millis(100), "at once");
        // What has happened is kept until the disk is back.
        let outcome = vec![settled(0, Outcome::Done)];
        journal.note(outcome).await.unwrap();
        journal.answers().unwrap_err();
    }
    // Not before the thread is back, which then finds that nobody waits for the first.
    while journal.answers().is_err() {
        tokio::task::yield_now().await;
    }
    journal.commit(vec![add(3, 3)], PATIENCE).await.unwrap();
    journal.note(vec![]).await.unwrap();
    assert_eq!(*journal.memory(), disk.replayed());
    let record = &disk.replayed().processes[&process()];
    assert_eq!(record.pending.len(), 1, "the last alone: {record:?}");
    assert_eq!(rings(&disk.replayed()), 1);
}

#[tokio::test]
async fn a_caller_who_went_away_has_changed_nothing() {
    let disk = Shared::with(MUCH);
    let journal = disk.start();
    {
        let _hanging = Hanging::new(&disk);
        let mut gone = Box::pin(journal.commit(vec![add(0, 0)], PATIENCE));
        assert!(polled_once(gone.as_mut()).is_none());
    }
    journal.commit(vec![add(1, 1)], PATIENCE).await.unwrap();
    journal.note(vec![]).await.unwrap();
    let pending = &disk.replayed().processes[&process()].pending;
    assert_eq!(pending.iter().map(|p| p.number).collect::<Vec<_>>(), [1]);
}
