//! Why words are no flow command.

use thiserror::Error;

use crate::port::PortError;

/// Why words are no flow command. Words that came from outside are cut and without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlowError {
    /// The first word is none of ours.
    #[error(
        "'{0}' is no flow command: write validate, create or destroy (the rules that are there are shown by status)"
    )]
    Command(String),
    /// The command ends too early.
    #[error("{what} is missing after '{after}'")]
    Missing {
        /// The last word; `flow` if there was none.
        after: String,
        /// What was expected.
        what: &'static str,
    },
    /// There is no port where one has to be.
    #[error("flow: {0}")]
    Port(PortError),
    /// The port has no hardware, or a queue was given.
    #[error("flow: '{0}' has no flow rules: write a physical port without a queue, such as phy:0")]
    NotPhysical(String),
    /// A word before `pattern` is none that belongs there.
    #[error(
        "'{0}' is no attribute: write group N, priority N, ingress, egress or transfer, then pattern"
    )]
    Attribute(String),
    /// A number is none, or out of range.
    #[error("{what} '{word}' is no number from {least} to {most}")]
    Number {
        /// Which number.
        what: &'static str,
        /// What was written.
        word: String,
        /// The least.
        least: i64,
        /// The greatest.
        most: i64,
    },
    /// Six bytes were expected.
    #[error(
        "{what} '{word}' is no MAC address: write six bytes in hexadecimal, such as 02:00:00:00:00:01"
    )]
    Mac {
        /// Which address.
        what: &'static str,
        /// What was written.
        word: String,
    },
    /// The pattern has no item.
    #[error("the pattern is empty: write one item or more, such as pattern eth / end")]
    NoItem,
    /// There is no action.
    #[error("the actions are empty: write one or more, such as actions queue index 0 / end")]
    NoAction,
    /// An item is not known.
    #[error("'{0}' is no item: write eth or vlan, or end")]
    Item(String),
    /// A field is not known.
    #[error("'{word}' is no field of {item}: write {known}, or / for the next item")]
    Field {
        /// The item.
        item: &'static str,
        /// What was written.
        word: String,
        /// Its fields.
        known: &'static str,
    },
    /// Not one of the operators.
    #[error(
        "'{word}' says nothing about {field}: write is, spec, last, mask or prefix, and a value"
    )]
    Operator {
        /// The field.
        field: &'static str,
        /// What was written.
        word: String,
    },
    /// An action is not known.
    #[error(
        "'{0}' is no action: write jump, queue, of_pop_vlan, of_push_vlan, of_set_vlan_vid or of_set_vlan_pcp, or end"
    )]
    Action(String),
    /// An action is not followed by its field.
    #[error("'{word}' does not belong to {action}: write {action} {field} N")]
    ActionField {
        /// The action.
        action: &'static str,
        /// What was written.
        word: String,
        /// Its field.
        field: &'static str,
    },
    /// Something else than `/` between two elements.
    #[error("'{word}' follows {after}: write / between elements and end after the last")]
    Separator {
        /// The element before it.
        after: &'static str,
        /// What was written.
        word: String,
    },
    /// After the pattern comes something else than `actions`.
    #[error("'{0}' follows the pattern: write actions")]
    NotActions(String),
    /// There is a word too many.
    #[error("'{0}' is one word too many")]
    Surplus(String),
}
