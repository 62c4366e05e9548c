//! Where packets go: the longest prefix that has the destination.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

/// A way to a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The prefix.
    pub to: Ipv6Net,
    /// Number of the port.
    pub port: usize,
    /// The next router; `None` if the destinations are at the port's link.
    pub via: Option<Ipv6Addr>,
}

/// All routes. Each is looked at, the longest prefix first: right for the tens that a file has, not for the internet's.
#[derive(Debug)]
pub struct Routes(Vec<(u128, u128, Route)>);

impl Routes {
    /// Of several routes to one prefix the first counts.
    pub fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| std::cmp::Reverse(route.to.prefix_len()));
        let entry = |route: Route| (route.to.netmask().into(), route.to.network().into(), route);
        Self(routes.into_iter().map(entry).collect())
    }

    /// Port and next hop on the way to a destination.
    pub fn find(&self, destination: Ipv6Addr) -> Option<(usize, Ipv6Addr)> {
        let bits = u128::from(destination);
        let has = |(mask, prefix, _): &&(u128, u128, Route)| bits & mask == *prefix;
        let (_, _, route) = self.0.iter().find(has)?;
        Some((route.port, route.via.unwrap_or(destination)))
    }
}
