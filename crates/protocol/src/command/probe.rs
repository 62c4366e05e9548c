//! Commands that measure latencies and trace packets: every process with ports of its own knows them.

use std::fmt;
use std::str::FromStr;

use super::words::Words;
use super::{CommandError, MAX_COMMAND};
use crate::port::PortName;

/// One packet of so many is timed if nothing is said.
pub const EVERY: u32 = 1000;
/// Most packets of a trace.
pub const MAX_TRACE: u32 = 10_000;
/// Most packets of a trace that keeps them whole.
pub const MAX_WHOLE_TRACE: u32 = 1000;
/// Longest time of a trace, in seconds.
pub const MAX_TRACE_SECONDS: u32 = 3600;

/// Which end of a path is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathEnd {
    /// Where packets are received and stamped.
    Src,
    /// Where they are sent and stamps are read.
    Dst,
}

/// A command about latencies or traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeCommand {
    /// `latency on SRC DST [every N] [as src|as dst]`
    LatencyOn {
        /// Where packets are received.
        src: PortName,
        /// Where they are sent.
        dst: PortName,
        /// One packet of so many is timed.
        every: u32,
        /// The end that is in this process; both if not said.
        end: Option<PathEnd>,
    },
    /// `latency off SRC DST`
    LatencyOff {
        /// Where packets are received.
        src: PortName,
        /// Where they are sent.
        dst: PortName,
    },
    /// `trace start SRC COUNT SECONDS [full]`
    TraceStart {
        /// Where packets are received.
        src: PortName,
        /// How many, 1 to [`MAX_TRACE`] ([`MAX_WHOLE_TRACE`] whole ones).
        count: u32,
        /// For how long at most, 1 to [`MAX_TRACE_SECONDS`].
        seconds: u32,
        /// All bytes are kept, not only the first 128.
        full: bool,
    },
    /// `trace read ID`: what was traced since the last time.
    TraceRead(u64),
    /// `trace stop ID`: ends it; what was traced can still be read.
    TraceStop(u64),
}

const KNOWN: &str = "commands are latency on, latency off, trace start, trace read, trace stop";

impl ProbeCommand {
    /// Reads a command; `None` if it is not of this kind.
    pub fn take(text: &str) -> Option<Result<Self, CommandError>> {
        let first = text.split_ascii_whitespace().next()?;
        let ours = matches!(first, "latency" | "trace") && text.len() <= MAX_COMMAND;
        ours.then(|| text.parse())
    }

    /// The words that replies name as `command`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::LatencyOn { .. } => "latency on",
            Self::LatencyOff { .. } => "latency off",
            Self::TraceStart { .. } => "trace start",
            Self::TraceRead(_) => "trace read",
            Self::TraceStop(_) => "trace stop",
        }
    }
}

/// A number from 1 to `most`.
fn number(words: &mut Words<'_>, most: u32, what: &'static str) -> Result<u32, CommandError> {
    let word = words.next(what)?;
    let digits = word.len() <= 10 && word.bytes().all(|b| b.is_ascii_digit());
    match word.parse() {
        Ok(number) if digits && (1..=most).contains(&number) => Ok(number),
        _ => Err(words.number(word, what)),
    }
}

