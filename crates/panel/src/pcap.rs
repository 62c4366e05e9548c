//! Capture files as a port: one is read to its end, the other is written.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use capfile::{Reader, Writer};
use dpdk::{BURST, Burst};
use thiserror::Error;

use crate::port::Context;

/// Longest frame that is read or written, in bytes.
const LONGEST: usize = 65_535;
/// Bytes of a frame that go into one mbuf.
const ROOM: usize = 2048;

/// Why capture files cannot be a port.
#[derive(Debug, Error)]
pub enum PcapError {
    /// The file to be read.
    #[error(transparent)]
    Read(#[from] capfile::Error),
    /// The file to be written.
    #[error(transparent)]
    Write(#[from] capfile::WriteError),
    /// A file that cannot be opened as it should.
    #[error("{path} cannot be opened: {source}{}", hint(source))]
    Open {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

fn hint(source: &std::io::Error) -> &'static str {
    if source.raw_os_error() == Some(40) {
        " (links are not followed: name the file itself)"
    } else {
        ""
    }
}

struct Input {
    reader: Reader<File>,
    /// Packets that were taken out of the file, whatever became of them.
    taken: u64,
}

struct Output {
    writer: Writer,
    scratch: Vec<u8>,
}

/// A pair of capture files. Each side is used by one worker; the locks are never contended there, and who finds
/// one held does without.
pub struct Pcap {
    input: Mutex<Input>,
    output: Mutex<Output>,
    paths: (PathBuf, PathBuf),
    read: AtomicU64,
    too_long: AtomicU64,
    ended: AtomicBool,
    fault: Mutex<Option<String>>,
}

fn open(path: &Path, options: &mut OpenOptions) -> Result<File, PcapError> {
    // O_NOFOLLOW: the names are predictable and lie in a folder that others may write to.
    let open = options.mode(0o600).custom_flags(0o400_000).open(path);
    open.map_err(|source| PcapError::Open {
        path: path.to_path_buf(),
        source,
    })
}

impl Pcap {
    /// Opens `rx` for reading, making it an empty capture if it is missing, and empties or makes `tx`.
    /// A file to be read that is none is refused before the other is touched.
    pub fn open(rx: &Path, tx: &Path) -> Result<Self, PcapError> {
        let reader = Reader::new(Self::input(rx)?, rx)?;
        let output = open(
            tx,
            OpenOptions::new().write(true).create(true).truncate(true),
        )?;
        Ok(Self::of(reader, 0, Writer::create_in(output, tx)?, rx, tx))
    }

    /// Goes on with files that another process has used: after the `taken` packets that it took out of `rx`, and behind what it
    /// wrote to `tx`.
    pub fn go_on(rx: &Path, tx: &Path, taken: u64) -> Result<Self, PcapError> {
        let mut reader = Reader::new(Self::input(rx)?, rx)?;
        for _ in 0..taken {
            // At its end, or where it is broken, the port will find out by itself.
            if !matches!(reader.next_packet(), Ok(Some(_))) {
                break;
            }
        }
        let output = open(
            tx,
            OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false),
        )?;
        Ok(Self::of(
            reader,
            taken,
            Writer::go_on_in(output, tx)?,
            rx,
            tx,
        ))
    }

    /// Packets that were taken out of the file to be read.
    pub fn taken(&self) -> u64 {
        self.input.lock().map_or(0, |input| input.taken)
    }

    /// The file to be read.
    fn input(rx: &Path) -> Result<File, PcapError> {
        match open(rx, OpenOptions::new().read(true)) {
            Err(PcapError::Open { source, .. }) if source.kind() == ErrorKind::NotFound => {
                drop(Writer::create_in(
                    open(rx, OpenOptions::new().write(true).create_new(true))?,
                    rx,
                )?);
                open(rx, OpenOptions::new().read(true))
            }
            other => other,
        }
    }

    fn of(reader: Reader<File>, taken: u64, writer: Writer, rx: &Path, tx: &Path) -> Self {
        Pcap {
            input: Mutex::new(Input { reader, taken }),
            output: Mutex::new(Output {
                writer,
                scratch: vec![0; LONGEST],
            }),
            paths: (rx.to_path_buf(), tx.to_path_buf()),
            read: AtomicU64::new(taken),
            too_long: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            fault: Mutex::new(None),
        }
    }

    /// Whether the file to be read is at its end or broken.
    pub fn ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// What an operator wants to know: files, progress, faults.
    pub fn info(&self) -> String {
        let (rx, tx) = &self.paths;
        let mut text = format!(
            "reads {}: {} packets",
            rx.display(),
            self.read.load(Relaxed)
        );
        if self.ended() {
            text.push_str(", at its end");
        }
        let too_long = self.too_long.load(Relaxed);
        if too_long > 0 {
            text.push_str(&format!(", {too_long} over {LONGEST} bytes left out"));
        }
        text.push_str(&format!("; writes {}", tx.display()));
        if let Some(fault) = self.fault.lock().ok().and_then(|f| f.clone()) {
            text.push_str(&format!("; {fault}"));
        }
        text
    }

    fn complain(&self, words: String) {
        if let Ok(mut fault) = self.fault.try_lock() {
            if fault.as_ref() != Some(&words) {
                log::error!("{words}");
            }
            *fault = Some(words);
        }
    }

    /// Reads the next packets; 0 at the end of the file.
    pub(crate) fn receive(&self, cx: &mut Context, burst: &mut Burst, most: usize) -> usize {
        if self.ended() {
            return 0;
        }
        let Ok(mut input) = self.input.try_lock() else {
            return 0;
        };
        let Input { reader, taken } = &mut *input;
        // Every frame may be a chain: as many as the cache surely has mbufs for.
        for _ in 0..most.min(BURST / 8) {
            let packet = match reader.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => {
                    self.ended.store(true, Relaxed);
                    break;
                }
                Err(e) => {
                    self.ended.store(true, Relaxed);
                    self.complain(e.to_string());
                    break;
                }
            };
            *taken += 1;
            if packet.data.len() > LONGEST || packet.data.is_empty() {
                self.too_long.fetch_add(1, Relaxed);
                continue;
            }
            let i = burst.len();
            if cx.cache.alloc(burst, 1) != 1
                || !burst.write_frame(i, packet.data, &mut cx.cache, ROOM)
            {
                // The pool ran dry in the middle of a packet, which is lost: say so.
                self.complain(format!(
                    "{}: a packet was lost because no mbuf was left",
                    self.paths.0.display()
                ));
                burst.clear(&mut cx.cache);
                return 0;
            }
            self.read.fetch_add(1, Relaxed);
            cx.cache.balance();
        }
        burst.len()
    }

    /// Writes the packets from number `from` on, until one cannot be written; returns how many.
    pub(crate) fn write(&self, burst: &Burst, from: usize) -> usize {
        let Ok(mut output) = self.output.try_lock() else {
            return 0;
        };
        let Output { writer, scratch } = &mut *output;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_nanos() as u64);
        let before = writer.packets();
        let mut write = || -> Result<(), capfile::WriteError> {
            for i in from..burst.len() {
                let len = burst
                    .copy_packet(i, scratch)
                    .unwrap_or(0)
                    .min(scratch.len());
                writer.write_packet(now, &[&scratch[..len]])?;
            }
            writer.flush()
        };
        if let Err(e) = write() {
            self.complain(format!(
                "cannot write {}: {}",
                self.paths.1.display(),
                e.source
            ));
        }
        (writer.packets() - before) as usize
    }
}
