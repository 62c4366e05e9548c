//! Errors of REST, in the form of the original's clients and in that of RFC 9457.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use protocol::command::component::Refusal;
use protocol::json;
use protocol::rest::Problem;
use thiserror::Error;

use super::guard::Denied;
use crate::peer::PeerError;
use crate::state::JournalError;

pub(super) const PROBLEM: &str = "application/problem+json";

/// Longest value or path that is quoted, in characters.
const QUOTED: usize = 200;

/// Why a request has no effect.
#[derive(Debug, Clone, Error)]
pub(crate) enum RestError {
    #[error("Not in json format.")]
    NotJson,
    #[error("The body has more than {0} bytes.")]
    TooLarge(usize),
    #[error("The body did not arrive in time.")]
    SlowBody,
    #[error("key({0}) required.")]
    Missing(&'static str),
    #[error("invalid key({key}): {value}.")]
    Invalid {
        key: &'static str,
        value: String,
        /// Said to clients of ours only: the text above is compared by others.
        reason: String,
    },
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    NotKept(#[from] JournalError),
    #[error("the document cannot be taken: {0}")]
    Document(String),
    #[error("command error: {0}")]
    CommandError(String),
    /// A number out of its range, in the words of the original's processes: theirs never see it.
    #[error("command error: {refusal}")]
    OutOfRange {
        refusal: Refusal,
        /// Said to clients of ours only.
        reason: &'static str,
    },
    #[error("sec_id {0} not found.")]
    NoProcess(String),
    #[error("primary not found.")]
    NoPrimary,
    #[error("Not found.")]
    NotFound,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("{0}")]
    Busy(String),
    #[error("{0}")]
    Internal(String),
    #[error("Method not allowed.")]
    Method(Arc<str>),
    #[error(transparent)]
    Peer(#[from] PeerError),
}

impl RestError {
    /// A value that cannot be taken, with the reason.
    pub fn invalid(key: &'static str, value: &str, reason: impl ToString) -> Self {
        let value = value.chars().take(QUOTED).collect();
        Self::Invalid {
            key,
            value,
            reason: reason.to_string(),
        }
    }

    /// Status codes: for the original's clients, and the finer one.
    fn status(&self) -> (StatusCode, StatusCode) {
        use StatusCode as S;
        match self {
            Self::NotJson
            | Self::Missing(_)
            | Self::Document(_)
            | Self::Invalid { .. }
            | Self::OutOfRange { .. }
            | Self::Peer(PeerError::Unsendable { .. }) => (S::BAD_REQUEST, S::BAD_REQUEST),
            Self::TooLarge(_) => (S::BAD_REQUEST, S::PAYLOAD_TOO_LARGE),
            Self::SlowBody => (S::BAD_REQUEST, S::REQUEST_TIMEOUT),
            Self::Refused(_) | Self::CommandError(_) => (S::BAD_REQUEST, S::CONFLICT),
            Self::NoProcess(_) | Self::NoPrimary | Self::NotFound => (S::NOT_FOUND, S::NOT_FOUND),
            Self::NotKept(_) => (S::INTERNAL_SERVER_ERROR, S::INSUFFICIENT_STORAGE),
            Self::Denied(denied) => (denied.status().0, denied.status().0),
            Self::Busy(_) => (S::SERVICE_UNAVAILABLE, S::SERVICE_UNAVAILABLE),
            Self::Internal(_) => (S::INTERNAL_SERVER_ERROR, S::INTERNAL_SERVER_ERROR),
            Self::Method(_) => (S::METHOD_NOT_ALLOWED, S::METHOD_NOT_ALLOWED),
            Self::Peer(PeerError::NotResponding { .. }) => {
                (S::INTERNAL_SERVER_ERROR, S::GATEWAY_TIMEOUT)
            }
            Self::Peer(PeerError::Closed { .. } | PeerError::Nonsense { .. }) => {
                (S::INTERNAL_SERVER_ERROR, S::BAD_GATEWAY)
            }
        }
    }

    /// The response to a request of `path`.
    pub fn render(self, path: &str, problem: bool) -> Response {
        let (plain, fine) = self.status();
        let text = match &self {
            Self::NotFound => format!("Not found: '{}'", relative(path)),
            other => other.to_string(),
        };
        let (status, kind, body) = if problem {
            let detail = match &self {
                Self::Invalid { reason, .. } => format!("{text} {reason}"),
                Self::OutOfRange { reason, .. } => format!("{text}. {reason}"),
                _ => text,
            };
            let problem = Problem {
                kind: "about:blank".to_owned(),
                title: fine.canonical_reason().unwrap_or_default().to_owned(),
                status: fine.as_u16(),
                detail,
            };
            (fine, PROBLEM, json::spaced(&problem))
        } else {
            (plain, "text/plain", text)
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Self::Method(allow) = &self
            && let Ok(allow) = HeaderValue::from_str(allow)
        {
            response.headers_mut().insert(ALLOW, allow);
        }
        if let Self::Denied(denied) = self
            && let (_, Some((name, value))) = denied.status()
        {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl IntoResponse for RestError {
    /// Only carries the error to where the form is known.
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Whether the client names `application/problem+json` in `Accept`.
pub(crate) fn accepts_problems(headers: &HeaderMap) -> bool {
    let ranges = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    ranges.flat_map(|value| value.split(',')).any(|range| {
        let kind = range.split(';').next().unwrap_or_default();
        kind.trim().eq_ignore_ascii_case(PROBLEM)
    })
}

/// The path as the original's sub-applications name it: relative to the innermost of them.
fn relative(path: &str) -> String {
    const PREFIXES: [&str; 7] = [
        "/v1/primary/flow_rules",
        "/v1/primary",
        "/v1/nfvs",
        "/v1/vfs",
        "/v1/mirrors",
        "/v1/pcaps",
        "/v1",
    ];
    let below = |prefix: &&str| {
        let rest = path.strip_prefix(prefix)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    };
    let rest = PREFIXES.iter().find_map(below).unwrap_or(path);
    if rest.is_empty() {
        "/".to_owned()
    } else {
        rest.chars().take(QUOTED).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_paths_are_named_as_the_original_does() {
        for (path, shown) in [
            ("/v1/vfs/1/x", "/1/x"),
            ("/v1/vfs", "/"),
            ("/v1/vfs/", "/"),
            ("/v1", "/"),
            ("/", "/"),
            ("/v1/primary/flow_rules", "/"),
            ("/v1/nope", "/nope"),
            ("/nope", "/nope"),
            ("/v1/processes/", "/processes/"),
            ("/v1/vfsx", "/vfsx"),
            ("/v1/primary/flow_rules/x/port_id/0", "/x/port_id/0"),
        ] {
            assert_eq!(relative(path), shown, "{path}");
        }
    }
}
