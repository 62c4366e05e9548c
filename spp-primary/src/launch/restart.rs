//! Whether a process that ended is started again, and when.

use std::str::FromStr;
use std::time::Duration;

use process::Error;
use protocol::quotable;

/// The word in the arguments of a launched program that sets it.
const OPTION: &str = "--restart";
/// The word in the arguments of a launched program that sets when one that hangs is killed.
const HANG: &str = "--hang-limit";
/// When one that is started again is, if nothing is said.
const HANG_LIMIT: Duration = Duration::from_secs(10);
/// Wait before the second new start; the first comes at once.
const SECOND: Duration = Duration::from_secs(1);
/// Longest wait.
const LONGEST: Duration = Duration::from_secs(30);
/// A process that ran for this long is no longer one that keeps failing.
const SETTLED: Duration = Duration::from_secs(10);

/// When a process that ended by itself is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// Not at all.
    #[default]
    Never,
    /// If it failed: by its status, or by a signal.
    OnFailure,
    /// However it ended.
    Always,
}

impl Restart {
    /// The word of the option.
    pub fn word(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OnFailure => "on-failure",
            Self::Always => "always",
        }
    }

    /// Takes the option out of a program's arguments. It is looked for behind `--`, where there is one: before it are
    /// options of EAL.
    pub fn take(args: &mut Vec<String>) -> Result<Self, Error> {
        let word = take(args, OPTION)?;
        Ok(word
            .map(|word| word.parse())
            .transpose()?
            .unwrap_or_default())
    }

    /// Takes the option out that says for how long a process may hang before it is killed; `None`: for ever. What is not
    /// started again is not killed either, unless it is said.
    pub fn take_hang_limit(self, args: &mut Vec<String>) -> Result<Option<Duration>, Error> {
        let Some(word) = take(args, HANG)? else {
            return Ok((self != Self::Never).then_some(HANG_LIMIT));
        };
        let refused = || {
            Error::Refused(format!(
                "{HANG} {}: seconds, 1 or more, or 0 for never",
                quotable(&word)
            ))
        };
        match word.parse::<u32>() {
            Ok(0) => Ok(None),
            Ok(seconds) => Ok(Some(Duration::from_secs(seconds.into()))),
            Err(_) => Err(refused()),
        }
    }
}

/// Takes `option` and its value out of the arguments.
fn take(args: &mut Vec<String>, option: &str) -> Result<Option<String>, Error> {
    let start = args.iter().position(|word| word == "--").unwrap_or(0);
    let mut found = None;
    let mut at = start;
    while at < args.len() {
        let value = match args[at].strip_prefix(option) {
            Some("") if at + 1 < args.len() => {
                args.remove(at);
                args.remove(at)
            }
            Some("") => {
                args.remove(at);
                String::new()
            }
            Some(rest) if rest.starts_with('=') => args.remove(at).split_off(option.len() + 1),
            _ => {
                at += 1;
                continue;
            }
        };
        if found.replace(value).is_some() {
            return Err(Error::Refused(format!("{option} is given twice")));
        }
    }
    Ok(found)
}

fn refused(word: &str) -> Error {
    Error::Refused(format!(
        "{OPTION} {}: it has to be never, on-failure or always",
        quotable(word)
    ))
}

impl FromStr for Restart {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        [Self::Never, Self::OnFailure, Self::Always]
            .into_iter()
            .find(|policy| policy.word() == word)
            .ok_or_else(|| refused(word))
    }
}

/// The growing wait between new starts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Backoff(Option<Duration>);

impl Backoff {
    /// How long to wait now that the process has ended after it `ran` for so long.
    pub fn next(&mut self, ran: Duration) -> Duration {
        let pause = match self.0 {
            Some(last) if ran < SETTLED => (last * 2).clamp(SECOND, LONGEST),
            _ => Duration::ZERO,
        };
        self.0 = Some(pause);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(line: &str) -> (Result<Restart, String>, String) {
        let mut args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let taken = Restart::take(&mut args).map_err(|e| e.to_string());
        (taken, args.join(" "))
    }

    #[test]
    fn the_option_is_taken_out_of_the_application_part() {
        for (line, policy, left) in [
            ("-l 1 -- -n 1", Restart::Never, "-l 1 -- -n 1"),
            (
                "-l 1 -- --restart on-failure -n 1",
                Restart::OnFailure,
                "-l 1 -- -n 1",
            ),
            (
                "-l 1 -- -n 1 --restart always",
                Restart::Always,
                "-l 1 -- -n 1",
            ),
            ("-- --restart=never", Restart::Never, "--"),
            ("--sec-id 1 --restart always", Restart::Always, "--sec-id 1"),
            // Another option, and one of EAL's.
            ("-- --restarts 3", Restart::Never, "-- --restarts 3"),
            ("--restart x -- -n 1", Restart::Never, "--restart x -- -n 1"),
        ] {
            assert_eq!(take(line), (Ok(policy), left.to_owned()), "{line}");
        }
        for (line, words) in [
            ("-- --restart", "it has to be never, on-failure or always"),
            (
                "-- --restart sometimes",
                "--restart sometimes: it has to be",
            ),
            ("-- --restart=", "it has to be"),
            ("-- --restart always --restart never", "given twice"),
        ] {
            let told = take(line).0.unwrap_err();
            assert!(told.contains(words), "{line}: {told}");
        }
    }

    #[test]
    fn what_is_started_again_is_killed_when_it_hangs_unless_it_is_not_to_be() {
        let limit = |restart: Restart, line: &str| {
            let mut args: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let taken = restart
                .take_hang_limit(&mut args)
                .map_err(|e| e.to_string());
            assert!(taken.is_err() || args == ["--", "-n", "1"], "{args:?}");
            taken
        };
        let seconds = |s| Ok(Some(Duration::from_secs(s)));
        assert_eq!(limit(Restart::Never, "-- -n 1"), Ok(None));
        assert_eq!(limit(Restart::Always, "-- -n 1"), Ok(Some(HANG_LIMIT)));
        assert_eq!(
            limit(Restart::OnFailure, "-- -n 1 --hang-limit 0"),
            Ok(None)
        );
        assert_eq!(limit(Restart::Never, "-- --hang-limit=3 -n 1"), seconds(3));
        for bad in ["-- --hang-limit", "-- --hang-limit -1", "-- --hang-limit x"] {
            let told = limit(Restart::Always, bad).unwrap_err();
            assert!(told.contains("1 or more, or 0 for never"), "{told}");
        }
    }

    #[test]
    fn the_first_new_start_comes_at_once_and_later_ones_after_longer_and_longer_waits() {
        let mut backoff = Backoff::default();
        let short = SETTLED - Duration::from_millis(1);
        let waits: Vec<u64> = (0..8).map(|_| backoff.next(short).as_secs()).collect();
        assert_eq!(waits, [0, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(backoff.next(SETTLED), Duration::ZERO);
        assert_eq!(backoff.next(short), SECOND);
    }
}
