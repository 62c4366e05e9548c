//! What the kernel says of a thread of this process.

use std::time::Duration;

/// A tick of the times in `/proc`: they are told in hundredths of a second whatever the kernel's own clock is.
const TICK: Duration = Duration::from_millis(10);

/// What a thread does at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Its state, as in `proc_pid_stat(5)`: `R` runs or waits for a CPU, `S` sleeps, `D` waits in the kernel and cannot be
    /// woken, `T` is stopped, `t` is held by a debugger.
    pub state: char,
    /// CPU time that it has used, in steps of 10 ms.
    pub ran: Duration,
}

/// The number of the calling thread (`gettid(2)`), in its own PID namespace.
#[must_use]
pub fn id() -> u32 {
    rustix::thread::gettid()
        .as_raw_nonzero()
        .get()
        .unsigned_abs()
}

/// Looks at a thread of this process; `None` if there is none of this number, or no `/proc`.
#[must_use]
pub fn look(id: u32) -> Option<Look> {
    parse(&std::fs::read_to_string(format!("/proc/self/task/{id}/stat")).ok()?)
}

fn parse(stat: &str) -> Option<Look> {
    // The name of the thread, in brackets, may hold anything.
    let mut words = stat.rsplit_once(") ")?.1.split(' ');
    let state = words.next()?.chars().next()?;
    let mut times = words.skip(10);
    let mut ticks = || times.next()?.parse::<u32>().ok();
    Some(Look {
        state,
        ran: TICK * (ticks()? + ticks()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Instant;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_hide_the_rest() {
        let stat = "12 (a) S (b) R 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 1 2 3";
        let seen = Look {
            state: 'R',
            ran: Duration::from_secs(2),
        };
        assert_eq!(parse(stat), Some(seen));
        assert_eq!(parse("12 (a) R 1"), None);
    }

    #[test]
    fn one_that_computes_is_told_from_one_that_sleeps() {
        let (number, told) = channel();
        let (stop, stopped) = channel::<()>();
        let sleeper = std::thread::spawn(move || {
            number.send(id()).unwrap();
            stopped.recv().unwrap_err();
        });
        let sleeper_id = told.recv().unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while look(sleeper_id).unwrap().state != 'S' {
            assert!(Instant::now() < end, "it does not sleep");
            std::thread::yield_now();
        }
        let before = look(id()).unwrap().ran;
        while look(id()).unwrap().ran < before + 5 * TICK {
            assert!(Instant::now() < end, "its time does not pass");
        }
        assert_eq!(look(id()).unwrap().state, 'R');
        assert!(look(sleeper_id).unwrap().ran < Duration::from_millis(50));
        drop(stop);
        sleeper.join().unwrap();
        assert_eq!(look(sleeper_id), None);
    }
}
