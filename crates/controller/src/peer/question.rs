//! Questions of several that are asked at the same time share one exchange.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::LinkError;

/// A reply, shared by those who asked.
pub(crate) type Reply = Result<Arc<Vec<u8>>, LinkError>;

/// Whether `command` changes nothing, so that one reply is as good for several.
pub(super) fn is_question(command: &str) -> bool {
    matches!(command, "status" | "_detail")
}

/// A question, and those who wait for its answer.
pub(super) struct Question {
    pub command: String,
    /// The latest of those who wait.
    pub deadline: Instant,
    waiting: Vec<oneshot::Sender<Reply>>,
}

impl Question {
    /// Whether all have given up.
    pub fn is_abandoned(&self) -> bool {
        self.waiting.iter().all(oneshot::Sender::is_closed)
    }

    /// Gives all of them the reply.
    pub fn answer(self, reply: &Reply) {
        for waiting in self.waiting {
            // Who has given up wants no answer.
            let _ = waiting.send(reply.clone());
        }
    }
}

/// Questions whose exchange has not begun: whoever comes then may join, and gets nothing stale.
#[derive(Default)]
pub(super) struct Questions {
    open: Mutex<Open>,
    asked: Notify,
}

#[derive(Default)]
struct Open {
    questions: Vec<Question>,
    closed: bool,
}

impl Questions {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks `command`, alone or together with others.
    ///
    /// Giving up the wait takes nothing away from the others.
    pub async fn ask(&self, command: &str, deadline: Instant) -> Reply {
        let (sender, reply) = oneshot::channel();
        {
            let mut open = self.open();
            if open.closed {
                return Err(LinkError::Closed);
            }
            let same = |question: &&mut Question| question.command == command;
            match open.questions.iter_mut().find(same) {
                Some(question) => {
                    question.deadline = question.deadline.max(deadline);
                    question.waiting.push(sender);
                }
                None => open.questions.push(Question {
                    command: command.to_owned(),
                    deadline,
                    waiting: vec![sender],
                }),
            }
        }
        self.asked.notify_one();
        reply.await.unwrap_or(Err(LinkError::Closed))
    }

    /// Waits for questions.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Takes out what was asked, to begin with it: nobody joins any more.
    pub fn take(&self) -> Vec<Question> {
        std::mem::take(&mut self.open().questions)
    }

    /// Nobody will answer any more.
    pub fn close(&self) {
        let mut open = self.open();
        open.closed = true;
        open.questions.clear();
    }
}
