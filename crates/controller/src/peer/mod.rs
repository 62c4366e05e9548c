//! A connected process: a handle that anybody may ask, and the task that owns its connection.

mod link;
mod question;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use protocol::command::MAX_COMMAND;
use protocol::reply::{Hello, ProcessKind};
use thiserror::Error;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::config::Limits;
use crate::metrics::Times;
use crate::table::Table;
pub(crate) use link::{Idle, Link, LinkError};
pub(crate) use question::Reply;
use question::{Questions, is_question};

/// Commands that may wait for one process.
const QUEUE: usize = 64;

/// The original's `vf`, `mirror` and `pcap` keep a command in a buffer of 888 bytes.
const MAX_VF_COMMAND: usize = 887;

/// Words of a command that its `primary` and `nfv` have room for; they do not count them.
const MAX_PANEL_WORDS: usize = 47;

/// Why a process did not answer.
#[derive(Debug, Clone, Error)]
pub(crate) enum PeerError {
    /// The limit passed.
    #[error(
        "{name} did not answer within {limit:?}: it is busy or hangs (its log says more); its last answer came at {last}"
    )]
    NotResponding {
        name: String,
        limit: Duration,
        last: String,
    },
    /// The connection closed.
    #[error("{name} closed the connection before it answered: it has ended or is restarting")]
    Closed { name: String },
    /// What came is no reply.
    #[error("{name} answered nonsense: {words}")]
    Nonsense { name: String, words: String },
    /// The command cannot be sent.
    #[error("the command cannot be sent to {name}: {words}")]
    Unsendable { name: String, words: String },
}

struct Request {
    command: String,
    deadline: Instant,
    reply: oneshot::Sender<Reply>,
}

/// A connected process. Commands to it are sent one after the other, in the order of asking.
pub(crate) struct Peer {
    /// Tells connections apart.
    pub serial: u64,
    /// What it is.
    pub kind: ProcessKind,
    /// Its id; 0 for the primary.
    pub id: u32,
    /// Present in processes of ours; `None` in those of the original.
    pub hello: Option<Hello>,
    requests: mpsc::Sender<Request>,
    questions: Questions,
    closing: Notify,
    responding: AtomicBool,
    /// When it last answered, in seconds since 1970.
    answered: AtomicI64,
    leaving: AtomicBool,
    touched: Notify,
    /// How long its answers took.
    pub times: Times,
}

/// The task of a peer before it is started.
pub(crate) struct Actor {
    peer: Arc<Peer>,
    link: Link,
    requests: mpsc::Receiver<Request>,
    limits: Limits,
}

impl Peer {
    /// A handle for the process at the other end of `link`, and its task.
    pub fn new(
        kind: ProcessKind,
        id: u32,
        hello: Option<Hello>,
        link: Link,
        limits: Limits,
    ) -> (Arc<Self>, Actor) {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        let (sender, requests) = mpsc::channel(QUEUE);
        let peer = Arc::new(Self {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            kind,
            id,
            hello,
            requests: sender,
            questions: Questions::default(),
            closing: Notify::new(),
            responding: AtomicBool::new(true),
            answered: AtomicI64::new(seconds()),
            leaving: AtomicBool::new(false),
            touched: Notify::new(),
            times: Times::default(),
        });
        let actor = Actor {
            peer: peer.clone(),
            link,
            requests,
            limits,
        };
        (peer, actor)
    }

    /// `primary` or `nfv 1`.
    pub fn name(&self) -> String {
        process_name(self.kind, self.id)
    }

    /// Whether it answered when it was last asked.
    pub fn is_responding(&self) -> bool {
        self.responding.load(Ordering::Relaxed)
    }

    /// When it last answered; registering is an answer.
    pub fn last_answer(&self) -> String {
        in_utc(self.answered.load(Ordering::Relaxed))
    }

    /// It does not answer.
    pub fn not_responding(&self, limit: Duration) -> PeerError {
        PeerError::NotResponding {
            name: self.name(),
            limit,
            last: self.last_answer(),
        }
    }

