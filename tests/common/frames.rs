//! Ethernet frames, and capture files with them.

// Each test executable uses a part of it.
#![allow(dead_code)]

use std::path::Path;

/// A frame's bytes.
pub type Frame = Vec<u8>;

/// A MAC address that ends in this number.
pub fn mac(last: u8) -> [u8; 6] {
    [0x02, 0, 0, 0, 0, last]
}

/// A frame to `dst` from `src`, with the tags (TPID and TCI) in this order, and a payload that tells it from others;
/// `len` bytes long.
pub fn frame(dst: [u8; 6], src: [u8; 6], tags: &[(u16, u16)], number: u32, len: usize) -> Frame {
    let mut frame: Vec<u8> = [dst, src].concat();
    for (tpid, tci) in tags {
        frame.extend(tpid.to_be_bytes());
        frame.extend(tci.to_be_bytes());
    }
    frame.extend(0x88b5u16.to_be_bytes());
    frame.extend(number.to_be_bytes());
    let at = frame.len();
    frame.extend((at..len).map(|k| (number as usize ^ k) as u8));
    frame
}

/// Writes a classic capture; times are the numbers of the frames.
#[track_caller]
pub fn write(path: &Path, frames: &[Frame]) {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1u32] {
        file.extend(word.to_le_bytes());
    }
    for (i, frame) in frames.iter().enumerate() {
        let len = frame.len() as u32;
        for word in [i as u32, 0, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    std::fs::write(path, file).expect("the capture is written");
}

/// The frames of a classic capture, in their order.
#[track_caller]
pub fn read(path: &Path) -> Vec<Frame> {
    let file = std::fs::read(path).expect("the capture is there");
    let mut rest = &file[24..];
    let mut found = Vec::new();
    while let Some((head, more)) = rest.split_at_checked(16) {
        let len = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
        found.push(more[..len].to_vec());
        rest = &more[len..];
    }
    found
}
