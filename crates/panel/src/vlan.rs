//! VLAN operations at a port of a component.

use dpdk::Burst;
use protocol::command::component::VlanTag;

use crate::area::{DropReason, PatchBlock};
use crate::line::Stage;
use crate::port::Context;

/// Puts tags in or takes them out ([`Burst::push_vlan`], [`Burst::pop_vlan`]). A packet that has to be copied for that
/// while no mbuf is left is dropped as [`DropReason::NoMbuf`].
pub struct Vlan {
    tag: Option<u16>,
}

impl Vlan {
    /// What `tag` says. Of an id beyond 4095 or a priority beyond 7 only the lower bits count.
    pub fn new(tag: &VlanTag) -> Self {
        let tag = match tag {
            VlanTag::Add { id, pcp } => Some(u16::from(*pcp & 7) << 13 | id & 0xfff),
            VlanTag::Del => None,
        };
        Vlan { tag }
    }
}

impl Stage for Vlan {
    fn run(&self, cx: &mut Context, burst: &mut Burst, counters: &PatchBlock) {
        let lost = match self.tag {
            Some(tci) => burst.push_vlan(tci, &mut cx.cache),
            None => burst.pop_vlan(&mut cx.cache),
        };
        if lost > 0 {
            counters.drop_of(DropReason::NoMbuf, lost as u64);
        }
    }
}
