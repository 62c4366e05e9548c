//! Ports and their addresses.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use crate::nd;
use crate::wire::Mac;

/// A port of the router.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its addresses, each with the length of its link's prefix; one at least.
    pub addresses: Vec<Ipv6Net>,
    /// The largest packet of its link, in bytes.
    pub mtu: usize,
}

impl Port {
    /// Its address that no other link knows.
    pub fn link_local(&self) -> Ipv6Addr {
        nd::link_local(self.mac)
    }

    /// Whether an address is its own.
    pub fn has(&self, address: Ipv6Addr) -> bool {
        self.has_global(address) || address == self.link_local()
    }

    /// Whether an address is its own and not of its link only.
    pub fn has_global(&self, address: Ipv6Addr) -> bool {
        self.addresses.iter().any(|own| own.addr() == address)
    }

    /// Whether it is in a group.
    pub fn listens(&self, group: Ipv6Addr) -> bool {
        group == nd::ALL_NODES
            || group == nd::ALL_ROUTERS
            || group == nd::group(self.link_local())
            || self.addresses.iter().any(|a| group == nd::group(a.addr()))
    }

    /// Its address to speak to `other` from.
    pub fn address_for(&self, other: Ipv6Addr) -> Ipv6Addr {
        match self.addresses.first() {
            Some(own) if !other.is_unicast_link_local() => own.addr(),
            _ => self.link_local(),
        }
    }
}
