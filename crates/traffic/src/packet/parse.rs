//! From text to a description.

use std::str::FromStr;

use super::{Kind, Known, Layer, Packet, Setting, Value};

/// Most tags of a frame.
const TAGS: usize = 2;

impl FromStr for Packet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut layers: Vec<Layer> = Vec::new();
        let mut rest = text;
        loop {
            let end = rest.find(['/', '(']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let kind = kind(name.trim(), layers.last())?;
            let (inner, after) = match after.strip_prefix('(') {
                Some(after) => parenthesis(kind, after)?,
                None => ("", after),
            };
            layers.push(Layer {
                kind,
                settings: settings(kind, inner)?,
            });
            rest = match after.trim_start().strip_prefix('/') {
                Some(next) => next,
                None if after.trim().is_empty() => break,
                None => {
                    return Err(format!(
                        "'{after}' after {}: layers have / between them",
                        kind.name()
                    ));
                }
            };
        }
        check(&layers)?;
        Ok(Self { layers })
    }
}

/// What is in a parenthesis that was opened, and what follows it.
fn parenthesis(kind: Kind, text: &str) -> Result<(&str, &str), String> {
    let mut open = 1;
    for (at, c) in text.char_indices() {
        open += i32::from(c == '(') - i32::from(c == ')');
        if open == 0 {
            return Ok((&text[..at], &text[at + 1..]));
        }
    }
    Err(format!(
        "the parenthesis after {} is not closed",
        kind.name()
    ))
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn kind(name: &str, last: Option<&Layer>) -> Result<Kind, String> {
    let possible: &[Kind] = last.map_or(&[Kind::Eth], |last| last.kind.inside());
    let found = Kind::ALL.into_iter().find(|kind| kind.name() == name);
    if let Some(kind) = found.filter(|kind| possible.contains(kind)) {
        return Ok(kind);
    }
    let what = match found {
        Some(_) => "cannot be here",
        None => "is no layer that is known",
    };
    let place = match (last, possible) {
        (None, _) => "a packet begins with eth".to_owned(),
        (Some(last), []) => format!("nothing comes inside {}", last.kind.name()),
        (Some(last), _) => format!(
            "inside {} there may be {}",
            last.kind.name(),
            names(possible.iter().map(|kind| kind.name()))
        ),
    };
    Err(format!("'{name}' {what}: {place}"))
}

fn settings(kind: Kind, text: &str) -> Result<Vec<Setting>, String> {
    let mut settings: Vec<Setting> = Vec::new();
    if text.trim().is_empty() {
        return Ok(settings);
    }
    for part in text.split(',') {
        let part = part.trim();
        let layer = kind.name();
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("'{part}' in {layer}: write FIELD=VALUE"))?;
        let fields = kind.fields();
        let Some(field) = fields.iter().find(|field| field.name == name.trim()) else {
            return Err(format!(
                "'{name}' is no field of {layer}: there are {}",
                names(fields.iter().map(|field| field.name))
            ));
        };
        if settings
            .iter()
            .any(|setting| setting.field.name == field.name)
        {
            return Err(format!("{layer}: {name} is given twice"));
        }
        let value = self::value(field, value.trim())
            .map_err(|reason| format!("{layer}: {name}: {reason}"))?;
        settings.push(Setting { field, value });
    }
    Ok(settings)
}

/// `V`, `A-B`, `random`, `random(A-B)`.
fn value(field: &Known, text: &str) -> Result<Value, String> {
    if text == "random" {
        let (first, last) = field.random;
        return Ok(Value {
            first,
            last,
            random: true,
        });
    }
    let inner = text
        .strip_prefix("random(")
        .and_then(|rest| rest.strip_suffix(')'));
    let random = inner.is_some();
    let range = inner.unwrap_or(text);
    let Some((first, last)) = range.split_once('-') else {
        if random {
            return Err(format!("'{text}': write random(FIRST-LAST)"));
        }
        let first = field
            .read(range)
            .map_err(|reason| format!("{reason}, a range A-B of those, random or random(A-B)"))?;
        return Ok(Value {
            first,
            last: first,
            random,
        });
    };
    let (first, last) = (field.read(first.trim())?, field.read(last.trim())?);
    if first > last {
        return Err(format!(
            "'{range}' goes downwards: write the smaller value first"
        ));
    }
    Ok(Value {
        first,
        last,
        random,
    })
}

