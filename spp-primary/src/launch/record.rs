//! What is launched, written down in the panel's folder for a primary that takes the place of this one.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Launcher, State};

const NAME: &str = "launched.json";

/// A process that is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its id.
    pub id: u32,
    /// `nfv`, `vf`, …
    pub kind: String,
    /// Its arguments, without ours.
    pub args: Vec<String>,
    /// When it is started again: `never`, `on-failure` or `always`.
    pub restart: String,
    /// For how many seconds it may hang; 0: for ever.
    pub hang_limit: u64,
}

impl Recorded {
    /// Whether it is started again when it ends by itself.
    pub fn is_supervised(&self) -> bool {
        self.restart != "never"
    }
}

/// The file.
pub struct Record {
    path: PathBuf,
    written: Vec<Recorded>,
}

impl Record {
    /// In the panel's folder.
    pub fn new(panel: &Path) -> Self {
        Record {
            path: panel.join(NAME),
            written: Vec::new(),
        }
    }

    /// Writes all that is launched, unless it is written already.
    pub fn write(&mut self, all: Vec<Recorded>) {
        if all == self.written {
            return;
        }
        let new = self.path.with_extension("new");
        let done = serde_json::to_vec(&all)
            .map_err(std::io::Error::from)
            .and_then(|text| fs::write(&new, text))
            .and_then(|()| fs::rename(&new, &self.path));
        match done {
            Ok(()) => self.written = all,
            Err(e) => log::warn!(
                "{} cannot be written ({e}): a primary that takes our place does not know what was launched",
                self.path.display()
            ),
        }
    }
}

impl Launcher {
    /// Launches again what a former primary had launched.
    pub fn resume(&mut self, recorded: Vec<Recorded>) {
        for Recorded {
            id,
            kind,
            mut args,
            restart,
            hang_limit,
        } in recorded
        {
            // Where they are looked for: behind the options of EAL.
            args.extend(["--restart".to_owned(), restart]);
            args.extend(["--hang-limit".to_owned(), hang_limit.to_string()]);
            if let Err(e) = self.launch(&id.to_string(), &kind, &args) {
                log::error!("{kind} {id}, which the former primary launched: {e}");
            }
        }
    }

    /// Writes down what runs.
    pub(super) fn note(&mut self) {
        let lasting = self
            .processes
            .iter()
            .filter(|(_, launched)| !launched.leaving && !matches!(launched.state, State::Exited));
        let recorded = lasting.map(|(id, launched)| Recorded {
            id: *id,
            kind: launched.kind.to_owned(),
            args: launched.args.clone(),
            restart: launched.restart.word().to_owned(),
            hang_limit: launched.hang_limit.map_or(0, |limit| limit.as_secs()),
        });
        self.record.write(recorded.collect());
    }
}

/// Takes what the former primary of this panel has written.
pub fn take(panel: &Path) -> Vec<Recorded> {
    let path = panel.join(NAME);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Vec::new(),
        Err(e) => {
            log::warn!("{}: {e}: nothing is launched again", path.display());
            return Vec::new();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|e| {
        log::warn!("{}: {e}: nothing is launched again", path.display());
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_taken_and_damage_is_survived() {
        let folder = std::env::temp_dir().join(format!("spp-record-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        assert_eq!(take(&folder), []);
        let one = Recorded {
            id: 5,
            kind: "nfv".into(),
            args: vec!["-l".into(), "1".into()],
            restart: "always".into(),
            hang_limit: 10,
        };
        let mut record = Record::new(&folder);
        record.write(vec![one.clone()]);
        assert_eq!(take(&folder), std::slice::from_ref(&one));
        record.write(Vec::new());
        assert_eq!(take(&folder), []);
        fs::write(folder.join(NAME), "[{").unwrap();
        assert_eq!(take(&folder), []);
        fs::remove_dir_all(&folder).unwrap();
    }
}
