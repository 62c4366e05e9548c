use std::time::Instant;

use protocol::verdict::judge;
use protocol::wire::{
    CommandFramer, Framed, Framing, MAX_COMMAND, MAX_REPLY, QUIET, ReplyError, ReplyReader,
};

use crate::cut;

/// Commands are found the same however TCP cuts them. In lines: one a line, as text, what is longer than
/// allowed refused once; without lines: all that comes without a quiet moment in it is one.
pub fn framer(input: &[u8]) {
    let (pieces, body) = cut(input);
    let now = Instant::now();

    let mut lines = CommandFramer::new();
    lines.set_framing(Framing::Newline);
    let mut found = Vec::new();
    for piece in &pieces {
        lines.push(piece, now);
        found.extend(std::iter::from_fn(|| lines.poll(now)));
    }
    let mut expected: Vec<Framed> = body.split(|byte| *byte == b'\n').map(framed).collect();
    // What has no newline yet is no command.
    expected.pop();
    assert_eq!(found, expected);
    assert_eq!(lines.deadline(), None);

    let mut bare = CommandFramer::new();
    for piece in &pieces {
        bare.push(piece, now);
        assert_eq!(bare.poll(now), None);
    }
    let whole = (!body.is_empty()).then(|| framed(body));
    assert_eq!(bare.poll(now + QUIET), whole);
    assert_eq!(bare.poll(now + QUIET * 2), None);

    // What came before the framing changed is read in the new one.
    let mut changed = CommandFramer::new();
    for piece in &pieces {
        changed.push(piece, now);
    }
    if body.len() <= MAX_COMMAND {
        changed.set_framing(Framing::Newline);
        let found: Vec<Framed> = std::iter::from_fn(|| changed.poll(now)).collect();
        assert_eq!(found, expected);
    }
}

fn framed(bytes: &[u8]) -> Framed {
    if bytes.len() > MAX_COMMAND {
        return Framed::TooLong;
    }
    let text = String::from_utf8_lossy(bytes);
    Framed::Command(text.strip_suffix('\r').unwrap_or(&text).to_owned())
}

/// Replies are found the same however TCP cuts them, without padding around them, and every one has a meaning.
pub fn replies(input: &[u8]) {
    let (pieces, body) = cut(input);
    for framing in [Framing::Legacy, Framing::Newline] {
        let in_pieces = read(framing, &pieces);
        assert_eq!(in_pieces, read(framing, &[body]), "{framing:?}");
        let (found, left) = in_pieces;
        assert!(
            left || body.len() > MAX_REPLY,
            "given up after {} bytes",
            body.len()
        );
        for reply in found {
            let padding =
                |byte: Option<&u8>| byte.is_some_and(|b| *b == 0 || b.is_ascii_whitespace());
            assert!(
                !padding(reply.first()) && !padding(reply.last()),
                "padding is left: {reply:?}"
            );
            for request in ["status", "patch reset", "foo bar"] {
                judge(request, &reply);
            }
        }
    }
}

/// All replies in these pieces, and whether the reader could go on.
fn read(framing: Framing, pieces: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
    let mut reader = ReplyReader::new();
    reader.set_framing(framing);
    let mut found = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.take() {
                Ok(Some(reply)) => found.push(reply),
                Ok(None) => break,
                Err(ReplyError::TooLong) => return (found, false),
            }
        }
    }
    (found, true)
}
