//! Flow rules: which packets the hardware of a physical port sends where, in the words of testpmd.
//!
//! A rule has attributes, a pattern of items that a packet's headers have to match one after the other, and actions.
//! All values here are in host order; what a driver gets is made of them in the crate `dpdk`.

mod error;
mod object;
mod read;

use std::fmt;

pub use error::FlowError;

/// A command of the family `flow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowCommand {
    /// `flow validate phy:N RULE`: would the driver take it?
    Validate {
        /// The number in `phy:N`.
        port: u16,
        /// The rule.
        rule: Rule,
    },
    /// `flow create phy:N RULE`
    Create {
        /// The number in `phy:N`.
        port: u16,
        /// The rule.
        rule: Rule,
    },
    /// `flow destroy phy:N ID`
    Destroy {
        /// The number in `phy:N`.
        port: u16,
        /// Id of the rule. Ids that were given out are never negative.
        id: i64,
    },
    /// `flow destroy phy:N ALL`
    DestroyAll {
        /// The number in `phy:N`.
        port: u16,
    },
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rule {
    /// Where it belongs.
    pub attributes: Attributes,
    /// What packets look like, from the outermost header on; at least one item.
    pub pattern: Vec<Item>,
    /// What happens to them; at least one action.
    pub actions: Vec<Action>,
}

/// Where a rule belongs (`rte_flow_attr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Attributes {
    /// Group; packets begin in group 0.
    pub group: u32,
    /// Priority within the group; 0 comes first.
    pub priority: u32,
    /// Whether it is for what is received.
    pub ingress: bool,
    /// Whether it is for what is sent.
    pub egress: bool,
    /// Whether it is for the switch of the NIC.
    pub transfer: bool,
}

/// One header of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// An Ethernet header.
    Eth(Match<Eth>),
    /// A VLAN tag.
    Vlan(Match<Vlan>),
}

/// What the fields of a header have to be (`rte_flow_item`). Without `spec`, any header of the kind matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match<T> {
    /// Values, or the least ones of a range.
    pub spec: Option<T>,
    /// The greatest ones of a range.
    pub last: Option<T>,
    /// Which bits count; without it the driver's own choice.
    pub mask: Option<T>,
}

/// Without a constraint.
impl<T> Default for Match<T> {
    fn default() -> Self {
        Self {
            spec: None,
            last: None,
            mask: None,
        }
    }
}

/// Fields of an Ethernet header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Eth {
    /// Destination address.
    pub dst: [u8; 6],
    /// Source address.
    pub src: [u8; 6],
    /// EtherType.
    pub ether_type: u16,
}

/// Fields of a VLAN tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vlan {
    /// Tag control information: priority (PCP) in bits 15 to 13, drop eligible (DEI) in bit 12, VLAN id below
    /// (IEEE 802.1Q, 9.6).
    pub tci: u16,
    /// EtherType of what is tagged.
    pub inner_type: u16,
}

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// `jump group N`: the rules of another group are asked.
    Jump {
        /// The group.
        group: u32,
    },
    /// `queue index N`: it goes to a receive queue.
    Queue {
        /// The queue.
        index: u16,
    },
    /// `of_pop_vlan`: the outer tag is taken off.
    OfPopVlan,
    /// `of_push_vlan ethertype N`: a tag is put on.
    OfPushVlan {
        /// EtherType of the tag: 0x8100, 0x88a8.
        ethertype: u16,
    },
    /// `of_set_vlan_vid vlan_vid N`: the outer tag's VLAN id is set.
    OfSetVlanVid {
        /// VLAN id, 0 to 4095.
        vid: u16,
    },
    /// `of_set_vlan_pcp vlan_pcp N`: the outer tag's priority is set.
    OfSetVlanPcp {
        /// Priority, 0 to 7.
        pcp: u8,
    },
}

impl FlowCommand {
    /// The number in `phy:N`.
    pub fn port(&self) -> u16 {
        match *self {
            Self::Validate { port, .. }
            | Self::Create { port, .. }
            | Self::Destroy { port, .. }
            | Self::DestroyAll { port } => port,
        }
    }
}

impl Item {
    /// The word of the wire.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Eth(_) => "eth",
            Self::Vlan(_) => "vlan",
        }
    }
}

impl Action {
    /// The word of the wire.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Jump { .. } => "jump",
            Self::Queue { .. } => "queue",
            Self::OfPopVlan => "of_pop_vlan",
            Self::OfPushVlan { .. } => "of_push_vlan",
            Self::OfSetVlanVid { .. } => "of_set_vlan_vid",
            Self::OfSetVlanPcp { .. } => "of_set_vlan_pcp",
        }
    }
}

/// An address as it is read; status replies have capitals.
fn address(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Writes the fields of one part of an item. All of them, so that zeros are kept.
trait Written {
    fn write(&self, part: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

impl Written for Eth {
    fn write(&self, part: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dst, src) = (address(self.dst), address(self.src));
        let ether_type = self.ether_type;
        write!(
            f,
            " dst {part} {dst} src {part} {src} type {part} {ether_type:#06x}"
        )
    }
}

impl Written for Vlan {
    fn write(&self, part: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tci, inner_type } = self;
        write!(
            f,
            " tci {part} {tci:#06x} inner_type {part} {inner_type:#06x}"
        )
    }
}

impl<T: Written> fmt::Display for Match<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        [
            ("spec", &self.spec),
            ("last", &self.last),
            ("mask", &self.mask),
        ]
        .into_iter()
        .filter_map(|(part, fields)| Some((part, fields.as_ref()?)))
        .try_for_each(|(part, fields)| fields.write(part, f))
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Eth(constraint) => constraint.fmt(f),
            Self::Vlan(constraint) => constraint.fmt(f),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Jump { group } => write!(f, " group {group}"),
            Self::Queue { index } => write!(f, " index {index}"),
            Self::OfPopVlan => Ok(()),
            Self::OfPushVlan { ethertype } => write!(f, " ethertype {ethertype:#06x}"),
            Self::OfSetVlanVid { vid } => write!(f, " vlan_vid {vid}"),
            Self::OfSetVlanPcp { pcp } => write!(f, " vlan_pcp {pcp}"),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = &self.attributes;
        write!(f, "group {} priority {}", at.group, at.priority)?;
        for (set, word) in [
            (at.ingress, " ingress"),
            (at.egress, " egress"),
            (at.transfer, " transfer"),
        ] {
            f.write_str(if set { word } else { "" })?;
        }
        f.write_str(" pattern")?;
        self.pattern
            .iter()
            .try_for_each(|item| write!(f, " {item} /"))?;
        f.write_str(" end actions")?;
        self.actions
            .iter()
            .try_for_each(|action| write!(f, " {action} /"))?;
        f.write_str(" end")
    }
}

/// The words after `flow`.
impl fmt::Display for FlowCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Validate { port, rule } => write!(f, "validate phy:{port} {rule}"),
            Self::Create { port, rule } => write!(f, "create phy:{port} {rule}"),
            Self::Destroy { port, id } => write!(f, "destroy phy:{port} {id}"),
            Self::DestroyAll { port } => write!(f, "destroy phy:{port} ALL"),
        }
    }
}

#[cfg(test)]
mod tests;