    /// Closes the connection once the command that runs on it is done.
    pub fn close(&self) {
        self.closing.notify_one();
    }

    /// It acknowledged `exit`: nothing is asked of it any more.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether [`Self::leave`] was called.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// It was told to change something.
    pub fn touch(&self) {
        self.touched.notify_one();
    }

    /// Waits until [`Self::touch`] is called, or was since the last wait.
    pub async fn touched(&self) {
        self.touched.notified().await;
    }

    /// Sends `command` and gives the bytes of the reply, NULs within it included.
    ///
    /// A command that is still waiting for its turn when `limit` has passed is never sent. Those who
    /// ask for the status or the details at the same time share an exchange that began after all of
    /// them had asked.
    ///
    /// # Errors
    /// [`PeerError`]; never later than `limit`.
    pub async fn ask(&self, command: &str, limit: Duration) -> Result<Arc<Vec<u8>>, PeerError> {
        self.check_sendable(command)?;
        let deadline = Instant::now() + limit;
        let answer = timeout_at(deadline, async {
            if is_question(command) {
                return self.questions.ask(command, deadline).await;
            }
            let (sender, reply) = oneshot::channel();
            let request = Request {
                command: command.to_owned(),
                deadline,
                reply: sender,
            };
            self.requests
                .send(request)
                .await
                .map_err(|_| LinkError::Closed)?;
            reply.await.unwrap_or(Err(LinkError::Closed))
        });
        let name = || self.name();
        answer
            .await
            .unwrap_or(Err(LinkError::Timeout))
            .map_err(|error| match error {
                LinkError::Timeout => self.not_responding(limit),
                LinkError::Closed => PeerError::Closed { name: name() },
                LinkError::Nonsense(words) => PeerError::Nonsense {
                    name: name(),
                    words,
                },
            })
    }

    /// A line break would be a second command, and what is too long harms the original.
    fn check_sendable(&self, command: &str) -> Result<(), PeerError> {
        let original_vf = self.hello.is_none() && self.kind.has_results();
        let original_panel = self.hello.is_none() && !self.kind.has_results();
        let words_of = |command: &str| command.split_ascii_whitespace().count();
        let longest = if original_vf {
            MAX_VF_COMMAND
        } else {
            MAX_COMMAND
        };
        let words = if command.chars().any(char::is_control) {
            "it contains a control character".to_owned()
        } else if command.len() > longest {
            format!(
                "it has {} bytes, at most {longest} are taken",
                command.len()
            )
        } else if original_panel && words_of(command) > MAX_PANEL_WORDS {
            format!(
                "it has {} words, a {} of the original takes {MAX_PANEL_WORDS}",
                words_of(command),
                self.kind
            )
        } else {
            return Ok(());
        };
        Err(PeerError::Unsendable {
            name: self.name(),
            words,
        })
    }
}

/// Now, in seconds since 1970 by the clock of the wall.
fn seconds() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// A time as it is shown: `2026-01-31T23:59:59Z`.
pub(crate) fn in_utc(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|e| e.to_string(), |time| time.to_string())
}

/// `primary` or `nfv 1`.
pub(crate) fn process_name(kind: ProcessKind, id: u32) -> String {
    match kind {
        ProcessKind::Primary => kind.to_string(),
        kind => format!("{kind} {id}"),
    }
}

impl Actor {
    /// Serves requests until the connection ends; then takes the peer out of `table`.
    pub async fn run(mut self, table: Arc<Table>) {
        let reason = self.serve().await;
        let clean = self.link.said_bye || self.peer.is_leaving();
        log::info!("{}: {reason}", self.peer.name());
        table.closed(&self.peer, &reason, clean);
        self.peer.questions.close();
        self.requests.close();
        while let Some(request) = self.requests.recv().await {
            // Whoever asked may have given up: then nobody wants the answer.
            let _ = request.reply.send(Err(LinkError::Closed));
        }
    }

