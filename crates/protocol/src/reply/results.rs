//! Replies of `vf`, `mirror` and `pcap`, which have a `results` array.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::command::component::Rejection;
use crate::json;

/// Said of what was understood and failed.
const FAILED: &str = "error occur";

/// One element of `results`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultEntry {
    /// `success`, `error` or `invalid`.
    pub result: String,
    /// Given with `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_details: Option<ErrorDetails>,
}

/// What `error_details` holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetails {
    /// The reason, in the original's words.
    pub message: String,
    /// The reason in full, from processes of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A reply of `vf`, `mirror` or `pcap`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VfReply {
    /// One element for the one command.
    pub results: Vec<ResultEntry>,
    /// Answer to `_get_client_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<i64>,
    /// Answer to `_get_client_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_type: Option<String>,
    /// Answer to `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<Value>,
}

impl ResultEntry {
    /// It took effect.
    pub fn success() -> Self {
        Self {
            result: "success".to_owned(),
            error_details: None,
        }
    }
}

impl VfReply {
    fn of(entry: ResultEntry) -> Self {
        Self {
            results: vec![entry],
            client_id: None,
            process_type: None,
            info: None,
        }
    }

    fn error(message: String, reason: Option<String>) -> Self {
        Self::of(ResultEntry {
            result: "error".to_owned(),
            error_details: Some(ErrorDetails { message, reason }),
        })
    }

    /// Answer to a command that took effect, or the original's reason why it did not.
    pub fn new<E: ToString>(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::of(ResultEntry::success()),
            Err(message) => Self::error(message.to_string(), None),
        }
    }

    /// Answer to what cannot be taken.
    pub fn rejected(rejected: Rejection) -> Self {
        Self::error(rejected.refusal.to_string(), rejected.reason)
    }

    /// Answer to what was understood: it took effect, or why it failed.
    pub fn done<E: ToString>(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::of(ResultEntry::success()),
            Err(reason) => Self::error(FAILED.to_owned(), Some(reason.to_string())),
        }
    }

    /// Answer to a question such as `status`; types of this crate always serialize.
    pub fn status<T: Serialize>(info: &T) -> Self {
        Self {
            info: serde_json::to_value(info).ok(),
            ..Self::of(ResultEntry::success())
        }
    }

    /// The bytes of the wire, without a newline.
    pub fn to_json(&self) -> String {
        json::wide(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::component::Refusal;
    use crate::reply::{ClientId, ProcessKind};

    #[test]
    fn replies_are_the_bytes_of_the_original_with_the_reason_behind() {
        assert_eq!(
            VfReply::new(Ok::<(), String>(())).to_json(),
            r#"{ "results": [ { "result": "success" } ] }"#
        );
        assert_eq!(
            VfReply::rejected(Refusal::PORT.into()).to_json(),
            r#"{ "results": [ { "result": "error", "error_details": { "message": "Invalid value (port)" } } ] }"#
        );
        assert_eq!(
            VfReply::done(Err("no")).to_json(),
            r#"{ "results": [ { "result": "error", "error_details": { "message": "error occur", "reason": "no" } } ] }"#
        );
        let hello = ClientId {
            spp: None,
            ..ClientId::new(ProcessKind::Vf, 2, "", "")
        };
        assert_eq!(
            hello.to_json(),
            r#"{ "results": [ { "result": "success" } ], "client_id": 2, "process_type": "vf" }"#
        );
    }
}
