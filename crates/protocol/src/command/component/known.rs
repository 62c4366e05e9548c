//! What a process knows of its components and ports while it reads a command.
//!
//! The original checks a command word by word, what it means together with how it is written. So that the first fault
//! named is the same, these questions are asked while the words are read.

use thiserror::Error;

use super::{ClassifierEntry, ComponentName, Direction, Refusal, Setting};
use crate::port::PortName;

/// A refusal with its reason, which the original does not give.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{refusal}")]
pub struct Rejection {
    /// In the original's words.
    pub refusal: Refusal,
    /// What the thing is, its value, and what would be taken.
    pub reason: Option<String>,
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            reason: None,
        }
    }
}

impl Refusal {
    /// Makes a reason a [`Rejection`].
    pub(super) fn because<E: ToString>(self) -> impl FnOnce(E) -> Rejection {
        move |reason| Rejection {
            refusal: self,
            reason: Some(reason.to_string()),
        }
    }
}

/// Says whether the words of a command fit what a process has. An `Err` is the reason why not.
pub trait Known {
    /// Whether a component of this name can be started.
    ///
    /// # Errors
    /// There is one.
    fn starts(&self, _name: &ComponentName) -> Result<(), String> {
        Ok(())
    }

    /// Whether there is a component of this name.
    ///
    /// # Errors
    /// There is none.
    fn has(&self, _name: &ComponentName) -> Result<(), String> {
        Ok(())
    }

    /// Whether this can be set of the component.
    ///
    /// # Errors
    /// It is of another type.
    fn sets(&self, _name: &ComponentName, _setting: &Setting) -> Result<(), String> {
        Ok(())
    }

    /// Whether the port can be a component's; with `free`, it may not be used in both directions.
    ///
    /// # Errors
    /// It does not exist, its queue is missing or one too many, or it is used.
    fn attaches(&self, _port: PortName, _free: bool) -> Result<(), String> {
        Ok(())
    }

    /// Whether the port can be attached at this side; with `free`, it may not be used there.
    ///
    /// # Errors
    /// It has no such queue in this direction, or it is used.
    fn attaches_at(&self, _port: PortName, _dir: Direction, _free: bool) -> Result<(), String> {
        Ok(())
    }

    /// Whether the entry can be added to the classifier's table.
    ///
    /// # Errors
    /// Its port is not known, or it is there.
    fn enters(&self, _entry: &ClassifierEntry) -> Result<(), String> {
        Ok(())
    }

    /// Whether the entry is in the classifier's table.
    ///
    /// # Errors
    /// It is not.
    fn leaves(&self, _entry: &ClassifierEntry) -> Result<(), String> {
        Ok(())
    }
}

/// Takes whatever is well written.
pub struct Anything;

impl Known for Anything {}
