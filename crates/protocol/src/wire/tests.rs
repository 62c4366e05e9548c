use proptest::prelude::*;

use super::*;

/// `bytes` in pieces that end at `cuts`.
fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

fn any_cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    proptest::collection::vec(any::<prop::sample::Index>(), 0..9)
}

fn padded(text: &[u8]) -> Vec<u8> {
    let mut bytes = text.to_vec();
    bytes.resize(PADDED_REPLY, 0);
    bytes
}

fn all_replies(reader: &mut ReplyReader, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut replies = vec![];
    for piece in pieces {
        reader.push(piece);
        while let Some(reply) = reader.take().unwrap() {
            replies.push(reply);
        }
    }
    replies
}

#[test]
fn a_command_ends_after_a_quiet_millisecond() {
    let mut framer = CommandFramer::new();
    let start = Instant::now();
    framer.push(b"sta", start);
    assert_eq!(framer.poll(start), None);
    framer.push(b"tus", start + QUIET / 2);
    assert_eq!(framer.poll(start + QUIET), None);
    assert_eq!(framer.deadline(), Some(start + QUIET / 2 + QUIET));
    assert_eq!(
        framer.poll(start + QUIET * 2),
        Some(Framed::Command("status".into()))
    );
    assert_eq!(framer.poll(start + QUIET * 9), None);
    assert_eq!(framer.deadline(), None);
}

#[test]
fn a_command_that_is_too_long_is_refused_once_and_thrown_away() {
    for (framing, end) in [(Framing::Legacy, &b""[..]), (Framing::Newline, &b"\n"[..])] {
        let mut framer = CommandFramer::new();
        framer.set_framing(framing);
        let now = Instant::now();
        framer.push(&vec![b'x'; MAX_COMMAND], now);
        assert_eq!(framer.poll(now), None);
        for _ in 0..64 {
            framer.push(&vec![b'x'; MAX_COMMAND], now);
        }
        assert_eq!(framer.poll(now), None, "it is not over");
        framer.push(end, now);
        assert_eq!(framer.poll(now + QUIET), Some(Framed::TooLong));
        assert_eq!(framer.poll(now + QUIET), None);
        framer.push(b"status", now + QUIET);
        framer.push(end, now + QUIET);
        assert_eq!(
            framer.poll(now + QUIET * 2),
            Some(Framed::Command("status".into()))
        );
    }
}

#[test]
fn the_framing_can_change_between_commands() {
    let mut framer = CommandFramer::new();
    let now = Instant::now();
    framer.push(b"_framing newline", now);
    assert_eq!(
        framer.poll(now + QUIET),
        Some(Framed::Command("_framing newline".into()))
    );
    framer.push(b"status\nst", now + QUIET * 3);
    framer.set_framing(Framing::Newline);
    assert_eq!(framer.poll(now), Some(Framed::Command("status".into())));
    framer.push(b"op\r\n", now);
    assert_eq!(framer.poll(now), Some(Framed::Command("stop".into())));
    assert_eq!(framer.poll(now + QUIET * 9), None);
}

#[test]
fn endless_replies_are_an_error() {
    for start in [&b"{\"a\":\""[..], b"{"] {
        let mut reader = ReplyReader::new();
        reader.push(start);
        let mut result = Ok(None);
        for _ in 0..MAX_REPLY / 65536 + 1 {
            reader.push(&vec![b'x'; 65536]);
            result = reader.take();
        }
        assert_eq!(result, Err(ReplyError::TooLong));
    }
    let mut reader = ReplyReader::new();
    reader.set_framing(Framing::Newline);
    reader.push(&vec![b'x'; MAX_REPLY + 1]);
    assert_eq!(reader.take(), Err(ReplyError::TooLong));
}

proptest! {
    #[test]
    fn lines_do_not_depend_on_how_they_arrive(
        lines in proptest::collection::vec("[ -~é]{0,20}", 0..6),
        cuts in any_cuts(),
    ) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut framer = CommandFramer::new();
        framer.set_framing(Framing::Newline);
        let now = Instant::now();
        let mut got = vec![];
        for piece in pieces(text.as_bytes(), &cuts) {
            framer.push(piece, now);
            while let Some(framed) = framer.poll(now) {
                got.push(framed);
            }
        }
        let expected: Vec<_> = lines.into_iter().map(Framed::Command).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn replies_of_all_kinds_do_not_depend_on_how_they_arrive(
        kinds in proptest::collection::vec(0..4usize, 1..6),
        cuts in any_cuts(),
    ) {
        let bare = r#"{ "results": [ { "result": "}\"]{\\" } ], "é": [] }"#.as_bytes();
        let json = br#"{"result":"failed","command":"add","port":"ring:50"}"#;
        let mut sent = vec![];
        let mut expected = vec![];
        for kind in kinds {
            match kind {
                0 => { sent.extend(bare); expected.push(bare.to_vec()); }
                1 => { sent.extend(padded(json)); expected.push(json.to_vec()); }
                2 => { sent.extend(padded(b"foo\0bar")); expected.push(b"foo\0bar".to_vec()); }
                _ => { sent.extend(json); sent.push(b'\n'); expected.push(json.to_vec()); }
            }
        }
        let got = all_replies(&mut ReplyReader::new(), &pieces(&sent, &cuts));
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn reply_lines_do_not_depend_on_how_they_arrive(
        lines in proptest::collection::vec("\\{[!-~é]{0,20}\\}", 0..6),
        cuts in any_cuts(),
    ) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut reader = ReplyReader::new();
        reader.set_framing(Framing::Newline);
        let got = all_replies(&mut reader, &pieces(text.as_bytes(), &cuts));
        let expected: Vec<_> = lines.into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300), cuts in any_cuts()) {
        all_replies(&mut ReplyReader::new(), &pieces(&bytes, &cuts));
    }
}
