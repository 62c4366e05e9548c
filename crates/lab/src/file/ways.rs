//! Addresses and ways: what each has of its own, who hears whom, and which gateways are reached.

use std::collections::HashMap;
use std::net::IpAddr;

use super::check::Check;
use super::domains::Port;
use super::names::Kind;
use super::{Address, At, File, Host};

impl Check {
    pub(super) fn addresses(
        &mut self,
        file: &File,
        ports: &[[Port; 2]],
        kinds: &HashMap<&str, Kind>,
    ) {
        let linked = |name: &str| ports.iter().flatten().any(|port| port.node == name);
        let mut holders: HashMap<IpAddr, (&str, bool)> = HashMap::new();
        let mut all: Vec<(&str, At<Address>, bool)> = Vec::new();
        for (name, host) in file.hosts.iter().chain(file.routers.iter()) {
            if !host.address.is_empty() && !linked(name) {
                self.refuse(
                    host.address.place,
                    format!("'{}' has an address, but no link", name.value),
                    format!(
                        "links: [[{}, …]], or loopback instead of address",
                        name.value
                    ),
                );
            }
            if host.anycast && host.loopback.is_empty() {
                self.refuse(
                    name.place,
                    format!("'{}' shares no address", name.value),
                    "anycast: true is about addresses of loopback".to_owned(),
                );
            }
            let place = host.loopback.place;
            all.extend(
                host.loopback
                    .iter()
                    .map(|&value| (name.as_str(), At { value, place }, host.anycast)),
            );
        }
        for port in ports.iter().flatten() {
            if kinds
                .get(port.node.as_str())
                .is_some_and(|kind| kind.is_stack())
            {
                all.extend(
                    port.addresses
                        .iter()
                        .map(|&address| (port.node.as_str(), address, false)),
                );
            }
        }
        for (node, address, anycast) in all {
            if is_end_of_network(address.value) {
                self.refuse(
                    address.place,
                    format!(
                        "{} is the address of the network or of all in it, not of a host",
                        address.value
                    ),
                    None,
                );
            }
            match holders.insert(address.0.addr(), (node, anycast)) {
                Some((other, true)) if anycast && other != node => {}
                Some((other, _)) => self.refuse(
                    address.place,
                    format!("{} is an address of '{other}' already", address.0.addr()),
                    "to share one: loopback and anycast: true, at each of them".to_owned(),
                ),
                None => {}
            }
        }
    }

    pub(super) fn segments(
        &mut self,
        file: &File,
        ports: &[[Port; 2]],
        kinds: &HashMap<&str, Kind>,
    ) {
        let (segments, rings) = file.segments(ports, kinds);
        for number in rings {
            self.refuse(
                file.links[number].place,
                "this link closes a ring of switches, in which packets would go round for ever"
                    .into(),
                "stp: true at each of these switches".to_owned(),
            );
        }
        for (number, port) in &segments {
            let near = || {
                let same = |(other, _): &&(usize, &Port)| other == number;
                segments.iter().filter(same).map(|(_, port)| *port)
            };
            let others = || {
                near()
                    .filter(|other| !std::ptr::eq(*other, *port))
                    .flat_map(|other| &other.addresses)
            };
            // What a program does to packets is not known here.
            let opaque = near().any(|other| {
                matches!(
                    kinds.get(other.node.as_str()),
                    Some(Kind::Dpdk | Kind::Panel) | None
                )
            });
            let Some(first) = port
                .addresses
                .first()
                .filter(|_| !opaque && others().next().is_some())
            else {
                continue;
            };
            let meets =
                |address: &At<Address>| others().any(|other| address.0.contains(&other.0.addr()));
            if !port.addresses.iter().any(meets) {
                let seen = others()
                    .next()
                    .map(|other| other.value.to_string())
                    .unwrap_or_default();
                self.warn(
                    first.place,
                    format!(
                        "'{}' is in no common network with what it is connected to: {} and {seen}",
                        port.node, first.value
                    ),
                    "they reach each other by a router only".to_owned(),
                );
            }
        }
    }

    pub(super) fn routes(&mut self, name: &At<String>, host: &Host, ports: &[[Port; 2]]) {
        let own = || {
            ports
                .iter()
                .flatten()
                .filter(|port| port.node == name.value)
                .flat_map(|port| &port.addresses)
        };
        let gateways = host
            .gateway
            .iter()
            .map(|gateway| (gateway.0, host.gateway.place));
        let mut families = Vec::new();
        for (gateway, place) in gateways.clone() {
            if families.contains(&gateway.is_ipv4()) {
                self.refuse(
                    place,
                    format!("'{}' has two gateways of one family", name.value),
                    "one of IPv4 and one of IPv6 at most; routes has room for more".to_owned(),
                );
            }
            families.push(gateway.is_ipv4());
        }
        let routes = host.routes.iter().map(|route| (route.via.0, route.place));
        for (via, place) in gateways.chain(routes) {
            let reached = own().any(|address| address.0.contains(&via)) || is_link_local(via);
            if !reached {
                let networks: Vec<String> =
                    own().map(|address| address.0.trunc().to_string()).collect();
                self.refuse(
                    place,
                    format!("'{}' does not reach the gateway {via}", name.value),
                    match networks.is_empty() {
                        true => "it has no address at a link".to_owned(),
                        false => format!("its networks are {}", networks.join(", ")),
                    },
                );
            } else if own().any(|address| address.0.addr() == via) {
                self.refuse(
                    place,
                    format!("the gateway {via} is '{}' itself", name.value),
                    None,
                );
            }
        }
        for route in &host.routes {
            if let super::Destination::Network(net) = route.to
                && net.addr().is_ipv4() != route.via.0.is_ipv4()
            {
                self.refuse(
                    route.place,
                    format!("{net} and the gateway {} are of two families", route.via),
                    None,
                );
            }
        }
    }
}

/// The first or the last address of an IPv4 network of more than two.
fn is_end_of_network(address: Address) -> bool {
    match address.0 {
        ipnet::IpNet::V4(net) => {
            net.prefix_len() < 31 && (net.addr() == net.network() || net.addr() == net.broadcast())
        }
        ipnet::IpNet::V6(_) => false,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
