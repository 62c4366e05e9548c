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

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use std::time::Duration;

    use super::*;

    /// Lets a future run until it waits.
    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn reply(text: &str) -> Reply {
        Ok(Arc::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn only_an_exchange_that_has_not_begun_is_shared() {
        let questions = Questions::default();
        let (soon, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let mut first = pin!(questions.ask("status", soon));
        assert!(poll(first.as_mut()).is_pending());
        let begun = questions.take();
        assert_eq!(begun.len(), 1);

        let mut second = pin!(questions.ask("status", later));
        let mut third = pin!(questions.ask("status", soon));
        let mut other = pin!(questions.ask("_detail", soon));
        assert!(poll(second.as_mut()).is_pending());
        assert!(poll(third.as_mut()).is_pending());
        assert!(poll(other.as_mut()).is_pending());
        for question in begun {
            question.answer(&reply("old"));
        }
        assert_eq!(poll(first), Poll::Ready(reply("old")));
        assert!(
            poll(second.as_mut()).is_pending(),
            "it asked after that one began"
        );

        let mut next = questions.take();
        assert_eq!(next.len(), 2);
        let status = next.remove(0);
        assert_eq!(
            (status.command.as_str(), status.deadline),
            ("status", later)
        );
        status.answer(&reply("new"));
        assert_eq!(poll(second), Poll::Ready(reply("new")));
        assert_eq!(poll(third), Poll::Ready(reply("new")));
        assert!(poll(other).is_pending());
        assert!(questions.take().is_empty());
    }

    #[test]
    fn who_gives_up_takes_nothing_from_others() {
        let questions = Questions::default();
        let mut stays = pin!(questions.ask("status", Instant::now()));
        {
            let mut leaves = pin!(questions.ask("status", Instant::now()));
            assert!(poll(leaves.as_mut()).is_pending());
            assert!(poll(stays.as_mut()).is_pending());
        }
        let question = questions.take().remove(0);
        assert!(!question.is_abandoned());
        question.answer(&reply("status"));
        assert_eq!(poll(stays), Poll::Ready(reply("status")));

        {
            let mut leaves = pin!(questions.ask("status", Instant::now()));
            assert!(poll(leaves.as_mut()).is_pending());
        }
        assert!(questions.take().remove(0).is_abandoned());
    }

    #[test]
    fn a_closed_connection_answers_nobody() {
        let questions = Questions::default();
        let mut waits = pin!(questions.ask("status", Instant::now()));
        assert!(poll(waits.as_mut()).is_pending());
        questions.close();
        assert_eq!(poll(waits), Poll::Ready(Err(LinkError::Closed)));
        let late = pin!(questions.ask("status", Instant::now()));
        assert_eq!(poll(late), Poll::Ready(Err(LinkError::Closed)));
        assert!(!is_question("stop") && is_question("_detail"));
    }
}
