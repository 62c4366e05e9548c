//! What a file may not say, although each of its parts is right.

mod expectations;

use std::collections::HashMap;

use protocol::port::PortName;

use super::domains::Port;
use super::hint::hint;
use super::names::{Kind, check_interface, check_name};
use super::{At, Character, Driver, End, File, Link, Place, Problem, Via};

/// A network's file in which nothing is wrong.
#[derive(Clone, Debug)]
pub struct Checked {
    /// What it says.
    pub file: File,
    /// What looks wrong, but may be meant.
    pub warnings: Vec<Problem>,
}

/// MTUs that the kernel takes for a veth device and that IPv4 works with.
const MTUS: std::ops::RangeInclusive<u32> = 68..=65_535;

/// Longest packet of a tap port, without Ethernet's header.
const PANEL_MTU: u32 = 1500;

/// Most links of a panel: DPDK's ports.
const PANEL_LINKS: usize = 32;

impl File {
    /// Checks what is said, whether it was read or made by a program.
    ///
    /// # Errors
    /// All that is wrong, in the order of the file.
    pub fn check(self) -> Result<Checked, Vec<Problem>> {
        let mut check = Check::default();
        check.whole(&self);
        // An app is told of its links, so these are to be right.
        if check.wrong.is_empty() {
            check.apps(&self);
        }
        check.wrong.sort_by_key(|problem| problem.place);
        check.warnings.sort_by_key(|problem| problem.place);
        match check.wrong.is_empty() {
            true => Ok(Checked {
                file: self,
                warnings: check.warnings,
            }),
            false => Err(check.wrong),
        }
    }
}

