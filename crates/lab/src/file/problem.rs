//! What is wrong with a file, and where.

use std::fmt;

use super::Place;

/// Something that is wrong, or looks so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; line 0 where no file was read.
    pub place: Place,
    /// What.
    pub text: String,
    /// What would be right.
    pub hint: Option<String>,
}

impl Problem {
    /// Without a hint.
    pub(crate) fn new(place: Place, text: impl Into<String>) -> Self {
        Self {
            place,
            text: text.into(),
            hint: None,
        }
    }

    /// With a hint.
    pub(crate) fn hinted(
        place: Place,
        text: impl Into<String>,
        hint: impl Into<Option<String>>,
    ) -> Self {
        Self {
            hint: hint.into(),
            ..Self::new(place, text)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.line > 0 {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.text)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// All that is wrong with one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file's name; empty where none was read.
    pub file: String,
    /// In the order of the file.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            match self.file.as_str() {
                "" => write!(f, "{problem}")?,
                file if problem.place.line > 0 => write!(f, "{file}:{problem}")?,
                file => write!(f, "{file}: {problem}")?,
            }
        }
        Ok(())
    }
}
