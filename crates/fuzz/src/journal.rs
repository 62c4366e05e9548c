use controller::{JournalContents, read_journal};

use crate::check_words;

/// Longest file that is cut at every byte; longer ones are cut at some.
const EVERY_CUT: usize = 600;

/// A journal is read or refused with a reason. What is read is the same after it is written again, and after it is
/// compacted. A file that is cut anywhere holds a beginning of what the whole holds.
///
/// Since no fuzzer guesses checksums, the input is taken both as a file and as lines that are payloads of records.
pub fn journal(input: &[u8]) {
    file(input);
    let framed = framed(input);
    // Payloads that are none of ours are damage, and hide those that follow.
    file(&framed);
}

fn file(bytes: &[u8]) {
    let whole = match read_journal(bytes) {
        Ok(whole) => whole,
        Err(words) => return check_words(&words),
    };
    assert!(whole.good <= bytes.len());
    let again = written(&whole.again);
    assert_eq!(again.again, whole.again);
    assert_eq!(
        (again.entries, again.good),
        (whole.entries, whole.again.len())
    );
    assert_eq!(
        again.compact, whole.compact,
        "the same entries, another state"
    );
    assert_eq!(written(&whole.compact).compact, whole.compact);

    let step = bytes.len().div_ceil(EVERY_CUT).max(1);
    for end in (0..bytes.len()).step_by(step) {
        let cut = written(&bytes[..end]);
        assert!(cut.entries <= whole.entries && cut.good <= end);
        assert!(whole.again.starts_with(&cut.again), "cut at {end}");
    }
}

/// Reads a file that has to be readable.
fn written(bytes: &[u8]) -> JournalContents {
    read_journal(bytes).expect("a file of ours, or a beginning of one")
}

/// A journal with the input's lines as payloads of its records.
fn framed(input: &[u8]) -> Vec<u8> {
    let mut bytes = b"SPPSTATE\x01\0\0\0".to_vec();
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    for payload in input.split(|byte| *byte == b'\n') {
        let length = u32::try_from(payload.len()).expect("inputs are short");
        let mut head = length.to_le_bytes().to_vec();
        head.extend(crc32fast::hash(payload).to_le_bytes());
        head.extend(crc32fast::hash(&head).to_le_bytes());
        bytes.extend(head);
        bytes.extend(payload);
    }
    bytes
}
