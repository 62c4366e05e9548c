//! What a run sends.

use std::path::Path;
use std::sync::Arc;

use super::RunError;
use crate::craft::{Craft, Scope};
use crate::frame::{FrameSpec, Template};
use crate::frames::Frames;
use crate::packet::Packet;
use crate::rate::{Rate, Speed};
use crate::replay::{Capture, Pace};
use crate::size::Sizes;

/// Most flows of one run.
pub const FLOWS: u16 = 1024;

/// What is sent, and expected.
#[derive(Debug, Clone)]
pub enum What {
    /// Frames with sequence numbers; the flows take turns.
    Flows(Vec<Frames>),
    /// A capture.
    Replay {
        /// What is in it.
        capture: Arc<Capture>,
        /// When its packets are due.
        pace: Pace,
    },
}

impl What {
    /// Our own frames, all of one size.
    ///
    /// # Errors
    /// [`RunError::Flows`], [`RunError::Frame`].
    pub fn numbered(flows: u16, size: usize) -> Result<Self, RunError> {
        let template = |flow| Ok(Template::new(&FrameSpec::new(flow, size))?.into());
        let what = (0..flows).map(template).collect::<Result<_, RunError>>();
        possible(flows.into()).and(what.map(Self::Flows))
    }

    /// Frames by description: flow `n` has that of `packets` whose turn it is.
    ///
    /// # Errors
    /// [`RunError::Flows`], [`RunError::Frame`].
    pub fn crafted(
        flows: u16,
        packets: &[Packet],
        sizes: &Sizes,
        seed: u64,
        scope: Scope,
    ) -> Result<Self, RunError> {
        possible(flows.into())?;
        let turns = packets.iter().cycle();
        let frames = |(flow, packet)| Ok(Craft::new(flow, packet, sizes, seed, scope)?.into());
        let flows = (0..flows).zip(turns).map(frames);
        Ok(Self::Flows(flows.collect::<Result<_, RunError>>()?))
    }

    /// The packets of a file, at this speed; with an even speed also the rate that goes with it.
    ///
    /// # Errors
    /// [`RunError::Replay`].
    pub fn replay(path: &Path, speed: Speed) -> Result<(Self, Option<Rate>), RunError> {
        let (pace, rate) = match speed {
            Speed::Times(factor) => (Pace::Times(factor), None),
            Speed::Most => (Pace::Free, None),
            Speed::Rate(rate) => (Pace::Free, Some(rate)),
        };
        let timed = matches!(pace, Pace::Times(_));
        let capture = Arc::new(Capture::read(path, timed)?);
        Ok((Self::Replay { capture, pace }, rate))
    }

    pub(super) fn check(&self) -> Result<(), RunError> {
        match self {
            Self::Flows(flows) => possible(flows.len()),
            Self::Replay { .. } => Ok(()),
        }
    }

    /// Bytes of a frame, if all have the same.
    pub(super) fn size(&self) -> Option<usize> {
        let Self::Flows(flows) = self else {
            return None;
        };
        let size = flows.first()?.fixed_size()?;
        let same = |frames: &Frames| frames.fixed_size() == Some(size);
        flows.iter().all(same).then_some(size)
    }
}

fn possible(flows: usize) -> Result<(), RunError> {
    match (1..=usize::from(FLOWS)).contains(&flows) {
        true => Ok(()),
        false => Err(RunError::Flows(flows)),
    }
}
