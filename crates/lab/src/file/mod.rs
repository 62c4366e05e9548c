//! The file that describes a network. What each key means is said here and published as a JSON Schema ([`schema`]).

mod at;
mod check;
mod containers;
pub(crate) mod domains;
mod expect;
mod hint;
mod names;
mod panel;
mod problem;
mod read;
mod short;
mod values;
mod ways;
mod workers;

use std::str::FromStr;

use protocol::impair::{Impairment, Properties};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

pub use at::{At, Place};
pub use check::Checked;
pub use expect::{
    Arriving, CommandExpectation, Drops, Expectation, PacketsExpectation, Part, PathExpectation,
    PingExpectation, RateExpectation,
};
pub use hint::closest;
pub use names::{MAX_INTERFACE, MAX_NAME};
pub use panel::{Dpdk, Driver, Panel, Recorder};
pub use problem::{Problem, Problems};
pub use short::{Loose, Named, Several, Short};
pub use values::{Address, Destination, Gateway, Mac, Rate, Share, Shell, Time};
pub use workers::Workers;

/// A network: hosts, switches, routers, what runs on them, the links between them, and what is expected of all that.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "A network of spp lab")]
pub struct File {
    /// What the network is called, while it is up. The name of the file without its ending, if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<At<String>>,
    /// Hosts: network namespaces, or containers, with addresses and programs.
    pub hosts: Named<Host>,
    /// Switches: bridges that learn addresses.
    pub switches: Named<Switch>,
    /// Routers: hosts that forward IPv4 and IPv6.
    pub routers: Named<Host>,
    /// DPDK programs, or apps of `spp container`, with links as their ports.
    pub nodes: Named<Dpdk>,
    /// SPP panels with links as their ports.
    pub spp: Named<Panel>,
    /// Links between these.
    pub links: Vec<At<Link>>,
    /// What has to hold, for `spp lab test`.
    pub expect: Vec<At<Expectation>>,
}

/// A host or a router: `h1: 10.0.0.1/24` for short.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// An image of which it is a container: one that `spp container build` makes (dpdk, spp, pktgen, suricata), or any that the engine
    /// has. Without `start`, what the image runs by itself is started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<At<String>>,
    /// Addresses of its first interface, with prefix. Those of others are written at the link.
    pub address: At<Several<Address>>,
    /// Addresses of the host itself, on its loopback interface.
    pub loopback: At<Several<Address>>,
    /// Other hosts may have the same loopback addresses.
    pub anycast: bool,
    /// Where packets go for which there is no other route; one of each family.
    pub gateway: At<Several<Gateway>>,
    /// Further routes.
    pub routes: Vec<At<Route>>,
    /// Commands that are run to their end before the network counts as up; each has to end with success within 60 s.
    pub run: Several<Shell>,
    /// Programs that are started and go on while the network is up.
    pub start: Several<Shell>,
    /// Core files of these are kept: they run in a folder of their own for them, with no limit of their length.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cores: bool,
}

impl Short for Host {
    const EXPECTED: &'static str = "a host: its address (10.0.0.1/24), a list of addresses, or a mapping with image, address, gateway, routes, run, start, cores";

    fn short(texts: Vec<String>) -> Result<Self, String> {
        let addresses: Result<Vec<Address>, String> =
            texts.iter().map(|text| text.parse()).collect();
        Ok(Self {
            address: Several(addresses?).into(),
            ..Self::default()
        })
    }

    fn placed(mut self, place: Place) -> Self {
        if self.address.place == Place::default() {
            self.address.place = place;
        }
        self
    }
}

/// A route.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Network that it leads to, or `default`.
    pub to: Destination,
    /// Address of the next router.
    pub via: Gateway,
}

/// A switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Switch {
    /// It speaks the spanning tree protocol, which switches in a ring need. Packets pass some 30 s after it came up.
    pub stp: bool,
    /// What makes it: bridge (the kernel's), or ovs (Open vSwitch in user space, where it is installed).
    pub via: Switching,
}

/// What makes a switch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Switching {
    /// The kernel's bridge (`bridge(8)`).
    #[default]
    Bridge,
    /// Open vSwitch, with its datapath in user space (`ovs-vswitchd(8)`).
    Ovs,
}

