//! What is wrong with a file is said with its line and with what would be right.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used)]

use lab::{Error, File};

/// The message for a text that is wrong.
fn refusal(text: &str) -> String {
    match File::parse(text, "net.yaml", Some("net")) {
        Err(Error::File(problems)) => problems.to_string(),
        Err(other) => panic!("{text}\nis refused otherwise: {other}"),
        Ok(_) => panic!("is accepted:\n{text}"),
    }
}

const TWO: &str = "hosts: {h1: 10.0.0.1/24, h2: 10.0.0.2/24}\n";

/// Text, where the message has to begin, and what else it has to say.
const WRONG: &[(&str, &str, &str)] = &[
    ("hosts: {h1: 10.0.0.1/24\nlinks: []\n", "net.yaml:", ""),
    (
        "host: [h1]\n",
        "net.yaml:1:1: 'host' is not known here",
        "did you mean 'hosts'?",
    ),
    (
        "hosts:\n  h1: {adress: 10.0.0.1/24}\n",
        "net.yaml:2:8: 'adress' is not known here",
        "did you mean 'address'?",
    ),
    (
        "hosts:\n  h1: 10.0.0.1\n",
        "net.yaml:2:7: '10.0.0.1' lacks",
        "10.0.0.1/24",
    ),
    (
        "hosts:\n  h1: {address: [10.0.0.1/24, nonsense]}\n",
        "net.yaml:2:31: 'nonsense'",
        "10.0.0.1/24",
    ),
    (
        "hosts:\n  h1: 10.0.0.1/24\n  h1: 10.0.0.2/24\n",
        "net.yaml:3:3: 'h1' is there twice",
        "once",
    ),
    ("hosts: [h1, h1]\n", "net.yaml:1:", "twice"),
    (
        "hosts: [h1]\nswitches: [h1]\n",
        "net.yaml:2:12: 'h1' is the name of two nodes",
        "a name of its own",
    ),
    (
        "hosts: ['a b']\n",
        "net.yaml:1:9: 'a b' is no name of a node",
        "letters",
    ),
    (
        "hosts: [abcdefghijklmnopqrstuvwxyzabcdefg]\n",
        "net.yaml:1:9:",
        "at most 32",
    ),
    (
        "name: ../etc\nhosts: [h1]\n",
        "net.yaml:1:7: '../etc' is no name of a network",
        "letters",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - [h1, h3]\n",
        "net.yaml:3:10: there is no node 'h3'",
        "did you mean",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - [h1]\n",
        "net.yaml:3:5: a link has two ends",
        "this has 1",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - [h1, h1]\n",
        "net.yaml:3:10:",
        "to itself",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {link: [h1, h2], delya: 5ms}\n",
        "net.yaml:3:22: 'delya'",
        "did you mean 'delay'?",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {link: [h1, h2], delay: 5}\n",
        "net.yaml:3:29: '5' lacks its unit",
        "5ms",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {link: [h1, h2], loss: 0.1}\n",
        "net.yaml:3:28:",
        "0.1%",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {link: [h1, h2], rate: fast}\n",
        "net.yaml:3:28: 'fast' is no rate",
        "1Mbit/s",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {link: [h1, h2], reorder: 1%}\n",
        "net.yaml:3:5:",
        "delay: 10ms",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {link: [h1, h2], delay: 1ms, jitter: 2ms}\n",
        "net.yaml:3:5:",
        "jitter",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {link: [h1, h2], mtu: 20}\n",
        "net.yaml:3:27: an MTU of 20",
        "1500",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {link: [h1, h2], via: netm}\n",
        "net.yaml:3:27: 'netm'",
        "did you mean 'netem'?",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {delay: 5ms}\n",
        "net.yaml:3:6: 'link' is missing",
        "",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - [{node: h1, interface: a-name-of-17-byte}, h2]\n",
        "net.yaml:3:6: the interface's name 'a-name-of-17-byte' has 17 bytes",
        "eth0",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - [{node: h1, interface: eth1}, h2]\n  - [{node: h1, interface: eth1}, h2]\n",
        "net.yaml:4:6: 'h1' has two interfaces 'eth1'",
        "another",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - [{node: h1, mac: '01:00:00:00:00:01'}, h2]\n",
        "net.yaml:3:22: '01:00:00:00:00:01'",
        "even",
    ),
    (
        "hosts: {h1: 10.0.0.1/24, h2: 10.0.0.1/24}\nlinks: [[h1, h2]]\n",
        "net.yaml:1:30: 10.0.0.1 is an address of 'h1' already",
        "anycast: true",
    ),
    (
        "hosts: {h1: 10.0.0.0/24, h2: 10.0.0.1/24}\nlinks: [[h1, h2]]\n",
        "net.yaml:1:13: 10.0.0.0/24",
        "of a host",
    ),
    (
        "hosts: {h1: 10.0.0.1/24}\n",
        "net.yaml:1:13: 'h1' has an address, but no link",
        "links",
    ),
    (
        "hosts: {h1: {anycast: true}}\n",
        "net.yaml:1:9: 'h1' shares no address",
        "loopback",
    ),
    (
        "hosts: {h1: {address: 10.0.0.1/24, gateway: 10.1.0.1}, h2: 10.0.0.2/24}\nlinks: [[h1, h2]]\n",
        "net.yaml:1:45: 'h1' does not reach the gateway 10.1.0.1",
        "10.0.0.0/24",
    ),
    (
        "hosts: {h1: {address: 10.0.0.1/24, gateway: 10.0.0.1}, h2: 10.0.0.2/24}\nlinks: [[h1, h2]]\n",
        "net.yaml:1:45:",
        "itself",
    ),
    (
        "hosts: {h1: {address: 10.0.0.1/24, routes: [{to: 10.1.0.1/16, via: 10.0.0.2}]}, h2: 10.0.0.2/24}\nlinks: [[h1, h2]]\n",
        "net.yaml:1:50: '10.1.0.1/16' has bits beyond its prefix",
        "10.1.0.0/16",
    ),
    (
        "switches: [s1, s2]\nlinks:\n  - [s1, s2]\n  - [s1, s2]\n",
        "net.yaml:4:5: this link closes a ring of switches",
        "stp: true",
    ),
    (
        "hosts: [h1]\nswitches: [s1]\nlinks:\n  - [h1, {node: s1, address: 10.0.0.1/24}]\n",
        "net.yaml:4:10: 's1' has no addresses",
        "",
    ),
    (
        "hosts: [h1]\nexpect:\n  - ping: {from: h1, to: h2}\n",
        "net.yaml:3:5: there is no node 'h2'",
        "h1",
    ),
    (
        "hosts: [h1]\nexpect:\n  - pign: {from: h1, to: h1}\n",
        "net.yaml:3:5: 'pign'",
        "did you mean 'ping'?",
    ),
    (
        "hosts: [h1]\nexpect:\n  - ping: {form: h1, to: h1}\n",
        "net.yaml:3:12: 'form'",
        "did you mean 'from'?",
    ),
    (
        "hosts: [h1]\nexpect:\n  - run: {on: h1, command: ''}\n",
        "net.yaml:3:",
        "not to be empty",
    ),
    (
        "spp:\n  p1: {processes: [nfv]}\n",
        "net.yaml:2:8: ",
        "a mapping of processes, such as nfv:1",
    ),
    (
        "spp:\n  p1: {processes: {nfx:1: {}}}\n",
        "net.yaml:2:",
        "'nfx:1' is no process",
    ),
    (
        "spp:\n  p1: {processes: {nfv:1: {ports: [rnig:0]}}}\n",
        "net.yaml:2:",
        "rnig",
    ),
    (
        "spp:\n  p1: {processes: {vf:1: {ports: [ring:0]}}}\n",
        "net.yaml:2:3: 'p1': vf:1: ports in a process that has none",
        "components",
    ),
    (
        "spp:\n  p1: {processes: {pcap:1: {capture: true}}}\n",
        "net.yaml:2:29: 'port' is missing",
        "",
    ),
    (
        "hosts: [h1]\nspp:\n  p1: {processes: {nfv:1: {ports: [tap:1]}}}\nlinks: [[h1, p1]]\n",
        "net.yaml:3:3: 'p1': nfv:1 has tap:1, but the panel has 1 links",
        "tap:0",
    ),
    (
        "spp: [p1, p2]\nlinks:\n  - [p1, p2]\n",
        "net.yaml:3:5: the link connects two panels",
        "a switch between them",
    ),
    (
        "hosts: [h1]\nspp: [p1]\nlinks:\n  - {link: [h1, p1], delay: 5ms, loss: 1%}\n",
        "net.yaml:4:5: a link of a panel has no delay",
        "with delay 5ms loss 1%",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {link: [h1, h2], delay: 5ms, mtu: 9000}\n",
        "net.yaml:3:39: a panel carries packets of at most 1500 bytes, not 9000",
        "via: netem",
    ),
    (
        "hosts: [h1, h2, h3]\nlinks: [[h1, h2]]\nexpect:\n  - path: {from: h1, to: h2, through: h3}\n",
        "net.yaml:4:5: 'h3' has no link",
        "no packet passes it",
    ),
    (
        "hosts: [h1, h2]\nlinks: [[h1, h2]]\nexpect:\n  - path: {from: h1, to: h2, around: 'h2:eth1'}\n",
        "net.yaml:4:5: 'h2' has no interface 'eth1'",
        "did you mean 'eth0'?",
    ),
    (
        "hosts: [h1, h2]\nlinks: [[h1, h2]]\nexpect:\n  - rate: {from: h1, to: h2, min: 2Mbit/s, max: 1Mbit/s}\n",
        "net.yaml:4:5: min 2Mbit/s is more than max 1Mbit/s",
        "",
    ),
    (
        "hosts: [h1, h2]\nlinks: [[h1, h2]]\nexpect:\n  - packets: {send: /nowhere/sent.pcap, from: h1, to: h2}\n",
        "net.yaml:4:5: /nowhere/sent.pcap",
        "No such file",
    ),
    (
        "hosts: [h1, h2]\nlinks: [[h1, h2]]\nexpect:\n  - packets: {send: Cargo.toml, from: h1, to: h2}\n",
        "net.yaml:4:5: Cargo.toml",
        "not a pcap or pcapng file",
    ),
    (
        "hosts: [h1, h2]\nlinks: [[h1, h2]]\nexpect:\n  - packets: {send: ../../examples/lab/nf-router.sent.pcap, from: h1, to: h2, arrive: maybe}\n",
        "net.yaml:4:5: maybe",
        "",
    ),
    (
        "hosts: [h1, h2]\nlinks: [[h1, h2]]\nexpect:\n  - packets: {send: ../../examples/lab/nf-router.sent.pcap, from: h1, to: h2, arrive: [a]}\n",
        "net.yaml:4:",
        "a capture file, true or false",
    ),
    (
        "hosts: [h1, h2]\nlinks: [[h1, h2]]\nexpect:\n  - packets: {send: ../../examples/lab/nf-router.sent.pcap, from: h1, to: h2, except: ttl}\n",
        "net.yaml:4:",
        "hop-limit",
    ),
    (
        "hosts: [h1, h2]\nlinks: [[h1, h2]]\nexpect:\n  - packets: {send: ../../examples/lab/nf-router.sent.pcap, from: h1, to: 'h2:eth3'}\n",
        "net.yaml:4:5: 'h2' has no interface 'eth3'",
        "eth0",
    ),
    (
        "hosts: [h1, h2]\nlinks: [[h1, h2], [h1, h2]]\nexpect:\n  - packets: {send: ../../examples/lab/nf-router.sent.pcap, from: h1, to: h2}\n",
        "net.yaml:4:5: 'h1' has 2 interfaces: which one sends?",
        "from: 'h1:eth0'",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - [h1, {node: h2, driver: tap}]\n",
        "net.yaml:3:10: 'h2' has no driver",
        "it is no DPDK program",
    ),
    (
        "nodes: {d1: 'a {eal}', d2: 'b {eal}'}\nlinks:\n  - [{node: d1, driver: tap}, d2]\n",
        "net.yaml:3:6: the tap of 'd1' cannot be a port of 'd2'",
        "driver: af_packet",
    ),
    (
        "hosts: [h1]\nnodes: {d1: {command: 'a {eal}', driver: tap}}\nlinks:\n  - {link: [h1, d1], delay: 5ms}\n",
        "net.yaml:4:17: the tap of 'd1' is the link itself",
        "driver: af_packet",
    ),
    (
        "hosts: [h1, h2]\nlinks:\n  - {link: [h1, h2], rate: 500Gbit/s}\n",
        "net.yaml:3:5: ",
        "400Gbit/s",
    ),
    (
        "hosts:\n  h1: {image: 'a b'}\n",
        "net.yaml:2:15: 'a b', of 'h1', is no name of an image",
        "debian:12",
    ),
    (
        "hosts:\n  h1: {image: dpdk, cores: true}\n",
        "net.yaml:2:3: 'h1' is a container",
        "without image",
    ),
    (
        "switches: {s1: {via: osv}}\n",
        "net.yaml:1:",
        "did you mean 'ovs'?",
    ),
    (
        "hosts: [h1]\nnodes: {d1: {lcores: '0'}}\n",
        "net.yaml:2:9: 'd1' has neither a command nor an app",
        "app: testpmd",
    ),
    (
        "hosts: [h1]\nnodes: {d1: {command: 'a {eal}', app: l2fwd}}\n",
        "net.yaml:2:9: 'd1' has both a command and an app",
        "one of them",
    ),
    (
        "hosts: [h1]\nnodes: {d1: {command: 'a {eal}', options: '-p 0x3'}}\n",
        "net.yaml:2:9: 'd1' has options, but no app",
        "behind {eal} --",
    ),
    (
        "hosts: [h1]\nnodes: {d1: {app: l2fw}}\nlinks:\n  - [h1, d1]\n",
        "net.yaml:2:9: the app of 'd1': ",
        "l2fwd",
    ),
    (
        "hosts: [h1]\nnodes: {d1: {app: spp-nfv}}\nlinks:\n  - [h1, d1]\n",
        "net.yaml:2:9: the app of 'd1': spp-nfv takes no links as ports",
        "stand in spp",
    ),
    (
        "hosts: [h1]\nnodes: {d1: {app: l2fwd, options: '-p 0x1'}}\nlinks:\n  - [h1, d1]\n",
        "net.yaml:2:9: the app of 'd1': ",
        "even",
    ),
    (
        "hosts: [h1]\nnodes: {d1: {app: testpmd, options: '-l 1'}}\nlinks:\n  - [h1, d1]\n",
        "net.yaml:2:9: the app of 'd1': --core-list is not an option of an app in a network",
        "lcores: 0-1",
    ),
    (
        "hosts: [h1]\nnodes: {d1: {app: testpmd, options: a ' b}}\nlinks:\n  - [h1, d1]\n",
        "net.yaml:2:9: the app of 'd1': the options 'a ' b' have a quote without its other one",
        "as in a shell",
    ),
    (
        "hosts: [h1]\nnodes: {d1: {app: testpmd, driver: af_xdp}}\nlinks:\n  - [h1, d1]\n",
        "net.yaml:4:10: 'd1' is in a container, which may have no XDP socket",
        "driver: af_packet or tap",
    ),
    ("", "net.yaml: there is no node", "hosts"),
    ("[]", "net.yaml:1:1:", ""),
    ("--- {hosts: [h1]}\n--- {hosts: [h2]}\n", "net.yaml:", ""),
];