/// What no layer sees by itself.
fn check(layers: &[Layer]) -> Result<(), String> {
    if layers
        .iter()
        .filter(|layer| layer.kind == Kind::Vlan)
        .count()
        > TAGS
    {
        return Err(format!("a frame has at most {TAGS} VLAN tags"));
    }
    for (place, layer) in layers.iter().enumerate() {
        let inner = layers[place + 1..]
            .iter()
            .find(|inner| inner.kind != Kind::Vlan);
        let name = layer.kind.says_what_is_inside();
        let given = |setting: &Setting| Some(setting.field.name) == name;
        if let (Some(inner), Some(name)) = (inner, name)
            && layer.settings.iter().any(given)
        {
            return Err(format!(
                "{}: {name} follows from {} inside it: leave one of them out",
                layer.kind.name(),
                inner.kind.name()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str) -> String {
        text.parse::<Packet>().unwrap_err()
    }

    #[test]
    fn descriptions_are_read() {
        let text = "eth(dst=52:54:00:00:00:01)/vlan(id=100-110, pcp=3)/ipv4(src=10.0.0.1-10.0.0.254,dst=random)/udp(dport=random(1000-2000))";
        let packet: Packet = text.parse().unwrap();
        let kinds: Vec<Kind> = packet.layers.iter().map(|layer| layer.kind).collect();
        assert_eq!(kinds, [Kind::Eth, Kind::Vlan, Kind::Ipv4, Kind::Udp]);
        let value = |layer: usize, setting: usize| packet.layers[layer].settings[setting].value;
        let range = |first, last, random| Value {
            first,
            last,
            random,
        };
        assert_eq!(
            value(0, 0),
            range(0x5254_0000_0001, 0x5254_0000_0001, false)
        );
        assert_eq!(value(1, 0), range(100, 110, false));
        assert_eq!(value(2, 0), range(0x0a00_0001, 0x0a00_00fe, false));
        assert_eq!(value(2, 1), range(0x0100_0000, 0xdfff_ffff, true));
        assert_eq!(value(3, 0), range(1000, 2000, true));
        for text in [
            "eth",
            "eth()",
            "eth(type=0x88cc)/vlan",
            "eth/vlan(tpid=0x88a8)/vlan/ipv6(src=fd00::1-fd00::ff,label=random)/icmp",
            "eth / ipv4 ( proto = 89 )",
            "eth/ipv4/tcp(flags=SA,window=0-65535)",
        ] {
            assert!(text.parse::<Packet>().is_ok(), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named_with_what_is_known_there() {
        for (text, words) in [
            ("", "begins with eth"),
            (
                "ipv4/udp",
                "'ipv4' cannot be here: a packet begins with eth",
            ),
            (
                "eth/ipv5",
                "'ipv5' is no layer that is known: inside eth there may be vlan, ipv4, ipv6",
            ),
            ("eth/udp", "inside eth there may be"),
            ("eth/ipv4/udp/tcp", "nothing comes inside udp"),
            ("eth/ipv4(src=10.0.0.1", "after ipv4 is not closed"),
            ("eth/ipv4(src=10.0.0.1)udp", "'udp' after ipv4"),
            (
                "eth/ipv4(from=10.0.0.1)",
                "'from' is no field of ipv4: there are src, dst, ttl",
            ),
            ("eth/ipv4(src)", "'src' in ipv4: write FIELD=VALUE"),
            (
                "eth/ipv4(src=10.0.0.256)",
                "ipv4: src: '10.0.0.256' is not an IPv4 address",
            ),
            ("eth/ipv4(src=10.0.0.9-10.0.0.1)", "downwards"),
            ("eth/ipv4(ttl=256)", "a number from 0 to 255"),
            ("eth/ipv4(ttl=1,ttl=2)", "ttl is given twice"),
            (
                "eth/vlan(id=4095)",
                "vlan: id: '4095' is not a number from 0 to 4094",
            ),
            ("eth(dst=52:54:00:00:00)", "a MAC address"),
            ("eth(dst=+2:54:00:00:00:00)", "a MAC address"),
            ("eth(type=5)", "1536 to 65535"),
            ("eth/ipv4/tcp(flags=XY)", "letters of FSRPAUEC"),
            ("eth/ipv4/udp(dport=random(5))", "random(FIRST-LAST)"),
            ("eth/ipv4/udp(dport=random(5-6)", "after udp is not closed"),
            ("eth/vlan/vlan/vlan", "at most 2"),
            ("eth(type=0x800)/vlan/ipv4", "eth: type follows from ipv4"),
            ("eth/ipv6(proto=6)/tcp", "ipv6: proto follows from tcp"),
            ("eth/", "'' is no layer"),
        ] {
            assert!(refused(text).contains(words), "{text}: {}", refused(text));
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused_in_words(text in r"(eth|vlan|ipv4|udp|[a-z()=/,\-:.0-9é ]){0,30}") {
            if let Err(reason) = text.parse::<Packet>() {
                prop_assert!(!reason.is_empty());
            }
        }
    }
}