impl Short for Switch {
    const EXPECTED: &'static str = "a switch: nothing, or a mapping with stp, via";

    fn short(texts: Vec<String>) -> Result<Self, String> {
        match texts.first() {
            None => Ok(Self::default()),
            Some(text) => Err(format!(
                "'{text}' says nothing of a switch: expected {}",
                Self::EXPECTED
            )),
        }
    }
}

/// A link: `[h1, s1]` for short. What is said of packets holds for each direction by itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Link {
    /// What it connects.
    pub ends: [At<End>; 2],
    /// What it does to packets.
    pub character: Character,
    /// Longest packet in bytes, without Ethernet's header.
    pub mtu: Option<At<u32>>,
}

/// The long form of a link.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LinkMapping")]
struct LongLink {
    /// What it connects: two names, or mappings with node, interface, address, mac.
    #[schemars(with = "[End; 2]")]
    link: Vec<At<Loose<End>>>,
    /// How long a packet is under way.
    delay: Option<Time>,
    /// By how much the delay varies.
    jitter: Option<Time>,
    /// Packets that are lost.
    loss: Option<Share>,
    /// Bits a second, Ethernet's header counted.
    rate: Option<Rate>,
    /// Packets that overtake others; takes a delay.
    reorder: Option<Share>,
    /// Packets that come twice.
    duplicate: Option<Share>,
    /// Packets in which one bit is changed.
    corrupt: Option<Share>,
    /// Packets that wait at most, beyond which they are dropped.
    queue: Option<u32>,
    /// Which packets are lost and the like: the same with the same number.
    seed: Option<u64>,
    /// What does it: panel (SPP's), or netem (the kernel's).
    #[serde(default)]
    via: Via,
    /// Longest packet in bytes, without Ethernet's header (1500).
    #[schemars(with = "Option<u32>")]
    mtu: Option<At<u32>>,
}

/// What a link does to packets, in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Character {
    /// How long a packet is under way.
    pub delay: Option<Time>,
    /// By how much the delay varies.
    pub jitter: Option<Time>,
    /// Packets that are lost.
    pub loss: Option<Share>,
    /// Bits a second.
    pub rate: Option<Rate>,
    /// Packets that overtake others.
    pub reorder: Option<Share>,
    /// Packets that come twice.
    pub duplicate: Option<Share>,
    /// Packets in which one bit is changed.
    pub corrupt: Option<Share>,
    /// Packets that wait at most.
    pub queue: Option<u32>,
    /// Which packets are chosen: the same with the same number.
    pub seed: Option<u64>,
    /// What does it.
    pub via: Via,
}

impl Character {
    /// Nothing is done to packets.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self
            == Self {
                via: self.via,
                seed: self.seed,
                ..Self::default()
            }
    }

    /// The same for a patch of a panel, in the direction of the link or `back`, for which other packets are chosen.
    ///
    /// # Errors
    /// A panel cannot do so; it says why.
    pub fn impairment(&self, back: bool) -> Result<Impairment, String> {
        fn same<T: ToString, U: FromStr<Err: ToString>>(
            value: Option<T>,
        ) -> Result<Option<U>, String> {
            let parsed = value.map(|value| value.to_string().parse());
            parsed
                .transpose()
                .map_err(|error: U::Err| error.to_string())
        }
        let properties = Properties {
            delay: same(self.delay)?,
            jitter: same(self.jitter)?,
            loss: same(self.loss)?,
            rate: same(self.rate)?,
            reorder: same(self.reorder)?,
            duplicate: same(self.duplicate)?,
            corrupt: same(self.corrupt)?,
            limit: self.queue,
            seed: Some(self.seed.unwrap_or_default().wrapping_mul(2) + u64::from(back)),
        };
        Impairment::try_from(properties).map_err(|error| error.to_string())
    }

    /// What is done, for people: `delay 100ms, rate 1Mbit/s`.
    #[must_use]
    pub fn words(&self) -> String {
        let mut parts = Vec::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                parts.push(format!("{name} {value}"));
            }
        };
        add("delay", self.delay.map(|v| v.to_string()));
        add("jitter", self.jitter.map(|v| v.to_string()));
        add("loss", self.loss.map(|v| v.to_string()));
        add("rate", self.rate.map(|v| v.to_string()));
        add("reorder", self.reorder.map(|v| v.to_string()));
        add("duplicate", self.duplicate.map(|v| v.to_string()));
        add("corrupt", self.corrupt.map(|v| v.to_string()));
        add("queue", self.queue.map(|v| v.to_string()));
        add("seed", self.seed.map(|v| v.to_string()));
        parts.join(", ")
    }
}