impl FromStr for ProbeCommand {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        let mut words = Words::new(text, KNOWN)?;
        let (first, second) = (words.first, words.optional().unwrap_or_default());
        let command = match (first, second) {
            ("latency", "on") => {
                words.usage("latency on", "latency on SRC DST [every N] [as src|as dst]");
                let (src, dst) = (words.port()?, words.port()?);
                let mut every = EVERY;
                if words.rest().first() == Some(&"every") {
                    words.optional();
                    every = number(&mut words, u32::MAX, "packets, 1 or more")?;
                }
                let end = match words.rest() {
                    ["as", "src", ..] => Some(PathEnd::Src),
                    ["as", "dst", ..] => Some(PathEnd::Dst),
                    _ => None,
                };
                if end.is_some() {
                    words.optional();
                    words.optional();
                }
                Self::LatencyOn {
                    src,
                    dst,
                    every,
                    end,
                }
            }
            ("latency", "off") => {
                words.usage("latency off", "latency off SRC DST");
                Self::LatencyOff {
                    src: words.port()?,
                    dst: words.port()?,
                }
            }
            ("trace", "start") => {
                words.usage("trace start", "trace start SRC COUNT SECONDS [full]");
                let src = words.port()?;
                let count = number(&mut words, MAX_TRACE, "packets, 1 to 10000")?;
                let seconds = number(&mut words, MAX_TRACE_SECONDS, "seconds, 1 to 3600")?;
                let full = words.rest() == ["full"];
                if full {
                    words.optional();
                }
                if full && count > MAX_WHOLE_TRACE {
                    let count = count.to_string();
                    return Err(words.number(&count, "whole packets, 1 to 1000"));
                }
                Self::TraceStart {
                    src,
                    count,
                    seconds,
                    full,
                }
            }
            ("trace", "read" | "stop") => {
                let read = second == "read";
                match read {
                    true => words.usage("trace read", "trace read ID"),
                    false => words.usage("trace stop", "trace stop ID"),
                }
                let word = words.next("the id of a trace")?;
                let id = word.parse().map_err(|_| words.number(word, "a trace"))?;
                match read {
                    true => Self::TraceRead(id),
                    false => Self::TraceStop(id),
                }
            }
            _ => {
                return Err(CommandError::Unknown {
                    word: crate::quotable(&format!("{first} {second}")),
                    known: KNOWN,
                });
            }
        };
        words.end()?;
        Ok(command)
    }
}

impl fmt::Display for ProbeCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::LatencyOn {
                src,
                dst,
                every,
                end,
            } => {
                write!(f, " {src} {dst} every {every}")?;
                match end {
                    None => Ok(()),
                    Some(PathEnd::Src) => f.write_str(" as src"),
                    Some(PathEnd::Dst) => f.write_str(" as dst"),
                }
            }
            Self::LatencyOff { src, dst } => write!(f, " {src} {dst}"),
            Self::TraceStart {
                src,
                count,
                seconds,
                full,
            } => {
                write!(f, " {src} {count} {seconds}")?;
                if *full { f.write_str(" full") } else { Ok(()) }
            }
            Self::TraceRead(id) | Self::TraceStop(id) => write!(f, " {id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for text in [
            "latency on phy:0nq1 vhost:1 every 1000",
            "latency on ring:0 ring:0 every 1 as src",
            "latency on ring:0 ring:1 every 4294967295 as dst",
            "latency off ring:0 ring:1",
            "trace start ring:0 10000 3600",
            "trace start ring:0 1000 1 full",
            "trace read 7",
            "trace stop 7",
        ] {
            let command: ProbeCommand = text.parse().unwrap();
            assert_eq!(command.to_string(), text);
        }
        let short: ProbeCommand = "latency on ring 0 phy 0 nq 1".parse().unwrap();
        assert_eq!(short.to_string(), "latency on ring:0 phy:0nq1 every 1000");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, words) in [
            ("latency", "unknown command 'latency '"),
            ("trace begin", "unknown command 'trace begin'"),
            ("latency on ring:0", "a port is missing"),
            ("latency on ring:0 ring:1 every 0", "'0' is no number"),
            (
                "latency on ring:0 ring:1 as both",
                "'as' is one word too many",
            ),
            ("latency off ring:0 ring:1 x", "one word too many"),
            ("trace start ring:0 10001 1", "'10001' is no number"),
            ("trace start ring:0 1001 1 full", "whole packets"),
            ("trace start ring:0 1 3601", "1 to 3600"),
            ("trace start ring:0 1", "is missing"),
            ("trace read x", "'x' is no number"),
            ("trace start ring:0 +1 1", "'+1' is no number"),
        ] {
            let error = text.parse::<ProbeCommand>().unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert!(ProbeCommand::take("patch ring:0 ring:1").is_none());
        assert!(ProbeCommand::take("").is_none());
        assert!(ProbeCommand::take("trace stop 1").unwrap().is_ok());
    }
}
