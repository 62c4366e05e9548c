//! Makes the frames of a flow.

use crate::frame::{FrameError, Stamp};
use crate::frames::Frames;

/// Makes the frames of one flow, numbered from 0.
#[derive(Clone, Debug)]
pub struct Generator {
    frames: Frames,
    next: u64,
}

impl Generator {
    /// A flow that begins.
    #[must_use]
    pub fn new(frames: Frames) -> Self {
        Self { frames, next: 0 }
    }

    /// Bytes of the next frame.
    #[must_use]
    #[inline]
    pub fn next_size(&self) -> usize {
        self.frames.size_of(self.next)
    }

    /// Writes the next frame to the beginning of `room` and gives its size. `now_ns` is the time
    /// by a clock that the checker reads too.
    ///
    /// # Errors
    /// [`FrameError::Room`]; then the frame is still the next one.
    pub fn next_into(&mut self, room: &mut [u8], now_ns: u64) -> Result<usize, FrameError> {
        let stamp = Stamp {
            sequence: self.next,
            time_ns: now_ns,
        };
        let size = self.frames.write_into(room, stamp)?;
        self.next += 1;
        Ok(size)
    }

    /// Takes back the last `count` frames: nobody accepted them, and their numbers come again.
    pub fn take_back(&mut self, count: u64) {
        self.next = self.next.saturating_sub(count);
    }

    /// How many frames were made.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.next
    }

    /// The flow's number.
    #[must_use]
    pub fn flow(&self) -> u16 {
        self.frames.flow()
    }

    /// Bytes of its longest frame, without FCS.
    #[must_use]
    pub fn largest(&self) -> usize {
        self.frames.largest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameSpec, Template};

    fn template(size: usize) -> Template {
        Template::new(&FrameSpec::new(1, size)).unwrap()
    }

    #[test]
    fn a_frame_that_does_not_fit_is_still_the_next_one() {
        let mut generator = Generator::new(template(100).into());
        let mut room = [7; 99];
        let refused = generator.next_into(&mut room, 0).unwrap_err();
        assert_eq!(
            refused,
            FrameError::Room {
                size: 100,
                room: 99
            }
        );
        assert_eq!((generator.sent(), room), (0, [7; 99]));
    }

    #[test]
    fn frames_nobody_accepted_come_again() {
        let mut generator = Generator::new(template(60).into());
        let template = template(60);
        let next = |generator: &mut Generator| {
            let mut room = [0; 60];
            generator.next_into(&mut room, 9).unwrap();
            template.read(&room).unwrap().sequence
        };
        assert_eq!([(); 4].map(|()| next(&mut generator)), [0, 1, 2, 3]);
        generator.take_back(2);
        assert_eq!(generator.sent(), 2);
        assert_eq!(next(&mut generator), 2);
    }
}