/// What gives a link its character.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// Patches of a panel that carries such links.
    #[default]
    Panel,
    /// The kernel's netem (`tc-netem(8)`).
    Netem,
}

/// An end of a link: a node's name for short.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Name of the node.
    pub node: String,
    /// Name of the interface there; eth0, eth1, … in the order of links, if not given.
    #[serde(default)]
    pub interface: Option<String>,
    /// Addresses of the interface.
    #[serde(default)]
    pub address: Several<Address>,
    /// Its Ethernet address; made of the network's and the node's names, if not given.
    #[serde(default)]
    pub mac: Option<Mac>,
    /// The driver by which a DPDK program uses it, if not the program's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<Driver>,
}

/// The long form of an [`End`], for the schema.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[allow(dead_code, reason = "described, not made")]
struct EndMapping {
    /// Name of the node.
    node: String,
    /// Name of the interface there; eth0, eth1, … in the order of links, if not given.
    interface: Option<String>,
    /// Addresses of the interface.
    #[schemars(default)]
    address: Several<Address>,
    /// Its Ethernet address; made of the network's and the node's names, if not given.
    mac: Option<Mac>,
    /// The driver by which a DPDK program uses it, if not the program's own.
    driver: Option<Driver>,
}

impl Short for End {
    const EXPECTED: &'static str =
        "an end of a link: a node's name, or a mapping with node, interface, address, mac, driver";

    fn short(texts: Vec<String>) -> Result<Self, String> {
        match <[String; 1]>::try_from(texts) {
            Ok([node]) => Ok(Self {
                node,
                ..Self::default()
            }),
            Err(_) => Err(format!("expected {}", Self::EXPECTED)),
        }
    }
}

impl JsonSchema for End {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "End".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<EndMapping>();
        json_schema!({"anyOf": [{"type": "string"}, long]})
    }
}

impl JsonSchema for Link {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Link".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (short, long) = (
            generator.subschema_for::<[End; 2]>(),
            generator.subschema_for::<LongLink>(),
        );
        json_schema!({"anyOf": [short, long]})
    }
}

impl<'de> Deserialize<'de> for Link {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LinkVisitor)
    }
}

struct LinkVisitor;

impl<'de> Visitor<'de> for LinkVisitor {
    type Value = Link;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a link: [h1, s1], or a mapping with link, delay, rate, …")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Link, A::Error> {
        let mut ends = Vec::new();
        while let Some(end) = seq.next_element::<At<Loose<End>>>()? {
            ends.push(end);
        }
        Ok(Link {
            ends: two(ends).map_err(A::Error::custom)?,
            character: Character::default(),
            mtu: None,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Link, A::Error> {
        let long = LongLink::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Link {
            ends: two(long.link).map_err(A::Error::custom)?,
            character: Character {
                delay: long.delay,
                jitter: long.jitter,
                loss: long.loss,
                rate: long.rate,
                reorder: long.reorder,
                duplicate: long.duplicate,
                corrupt: long.corrupt,
                queue: long.queue,
                seed: long.seed,
                via: long.via,
            },
            mtu: long.mtu,
        })
    }
}

fn two(ends: Vec<At<Loose<End>>>) -> Result<[At<End>; 2], String> {
    let count = ends.len();
    let ends: Vec<At<End>> = ends
        .into_iter()
        .map(|end| At {
            value: end.value.0,
            place: end.place,
        })
        .collect();
    <[At<End>; 2]>::try_from(ends)
        .map_err(|_| format!("a link has two ends, such as [h1, s1]; this has {count}"))
}

/// The JSON Schema of a [`File`].
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}
