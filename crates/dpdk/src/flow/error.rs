//! What a driver says when it refuses a rule.

use std::ffi::CStr;
use std::fmt;

use dpdk_sys as ffi;
use thiserror::Error;

use super::raw::Raw;

/// What a refusal is about (`enum rte_flow_error_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowErrorKind(pub u32);

/// The part of a rule that a driver points at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Group, priority or direction.
    Attributes,
    /// An item of the pattern, counted from 1.
    Item(usize),
    /// An action, counted from 1.
    Action(usize),
}

/// A refusal (`rte_flow_error`, `rte_errno`).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} ({}{})", message.as_deref().unwrap_or("(no stated reason)"), kind, Self::about(*cause))]
pub struct FlowError {
    /// What it is about.
    pub kind: FlowErrorKind,
    /// What the driver points at, if it is in the rule.
    pub cause: Option<Cause>,
    /// The address that the driver gave as the cause; 0 without one.
    pub address: usize,
    /// The driver's own words.
    pub message: Option<String>,
    /// `rte_errno`.
    pub errno: i32,
}

impl FlowErrorKind {
    /// Without a cause.
    pub const UNSPECIFIED: Self = Self(ffi::RTE_FLOW_ERROR_TYPE_UNSPECIFIED);

    /// The words that DPDK's documentation has for it.
    pub fn text(self) -> &'static str {
        match self.0 {
            ffi::RTE_FLOW_ERROR_TYPE_NONE => "No error",
            ffi::RTE_FLOW_ERROR_TYPE_UNSPECIFIED => "Cause unspecified",
            ffi::RTE_FLOW_ERROR_TYPE_HANDLE => "Flow rule (handle)",
            ffi::RTE_FLOW_ERROR_TYPE_ATTR_GROUP => "Group field",
            ffi::RTE_FLOW_ERROR_TYPE_ATTR_PRIORITY => "Priority field",
            ffi::RTE_FLOW_ERROR_TYPE_ATTR_INGRESS => "Ingress field",
            ffi::RTE_FLOW_ERROR_TYPE_ATTR_EGRESS => "Egress field",
            ffi::RTE_FLOW_ERROR_TYPE_ATTR_TRANSFER => "Transfer field",
            ffi::RTE_FLOW_ERROR_TYPE_ATTR => "Attributes structure",
            ffi::RTE_FLOW_ERROR_TYPE_ITEM_NUM => "Pattern length",
            ffi::RTE_FLOW_ERROR_TYPE_ITEM_SPEC => "Item specification",
            ffi::RTE_FLOW_ERROR_TYPE_ITEM_LAST => "Item specification range",
            ffi::RTE_FLOW_ERROR_TYPE_ITEM_MASK => "Item specification mask",
            ffi::RTE_FLOW_ERROR_TYPE_ITEM => "Specific pattern item",
            ffi::RTE_FLOW_ERROR_TYPE_ACTION_NUM => "Number of actions",
            ffi::RTE_FLOW_ERROR_TYPE_ACTION_CONF => "Action configuration",
            ffi::RTE_FLOW_ERROR_TYPE_ACTION => "Specific action",
            _ => "Unknown type",
        }
    }
}

impl fmt::Display for FlowErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl FlowError {
    /// The refusal that DPDK has for a port that does not exist (`ENODEV`).
    pub fn no_device() -> Self {
        let errno = libc::ENODEV;
        FlowError {
            kind: FlowErrorKind::UNSPECIFIED,
            cause: None,
            address: 0,
            message: Some(errno_text(errno)),
            errno,
        }
    }

    /// The text of `rte_errno` (`rte_strerror`).
    pub fn errno_text(&self) -> String {
        errno_text(self.errno)
    }

    /// Whether the driver knows no rules at all (`ENOSYS`).
    pub fn is_unsupported(&self) -> bool {
        self.errno == libc::ENOSYS
    }

    /// What the call that just failed left behind; `rule` is what it was given.
    pub(super) fn of(error: &ffi::rte_flow_error, rule: Option<&Raw<'_>>) -> Self {
        // SAFETY: reads a thread-local number.
        let errno = unsafe { ffi::spp_errno() };
        let message = (!error.message.is_null()).then(|| {
            // SAFETY: drivers give strings that live as long as they do.
            let text = unsafe { CStr::from_ptr(error.message) };
            text.to_string_lossy().into_owned()
        });
        FlowError {
            kind: FlowErrorKind(error.type_),
            cause: rule.and_then(|rule| rule.find(error.cause)),
            address: error.cause as usize,
            message,
            errno,
        }
    }

    fn about(cause: Option<Cause>) -> String {
        match cause {
            None => String::new(),
            Some(Cause::Attributes) => ": attributes".to_string(),
            Some(Cause::Item(n)) => format!(": item {n} of the pattern"),
            Some(Cause::Action(n)) => format!(": action {n}"),
        }
    }
}

fn errno_text(errno: i32) -> String {
    // SAFETY: the text is static or in a buffer of this thread, and copied at once.
    let text = unsafe { CStr::from_ptr(ffi::rte_strerror(errno)) };
    text.to_string_lossy().into_owned()
}
