//! What the terminal at the other end says of itself.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

/// A terminal that does not answer, or sits behind a slow line, is taken for one without pictures.
const LIMIT: Duration = Duration::from_millis(500);
/// A longer answer is none.
const LONGEST: usize = 256;

/// Pixels in the width of the terminal that can show pictures by sixel: 0 if it does not say how
/// many. `None` if it cannot, or nobody is there.
pub fn picture_width() -> Option<u16> {
    let mut terminal = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/tty")
        .ok()?;
    let answer = ask(&mut terminal, LIMIT).ok()?;
    has_sixel(&answer).then(|| tcgetwinsize(&terminal).map_or(0, |size| size.ws_xpixel))
}

/// Sets a terminal back to how it was.
struct Restore<'a> {
    terminal: &'a File,
    before: Termios,
}

impl Drop for Restore<'_> {
    fn drop(&mut self) {
        // If the terminal is gone there is nothing to set back.
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Asks for the device's attributes (DA1). What was typed meanwhile is lost.
fn ask(terminal: &mut File, limit: Duration) -> io::Result<Vec<u8>> {
    let before = tcgetattr(&*terminal)?;
    let mut raw = before.clone();
    raw.make_raw();
    let handle = terminal.try_clone()?;
    let restore = Restore {
        terminal: &handle,
        before,
    };
    tcsetattr(restore.terminal, OptionalActions::Now, &raw)?;
    terminal.write_all(b"\x1b[c")?;
    let end = Instant::now() + limit;
    let mut answer = Vec::new();
    while answer.last() != Some(&b'c') && answer.len() < LONGEST {
        let left = end.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut ready = [PollFd::from_borrowed_fd(terminal.as_fd(), PollFlags::IN)];
        if poll(&mut ready, Some(&left))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut byte = [0];
        if terminal.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.push(byte[0]);
    }
    Ok(answer)
}

/// Whether attribute 4 is among those in `ESC [ ? 6 2 ; 4 c`.
fn has_sixel(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    text.rsplit_once("\x1b[?")
        .and_then(|(_, rest)| rest.strip_suffix('c'))
        .is_some_and(|attributes| attributes.split(';').skip(1).any(|one| one == "4"))
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    use super::*;

    /// A terminal that answers so when it is asked; gives what came of it and how long it took.
    fn play(answer: &'static str) -> (io::Result<Vec<u8>>, Duration) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let mut master = File::from(master);
        let mut terminal = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .unwrap();
        let modes = |terminal: &File| tcgetattr(terminal).unwrap().local_modes;
        let before = modes(&terminal);
        let mut shown = master.try_clone().unwrap();
        let user = std::thread::spawn(move || {
            let mut asked = [0; 3];
            shown.read_exact(&mut asked).unwrap();
            assert_eq!(&asked, b"\x1b[c");
            shown.write_all(answer.as_bytes()).unwrap();
        });
        let begun = Instant::now();
        let result = ask(&mut terminal, Duration::from_millis(400));
        user.join().unwrap();
        assert_eq!(modes(&terminal), before, "the terminal is set back");
        master.flush().unwrap();
        (result, begun.elapsed())
    }

    #[test]
    fn a_terminal_with_sixel_says_so() {
        let (answer, _) = play("\x1b[?62;4;22c");
        assert!(has_sixel(&answer.unwrap()));
        // Keys that were pressed meanwhile come first.
        let (answer, _) = play("x\x1b[?62;9;4c");
        assert!(has_sixel(&answer.unwrap()));
        let (answer, _) = play("\x1b[?62;22;42c");
        assert!(!has_sixel(&answer.unwrap()));
        // The first number is the class of the terminal.
        assert!(!has_sixel(b"\x1b[?4c"));
    }

    #[test]
    fn a_silent_terminal_is_not_waited_for() {
        for answer in ["", "\x1b[?62;4"] {
            let (answer, took) = play(answer);
            assert_eq!(answer.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert!(took >= Duration::from_millis(400), "{took:?}");
        }
    }
}
