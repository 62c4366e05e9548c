//! The structures that a driver reads.

use std::ffi::c_void;
use std::mem::{align_of, size_of};
use std::ops::Range;
use std::ptr;

use dpdk_sys as ffi;

use super::{Cause, EthHeader, FlowAction, FlowAttributes, FlowMatch, VlanTag};

/// Room for a header of an item: at least as long as DPDK's, and zero where nothing is set.
#[repr(C, align(8))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header(pub [u8; 24]);

const _: () = assert!(
    size_of::<ffi::rte_flow_item_eth>() <= size_of::<Header>()
        && size_of::<ffi::rte_flow_item_vlan>() <= size_of::<Header>()
        && align_of::<ffi::rte_flow_item_eth>() <= align_of::<Header>()
        && align_of::<ffi::rte_flow_item_vlan>() <= align_of::<Header>()
);

impl Header {
    fn put(&mut self, at: u32, bytes: &[u8]) {
        let at = at as usize;
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

impl From<EthHeader> for Header {
    fn from(eth: EthHeader) -> Self {
        let mut header = Header([0; 24]);
        header.put(ffi::SPP_FLOW_ETH_DST, &eth.destination);
        header.put(ffi::SPP_FLOW_ETH_SRC, &eth.source);
        header.put(ffi::SPP_FLOW_ETH_TYPE, &eth.ether_type.to_be_bytes());
        header
    }
}

impl From<VlanTag> for Header {
    fn from(vlan: VlanTag) -> Self {
        let mut header = Header([0; 24]);
        header.put(ffi::SPP_FLOW_VLAN_TCI, &vlan.tci.to_be_bytes());
        header.put(ffi::SPP_FLOW_VLAN_INNER, &vlan.inner_type.to_be_bytes());
        header
    }
}

/// An item with its headers.
#[derive(Debug, Clone)]
struct Item {
    kind: u32,
    fields: FlowMatch<Header>,
}

/// An action with its configuration.
#[derive(Debug, Clone)]
enum Action {
    Jump(ffi::rte_flow_action_jump),
    Queue(ffi::rte_flow_action_queue),
    PopVlan,
    PushVlan(ffi::rte_flow_action_of_push_vlan),
    SetVlanVid(ffi::rte_flow_action_of_set_vlan_vid),
    SetVlanPcp(ffi::rte_flow_action_of_set_vlan_pcp),
}

impl Action {
    fn kind(&self) -> u32 {
        match self {
            Action::Jump(_) => ffi::RTE_FLOW_ACTION_TYPE_JUMP,
            Action::Queue(_) => ffi::RTE_FLOW_ACTION_TYPE_QUEUE,
            Action::PopVlan => ffi::RTE_FLOW_ACTION_TYPE_OF_POP_VLAN,
            Action::PushVlan(_) => ffi::RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN,
            Action::SetVlanVid(_) => ffi::RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_VID,
            Action::SetVlanPcp(_) => ffi::RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_PCP,
        }
    }

    fn configuration(&self) -> (*const c_void, usize) {
        fn of<T>(configuration: &T) -> (*const c_void, usize) {
            (ptr::from_ref(configuration).cast(), size_of::<T>())
        }
        match self {
            Action::Jump(c) => of(c),
            Action::Queue(c) => of(c),
            Action::PopVlan => (ptr::null(), 0),
            Action::PushVlan(c) => of(c),
            Action::SetVlanVid(c) => of(c),
            Action::SetVlanPcp(c) => of(c),
        }
    }
}

/// A rule, as a driver reads it. It owns all that it points at.
#[derive(Debug, Clone)]
pub struct FlowRule {
    attributes: ffi::rte_flow_attr,
    items: Vec<Item>,
    actions: Vec<Action>,
}

impl FlowRule {
    /// A rule without items and actions.
    pub fn new(attributes: FlowAttributes) -> Self {
        let mut attr = ffi::rte_flow_attr {
            group: attributes.group,
            priority: attributes.priority,
            ..Default::default()
        };
        attr.set_ingress(attributes.ingress.into());
        attr.set_egress(attributes.egress.into());
        attr.set_transfer(attributes.transfer.into());
        FlowRule {
            attributes: attr,
            items: Vec::new(),
            actions: Vec::new(),
        }
    }

    /// Appends an Ethernet header to the pattern.
    pub fn eth(&mut self, fields: FlowMatch<EthHeader>) {
        self.item(ffi::RTE_FLOW_ITEM_TYPE_ETH, fields);
    }

    /// Appends a VLAN tag to the pattern.
    pub fn vlan(&mut self, fields: FlowMatch<VlanTag>) {
        self.item(ffi::RTE_FLOW_ITEM_TYPE_VLAN, fields);
    }

    fn item<T: Into<Header>>(&mut self, kind: u32, fields: FlowMatch<T>) {
        self.items.push(Item {
            kind,
            fields: FlowMatch {
                spec: fields.spec.map(Into::into),
                last: fields.last.map(Into::into),
                mask: fields.mask.map(Into::into),
            },
        });
    }

    /// Appends an action.
    pub fn action(&mut self, action: FlowAction) {
        self.actions.push(match action {
            FlowAction::Jump(group) => Action::Jump(ffi::rte_flow_action_jump { group }),
            FlowAction::Queue(index) => Action::Queue(ffi::rte_flow_action_queue { index }),
            FlowAction::PopVlan => Action::PopVlan,
            FlowAction::PushVlan(ethertype) => {
                Action::PushVlan(ffi::rte_flow_action_of_push_vlan {
                    ethertype: ethertype.to_be(),
                })
            }
            FlowAction::SetVlanVid(vid) => {
                Action::SetVlanVid(ffi::rte_flow_action_of_set_vlan_vid {
                    vlan_vid: vid.to_be(),
                })
            }
            FlowAction::SetVlanPcp(vlan_pcp) => {
                Action::SetVlanPcp(ffi::rte_flow_action_of_set_vlan_pcp { vlan_pcp })
            }
        });
    }

    /// The lists that DPDK's functions take, each with its end.
    pub(super) fn raw(&self) -> Raw<'_> {
        let part = |header: &Option<Header>| {
            header
                .as_ref()
                .map_or(ptr::null(), |header| ptr::from_ref(header).cast::<c_void>())
        };
        let items = self.items.iter().map(|item| ffi::rte_flow_item {
            type_: item.kind,
            spec: part(&item.fields.spec),
            last: part(&item.fields.last),
            mask: part(&item.fields.mask),
        });
        let actions = self.actions.iter().map(|action| ffi::rte_flow_action {
            type_: action.kind(),
            conf: action.configuration().0,
        });
        Raw {
            rule: self,
            attributes: &self.attributes,
            items: items
                .chain([ffi::rte_flow_item {
                    type_: ffi::RTE_FLOW_ITEM_TYPE_END,
                    spec: ptr::null(),
                    last: ptr::null(),
                    mask: ptr::null(),
                }])
                .collect(),
            actions: actions
                .chain([ffi::rte_flow_action {
                    type_: ffi::RTE_FLOW_ACTION_TYPE_END,
                    conf: ptr::null(),
                }])
                .collect(),
        }
    }
}

/// A rule for one call.
pub(super) struct Raw<'a> {
    rule: &'a FlowRule,
    pub attributes: &'a ffi::rte_flow_attr,
    pub items: Vec<ffi::rte_flow_item>,
    pub actions: Vec<ffi::rte_flow_action>,
}

impl Raw<'_> {
    /// The part that a driver points at.
    pub fn find(&self, cause: *const c_void) -> Option<Cause> {
        let place = cause as usize;
        let within = |start: *const c_void, size: usize| {
            !start.is_null() && Range::contains(&(start as usize..start as usize + size), &place)
        };
        fn whole<T>(of: &T) -> (*const c_void, usize) {
            (ptr::from_ref(of).cast(), size_of::<T>())
        }
        let (start, size) = whole(self.attributes);
        if within(start, size) {
            return Some(Cause::Attributes);
        }
        let item = self.items.iter().position(|item| {
            let (start, size) = whole(item);
            let parts = [item.spec, item.last, item.mask];
            within(start, size)
                || parts
                    .into_iter()
                    .any(|part| within(part, size_of::<Header>()))
        });
        if let Some(at) = item {
            return Some(Cause::Item(at + 1));
        }
        let action = self.actions.iter().enumerate().position(|(at, action)| {
            let (start, size) = whole(action);
            let own = self.rule.actions.get(at).map(Action::configuration);
            within(start, size) || own.is_some_and(|(start, size)| within(start, size))
        });
        action.map(|at| Cause::Action(at + 1))
    }
}
