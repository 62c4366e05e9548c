//! Flow rules (`rte_flow`): which packets the hardware of a device sends where.
//!
//! A [`FlowRule`] is put together from values in host order and owns the structures that a driver reads.
//! [`FlowRules`] are the rules of one device: they hold the driver's handles, so that no handle is used after
//! the driver has forgotten it. All of it is for control threads; no function here touches an mbuf.

mod error;
mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

use dpdk_sys as ffi;

use crate::ethdev::EthDev;
pub use error::{Cause, FlowError, FlowErrorKind};
pub use raw::FlowRule;

/// Devices whose rules somebody holds.
static HELD: [AtomicBool; ffi::SPP_MAX_ETHPORTS as usize] =
    [const { AtomicBool::new(false) }; ffi::SPP_MAX_ETHPORTS as usize];

/// Where a rule belongs (`rte_flow_attr`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowAttributes {
    /// Group; packets begin in group 0.
    pub group: u32,
    /// Priority within the group; 0 comes first.
    pub priority: u32,
    /// For what is received.
    pub ingress: bool,
    /// For what is sent.
    pub egress: bool,
    /// For the switch of the NIC.
    pub transfer: bool,
}

/// Three of the same: values, the end of a range of them, and which bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowMatch<T> {
    /// Values; without them any header of the kind matches.
    pub spec: Option<T>,
    /// The greatest values of a range that begins with `spec`.
    pub last: Option<T>,
    /// Which bits count; without it the driver's own choice.
    pub mask: Option<T>,
}

/// An Ethernet header (`rte_flow_item_eth`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EthHeader {
    /// Destination address.
    pub destination: [u8; 6],
    /// Source address.
    pub source: [u8; 6],
    /// EtherType, in host order.
    pub ether_type: u16,
}

/// A VLAN tag (`rte_flow_item_vlan`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VlanTag {
    /// Tag control information, in host order: priority in the upper three bits, then drop eligible, then the VLAN id.
    pub tci: u16,
    /// EtherType of what is tagged, in host order.
    pub inner_type: u16,
}

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowAction {
    /// The rules of this group are asked (`RTE_FLOW_ACTION_TYPE_JUMP`).
    Jump(u32),
    /// It goes to this receive queue (`RTE_FLOW_ACTION_TYPE_QUEUE`).
    Queue(u16),
    /// The outer tag is taken off (`RTE_FLOW_ACTION_TYPE_OF_POP_VLAN`).
    PopVlan,
    /// A tag of this EtherType is put on (`RTE_FLOW_ACTION_TYPE_OF_PUSH_VLAN`).
    PushVlan(u16),
    /// The outer tag's VLAN id is set, 0 to 4095 (`RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_VID`).
    SetVlanVid(u16),
    /// The outer tag's priority is set, 0 to 7 (`RTE_FLOW_ACTION_TYPE_OF_SET_VLAN_PCP`).
    SetVlanPcp(u8),
}

/// The rules of one device, by id, each with what the holder wants to remember of it.
#[derive(Debug)]
pub struct FlowRules<T> {
    device: EthDev,
    rules: BTreeMap<u64, (NonNull<ffi::rte_flow>, T)>,
}

impl<T> FlowRules<T> {
    /// Takes hold of the rules of `device`; `None` if somebody holds them already. The device must not be removed
    /// before they are dropped. Primary only: drivers keep rules in the process that made them.
    pub fn of(device: EthDev) -> Option<Self> {
        let held = HELD.get(usize::from(device.port()))?;
        if held.swap(true, Ordering::AcqRel) {
            return None;
        }
        Some(FlowRules {
            device,
            rules: BTreeMap::new(),
        })
    }

    /// Asks the driver whether it would take `rule` (`rte_flow_validate`).
    ///
    /// # Errors
    /// [`FlowError`] in the words of the driver.
    pub fn validate(&self, rule: &FlowRule) -> Result<(), FlowError> {
        let raw = rule.raw();
        let mut error = ffi::rte_flow_error::default();
        // SAFETY: attributes, and lists that end with END, whose pointers lead into `rule`; they outlive the call.
        let ret = unsafe {
            ffi::rte_flow_validate(
                self.device.port(),
                raw.attributes,
                raw.items.as_ptr(),
                raw.actions.as_ptr(),
                &mut error,
            )
        };
        match ret {
            0 => Ok(()),
            _ => Err(FlowError::of(&error, Some(&raw))),
        }
    }

    /// Makes a rule (`rte_flow_create`) and gives its id: one more than the highest that there is, 0 for the first.
    ///
    /// # Errors
    /// [`FlowError`] in the words of the driver.
    pub fn create(&mut self, rule: &FlowRule, note: T) -> Result<u64, FlowError> {
        let raw = rule.raw();
        let mut error = ffi::rte_flow_error::default();
        // SAFETY: as for `validate`. The driver copies what it needs.
        let handle = unsafe {
            ffi::rte_flow_create(
                self.device.port(),
                raw.attributes,
                raw.items.as_ptr(),
                raw.actions.as_ptr(),
                &mut error,
            )
        };
        let Some(handle) = NonNull::new(handle) else {
            return Err(FlowError::of(&error, Some(&raw)));
        };
        let id = self.rules.last_key_value().map_or(0, |(id, _)| id + 1);
        self.rules.insert(id, (handle, note));
        Ok(id)
    }

    /// Takes the rule `id` away (`rte_flow_destroy`); `None` if there is no such rule. What the driver refuses
    /// to take away stays.
    pub fn destroy(&mut self, id: u64) -> Option<Result<(), FlowError>> {
        let (handle, _) = self.rules.get(&id)?;
        let mut error = ffi::rte_flow_error::default();
        // SAFETY: the device gave the handle and has not forgotten it: a rule that is destroyed leaves the list, and
        // the device is flushed only when the list is empty.
        let ret = unsafe { ffi::rte_flow_destroy(self.device.port(), handle.as_ptr(), &mut error) };
        Some(match ret {
            0 => {
                self.rules.remove(&id);
                Ok(())
            }
            _ => Err(FlowError::of(&error, None)),
        })
    }

    /// Takes all rules away, the latest first, since others may depend on earlier ones. Goes on after a refusal; the
    /// rules that the driver refused to take away stay. Where there is none, the driver is told to forget whatever it may
    /// have (`rte_flow_flush`).
    ///
    /// # Errors
    /// The first refusal.
    pub fn destroy_all(&mut self) -> Result<(), FlowError> {
        if self.rules.is_empty() {
            return self.flush();
        }
        let ids: Vec<u64> = self.rules.keys().rev().copied().collect();
        ids.into_iter()
            .filter_map(|id| self.destroy(id))
            .fold(Ok(()), Result::and)
    }

    fn flush(&mut self) -> Result<(), FlowError> {
        let mut error = ffi::rte_flow_error::default();
        // SAFETY: there is no handle left that would become invalid.
        match unsafe { ffi::rte_flow_flush(self.device.port(), &mut error) } {
            0 => Ok(()),
            _ => Err(FlowError::of(&error, None)),
        }
    }

    /// The rules by ascending id.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &T)> {
        self.rules.iter().map(|(id, (_, note))| (*id, note))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

impl<T> Drop for FlowRules<T> {
    fn drop(&mut self) {
        if !self.is_empty()
            && let Err(e) = self.destroy_all()
        {
            log::warn!(
                "device {}: {} flow rules stay: {e}",
                self.device.port(),
                self.len()
            );
        }
        if let Some(held) = HELD.get(usize::from(self.device.port())) {
            held.store(false, Ordering::Release);
        }
    }
}