/// What was found.
#[derive(Default)]
pub(super) struct Check {
    wrong: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Check {
    pub(super) fn refuse(&mut self, place: Place, text: String, hint: impl Into<Option<String>>) {
        self.wrong.push(Problem::hinted(place, text, hint));
    }

    pub(super) fn warn(&mut self, place: Place, text: String, hint: impl Into<Option<String>>) {
        self.warnings.push(Problem::hinted(place, text, hint));
    }

    fn whole(&mut self, file: &File) {
        match &file.name {
            Some(name) => self.wrong.extend(check_name("network", name, name.place)),
            None => self.refuse(
                Place::default(),
                "the network has no name".into(),
                "name: mine".to_owned(),
            ),
        }
        let kinds = self.names(file);
        if kinds.is_empty() {
            self.refuse(
                Place::default(),
                "there is no node".into(),
                "hosts: [h1, h2] and links: [[h1, h2]] are the least".to_owned(),
            );
        }
        self.links(file, &kinds);
        let ports = file.ports();
        self.interfaces(&ports);
        self.addresses(file, &ports, &kinds);
        self.segments(file, &ports, &kinds);
        for (name, host) in file.hosts.iter().chain(file.routers.iter()) {
            self.routes(name, host, &ports);
        }
        self.panels(file);
        self.containers(file);
        self.expectations(file, &kinds);
    }

    fn names<'a>(&mut self, file: &'a File) -> HashMap<&'a str, Kind> {
        let mut kinds = HashMap::new();
        for (name, kind) in file.nodes_of_all_kinds() {
            self.wrong.extend(check_name("node", name, name.place));
            if kinds.insert(name.as_str(), kind).is_some() {
                self.refuse(
                    name.place,
                    format!("'{}' is the name of two nodes", name.value),
                    "each node has a name of its own, whatever it is".to_owned(),
                );
            }
        }
        kinds
    }

    /// Says that there is no node of this name, if so.
    fn known(&mut self, place: Place, name: &str, kinds: &HashMap<&str, Kind>) {
        if !kinds.contains_key(name) {
            let mut known: Vec<&str> = kinds.keys().copied().collect();
            known.sort_unstable();
            self.refuse(
                place,
                format!("there is no node '{name}'"),
                hint(name, &known),
            );
        }
    }

    fn links(&mut self, file: &File, kinds: &HashMap<&str, Kind>) {
        for link in &file.links {
            for end in &link.ends {
                self.known(end.place, &end.node, kinds);
                if let Some(interface) = &end.interface {
                    self.wrong.extend(check_interface(interface, end.place));
                }
                let kind = kinds.get(end.node.as_str());
                if !end.address.is_empty() && kind.is_some_and(|kind| !kind.is_stack()) {
                    self.refuse(
                        end.place,
                        format!(
                            "'{}' has no addresses: it is neither a host nor a router",
                            end.node
                        ),
                        None,
                    );
                }
            }
            let [one, other] = &link.ends;
            if one.node == other.node {
                self.refuse(
                    other.place,
                    format!("the link connects '{}' to itself", one.node),
                    "a link has two different nodes".to_owned(),
                );
            }
            if let Some(mtu) = link.mtu.filter(|mtu| !MTUS.contains(&mtu.value)) {
                self.refuse(
                    mtu.place,
                    format!("an MTU of {} is not possible", mtu.value),
                    format!("from {} to {}; 1500 is usual", MTUS.start(), MTUS.end()),
                );
            }
            self.character(link.place, &link.character);
            self.by_panel(link, kinds);
            self.drivers(file, link, kinds);
        }
    }

    fn character(&mut self, place: Place, character: &Character) {
        let delay = character.delay.unwrap_or_default();
        if character.jitter.is_some_and(|jitter| jitter > delay) {
            self.refuse(
                place,
                "the jitter is more than the delay".into(),
                "packets would have to arrive before they are sent".to_owned(),
            );
        }
        if character.reorder.is_some() && delay.0.is_zero() {
            self.refuse(
                place,
                "packets are reordered only where they are delayed".into(),
                "reorder: 1% together with delay: 10ms".to_owned(),
            );
        }
        if character.queue == Some(0) {
            self.refuse(
                place,
                "with a queue of 0 no packet passes".into(),
                "queue: 1000 is netem's own".to_owned(),
            );
        }
    }

    /// What holds for links that are, or end at, ports of a panel.
    fn by_panel(&mut self, link: &At<Link>, kinds: &HashMap<&str, Kind>) {
        let is_panel = |end: &&At<End>| kinds.get(end.node.as_str()) == Some(&Kind::Panel);
        let panels = link.ends.iter().filter(is_panel).count();
        let has_character = !link.character.is_plain();
        if panels == 2 {
            self.refuse(
                link.place,
                "the link connects two panels".into(),
                "a switch between them".to_owned(),
            );
        }
        if panels > 0 && has_character {
            let with = link.character.words().replace(',', "");
            self.refuse(
                link.place,
                "a link of a panel has no delay, loss or rate of its own".into(),
                format!("its patches have: with {with}"),
            );
        }
        let carried = panels == 0 && has_character && link.character.via == Via::Panel;
        if carried && let Err(text) = link.character.impairment(false) {
            self.refuse(link.place, text, None);
        }
        let mtu = link.mtu.filter(|mtu| mtu.value > PANEL_MTU);
        if let Some(mtu) = mtu.filter(|_| carried || panels > 0) {
            self.refuse(
                mtu.place,
                format!(
                    "a panel carries packets of at most {PANEL_MTU} bytes, not {}",
                    mtu.value
                ),
                "leave delay, loss and rate of this link out, or via: netem".to_owned(),
            );
        }
    }

    /// What holds for links of DPDK programs.
    fn drivers(&mut self, file: &File, link: &At<Link>, kinds: &HashMap<&str, Kind>) {
        for (end, other) in [(0, 1), (1, 0)] {
            let (end, other) = (&link.ends[end], &link.ends[other]);
            let Some(program) = file.nodes.get(&end.node) else {
                if end.driver.is_some() {
                    self.refuse(
                        end.place,
                        format!("'{}' has no driver: it is no DPDK program", end.node),
                        None,
                    );
                }
                continue;
            };
            let driver = end.driver.unwrap_or(program.driver);
            if driver == Driver::AfXdp && program.app.is_some() {
                self.refuse(
                    end.place,
                    format!(
                        "'{}' is in a container, which may have no XDP socket",
                        end.node
                    ),
                    "driver: af_packet or tap".to_owned(),
                );
            }
            if driver != Driver::Tap {
                continue;
            }
            let far = kinds.get(other.node.as_str());
            if matches!(far, Some(Kind::Dpdk | Kind::Panel)) {
                self.refuse(
                    end.place,
                    format!(
                        "the tap of '{}' cannot be a port of '{}'",
                        end.node, other.node
                    ),
                    "driver: af_packet at this end".to_owned(),
                );
            }
            if !link.character.is_plain() {
                self.refuse(
                    end.place,
                    format!(
                        "the tap of '{}' is the link itself: it has no delay, loss or rate",
                        end.node
                    ),
                    "driver: af_packet at this end".to_owned(),
                );
            }
        }
    }

    fn interfaces(&mut self, ports: &[[Port; 2]]) {
        let (mut names, mut macs) = (HashMap::new(), HashMap::new());
        for port in ports.iter().flatten() {
            if names.insert((&port.node, &port.interface), ()).is_some() {
                self.refuse(
                    port.place,
                    format!("'{}' has two interfaces '{}'", port.node, port.interface),
                    "leave the name out, or give another".to_owned(),
                );
            }
            if let Some(mac) = port.mac
                && let Some(other) = macs.insert(mac.0, &port.node)
            {
                self.refuse(
                    port.place,
                    format!("'{other}' has the address {mac} already"),
                    "leave it out, and it is made".to_owned(),
                );
            }
        }
    }

    fn panels(&mut self, file: &File) {
        let ends = || file.links.iter().flat_map(|link| &link.ends);
        for (name, panel) in file.spp.iter() {
            let links = ends().filter(|end| end.node == name.value).count();
            for (text, hint) in panel.wrong(links) {
                self.refuse(name.place, format!("'{}': {text}", name.value), hint);
            }
            if links > PANEL_LINKS {
                self.refuse(
                    name.place,
                    format!(
                        "'{}' has {links} links: a panel has at most {PANEL_LINKS}",
                        name.value
                    ),
                    None,
                );
            }
            let ports = (0..links).filter_map(|n| u16::try_from(n).ok().map(PortName::Tap));
            for port in ports.filter(|port| !panel.uses(*port)) {
                self.warn(
                    name.place,
                    format!("'{}': no process has {port}, a link of it", name.value),
                    format!("nfv:1: {{ports: [{port}], patches: [{{src: {port}, dst: …}}]}}"),
                );
            }
        }
    }
}
