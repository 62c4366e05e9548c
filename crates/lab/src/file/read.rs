//! From text to a [`File`].

use std::path::Path;

use serde_saphyr::Error as Yaml;

use super::check::Checked;
use super::hint::hint;
use super::{Expectation, File, Problem, Problems};
use crate::error::{Error, Result};

/// A larger file is refused: nobody wrote it by hand, and every node costs memory.
const LARGEST: u64 = 4 << 20;

impl File {
    /// Reads a file and checks it. Without a name in it, its network is called as it is, without folder and ending.
    ///
    /// # Errors
    /// It cannot be read, or something is wrong with it: every message has the line and says what would be right.
    pub fn read(path: &Path) -> Result<Checked> {
        let shown = path.display().to_string();
        let failed = |source| Error::Io {
            what: format!("read {shown}"),
            source,
        };
        let meta = std::fs::metadata(path).map_err(failed)?;
        if meta.len() > LARGEST {
            return Err(Error::Refused(format!(
                "{shown} has {} bytes: a network's file has at most {LARGEST}",
                meta.len()
            )));
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned());
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse_in(folder, &text, &shown, stem.as_deref())
    }

    /// Reads a text as if it were in `file`, and checks it. `name` is the network's if the text has none. Files that it names are looked
    /// for where this process works.
    ///
    /// # Errors
    /// As of [`File::read`].
    pub fn parse(text: &str, file: &str, name: Option<&str>) -> Result<Checked> {
        Self::parse_in(Path::new(""), text, file, name)
    }

    fn parse_in(folder: &Path, text: &str, file: &str, name: Option<&str>) -> Result<Checked> {
        let wrong = |problems| {
            Error::File(Problems {
                file: file.to_owned(),
                problems,
            })
        };
        let mut parsed: Self = serde_saphyr::from_str_with_options(
            text,
            serde_saphyr::options! { with_snippet: false },
        )
        .map_err(|error| wrong(vec![problem(error.without_snippet())]))?;
        if let (None, Some(name)) = (&parsed.name, name) {
            parsed.name = Some(name.to_owned().into());
        }
        for expected in &mut parsed.expect {
            if let Expectation::Packets(packets) = &mut expected.value {
                for path in packets.files() {
                    *path = folder.join(&*path);
                }
            }
        }
        parsed.check().map_err(wrong)
    }
}

/// The reader's words, in ours where they can be better.
fn problem(error: &Yaml) -> Problem {
    let place = error.location().map(Into::into).unwrap_or_default();
    match error {
        Yaml::SerdeUnknownField {
            field, expected, ..
        } => Problem::hinted(
            place,
            format!("'{field}' is not known here"),
            hint(field, expected),
        ),
        Yaml::SerdeUnknownVariant {
            variant, expected, ..
        } => Problem::hinted(
            place,
            format!("'{variant}' is not known here"),
            hint(variant, expected),
        ),
        Yaml::SerdeMissingField { field, .. } => {
            Problem::new(place, format!("'{field}' is missing"))
        }
        Yaml::DuplicateMappingKey { key: Some(key), .. } => Problem::hinted(
            place,
            format!("'{key}' is there twice"),
            "each name and each key stands once".to_owned(),
        ),
        Yaml::SerdeInvalidType {
            unexpected,
            expected,
            ..
        }
        | Yaml::SerdeInvalidValue {
            unexpected,
            expected,
            ..
        } => Problem::new(
            place,
            format!("{unexpected} is not what belongs here: expected {expected}"),
        ),
        Yaml::Message { msg, .. } => Problem::new(place, msg),
        other => {
            let text = other.to_string();
            // It may end with its own way to say the place.
            let text = text.split(" at line ").next().unwrap_or(&text);
            Problem::new(place, text.trim_start_matches("error: ").to_owned())
        }
    }
}
