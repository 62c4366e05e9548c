//! Core files of programs that crashed in a node.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, Result};
use crate::running::Running;
use crate::state;

/// Bytes at the beginning of a core file that are looked at for what it says of its process.
const NOTES: u64 = 1 << 20;

/// A core file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// Number of its node.
    pub node: usize,
    /// The file.
    pub path: PathBuf,
    /// Its length, in bytes.
    pub size: u64,
    /// When it was written.
    pub time: SystemTime,
    /// Of which process it is; `None` if it does not say so in the way that is known here.
    pub of: Option<Crashed>,
}

/// What a core file says of its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crashed {
    /// Its PID, as the network counts.
    pub pid: u32,
    /// The signal that ended it.
    pub signal: u16,
    /// Its command line, of which the kernel keeps 79 bytes.
    pub command: String,
    /// The path of the program.
    pub program: Option<PathBuf>,
}

/// The folder in which programs of a node with `cores` run.
pub(crate) fn folder(network: &Path, node: &str) -> PathBuf {
    network.join(format!("{node}.cores"))
}

/// A shell's line in the folder of a node's core files, which is made, with no limit of their length.
pub(crate) fn kept(network: &Path, node: &str, line: &str) -> Result<String> {
    let folder = folder(network, node);
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(|e| Error::io(format!("make the folder {}", folder.display()), e))?;
    let shown = folder.to_string_lossy();
    let quoted = shlex::try_quote(&shown).map_err(|e| {
        Error::Refused(format!(
            "the folder {} has a strange name: {e}",
            folder.display()
        ))
    })?;
    Ok(format!(
        "cd {quoted} && ulimit -c unlimited || exit\n{line}"
    ))
}

/// Core files of a node's programs, the latest first. There are none of a node without `cores`.
///
/// # Errors
/// Its folder cannot be read.
pub fn cores(running: &Running, node: usize) -> Result<Vec<Core>> {
    let of = &running.nodes()[node];
    if !of.keeps_cores() {
        return Ok(Vec::new());
    }
    let folder = folder(&state::folder(running.name())?, &of.name);
    let failed = |e| Error::io(format!("read {}", folder.display()), e);
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Ok(meta) = fs::metadata(&path) else {
            continue;
        };
        let start = start(&path).unwrap_or_default();
        // Programs write other files there, too.
        if !meta.is_file() || !start.starts_with(b"\x7fELF") {
            continue;
        }
        found.push(Core {
            node,
            size: meta.len(),
            time: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            of: crashed(&start),
            path,
        });
    }
    found.sort_by_key(|core| std::cmp::Reverse(core.time));
    Ok(found)
}

fn start(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(NOTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn long(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u64::from_le_bytes(number(bytes, at)?)).ok()
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(u32::from_le_bytes(number(bytes, at)?)).ok()
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(number(bytes, at)?))
}

/// Up to the first zero byte.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&bytes[..end.unwrap_or(bytes.len())])
        .trim_end()
        .to_owned()
}

/// Reads the notes of a core file (`elf(5)`, `core(5)`, the kernel's `fs/binfmt_elf.c`), of 64 bits, least byte first.
fn crashed(file: &[u8]) -> Option<Crashed> {
    if file.get(4..6)? != [2, 1] {
        return None;
    }
    let (headers, length) = (long(file, 32)?, usize::from(short(file, 54)?));
    let header = (0..usize::from(short(file, 56)?))
        .filter_map(|n| file.get(headers.checked_add(n * length)?..))
        .find(|header| word(header, 0) == Some(4))?;
    let (begin, size) = (long(header, 8)?, long(header, 32)?);
    let mut notes = file.get(begin..begin.checked_add(size)?.min(file.len()))?;
    let (mut signal, mut process, mut program, mut files) = (None, None, None, &[][..]);
    while let Some((kind, body, rest)) = note(notes) {
        match kind {
            // NT_PRSTATUS: the first is that of the thread that crashed. Then NT_PRPSINFO, NT_AUXV and NT_FILE.
            1 if signal.is_none() => signal = short(body, 12),
            3 => process = word(body, 24).zip(body.get(56..136)),
            6 => program = headers_of_program(body),
            0x4649_4c45 => files = body,
            _ => {}
        }
        notes = rest;
    }
    let (pid, command) = process?;
    Some(Crashed {
        pid: pid.try_into().ok()?,
        signal: signal?,
        command: text(command),
        program: program.and_then(|at| mapped(files, at)),
    })
}

/// Where the headers of the program lay in its memory, from its auxiliary vector (`getauxval(3)`).
fn headers_of_program(vector: &[u8]) -> Option<usize> {
    const AT_PHDR: usize = 3;
    let pairs = vector.chunks_exact(16);
    let mut pairs = pairs.map(|pair| (long(pair, 0), long(pair, 8)));
    pairs.find(|(tag, _)| *tag == Some(AT_PHDR))?.1
}

/// The file that was mapped at an address. The note has a count, the size of a page, beginning, end and offset of each, and then the paths.
fn mapped(note: &[u8], at: usize) -> Option<PathBuf> {
    let count = long(note, 0)?;
    let paths = note.get(count.checked_mul(24)?.checked_add(16)?..)?;
    let ranges = note.get(16..)?.chunks_exact(24).take(count);
    let mut ranges = ranges.map(|range| long(range, 0)..long(range, 8));
    let place = ranges.position(|range| range.contains(&Some(at)))?;
    let path = paths.split(|byte| *byte == 0).nth(place)?;
    Some(OsStr::from_bytes(path).into())
}

/// The first of several notes: its type, its content, and what is behind it.
fn note(notes: &[u8]) -> Option<(usize, &[u8], &[u8])> {
    let (name, size, kind) = (word(notes, 0)?, word(notes, 4)?, word(notes, 8)?);
    let begin = name.checked_next_multiple_of(4)?.checked_add(12)?;
    let end = begin.checked_add(size)?;
    let next = end.checked_next_multiple_of(4)?.min(notes.len());
    Some((kind, notes.get(begin..end)?, &notes[next..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_core_file_is_none() {
        for bytes in [&b""[..], b"\x7fELF", &[0; 200], b"\x7fELF\x02\x01"] {
            assert_eq!(crashed(bytes), None);
        }
        let mut wild = vec![0xff; 200];
        wild[..6].copy_from_slice(b"\x7fELF\x02\x01");
        assert_eq!(crashed(&wild), None);
    }
}
