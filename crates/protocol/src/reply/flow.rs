//! Replies to `flow` commands.

use serde::{Deserialize, Serialize};

use crate::flow::FlowError;
use crate::json;

/// Reply to a `flow` command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FlowReply {
    /// `success` or `error`.
    pub result: String,
    /// What happened; may hold line breaks.
    pub message: String,
    /// Only for `create`; empty when the driver refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
    /// The reason and the remedy, where the message has none. Only ours has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What was being done when a driver refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowStep {
    /// `validate`
    Validate,
    /// `create`
    Create,
    /// `destroy`
    Destroy,
}

/// A driver's refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// Number of the error's type (`enum rte_flow_error_type`), and its text.
    pub kind: (u32, &'a str),
    /// The address that the driver gave as the cause; 0 without one.
    pub cause: usize,
    /// The driver's own words.
    pub message: Option<&'a str>,
    /// Text of `rte_errno`.
    pub errno: &'a str,
}

impl FlowReply {
    fn new(result: &str, message: String) -> Self {
        Self {
            result: result.to_owned(),
            message,
            rule_id: None,
            error: None,
        }
    }

    /// The driver would take the rule.
    pub fn validated() -> Self {
        Self::new("success", "Flow rule validated".to_owned())
    }

    /// The rule is made, under this id.
    pub fn created(id: u64) -> Self {
        Self {
            rule_id: Some(id.to_string()),
            ..Self::new("success", format!("Flow rule #{id} created"))
        }
    }

    /// The rule is gone.
    pub fn destroyed(id: u64) -> Self {
        Self::new("success", format!("Flow rule #{id} destroyed"))
    }

    /// All rules of the port are gone.
    pub fn destroyed_all() -> Self {
        Self::new("success", "Flow rule all destroyed".to_owned())
    }

    /// There is no rule with this id.
    pub fn not_found(id: i64) -> Self {
        Self::new("error", format!("Flow rule #{id} not found"))
    }

    /// There is no port to destroy rules of.
    pub fn invalid_port(port: u16) -> Self {
        Self::new("error", format!("Invalid port {port}"))
    }

    /// The words are no command.
    pub fn invalid(error: &FlowError) -> Self {
        Self::failed("Flow command invalid argument", error.to_string())
    }

    /// A failure, with its reason.
    pub fn failed(message: &str, reason: String) -> Self {
        Self {
            error: Some(reason),
            ..Self::new("error", message.to_owned())
        }
    }

    /// The driver refused; `reason` says what that means for the one who asked.
    pub fn refused(step: FlowStep, refusal: &Refusal<'_>, reason: String) -> Self {
        let word = match step {
            FlowStep::Validate => "validate",
            FlowStep::Create => "create",
            FlowStep::Destroy => "destroy",
        };
        let (number, text) = refusal.kind;
        let cause = match refusal.cause {
            0 => String::new(),
            address => format!("cause: {address:#x}\n"),
        };
        let message = refusal.message.unwrap_or("(no stated reason)");
        let errno = refusal.errno;
        let mut reply = Self::failed(
            &format!(
                "Flow {word} error\nerror type: {number} ({text})\n{cause}error message: {message}\nrte_errno: {errno}"
            ),
            reason,
        );
        reply.rule_id = (step == FlowStep::Create).then(String::new);
        reply
    }

    /// The bytes of the wire (with blanks, unlike the other replies), without a newline.
    pub fn to_json(&self) -> String {
        json::spaced(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::FlowCommand;

    const UNSUPPORTED: Refusal<'_> = Refusal {
        kind: (1, "Cause unspecified"),
        cause: 0,
        message: Some("Function not implemented"),
        errno: "Function not implemented",
    };

    #[test]
    fn replies_are_the_bytes_of_the_original_then_our_reason() {
        let refused = |step| FlowReply::refused(step, &UNSUPPORTED, "no rules".into());
        let invalid = FlowCommand::parse("create phy:0 up").unwrap_err();
        for (reply, expected) in [
            (
                FlowReply::validated(),
                r#"{"result": "success", "message": "Flow rule validated"}"#,
            ),
            (
                FlowReply::created(3),
                r#"{"result": "success", "message": "Flow rule #3 created", "rule_id": "3"}"#,
            ),
            (
                FlowReply::destroyed(0),
                r#"{"result": "success", "message": "Flow rule #0 destroyed"}"#,
            ),
            (
                FlowReply::destroyed_all(),
                r#"{"result": "success", "message": "Flow rule all destroyed"}"#,
            ),
            (
                FlowReply::not_found(-1),
                r#"{"result": "error", "message": "Flow rule #-1 not found"}"#,
            ),
            (
                FlowReply::invalid_port(9),
                r#"{"result": "error", "message": "Invalid port 9"}"#,
            ),
            (
                FlowReply::invalid(&invalid),
                r#"{"result": "error", "message": "Flow command invalid argument", "error": "'up' is no attribute: write group N, priority N, ingress, egress or transfer, then pattern"}"#,
            ),
            (
                refused(FlowStep::Validate),
                r#"{"result": "error", "message": "Flow validate error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented", "error": "no rules"}"#,
            ),
            (
                refused(FlowStep::Create),
                r#"{"result": "error", "message": "Flow create error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented", "rule_id": "", "error": "no rules"}"#,
            ),
            (
                refused(FlowStep::Destroy),
                r#"{"result": "error", "message": "Flow destroy error\nerror type: 1 (Cause unspecified)\nerror message: Function not implemented\nrte_errno: Function not implemented", "error": "no rules"}"#,
            ),
        ] {
            assert_eq!(reply.to_json(), expected);
        }
    }

    #[test]
    fn a_drivers_words_do_not_break_the_reply() {
        let refusal = Refusal {
            kind: (13, "Specific pattern item"),
            cause: 0x7f00_1234,
            message: Some("a \"quote\", a \\ and \u{fffd}"),
            errno: "Invalid argument",
        };
        let text = FlowReply::refused(FlowStep::Validate, &refusal, String::new()).to_json();
        assert!(text.is_ascii(), "{text}");
        let read: FlowReply = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read.message,
            "Flow validate error\nerror type: 13 (Specific pattern item)\ncause: 0x7f001234\n\
             error message: a \"quote\", a \\ and \u{fffd}\nrte_errno: Invalid argument"
        );
        let silent = Refusal {
            message: None,
            ..UNSUPPORTED
        };
        let reply = FlowReply::refused(FlowStep::Destroy, &silent, String::new());
        assert!(
            reply
                .message
                .contains("error message: (no stated reason)\n")
        );
    }
}
