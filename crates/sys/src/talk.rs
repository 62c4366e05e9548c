//! Talk in lines over a UNIX socket, in which a line can bring an open file along.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Longest line that is taken, in bytes.
const LONGEST: usize = 64 << 20;
/// Bytes that are read at once.
const PIECE: usize = 64 << 10;
/// How long the other side may leave what is written to it.
const WRITING: Duration = Duration::from_secs(5);
/// Shortest time limit that the kernel knows.
const SHORTEST: Duration = Duration::from_millis(1);

/// One side of a conversation.
#[derive(Debug)]
pub struct Talk {
    stream: UnixStream,
    heard: Vec<u8>,
    files: VecDeque<OwnedFd>,
}

impl Talk {
    /// A conversation over a connected socket.
    ///
    /// # Errors
    /// The kernel's.
    pub fn over(stream: UnixStream) -> io::Result<Self> {
        stream.set_write_timeout(Some(WRITING))?;
        Ok(Talk {
            stream,
            heard: Vec::new(),
            files: VecDeque::new(),
        })
    }

    /// Says a line (`text` has no line break), and gives `file` with it (`SCM_RIGHTS` of `unix(7)`): the other side gets
    /// a descriptor of the same open file, with its position and its locks.
    ///
    /// # Errors
    /// The other side is gone, or does not read.
    pub fn say(&mut self, text: &str, file: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let line = format!("{text}\n");
        let line = line.as_bytes();
        let mut sent = 0;
        if let Some(file) = file {
            let files = [file];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !control.push(SendAncillaryMessage::ScmRights(&files)) {
                return Err(io::Error::other("no room for a descriptor"));
            }
            sent = sendmsg(
                &self.stream,
                &[IoSlice::new(line)],
                &mut control,
                SendFlags::NOSIGNAL,
            )?;
        }
        self.stream.write_all(&line[sent..])
    }

    /// Waits for the next line, without its line break, for `limit` at most.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`], [`ErrorKind::UnexpectedEof`] if the other side is gone, [`ErrorKind::InvalidData`] if
    /// the line is too long or no text.
    pub fn hear(&mut self, limit: Duration) -> io::Result<String> {
        let end = Instant::now() + limit;
        let mut looked = 0;
        loop {
            if let Some(at) = self.heard[looked..].iter().position(|b| *b == b'\n') {
                let mut line: Vec<u8> = self.heard.drain(..=looked + at).collect();
                line.pop();
                return String::from_utf8(line)
                    .map_err(|e| io::Error::new(ErrorKind::InvalidData, e));
            }
            looked = self.heard.len();
            if looked > LONGEST {
                return Err(io::Error::new(ErrorKind::InvalidData, "a line without end"));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            self.stream.set_read_timeout(Some(left.max(SHORTEST)))?;
            self.take_in()?;
        }
    }

    /// The open file that came with a line that was heard, the oldest first.
    pub fn file(&mut self) -> Option<OwnedFd> {
        self.files.pop_front()
    }

    fn take_in(&mut self) -> io::Result<()> {
        let before = self.heard.len();
        self.heard.resize(before + PIECE, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let got = recvmsg(
            &self.stream,
            &mut [IoSliceMut::new(&mut self.heard[before..])],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        );
        let bytes = got.as_ref().map_or(0, |got| got.bytes);
        self.heard.truncate(before + bytes);
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                self.files.extend(files);
            }
        }
        match got {
            Ok(_) if bytes == 0 => Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(()),
            // A time limit that has passed is told as this; the caller looks at the clock.
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Seek, SeekFrom};
    use std::os::fd::AsFd;

    const LIMIT: Duration = Duration::from_secs(20);

    fn pair() -> (Talk, Talk) {
        let (one, two) = UnixStream::pair().unwrap();
        (Talk::over(one).unwrap(), Talk::over(two).unwrap())
    }

    #[test]
    fn lines_come_whole_and_in_order_however_they_are_cut() {
        let (mut one, mut two) = pair();
        let long = "x".repeat(PIECE * 3 + 7);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for text in ["", "a", &long, "b"] {
                    one.say(text, None).unwrap();
                }
            });
            for text in ["", "a", &long, "b"] {
                assert_eq!(two.hear(LIMIT).unwrap(), text);
            }
        });
        assert!(two.file().is_none());
    }

    #[test]
    fn a_file_comes_along_with_its_position() {
        let (mut one, mut two) = pair();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abcdef").unwrap();
        file.seek(SeekFrom::Start(3)).unwrap();
        one.say("here", Some(file.as_fd())).unwrap();
        assert_eq!(two.hear(LIMIT).unwrap(), "here");
        let mut text = String::new();
        File::from(two.file().unwrap())
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "def");
        assert!(two.file().is_none());
    }

    #[test]
    fn who_is_silent_or_gone_is_not_waited_for() {
        let (one, mut two) = pair();
        let told = two.hear(Duration::from_millis(20)).unwrap_err();
        assert_eq!(told.kind(), ErrorKind::TimedOut);
        drop(one);
        assert_eq!(
            two.hear(LIMIT).unwrap_err().kind(),
            ErrorKind::UnexpectedEof
        );
        assert!(two.say("x", None).is_err());
    }
}
