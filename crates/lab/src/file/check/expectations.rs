//! What may not be expected of a network.

use std::collections::HashMap;
use std::net::IpAddr;

use super::super::hint::hint;
use super::super::names::Kind;
use super::super::{
    Arriving, Drops, Expectation, File, PacketsExpectation, PathExpectation, Place,
};
use super::Check;
use crate::capture;

impl Check {
    fn path(
        &mut self,
        file: &File,
        place: Place,
        path: &PathExpectation,
        kinds: &HashMap<&str, Kind>,
    ) {
        self.known(place, &path.from, kinds);
        if path.to.parse::<IpAddr>().is_err() {
            self.known(place, &path.to, kinds);
        }
        if path.through.is_empty() && path.around.is_empty() {
            self.refuse(
                place,
                "the path goes anywhere".into(),
                "through: [r1]".to_owned(),
            );
        }
        if path.count == 0 {
            self.refuse(
                place,
                "without a request there is no path".into(),
                "count: 10".to_owned(),
            );
        }
        for at in path.through.iter().chain(path.around.iter()) {
            self.seen(file, place, at, kinds);
        }
    }

    /// A node or an interface where the kernel sees what passes; gives its interfaces.
    fn seen(
        &mut self,
        file: &File,
        place: Place,
        at: &str,
        kinds: &HashMap<&str, Kind>,
    ) -> Vec<String> {
        let (node, interface) = match at.split_once(':') {
            Some((node, interface)) => (node, Some(interface)),
            None => (at, None),
        };
        self.known(place, node, kinds);
        if kinds.get(node) == Some(&Kind::Panel) {
            self.refuse(
                place,
                format!("'{node}' is a panel: the kernel sees nothing there"),
                "name who is connected to it".to_owned(),
            );
        }
        let ports = file.ports();
        let own = ports.iter().flatten().filter(|port| port.node == node);
        let mut there: Vec<String> = own.map(|port| port.interface.clone()).collect();
        if there.is_empty() && kinds.contains_key(node) {
            self.refuse(
                place,
                format!("'{node}' has no link, so no packet passes it"),
                None,
            );
        }
        if let Some(interface) = interface {
            let names: Vec<&str> = there.iter().map(String::as_str).collect();
            if !names.contains(&interface) && !names.is_empty() {
                self.refuse(
                    place,
                    format!("'{node}' has no interface '{interface}'"),
                    hint(interface, &names),
                );
            }
            there.retain(|name| name == interface);
        }
        there
    }

    fn packets(
        &mut self,
        file: &File,
        place: Place,
        packets: &PacketsExpectation,
        kinds: &HashMap<&str, Kind>,
    ) {
        let from = self.seen(file, place, &packets.from, kinds);
        self.seen(file, place, &packets.to, kinds);
        if let [first, _, ..] = &from[..] {
            self.refuse(
                place,
                format!(
                    "'{}' has {} interfaces: which one sends?",
                    packets.from,
                    from.len()
                ),
                format!("from: '{}:{first}'", packets.from),
            );
        }
        let arriving = match &packets.arrive {
            Arriving::File(path) => Some(path),
            Arriving::Sent(_) => None,
        };
        for path in std::iter::once(&packets.send).chain(arriving) {
            if let Err(error) = capture::recorded(path) {
                self.refuse(place, error.to_string(), None);
            }
        }
    }

    pub(super) fn expectations(&mut self, file: &File, kinds: &HashMap<&str, Kind>) {
        for expectation in &file.expect {
            let place = expectation.place;
            match &expectation.value {
                Expectation::Ping(ping) => {
                    self.known(place, &ping.from, kinds);
                    if ping.to.parse::<IpAddr>().is_err() {
                        self.known(place, &ping.to, kinds);
                    }
                    if ping.count == 0 {
                        self.refuse(
                            place,
                            "without a request there is no answer".into(),
                            "count: 3".to_owned(),
                        );
                    }
                    if let (Some(min), Some(max)) = (ping.min, ping.max)
                        && min > max
                    {
                        self.refuse(place, format!("min {min} is more than max {max}"), None);
                    }
                }
                Expectation::Pingall => {}
                Expectation::Path(path) => self.path(file, place, path, kinds),
                Expectation::Packets(packets) => self.packets(file, place, packets, kinds),
                Expectation::Rate(rate) => {
                    self.known(place, &rate.from, kinds);
                    self.known(place, &rate.to, kinds);
                    if let (Some(min), Some(max)) = (rate.min, rate.max)
                        && min > max
                    {
                        self.refuse(place, format!("min {min} is more than max {max}"), None);
                    }
                    if rate.during.0.is_zero() {
                        self.refuse(
                            place,
                            "in no time nothing arrives".into(),
                            "during: 2s".to_owned(),
                        );
                    }
                }
                Expectation::NoDrops(Drops(nodes)) => {
                    for node in nodes {
                        self.known(place, node, kinds);
                    }
                }
                Expectation::Run(run) => self.known(place, &run.on, kinds),
            }
        }
    }
}
