use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Filter, FilterError> {
    text.parse()
}

#[test]
fn a_filter_is_read_and_written() {
    let text =
        "dst 02:00:00:00:00:01 vlan 100 ethertype 0x0800 ip-src 10.0.0.0/8 proto tcp dport 80";
    let filter = read(text).unwrap();
    assert_eq!(filter.to_string(), text);
    assert_eq!(filter.vlan(), Some(VlanMatch::Id(100)));
    assert_eq!(filter.dport(), Some(80..=80));
    assert_eq!(filter.src(), None);
    let json = serde_json::to_string(&filter).unwrap();
    assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), filter);
}

#[test]
fn what_means_the_same_is_written_the_same() {
    for (text, written) in [
        ("dport 53  sport 1000-2000\n", "sport 1000-2000 dport 53"),
        (
            "ethertype ipv6 ip-dst 2001:DB8::1/32",
            "ethertype 0x86dd ip-dst 2001:db8::/32",
        ),
        ("ip-src 10.1.2.3/32", "ip-src 10.1.2.3"),
        ("ip-src 10.1.2.3/0", "ip-src 0.0.0.0/0"),
        ("proto 17 src group", "src group proto udp"),
        (
            "dst 01:00:5e:01:02:03/ff:ff:ff:80:00:00",
            "dst 01:00:5e:00:00:00/ff:ff:ff:80:00:00",
        ),
        (
            "vlan none dst FF:FF:ff:ff:ff:ff",
            "dst ff:ff:ff:ff:ff:ff vlan none",
        ),
        ("proto 89 vlan any", "vlan any proto 89"),
    ] {
        assert_eq!(read(text).unwrap().to_string(), written, "{text}");
    }
}

#[test]
fn what_is_no_filter_is_refused_with_its_reason() {
    for (text, word) in [
        ("", "at least one key"),
        ("port 80", "'port' is no key"),
        ("dport", "dport lacks its value"),
        ("dport 80 dport 81", "dport stands twice"),
        ("dport 65536", "'65536' is no value of dport"),
        ("dport 90-80", "'90-80'"),
        ("sport +5", "'+5'"),
        ("vlan 4096", "0 to 4095"),
        ("dst 02:00:00:00:00", "MAC address"),
        ("dst 02:00:00:00:00:01:02", "MAC address"),
        ("src 02:00:00:00:00:1", "MAC address"),
        ("src 02:00:00:00:00:01/8", "mask"),
        ("ip-src 10.0.0.0/33", "bits that count"),
        ("ip-src 10.0.0/8", "IPv4 or IPv6"),
        ("ip-dst ::/129", "bits that count"),
        ("proto 256", "0 to 255"),
        ("proto http", "tcp, udp"),
        ("ethertype 0x05dc", "0x0600"),
        ("ethertype 2048", "in hex"),
        ("ethertype 0x+800", "in hex"),
        ("ip-src 10.0.0.1 ip-dst ::1", "ip-src and ip-dst"),
        ("ethertype arp proto tcp", "ethertype and proto"),
        ("ethertype ipv6 ip-src 10.0.0.1", "ethertype and ip-src"),
        ("proto icmp dport 80", "proto and dport"),
        ("vlan none ethertype 0x8100", "vlan and ethertype"),
        ("vlan 5 ethertype 0x88a8", "vlan and ethertype"),
    ] {
        let reason = read(text).unwrap_err().to_string();
        assert!(reason.contains(word), "{text}: {reason}");
    }
    let long = format!("dport 80{}", " ".repeat(MAX_FILTER));
    assert_eq!(read(&long), Err(FilterError::Long(long.len())));
}

fn mac() -> impl Strategy<Value = String> {
    let one = || "[0-9a-f]{2}(:[0-9a-f]{2}){5}";
    let masked = (one(), one()).prop_map(|(address, mask)| format!("{address}/{mask}"));
    prop_oneof![one(), masked, Just("group".to_owned())]
}

fn prefix(four: bool) -> BoxedStrategy<String> {
    if four {
        let parts = (any::<std::net::Ipv4Addr>(), 0..=32u8);
        return parts.prop_map(|(a, bits)| format!("{a}/{bits}")).boxed();
    }
    let parts = (any::<std::net::Ipv6Addr>(), 0..=128u8);
    parts.prop_map(|(a, bits)| format!("{a}/{bits}")).boxed()
}

fn ports() -> impl Strategy<Value = String> {
    (any::<u16>(), any::<u16>()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b)))
}

/// Texts of filters, each pair there or not, in any order.
fn texts() -> impl Strategy<Value = String> {
    any::<bool>().prop_flat_map(|four| {
        let pair = |key: &'static str, value: BoxedStrategy<String>| {
            proptest::option::of(value.prop_map(move |v| format!("{key} {v}"))).boxed()
        };
        let proto = prop_oneof![Just("tcp"), Just("17"), Just("sctp")].prop_map(str::to_owned);
        let vlan = prop_oneof![
            Just("any".to_owned()),
            Just("none".to_owned()),
            (0..=4095u16).prop_map(|id| id.to_string())
        ];
        let ethertype = Just(if four { "ipv4" } else { "0x86dd" }.to_owned());
        let pairs: Vec<_> = vec![
            pair("src", mac().boxed()),
            pair("dst", mac().boxed()),
            pair("vlan", vlan.boxed()),
            pair("ethertype", ethertype.boxed()),
            pair("ip-src", prefix(four)),
            pair("ip-dst", prefix(four)),
            pair("proto", proto.boxed()),
            pair("sport", ports().boxed()),
            pair("dport", ports().boxed()),
        ];
        pairs.prop_shuffle().prop_map(|pairs| {
            let there: Vec<String> = pairs.into_iter().flatten().collect();
            there.join(" ")
        })
    })
}

proptest! {
    #[test]
    fn a_filter_is_the_same_after_it_is_written(text in texts()) {
        match read(&text) {
            Ok(filter) => {
                let written = filter.to_string();
                prop_assert!(written.len() <= MAX_FILTER);
                prop_assert_eq!(read(&written), Ok(filter));
            }
            Err(error) => prop_assert!(text.is_empty(), "{}: {}", text, error),
        }
    }

    #[test]
    fn no_text_does_harm(words in proptest::collection::vec(
        prop_oneof!["src|dst|vlan|ethertype|ip-src|ip-dst|proto|sport|dport", "[ -~]{0,12}", "\\PC{0,6}", "[0-9:./x-]{1,20}"],
        0..12,
    )) {
        let text = words.join(" ");
        match read(&text) {
            Ok(filter) => prop_assert_eq!(read(&filter.to_string()), Ok(filter)),
            Err(error) => {
                let reason = error.to_string();
                prop_assert!(reason.len() > 10 && reason.len() < 400);
                prop_assert!(!reason.contains(char::is_control), "{:?}", reason);
            }
        }
    }
}
