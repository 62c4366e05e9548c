//! Interfaces, addresses and routes, by the kernel's routing socket (`rtnetlink(7)`).

use std::net::IpAddr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    BridgePortState, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoVeth,
    LinkAttribute, LinkFlags, LinkInfo, LinkMessage, State,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

use crate::error::{Error, Result};
use crate::file::{Address, Destination};
use crate::plan::{BRIDGE, BRIDGE_INDEX, Interface};

/// The kernel's number of the loopback interface.
const LOOPBACK_INDEX: u32 = 1;

/// A routing socket in the namespace in which it was opened.
pub struct Router {
    socket: Socket,
    /// Whose namespace it is, for messages.
    node: String,
}

impl Router {
    /// Opens it in the namespace of the calling thread.
    ///
    /// # Errors
    /// No descriptor is free.
    pub fn open(node: &str) -> Result<Self> {
        let failed = |e| Error::io(format!("open a routing socket for {node}"), e);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        Ok(Self {
            socket,
            node: node.to_owned(),
        })
    }

    fn send(&self, message: RouteNetlinkMessage, flags: u16) -> std::io::Result<()> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }

    /// Sends a request for a list and gives what is in it.
    pub(super) fn list(
        &self,
        message: RouteNetlinkMessage,
        what: &str,
    ) -> Result<Vec<RouteNetlinkMessage>> {
        let failed = |e| Error::io(format!("{what} of {}", self.node), e);
        self.send(message, NLM_F_DUMP).map_err(failed)?;
        let mut list = Vec::new();
        loop {
            let (part, _) = self.socket.recv_from_full().map_err(failed)?;
            let mut rest = &part[..];
            while !rest.is_empty() {
                let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|e| failed(std::io::Error::other(e.to_string())))?;
                // Messages begin at multiples of four bytes.
                let length = answer.header.length.next_multiple_of(4);
                rest = usize::try_from(length).map_or(&[], |at| rest.get(at..).unwrap_or(&[]));
                match answer.payload {
                    NetlinkPayload::Done(_) => return Ok(list),
                    NetlinkPayload::Error(error) => return Err(failed(error.to_io())),
                    NetlinkPayload::InnerMessage(message) => list.push(message),
                    _ => {}
                }
            }
        }
    }

    /// Sends a request and gives the kernel's answer, which comes at once.
    fn exchange(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
        what: &str,
    ) -> Result<NetlinkPayload<RouteNetlinkMessage>> {
        let failed = |e| Error::io(format!("{what} of {}", self.node), e);
        self.send(message, flags).map_err(failed)?;
        let (answer, _) = self.socket.recv_from_full().map_err(failed)?;
        let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
            .map_err(|e| failed(std::io::Error::other(e.to_string())))?;
        match answer.payload {
            NetlinkPayload::Error(error) if error.code.is_some() => Err(failed(error.to_io())),
            payload => Ok(payload),
        }
    }

    /// Changes something.
    fn ask(&self, message: RouteNetlinkMessage, create: bool, what: &str) -> Result<()> {
        let create = if create { NLM_F_CREATE | NLM_F_EXCL } else { 0 };
        match self.exchange(message, NLM_F_ACK | create, what)? {
            NetlinkPayload::Error(_) => Ok(()),
            _ => Err(Error::io(
                what,
                std::io::Error::other("the kernel's answer is none"),
            )),
        }
    }

    /// Whether packets pass an interface: both ends of its cable are up, and its bridge, if it has one without STP, lets them through.
    /// The kernel gets there by itself, a moment after it was told.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn passes(&self, interface: &Interface, stp: bool) -> Result<bool> {
        let mut message = LinkMessage::default();
        message.header.index = interface.index;
        let what = format!("look at the interface {}", interface.name);
        let answer = self.exchange(RouteNetlinkMessage::GetLink(message), 0, &what)?;
        let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = answer else {
            return Ok(false);
        };
        let is_tap = link.attributes.iter().any(|attribute| match attribute {
            LinkAttribute::LinkInfo(infos) => infos.contains(&LinkInfo::Kind(InfoKind::Tun)),
            _ => false,
        });
        // The kernel does not say more of a tap whose other side is open.
        let state = if is_tap { State::Unknown } else { State::Up };
        let up = link.attributes.contains(&LinkAttribute::OperState(state));
        let infos = link
            .attributes
            .iter()
            .filter_map(|attribute| match attribute {
                LinkAttribute::LinkInfo(infos) => Some(infos),
                _ => None,
            });
        let closed = infos.flatten().any(|info| match info {
            LinkInfo::PortData(InfoPortData::BridgePort(port)) => port.iter().any(|part| {
                matches!(part, InfoBridgePort::State(state) if *state != BridgePortState::Forwarding)
            }),
            _ => false,
        });
        Ok(up && (stp || !closed))
    }

    /// Brings the loopback interface up and gives it addresses.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn loopback(&self, addresses: &[Address]) -> Result<()> {
        self.set_up(LOOPBACK_INDEX, "lo")?;
        for address in addresses {
            self.address(LOOPBACK_INDEX, "lo", *address)?;
        }
        Ok(())
    }

    /// Makes a bridge `br0`, which is up (`bridge(8)`).
    ///
    /// # Errors
    /// The kernel refuses, or has no bridges.
    pub fn bridge(&self, stp: bool) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = BRIDGE_INDEX;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        message.attributes = vec![
            LinkAttribute::IfName(BRIDGE.into()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::Bridge),
                LinkInfo::Data(InfoData::Bridge(vec![InfoBridge::StpState(
                    u32::from(stp).into(),
                )])),
            ]),
        ];
        self.ask(
            RouteNetlinkMessage::NewLink(message),
            true,
            "make the bridge",
        )
    }

    /// Makes a pair of devices that are each other's cable (`veth(4)`): `near` here, `far` in another namespace. Both are down.
    ///
    /// # Errors
    /// The kernel refuses, or has no veth.
    pub fn cable(&self, near: &Interface, far: &Interface, other: BorrowedFd<'_>) -> Result<()> {
        let mut peer = device(far);
        peer.attributes
            .push(LinkAttribute::NetNsFd(other.as_raw_fd()));
        let mut message = device(near);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        let what = format!("make the interface {}", near.name);
        self.ask(RouteNetlinkMessage::NewLink(message), true, &what)
    }

    /// Gives a device away: it becomes an interface of another namespace.
    ///
    /// # Errors
    /// There is no such device, or the kernel refuses.
    pub fn give(&self, device: &str, interface: &Interface, other: BorrowedFd<'_>) -> Result<()> {
        let what = format!("move the device {device}");
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::IfName(device.into())];
        let answer = self.exchange(RouteNetlinkMessage::GetLink(message), 0, &what)?;
        let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) = answer else {
            return Err(Error::io(
                what,
                std::io::Error::other("the kernel's answer is none"),
            ));
        };
        let mut message = LinkMessage::default();
        message.header.index = link.header.index;
        message.attributes = vec![
            LinkAttribute::NetNsFd(other.as_raw_fd()),
            LinkAttribute::NewIfIndex(i32::try_from(interface.index).unwrap_or(i32::MAX)),
            LinkAttribute::IfName(interface.name.clone()),
            LinkAttribute::Address(interface.mac.0.to_vec()),
        ];
        message
            .attributes
            .extend(interface.mtu.map(LinkAttribute::Mtu));
        self.ask(RouteNetlinkMessage::SetLink(message), false, &what)
    }

    /// Puts an interface into the bridge.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn join_bridge(&self, interface: &Interface) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = interface.index;
        message.attributes = vec![LinkAttribute::Controller(BRIDGE_INDEX)];
        let what = format!("put the interface {} into the bridge", interface.name);
        self.ask(RouteNetlinkMessage::SetLink(message), false, &what)
    }

    /// Brings an interface up.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn set_up(&self, index: u32, name: &str) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        self.ask(
            RouteNetlinkMessage::SetLink(message),
            false,
            &format!("bring up the interface {name}"),
        )
    }

    /// Gives an interface an address, which can be used at once.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn address(&self, index: u32, name: &str, address: Address) -> Result<()> {
        let (ip, length) = (address.0.addr(), address.0.prefix_len());
        let mut message = AddressMessage::default();
        message.header.index = index;
        message.header.prefix_len = length;
        message.header.family = family(ip);
        message.header.flags = AddressHeaderFlags::Nodad;
        // IPv4's broadcast address is not derived by the kernel, and no program of today asks for it.
        message.attributes = vec![AddressAttribute::Address(ip), AddressAttribute::Local(ip)];
        let what = format!("give the address {address} to the interface {name}");
        self.ask(RouteNetlinkMessage::NewAddress(message), true, &what)
    }

    /// Adds a route.
    ///
    /// # Errors
    /// The kernel refuses: no interface leads to the gateway, or there is such a route.
    pub fn route(&self, to: Destination, via: IpAddr) -> Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(via);
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        if let Destination::Network(net) = to {
            message.header.destination_prefix_length = net.prefix_len();
            message
                .attributes
                .push(RouteAttribute::Destination(route_address(net.addr())));
        }
        message
            .attributes
            .push(RouteAttribute::Gateway(route_address(via)));
        self.ask(
            RouteNetlinkMessage::NewRoute(message),
            true,
            &format!("add the route {to} via {via}"),
        )
    }
}

/// A device that is to be.
fn device(interface: &Interface) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = interface.index;
    message.attributes = vec![
        LinkAttribute::IfName(interface.name.clone()),
        LinkAttribute::Address(interface.mac.0.to_vec()),
    ];
    message
        .attributes
        .extend(interface.mtu.map(LinkAttribute::Mtu));
    message
}

fn family(address: IpAddr) -> AddressFamily {
    match address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    }
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}
