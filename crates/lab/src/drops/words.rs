//! What counters of the kernel mean (`/proc/net/dev`, `/proc/net/snmp`, `/proc/net/netstat`, `/proc/net/snmp6`; the kernel's
//! `Documentation/networking/snmp_counter.rst`).

/// Columns of `/proc/net/dev` behind the name: what they are called in `/sys/class/net/…/statistics`, and what they mean.
pub const DEVICE: [(usize, &str, &str); 7] = [
    (2, "rx_errors", "arrived damaged"),
    (
        3,
        "rx_dropped",
        "arrived and were not wanted, or the other end was too fast",
    ),
    (4, "rx_fifo", "arrived faster than they were taken"),
    (5, "rx_frame", "arrived misaligned"),
    (10, "tx_errors", "could not be sent"),
    (
        11,
        "tx_dropped",
        "were to be sent, and the device or the other end did not take them",
    ),
    (
        14,
        "tx_carrier",
        "were to be sent while the other end was down",
    ),
];

/// Why a panel drops packets (`protocol::detail::Drops`).
pub const PANEL: [(&str, &str); 10] = [
    ("full", "where they were to go there was no room"),
    ("link-down", "nobody is at the other end"),
    ("no-mbuf", "no packet buffer was left"),
    ("too-big", "longer than where they were to go takes"),
    (
        "removed",
        "on their way when their port or patch was taken away",
    ),
    ("io-error", "a file or driver refused them"),
    ("unknown", "no entry of a table says where they should go"),
    ("filtered", "not let through, as the file wants"),
    ("lost", "lost, as the file wants"),
    ("limit", "as many waited as the queue takes"),
];

/// Counters of a namespace's stack.
pub const STACK: &[(&str, &str)] = &[
    (
        "IpInHdrErrors",
        "IPv4: wrong header, or the time to live was over",
    ),
    (
        "IpInAddrErrors",
        "IPv4: for an address that is not the node's, which does not forward",
    ),
    (
        "IpInUnknownProtos",
        "IPv4: of a protocol that nobody receives",
    ),
    ("IpInDiscards", "IPv4: right, and dropped on arrival"),
    ("IpOutDiscards", "IPv4: right, and dropped on the way out"),
    ("IpOutNoRoutes", "IPv4: no route to where the node sends"),
    (
        "IpExtInNoRoutes",
        "IPv4: no route to where the node was to forward",
    ),
    ("IpExtInTruncatedPkts", "IPv4: shorter than the header says"),
    ("IpExtInCsumErrors", "IPv4: wrong checksum of the header"),
    ("IpReasmFails", "IPv4: fragments that came to no whole"),
    (
        "IpFragFails",
        "IPv4: too long for the link, and not to be cut",
    ),
    (
        "TcpExtIPReversePathFilter",
        "IPv4: from an address to which another interface leads (rp_filter)",
    ),
    (
        "TcpExtArpFilter",
        "ARP: asked for by another interface (arp_filter)",
    ),
    (
        "Ip6InHdrErrors",
        "IPv6: wrong header, or the hop limit was reached",
    ),
    (
        "Ip6InTooBigErrors",
        "IPv6: too long for the link that they were to be forwarded to",
    ),
    (
        "Ip6InNoRoutes",
        "IPv6: no route to where the node was to forward",
    ),
    (
        "Ip6InAddrErrors",
        "IPv6: for or from an address that cannot be",
    ),
    (
        "Ip6InUnknownProtos",
        "IPv6: of a protocol that nobody receives",
    ),
    ("Ip6InTruncatedPkts", "IPv6: shorter than the header says"),
    ("Ip6InDiscards", "IPv6: right, and dropped on arrival"),
    ("Ip6OutDiscards", "IPv6: right, and dropped on the way out"),
    ("Ip6OutNoRoutes", "IPv6: no route to where the node sends"),
    ("Ip6ReasmFails", "IPv6: fragments that came to no whole"),
    (
        "Ip6FragFails",
        "IPv6: too long for the link, and not to be cut",
    ),
    ("IcmpInErrors", "ICMP: wrong"),
    ("IcmpInCsumErrors", "ICMP: wrong checksum"),
    ("Icmp6InErrors", "ICMPv6: wrong"),
    ("Icmp6InCsumErrors", "ICMPv6: wrong checksum"),
    ("UdpNoPorts", "UDP: to a port where nobody listens"),
    (
        "UdpInErrors",
        "UDP: in all that did not reach a program that listens",
    ),
    (
        "UdpRcvbufErrors",
        "UDP: the program that listens was too slow",
    ),
    ("UdpSndbufErrors", "UDP: no room for what was to be sent"),
    ("UdpInCsumErrors", "UDP: wrong checksum"),
    ("UdpMemErrors", "UDP: no memory left for UDP"),
    (
        "Udp6NoPorts",
        "UDP over IPv6: to a port where nobody listens",
    ),
    (
        "Udp6InErrors",
        "UDP over IPv6: in all that did not reach a program that listens",
    ),
    (
        "Udp6RcvbufErrors",
        "UDP over IPv6: the program that listens was too slow",
    ),
    (
        "Udp6SndbufErrors",
        "UDP over IPv6: no room for what was to be sent",
    ),
    ("Udp6InCsumErrors", "UDP over IPv6: wrong checksum"),
    ("Udp6MemErrors", "UDP over IPv6: no memory left for UDP"),
    ("TcpInErrs", "TCP: wrong"),
    ("TcpInCsumErrors", "TCP: wrong checksum"),
    (
        "TcpExtListenOverflows",
        "TCP: new connections, and too many wait to be accepted",
    ),
    (
        "TcpExtListenDrops",
        "TCP: new connections that were dropped, in all",
    ),
    (
        "TcpExtTCPReqQFullDrop",
        "TCP: new connections, and too many are half open",
    ),
    (
        "TcpExtTCPDeferAcceptDrop",
        "TCP: the last of a handshake, for a program that waits for data",
    ),
    ("TcpExtRcvPruned", "TCP: received, and no room left"),
    (
        "TcpExtOfoPruned",
        "TCP: received out of order, and no room left",
    ),
    (
        "TcpExtTCPOFODrop",
        "TCP: received out of order, and no room",
    ),
    ("TcpExtTCPRcvQDrop", "TCP: received, and no room"),
    (
        "TcpExtTCPBacklogDrop",
        "TCP: the program that receives was too slow",
    ),
    (
        "TcpExtTCPZeroWindowDrop",
        "TCP: sent to us although we had said that there is no room",
    ),
    (
        "TcpExtTCPMinTTLDrop",
        "TCP: from farther away than the program wants",
    ),
    ("TcpExtPFMemallocDrop", "no memory left but for emergencies"),
    (
        "TcpExtLockDroppedIcmps",
        "ICMP: about a connection that was being used",
    ),
    ("TcpExtOutOfWindowIcmps", "ICMP: about what was not sent"),
];
