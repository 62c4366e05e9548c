//! Frames of a flow, of whichever kind.

use crate::craft::Craft;
use crate::frame::{self, FrameError, Stamp, Template};
use crate::mark;

/// What the frames of a flow are.
#[derive(Clone, Debug)]
pub enum Frames {
    /// Our own, all of one size.
    Numbered(Template),
    /// Those of a description.
    Crafted(Box<Craft>),
}

impl From<Template> for Frames {
    fn from(template: Template) -> Self {
        Self::Numbered(template)
    }
}

impl From<Craft> for Frames {
    fn from(craft: Craft) -> Self {
        Self::Crafted(Box::new(craft))
    }
}

impl Frames {
    /// The flow's number.
    #[must_use]
    pub fn flow(&self) -> u16 {
        match self {
            Self::Numbered(template) => template.flow(),
            Self::Crafted(craft) => craft.flow(),
        }
    }

    /// Bytes of the longest frame, without FCS.
    #[must_use]
    pub fn largest(&self) -> usize {
        match self {
            Self::Numbered(template) => template.size(),
            Self::Crafted(craft) => craft.largest(),
        }
    }

    /// Bytes of frame `sequence`.
    #[must_use]
    #[inline]
    pub fn size_of(&self, sequence: u64) -> usize {
        match self {
            Self::Numbered(template) => template.size(),
            Self::Crafted(craft) => craft.size_of(sequence),
        }
    }

    /// Bytes of each frame, if all have the same.
    #[must_use]
    pub fn fixed_size(&self) -> Option<usize> {
        match self {
            Self::Numbered(template) => Some(template.size()),
            Self::Crafted(craft) => craft.fixed_size(),
        }
    }

    /// Writes a frame to the beginning of `room` and gives its size.
    ///
    /// # Errors
    /// [`FrameError::Room`]; then nothing is written.
    #[inline]
    pub fn write_into(&self, room: &mut [u8], stamp: Stamp) -> Result<usize, FrameError> {
        match self {
            Self::Numbered(template) => template.write_into(room, stamp),
            Self::Crafted(craft) => craft.write_into(room, stamp),
        }
    }

    /// Reads a frame's stamp; `None` if it is not as it was written.
    #[inline]
    pub fn read(&mut self, frame: &[u8]) -> Option<Stamp> {
        match self {
            Self::Numbered(template) => template.read(frame),
            Self::Crafted(craft) => craft.read(frame),
        }
    }

    /// The flow that a frame claims to be of, if frames are of this kind.
    #[inline]
    pub(crate) fn flow_of(crafted: bool, frame: &[u8]) -> Option<u16> {
        if crafted {
            mark::flow_of(frame)
        } else {
            frame::flow_of(frame)
        }
    }

    /// Whether they are made by a description.
    #[must_use]
    pub fn is_crafted(&self) -> bool {
        matches!(self, Self::Crafted(_))
    }
}