#[test]
fn each_wrong_file_is_refused_with_line_and_hint() {
    let mut failures = Vec::new();
    for (text, beginning, part) in WRONG {
        let message = refusal(text);
        if !message.starts_with(beginning) || !message.contains(part) {
            failures.push(format!(
                "{text}→ {message}\n  expected: {beginning} … {part}\n"
            ));
        }
        assert!(message.len() < 1000, "too long: {message}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let message = refusal(&format!(
        "{TWO}links:\n  - [h1, h9]\n  - {{link: [h2, h8], mtu: 1}}\n"
    ));
    assert_eq!(message.lines().count(), 3, "{message}");
}

#[test]
fn what_may_be_meant_is_a_warning() {
    let text =
        "hosts: {h1: 10.0.0.1/24, h2: 10.0.1.2/24}\nswitches: [s1]\nlinks: [[h1, s1], [h2, s1]]\n";
    let checked = File::parse(text, "net.yaml", Some("net")).unwrap();
    assert_eq!(checked.warnings.len(), 2);
    let warning = checked.warnings[0].to_string();
    assert!(
        warning.starts_with("1:13: 'h1' is in no common network"),
        "{warning}"
    );
}

#[test]
fn json_is_read_too() {
    let text = r#"{"hosts": {"h1": "10.0.0.1/24", "h2": "10.0.0.2/24"}, "links": [["h1", "h2"]]}"#;
    let checked = File::parse(text, "net.json", Some("net")).unwrap();
    assert_eq!(checked.file.links.len(), 1);
    assert!(checked.warnings.is_empty());
}

#[test]
fn any_cut_of_a_file_is_read_or_refused() {
    let text = "name: n\nhosts:\n  h1: {address: [10.0.0.1/24, 'fd00::1/64'], run: [a, b]}\n  h2: 10.0.0.2/24\nlinks:\n  - {link: [h1, h2], delay: 5ms}\n";
    for end in 0..=text.len() {
        if let Err(error) = File::parse(&text[..end], "net.yaml", Some("net")) {
            assert!(!error.to_string().is_empty());
        }
    }
}