    /// Gives the reason why the connection is of no use any more.
    async fn serve(&mut self) -> String {
        let mut next_probe = Instant::now() + self.limits.probe_every;
        loop {
            tokio::select! {
                biased;
                () = self.peer.closing.notified() => return "replaced or shut down".to_owned(),
                Some(request) = self.requests.recv() => {
                    if let Err(reason) = self.answer(request).await {
                        return reason;
                    }
                    // A stream of commands must not keep questions waiting.
                    if let Err(reason) = self.answer_questions().await {
                        return reason;
                    }
                }
                () = self.peer.questions.asked() => {
                    if let Err(reason) = self.answer_questions().await {
                        return reason;
                    }
                }
                event = self.link.idle() => match event {
                    Ok(Idle::LateReply) => {
                        log::warn!("{}: a late reply is thrown away", self.peer.name());
                        self.set_responding(true);
                    }
                    Err(error) => return self.describe(&error),
                },
                () = sleep_until(next_probe) => {
                    if self.peer.is_leaving() {
                        return "ended, but did not close its connection in time".to_owned();
                    }
                    if let Err(reason) = self.probe().await {
                        return reason;
                    }
                }
            }
            let leaving = self.peer.is_leaving();
            let pause = if leaving {
                self.limits.command
            } else {
                self.limits.probe_every
            };
            next_probe = Instant::now() + pause;
        }
    }

    /// Sends a command that somebody asked for, and notes how long the reply took.
    async fn exchange(&mut self, command: &str, deadline: Instant) -> Result<Vec<u8>, LinkError> {
        let start = Instant::now();
        let result = self.link.exchange(command, deadline).await;
        self.peer.times.note(command, start.elapsed());
        result
    }

    async fn answer(&mut self, request: Request) -> Result<(), String> {
        // Nobody waits any more: the command must not take effect after its failure was reported.
        if request.reply.is_closed() || Instant::now() >= request.deadline {
            let _ = request.reply.send(Err(LinkError::Timeout));
            return Ok(());
        }
        let result = self.exchange(&request.command, request.deadline).await;
        let outcome = self.note(result.as_ref().err());
        let _ = request.reply.send(result.map(Arc::new));
        outcome
    }

    async fn answer_questions(&mut self) -> Result<(), String> {
        for question in self.peer.questions.take() {
            if question.is_abandoned() {
                continue;
            }
            let result = self.exchange(&question.command, question.deadline).await;
            let outcome = self.note(result.as_ref().err());
            question.answer(&result.map(Arc::new));
            outcome?;
        }
        Ok(())
    }

    /// Asks for the status, to know whether it still answers. What it owes comes by itself.
    async fn probe(&mut self) -> Result<(), String> {
        if self.link.owes_reply() {
            return Ok(());
        }
        let deadline = Instant::now() + self.limits.status;
        let result = self.link.exchange("status", deadline).await;
        self.note(result.as_ref().err())
    }

    /// Keeps the state of the peer after an exchange; an error is the reason to close.
    fn note(&mut self, error: Option<&LinkError>) -> Result<(), String> {
        match error {
            None => self.set_responding(true),
            Some(LinkError::Timeout) => self.set_responding(false),
            Some(error) => return Err(self.describe(error)),
        }
        Ok(())
    }

    fn set_responding(&self, now: bool) {
        if now {
            self.peer.answered.store(seconds(), Ordering::Relaxed);
        }
        let before = self.peer.responding.swap(now, Ordering::Relaxed);
        match (before, now) {
            (true, false) => log::warn!("{} does not respond", self.peer.name()),
            (false, true) => log::info!("{} responds again", self.peer.name()),
            _ => {}
        }
    }

    fn describe(&self, error: &LinkError) -> String {
        match error {
            LinkError::Closed if self.link.said_bye || self.peer.is_leaving() => "ended".to_owned(),
            LinkError::Closed => "closed its connection".to_owned(),
            LinkError::Timeout => "did not take a command in time".to_owned(),
            LinkError::Nonsense(words) => format!("connection closed, since it sent {words}"),
        }
    }
}
