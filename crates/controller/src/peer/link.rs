//! One connection to a process: commands out, replies in, never mixed up.
//!
//! At most one reply is owed at any time. After a time limit the connection is kept, but no
//! further command is sent before the late reply has come and was thrown away; so it can never
//! be taken for the answer to another command, in either framing.

use protocol::reply::ClientId;
use protocol::wire::{BYE, Framing, ReplyReader};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Bytes read at once; two padded replies of the original.
const CHUNK: usize = 65536;

/// Why an exchange failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// The limit passed; the connection can still be used.
    Timeout,
    /// The connection is closed.
    Closed,
    /// What came makes no sense, in words; the connection is of no use.
    Nonsense(String),
}

/// What happened while nothing was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Idle {
    /// The reply came that had not come in time.
    LateReply,
}

/// One connection to a process.
pub(crate) struct Link {
    stream: TcpStream,
    reader: ReplyReader,
    framing: Framing,
    owed: bool,
    chunk: Box<[u8]>,
    /// It announced that it ends cleanly.
    pub said_bye: bool,
}

impl Link {
    /// Takes a new connection, in the original's framing.
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            reader: ReplyReader::new(),
            framing: Framing::Legacy,
            owed: false,
            chunk: vec![0; CHUNK].into_boxed_slice(),
            said_bye: false,
        }
    }

    /// Agrees on newline framing if `client` knows it.
    ///
    /// # Errors
    /// [`LinkError`], also if it refuses what it offered.
    pub async fn upgrade(&mut self, client: &ClientId, deadline: Instant) -> Result<(), LinkError> {
        let knows = |hello: &protocol::reply::Hello| hello.framing.iter().any(|f| f == "newline");
        if !client.spp.as_ref().is_some_and(knows) {
            return Ok(());
        }
        let command = "_framing newline";
        let reply = self.exchange(command, deadline).await?;
        match protocol::verdict::judge(command, &reply) {
            protocol::verdict::Verdict::Done(_) => {
                self.framing = Framing::Newline;
                self.reader.set_framing(Framing::Newline);
                Ok(())
            }
            other => Err(LinkError::Nonsense(format!("{other:?} to {command}"))),
        }
    }

    /// Whether a reply has not come in time and is still awaited.
    pub fn owes_reply(&self) -> bool {
        self.owed
    }

    /// Sends `command` and waits for its reply.
    ///
    /// # Errors
    /// [`LinkError::Timeout`] leaves the connection usable; after any other, close it.
    pub async fn exchange(
        &mut self,
        command: &str,
        deadline: Instant,
    ) -> Result<Vec<u8>, LinkError> {
        if self.owed {
            self.reply(deadline).await?;
        }
        self.look_for_unasked()?;
        let mut line = command.to_owned();
        if self.framing == Framing::Newline {
            line.push('\n');
        }
        match timeout_at(deadline, self.stream.write_all(line.as_bytes())).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(LinkError::Closed),
            // A part may be sent: the rest would be read as another command.
            Err(_) => return Err(LinkError::Nonsense("nothing: it takes no bytes".to_owned())),
        }
        self.owed = true;
        self.reply(deadline).await
    }

    /// Waits while nothing is asked. Dropping it half-way loses nothing.
    ///
    /// # Errors
    /// [`LinkError`] when the connection closed or something came that nobody asked for.
    pub async fn idle(&mut self) -> Result<Idle, LinkError> {
        loop {
            if let Some(event) = self.unasked()? {
                return Ok(event);
            }
            let got = self
                .stream
                .read(&mut self.chunk)
                .await
                .map_err(|_| LinkError::Closed)?;
            self.take_in(got)?;
        }
    }

    async fn reply(&mut self, deadline: Instant) -> Result<Vec<u8>, LinkError> {
        loop {
            if let Some(reply) = self.next()? {
                self.owed = false;
                return Ok(reply);
            }
            let got = timeout_at(deadline, self.stream.read(&mut self.chunk)).await;
            let got = got
                .map_err(|_| LinkError::Timeout)?
                .map_err(|_| LinkError::Closed)?;
            self.take_in(got)?;
        }
    }

    /// What lies in the socket before a command is sent cannot be its reply.
    fn look_for_unasked(&mut self) -> Result<(), LinkError> {
        loop {
            match self.stream.try_read(&mut self.chunk) {
                Ok(got) => self.take_in(got)?,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                Err(_) => return Err(LinkError::Closed),
            }
            self.unasked()?;
        }
        self.unasked().map(|_| ())
    }

    fn unasked(&mut self) -> Result<Option<Idle>, LinkError> {
        match self.next()? {
            None => Ok(None),
            Some(_) if std::mem::take(&mut self.owed) => Ok(Some(Idle::LateReply)),
            Some(text) => Err(nonsense("what nobody asked for", &text)),
        }
    }

    /// The next message that is not a good-bye.
    fn next(&mut self) -> Result<Option<Vec<u8>>, LinkError> {
        loop {
            let taken = self.reader.take();
            match taken.map_err(|error| LinkError::Nonsense(error.to_string()))? {
                Some(text) if self.framing == Framing::Newline && text == BYE.as_bytes() => {
                    self.said_bye = true;
                }
                other => return Ok(other),
            }
        }
    }

    fn take_in(&mut self, got: usize) -> Result<(), LinkError> {
        if got == 0 {
            return Err(LinkError::Closed);
        }
        self.reader.push(&self.chunk[..got]);
        Ok(())
    }
}

fn nonsense(what: &str, text: &[u8]) -> LinkError {
    let text: String = String::from_utf8_lossy(text).chars().take(48).collect();
    LinkError::Nonsense(format!("{what}: {text:?}"))
}
