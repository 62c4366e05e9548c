//! Settings of a namespace's network stack (`/proc/sys/net`), which are those of the thread that opens the files.

use std::fs;

use crate::error::{Error, Result};
use crate::plan::Role;

/// Sets what a node of this role needs; to be called in its new namespace, before it has interfaces.
pub fn apply(role: &Role) -> Result<()> {
    // Whoever is in the node may send ICMP echo requests by an ordinary socket.
    set("ipv4/ping_group_range", "0 2147483647")
        // In an ordinary user's namespace there is this group only.
        .or_else(|_| set("ipv4/ping_group_range", "0 0"))?;
    // An address can be used at once: nobody else can have it, what a file says was checked.
    set_if_there("ipv6/conf/default/accept_dad", "0")?;
    set_if_there("ipv6/conf/default/dad_transmits", "0")?;
    match role {
        Role::Host => speak_ipv6()?,
        Role::Router => {
            speak_ipv6()?;
            set("ipv4/ip_forward", "1")?;
            set_if_there("ipv6/conf/all/forwarding", "1")?;
        }
        // It has no addresses, and says nothing by itself.
        Role::Switch { .. } | Role::Dpdk(_) | Role::Panel(_) => {
            set_if_there("ipv6/conf/all/disable_ipv6", "1")?;
            set_if_there("ipv6/conf/default/disable_ipv6", "1")?;
        }
    }
    Ok(())
}

/// An engine turns it off in the namespace of a container that has no network of its.
fn speak_ipv6() -> Result<()> {
    set_if_there("ipv6/conf/all/disable_ipv6", "0")?;
    set_if_there("ipv6/conf/default/disable_ipv6", "0")
}

fn set(name: &str, value: &str) -> Result<()> {
    let path = format!("/proc/sys/net/{name}");
    fs::write(&path, value).map_err(|e| Error::io(format!("write {value} to {path}"), e))
}

/// As [`set`], but a kernel without IPv6 is right, too.
fn set_if_there(name: &str, value: &str) -> Result<()> {
    match fs::exists(format!("/proc/sys/net/{name}")) {
        Ok(false) => Ok(()),
        _ => set(name, value),
    }
}
