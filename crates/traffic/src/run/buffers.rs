//! In which mbufs frames lay: proof of what was copied on the way, and what was not.

use std::fmt;

use serde::{Serialize, Serializer};

/// Where one frame lay when it was sent, or when it was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Buffer {
    /// The flow.
    pub flow: u16,
    /// Its number in the flow.
    pub sequence: u64,
    /// Address of its mbuf, the same in every process of the panel; as a document `0x…`, for numbers of JSON are not exact.
    #[serde(serialize_with = "hexadecimal")]
    pub address: u64,
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            flow,
            sequence,
            address,
        } = self;
        write!(f, "frame {sequence} of flow {flow} at {address:#x}")
    }
}

fn hexadecimal<S: Serializer>(address: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{address:#x}"))
}

/// The first frames of a run, with their mbufs.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    most: usize,
    seen: Vec<Buffer>,
}

impl Shown {
    /// The first `most` frames are noted.
    pub(super) fn first(most: usize) -> Self {
        Self {
            most,
            seen: Vec::with_capacity(most),
        }
    }

    /// How many more are to be noted.
    #[inline]
    pub(super) fn wanted(&self) -> usize {
        self.most - self.seen.len()
    }

    /// Notes a frame, if there are not enough yet.
    pub(super) fn note(&mut self, buffer: Buffer) {
        if self.wanted() > 0 {
            self.seen.push(buffer);
        }
    }

    /// What was noted; nothing if nothing was to be.
    pub(super) fn take(&mut self) -> Option<Vec<Buffer>> {
        (self.most > 0).then(|| std::mem::take(&mut self.seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_noted_and_no_more() {
        let buffer = |sequence| Buffer {
            flow: 1,
            sequence,
            address: 0x1_7f00_0080,
        };
        let mut shown = Shown::first(2);
        (0..5).for_each(|sequence| shown.note(buffer(sequence)));
        assert_eq!(shown.take(), Some(vec![buffer(0), buffer(1)]));
        let mut none = Shown::default();
        none.note(buffer(0));
        assert_eq!(none.take(), None);
        let text = serde_json::to_string(&buffer(7)).unwrap();
        assert_eq!(text, r#"{"flow":1,"sequence":7,"address":"0x17f000080"}"#);
    }
}
