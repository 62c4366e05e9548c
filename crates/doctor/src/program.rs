//! Programs that are asked something, and are not waited for longer than a limit.

use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// For a program that only says its version.
const LIMIT: Duration = Duration::from_secs(5);
const GLANCE: Duration = Duration::from_millis(5);
/// Nothing that is asked for is longer.
const LONGEST: u64 = 1 << 16;

/// How it ended, and what it wrote to standard output and error.
pub(crate) struct Answer {
    pub status: ExitStatus,
    pub text: String,
}

/// Runs it to its end.
///
/// # Errors
/// It cannot be started, or does not end within five seconds: then it is killed.
pub(crate) fn ask(command: &mut Command) -> io::Result<Answer> {
    let (mut output, input) = io::pipe()?;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(input.try_clone()?)
        .stderr(input)
        .spawn()?;
    // Else we would hold the other end of the pipe ourselves.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        let read = (&mut output).take(LONGEST).read_to_end(&mut text);
        // It goes on to its end, whatever else it has to say.
        let _ = io::copy(&mut output, &mut io::sink());
        read.map(|_| String::from_utf8_lossy(&text).into_owned())
    });
    let end = Instant::now() + LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > end {
            child.kill()?;
            child.wait()?;
            let text = format!("it did not end within {} s", LIMIT.as_secs());
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
        std::thread::sleep(GLANCE);
    };
    // A child of its own may hold the pipe open.
    while !reader.is_finished() && Instant::now() < end {
        std::thread::sleep(GLANCE);
    }
    let text = match reader.is_finished() {
        true => reader.join().unwrap_or_else(|_| Ok(String::new()))?,
        false => String::new(),
    };
    Ok(Answer { status, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_and_a_program_that_hangs_is_killed() {
        let answer =
            ask(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap();
        assert_eq!(
            (answer.status.code(), answer.text.as_str()),
            (Some(3), "out\nerr\n")
        );
        let begun = Instant::now();
        let late = ask(Command::new("sleep").arg("600")).err().unwrap();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < LIMIT + Duration::from_secs(10));
        assert!(ask(&mut Command::new("/no/such/program")).is_err());
    }
}
