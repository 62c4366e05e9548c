//! What a reply means: one place that knows all families of replies.

use serde_json::Value;

use crate::quotable;

/// What a process said to a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It took effect.
    Done(Value),
    /// A document without a result, such as a status.
    Document(Value),
    /// It was refused, in these words.
    Refused {
        /// The process's own words; where the original gives none, which command failed.
        words: String,
        /// Whether it came in `error_details`, as `vf`, `mirror` and `pcap` do it.
        from_results: bool,
        /// The whole reply.
        reply: Value,
    },
    /// The original's `nfv` and `primary` sent the request back: the command is not known, is
    /// incomplete, or is `patch reset`, which succeeded.
    Echo(String),
    /// Neither JSON nor an echo; quoted.
    Nonsense(String),
}

/// Decides what `reply` to the command `request` means. NULs are ignored.
pub fn judge(request: &str, reply: &[u8]) -> Verdict {
    let bytes: Vec<u8> = reply.iter().copied().filter(|&b| b != 0).collect();
    match serde_json::from_slice(&bytes) {
        Ok(value @ Value::Object(_)) => judge_document(value),
        _ if is_echo(request, reply) => Verdict::Echo(request.to_owned()),
        _ => Verdict::Nonsense(quotable(&String::from_utf8_lossy(&bytes))),
    }
}

/// Whether `reply` is `request` with its blanks lost, replaced by NUL or left as they are.
fn is_echo(request: &str, reply: &[u8]) -> bool {
    let words = |bytes: &[u8]| -> Vec<u8> {
        bytes
            .iter()
            .copied()
            .filter(|&b| b != 0 && !b.is_ascii_whitespace())
            .collect()
    };
    let sent = words(request.as_bytes());
    !sent.is_empty() && sent == words(reply)
}

fn judge_document(reply: Value) -> Verdict {
    if let Some(results) = reply.get("results") {
        let first = results.get(0);
        let word = first
            .and_then(|entry| entry.get("result"))
            .and_then(Value::as_str);
        return match word {
            Some("success") => Verdict::Done(reply),
            Some(word) => {
                let detail = |at: &str| first?.pointer(at)?.as_str();
                let message = detail("/error_details/message").unwrap_or(word);
                let words = match detail("/error_details/reason") {
                    Some(reason) => format!("{message}: {reason}"),
                    None => message.to_owned(),
                };
                Verdict::Refused {
                    words,
                    from_results: true,
                    reply,
                }
            }
            None => Verdict::Nonsense(quotable(&reply.to_string())),
        };
    }
    let text = |name: &str| reply.get(name).and_then(Value::as_str);
    match text("result") {
        None => Verdict::Document(reply),
        Some("succeeded" | "success") => Verdict::Done(reply),
        Some(_) => {
            let words = match text("error").or_else(|| text("message")) {
                Some(words) => words.to_owned(),
                None => unexplained(&reply),
            };
            Verdict::Refused {
                words,
                from_results: false,
                reply,
            }
        }
    }
}

/// The original's `nfv` and `primary` only say `failed`: name what did.
fn unexplained(reply: &Value) -> String {
    let text = |at: &str| reply.pointer(at).and_then(Value::as_str);
    let what = ["/command", "/port", "/ports/src", "/ports/dst"];
    let what: Vec<&str> = what.into_iter().filter_map(text).collect();
    format!(
        "'{}' failed; the process gives no reason",
        quotable(&what.join(" "))
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(request: &str, reply: &str) -> String {
        match judge(request, reply.as_bytes()) {
            Verdict::Refused { words, .. } => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn all_families_of_success_are_known() {
        for reply in [
            r#"{"result":"succeeded","command":"add","port":"ring:0"}"#,
            r#"{ "results": [ { "result": "success" } ] }"#,
            "{\"result\": \"success\", \"message\": \"Flow rule validated\"}\0\0\0",
        ] {
            assert!(
                matches!(judge("x", reply.as_bytes()), Verdict::Done(_)),
                "{reply}"
            );
        }
        assert!(matches!(
            judge("status", br#"{"client-id":1}"#),
            Verdict::Document(_)
        ));
    }

    #[test]
    fn all_families_of_failure_give_their_words() {
        assert_eq!(
            refused("add", r#"{"result":"failed","command":"add","error":"no"}"#),
            "no"
        );
        assert_eq!(
            refused(
                "patch",
                r#"{"result":"failed","command":"patch","ports":{"src":"phy:0","dst":"x"}}"#
            ),
            "'patch phy:0 x' failed; the process gives no reason"
        );
        let vf = r#"{ "results": [ { "result": "error", "error_details": { "message": "Invalid value (port)" } } ] }"#;
        assert_eq!(refused("x", vf), "Invalid value (port)");
        let ours = r#"{"results":[{"result":"error","error_details":{"message":"error occur","reason":"no"}}]}"#;
        assert_eq!(refused("x", ours), "error occur: no");
        assert_eq!(
            refused(
                "flow",
                r#"{"result": "error", "message": "Invalid port 9"}"#
            ),
            "Invalid port 9"
        );
    }

    #[test]
    fn an_echo_is_neither_success_nor_nonsense() {
        assert_eq!(
            judge("patch reset", b"patch\0reset\0\0"),
            Verdict::Echo("patch reset".into())
        );
        assert_eq!(
            judge("foo bar", b"foo bar"),
            Verdict::Echo("foo bar".into())
        );
        assert!(matches!(
            judge("status", b"HTTP/1.1 400"),
            Verdict::Nonsense(_)
        ));
        for nonsense in [
            &b"{"[..],
            b"[]",
            b"",
            b"\0",
            b"{\"results\":[]}",
            b"{\"results\":3}",
        ] {
            assert!(
                matches!(judge("status", nonsense), Verdict::Nonsense(_)),
                "{nonsense:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_reply_does_harm(reply in proptest::collection::vec(any::<u8>(), 0..200)) {
            judge("status", &reply);
        }
    }
}
