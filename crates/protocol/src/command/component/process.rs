//! All commands of `vf` and `mirror`.

use super::known::{Known, Rejection};
use super::{ComponentCommand, Refusal};
use crate::reply::ProcessKind;

/// Most entries of a classifier's table that one reply lists.
pub const MAX_LISTED: usize = 1000;

/// A command for `vf` or `mirror`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VfCommand {
    /// `_get_client_id`
    GetClientId,
    /// `_framing newline`
    Framing,
    /// `_detail`
    Detail,
    /// `status`
    Status,
    /// `exit`
    Exit,
    /// `clear`: counters are shown from here on.
    Clear,
    /// `classifier_table list OFFSET COUNT` (vf only)
    List {
        /// How many entries are left out before the first one.
        offset: usize,
        /// How many are listed, at most [`MAX_LISTED`].
        count: usize,
    },
    /// What changes something.
    Change(ComponentCommand),
}

impl VfCommand {
    /// Reads a command for `process`, which knows what `known` says.
    ///
    /// # Errors
    /// The first of the original's checks that fails, and why.
    pub fn read(text: &str, process: ProcessKind, known: &dyn Known) -> Result<Self, Rejection> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let alone = |command: Self| match words.len() {
            1 => Ok(command),
            _ => Err(Refusal::Format.into()),
        };
        match words[..] {
            ["_get_client_id", ..] => alone(Self::GetClientId),
            ["_framing", "newline"] => Ok(Self::Framing),
            ["_detail", ..] => alone(Self::Detail),
            ["status", ..] => alone(Self::Status),
            ["exit", ..] => alone(Self::Exit),
            ["clear", ..] => alone(Self::Clear),
            ["classifier_table", "list", offset, count] if process == ProcessKind::Vf => {
                Ok(Self::List {
                    offset: number(offset)?,
                    count: number(count)?.min(MAX_LISTED),
                })
            }
            _ => ComponentCommand::read(text, process, known).map(Self::Change),
        }
    }
}

fn number(word: &str) -> Result<usize, Rejection> {
    word.parse()
        .map_err(|_| Refusal::Value("number of entries").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::component::{Anything, ClassifierEntry, ComponentName, Direction};
    use crate::port::PortName;

    fn read(text: &str, known: &dyn Known) -> Result<VfCommand, String> {
        let read = VfCommand::read(text, ProcessKind::Vf, known);
        read.map_err(|rejected| rejected.to_string())
    }

    #[test]
    fn questions_are_one_word() {
        assert_eq!(read("  status ", &Anything), Ok(VfCommand::Status));
        assert_eq!(read("exit", &Anything), Ok(VfCommand::Exit));
        for surplus in ["status x", "_get_client_id 1", "exit now", "_detail x"] {
            assert_eq!(
                read(surplus, &Anything).unwrap_err(),
                "Wrong message format"
            );
        }
        for unknown in ["Status", "foo", "", "_framing", "_framing x"] {
            assert_eq!(
                read(unknown, &Anything).unwrap_err(),
                "Invalid value (command)",
                "{unknown}"
            );
        }
        let list = VfCommand::List {
            offset: 5,
            count: MAX_LISTED,
        };
        assert_eq!(read("classifier_table list 5 9999", &Anything), Ok(list));
        let list = VfCommand::read("classifier_table list 0 1", ProcessKind::Mirror, &Anything);
        assert!(list.is_err());
    }

    /// Refuses everything.
    struct Nothing;

    impl Known for Nothing {
        fn starts(&self, _: &ComponentName) -> Result<(), String> {
            Err("there is one".into())
        }
        fn has(&self, _: &ComponentName) -> Result<(), String> {
            Err("there is none".into())
        }
        fn attaches(&self, port: PortName, _: bool) -> Result<(), String> {
            match port {
                PortName::Phy { .. } => Err("no such port".into()),
                _ => Ok(()),
            }
        }
        fn attaches_at(&self, port: PortName, _: Direction, free: bool) -> Result<(), String> {
            match port {
                PortName::Ring(1) if free => Err("used".into()),
                _ => Ok(()),
            }
        }
        fn enters(&self, _: &ClassifierEntry) -> Result<(), String> {
            Err("unknown port".into())
        }
        fn leaves(&self, _: &ClassifierEntry) -> Result<(), String> {
            Err("no such entry".into())
        }
    }

    #[test]
    fn what_is_there_is_checked_in_the_order_of_the_words() {
        for (text, words) in [
            (
                "component start a 200 zap",
                "Invalid value (component name)",
            ),
            ("port add phy:0 xx a", "Invalid value (port)"),
            ("port add ring:1 xx a", "Invalid value (port rxtx)"),
            ("port add ring:1 rx a zap", "Invalid value (port rxtx)"),
            ("port del ring:1 rx a zap", "Invalid value (component name)"),
            (
                "port add ring:1 rx a add_vlantag 9999 1",
                "Invalid value (component name)",
            ),
            ("port add ring:2 rx a zap", "Invalid value (component name)"),
            (
                "classifier_table add mac bogus ring:1",
                "Invalid value (mac address)",
            ),
            (
                "classifier_table add mac default ring:1",
                "Invalid value (port)",
            ),
            (
                "classifier_table del mac default ring:1",
                "Invalid value (port)",
            ),
        ] {
            assert_eq!(read(text, &Nothing).unwrap_err(), words, "{text}");
        }
        let rejected = VfCommand::read("port add phy:0 rx a", ProcessKind::Vf, &Nothing);
        assert_eq!(
            rejected.unwrap_err().reason.as_deref(),
            Some("no such port")
        );
    }
}
