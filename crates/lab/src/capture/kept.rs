//! Captures of tests: those of failing cases are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Capture, Count, Limits, all, now_ns};
use crate::error::{Error, Result};
use crate::running::Running;

/// Longest part of a file's name that is made of the case's name, in characters.
const LONGEST: usize = 60;

/// A capture of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its file.
    pub path: PathBuf,
    /// Frames that passed meanwhile and are not in it, because they came too fast.
    pub lost: u64,
}

impl Kept {
    /// The file, and what is missing in it.
    #[must_use]
    pub fn words(&self) -> String {
        match self.lost {
            0 => self.path.display().to_string(),
            lost => format!(
                "{} (without {lost} that came too fast)",
                self.path.display()
            ),
        }
    }
}

/// Looks at all interfaces of a network while cases are tried.
pub struct Keeping<'a> {
    capture: Capture<'a>,
    folder: PathBuf,
}

impl<'a> Keeping<'a> {
    /// Opens all sockets, and makes the folder if it is not there.
    ///
    /// # Errors
    /// The folder cannot be made; as of [`Capture::open`].
    pub fn open(running: &'a Running, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)
            .map_err(|e| Error::io(format!("make the folder {}", folder.display()), e))?;
        Ok(Self {
            capture: Capture::open(running, all(running))?,
            folder: folder.to_owned(),
        })
    }

    /// Does `work`, which gives why a case fails, and captures meanwhile. If it fails the file stays, which is named by the case's
    /// number and name.
    ///
    /// # Errors
    /// Those of `work`; the file cannot be written. No file stays then.
    pub fn during(
        &mut self,
        number: usize,
        name: &str,
        work: impl FnOnce() -> Result<Option<String>>,
    ) -> Result<(Option<String>, Option<Kept>)> {
        let path = self.folder.join(file_name(number, name));
        let failed = |e| Error::io(format!("write {}", path.display()), e);
        let mut file = fs::File::create(&path).map_err(failed)?;
        let stop = AtomicBool::new(false);
        let limits = Limits {
            start_ns: now_ns(),
            stop: &stop,
            end: None,
            count: None,
            filter: "",
        };
        let (worked, written) = std::thread::scope(|scope| {
            let writing = scope.spawn(|| self.capture.write(&mut file, &limits));
            let worked = work();
            stop.store(true, Ordering::Relaxed);
            let written = writing.join();
            let broken = || Err(Error::Refused("the thread that captures failed".into()));
            (worked, written.unwrap_or_else(|_| broken()))
        });
        let result = worked.and_then(|failure| Ok((failure, written?)));
        match result {
            Ok((Some(failure), counts)) => {
                let lost = counts.iter().map(|count: &Count| count.dropped).sum();
                Ok((Some(failure), Some(Kept { path, lost })))
            }
            other => {
                fs::remove_file(&path)
                    .map_err(|e| Error::io(format!("remove {}", path.display()), e))?;
                other.map(|_| (None, None))
            }
        }
    }
}

/// `02-h1-reaches-h2.pcapng`: nothing that a shell or another system would stumble over.
fn file_name(number: usize, name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    let words: String = name.chars().map(plain).collect();
    let words: Vec<&str> = words.split('-').filter(|word| !word.is_empty()).collect();
    let words: String = words.join("-").chars().take(LONGEST).collect();
    format!("{number:02}-{}.pcapng", words.trim_end_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_its_case() {
        for (name, expected) in [
            ("h1 reaches 10.0.0.2", "03-h1-reaches-10.0.0.2.pcapng"),
            ("h1: cat /../../x | 'y' …", "03-h1-cat-..-..-x-y.pcapng"),
            ("→", "03-.pcapng"),
        ] {
            assert_eq!(file_name(3, name), expected);
        }
        assert_eq!(file_name(123, &"a".repeat(500)).len(), 4 + LONGEST + 7);
    }
}
