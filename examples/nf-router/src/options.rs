//! The program's own options.

use std::net::Ipv6Addr;
use std::str::FromStr;

use clap::Parser;
use ipnet::Ipv6Net;

use crate::port::Port;
use crate::routes::Route;
use crate::wire::{LEAST_MTU, Mac};

/// MTU of a port of which nothing is said, and the largest: that of DPDK's devices as they are started.
const MTU: usize = 1500;

/// An IPv6 router on DPDK.
#[derive(Debug, Parser)]
#[command(
    version,
    override_usage = "nf-router EAL-ARGUMENTS -- --port N=ADDRESS/LENGTH…"
)]
pub struct Options {
    /// An address of DPDK's port N, with the length of its link's prefix
    #[arg(long = "port", value_name = "N=ADDRESS/LENGTH", required = true)]
    ports: Vec<Of<u16, Ipv6Net>>,
    /// A route: at NEXT is the next router, at port N (without one, where NEXT is in the prefix of a link)
    #[arg(long = "route", value_name = "PREFIX=NEXT[%N]")]
    routes: Vec<Of<Ipv6Net, Next>>,
    /// MTU of the link at port N, in bytes, if it is less than 1500
    #[arg(long = "mtu", value_name = "N=BYTES")]
    mtus: Vec<Of<u16, usize>>,
}

/// `WHAT=VALUE`
#[derive(Clone, Debug)]
struct Of<W, V>(W, V);

impl<W: FromStr, V: FromStr> FromStr for Of<W, V> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (what, value) = text.split_once('=').ok_or("there is no '=' in it")?;
        let bad = |part: &str| format!("'{part}' is not as it should be");
        Ok(Self(
            what.parse().map_err(|_| bad(what))?,
            value.parse().map_err(|_| bad(value))?,
        ))
    }
}

/// `ADDRESS%PORT`
#[derive(Clone, Debug)]
struct Next(Ipv6Addr, Option<u16>);

impl FromStr for Next {
    type Err = Box<dyn std::error::Error>;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('%') {
            Some((address, port)) => Self(address.parse()?, Some(port.parse()?)),
            None => Self(text.parse()?, None),
        })
    }
}

impl Options {
    /// Parts a command line, without the program's name, into EAL's arguments and our options.
    ///
    /// # Errors
    /// An option is wrong, or help was asked for.
    pub fn of(line: &[String]) -> Result<(Vec<String>, Self), clap::Error> {
        let (eal, own) = match line.iter().position(|word| word == "--") {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (&line[..0], line),
        };
        let name = "nf-router".to_owned();
        let options = Self::try_parse_from([name].iter().chain(own))?;
        Ok((eal.to_vec(), options))
    }

    /// The router's ports, by number and Ethernet address of each of DPDK's, and its routes.
    ///
    /// # Errors
    /// The options name a port that is not there, or leave one out; or an address or MTU cannot be.
    pub fn apply(&self, devices: &[(u16, Mac)]) -> Result<(Vec<Port>, Vec<Route>), String> {
        let place = |number: u16| {
            let found = devices.iter().position(|(n, _)| *n == number);
            found.ok_or_else(|| {
                let count = devices.len();
                format!("port {number}: there is none; DPDK has {count} ports, counted from 0")
            })
        };
        let mut ports: Vec<Port> = devices
            .iter()
            .map(|(_, mac)| Port {
                mac: *mac,
                addresses: Vec::new(),
                mtu: MTU,
            })
            .collect();
        for Of(number, own) in &self.ports {
            let address = own.addr();
            if address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()
                || address.is_unicast_link_local()
            {
                return Err(format!(
                    "port {number}: {address} is no address for a router's port: name a global one"
                ));
            }
            ports[place(*number)?].addresses.push(*own);
        }
        for Of(number, mtu) in &self.mtus {
            if !(LEAST_MTU..=MTU).contains(mtu) {
                return Err(format!(
                    "port {number}: MTU {mtu} is not from {LEAST_MTU} to {MTU}"
                ));
            }
            ports[place(*number)?].mtu = *mtu;
        }
        let bare = devices
            .iter()
            .zip(&ports)
            .find(|(_, port)| port.addresses.is_empty());
        if let Some(((number, _), _)) = bare {
            return Err(format!(
                "port {number} has no address: --port {number}=ADDRESS/LENGTH"
            ));
        }
        let routes = self.routes.iter().map(|Of(to, Next(next, number))| {
            let at_link = |port: &Port| port.addresses.iter().any(|own| own.contains(next));
            let port = match number {
                Some(number) => place(*number)?,
                None => ports.iter().position(at_link).ok_or_else(|| {
                    format!("route to {to}: {next} is at no port's link: say which, {next}%N")
                })?,
            };
            Ok(Route {
                to: to.trunc(),
                port,
                via: Some(*next),
            })
        });
        let routes = routes.collect::<Result<_, String>>()?;
        Ok((ports, routes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICES: [(u16, Mac); 2] = [(0, [2, 0, 0, 0, 0, 1]), (1, [2, 0, 0, 0, 0, 2])];

    fn apply(line: &str) -> Result<(Vec<Port>, Vec<Route>), String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (eal, options) = Options::of(&words).map_err(|e| e.to_string())?;
        assert_eq!(eal, ["-m", "64", "--no-pci"]);
        options.apply(&DEVICES)
    }

    #[test]
    fn a_command_line_is_ports_and_routes() {
        let (ports, routes) = apply(
            "-m 64 --no-pci -- --port 0=2001:db8:1::1/64 --port 1=2001:db8:2::1/64 --port 1=2001:db8:3::1/64 \
             --mtu 1=1400 --route 2001:db8:9::7/48=2001:db8:3::2 --route ::/0=fe80::1%0",
        )
        .unwrap();
        assert_eq!(ports[1].addresses.len(), 2);
        assert_eq!((ports[0].mtu, ports[1].mtu), (1500, 1400));
        assert_eq!(ports[1].mac, DEVICES[1].1);
        let ways: Vec<_> = routes.iter().map(|r| (r.to.to_string(), r.port)).collect();
        assert_eq!(ways, [("2001:db8:9::/48".into(), 1), ("::/0".into(), 0)]);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let both = "--port 0=2001:db8:1::1/64 --port 1=2001:db8:2::1/64";
        for (own, part) in [
            ("", "--port"),
            ("--port 0=2001:db8:1::1/64", "port 1 has no address"),
            ("--port 0=ff02::1/64", "ff02::1 is no address"),
            ("--port 0=2001:db8:1::1/129", "'2001:db8:1::1/129'"),
            ("--port 2001:db8:1::1/64", "there is no '='"),
            (
                &format!("{both} --port 2=2001:db8:3::1/64"),
                "port 2: there is none",
            ),
            (&format!("{both} --mtu 0=1279"), "MTU 1279"),
            (&format!("{both} --mtu 0=1501"), "MTU 1501"),
            (
                &format!("{both} --route ::/0=2001:db8:7::1"),
                "2001:db8:7::1%N",
            ),
            (
                &format!("{both} --route ::/0=fe80::1%7"),
                "port 7: there is none",
            ),
        ] {
            let refused = apply(&format!("-m 64 --no-pci -- {own}")).unwrap_err();
            assert!(refused.contains(part), "{own}: {refused} lacks {part}");
        }
    }
}
