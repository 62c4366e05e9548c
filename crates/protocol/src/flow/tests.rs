//! Reading and writing of flow rules.

use proptest::prelude::*;

use super::*;

fn rule(text: &str) -> Rule {
    Rule::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// The fields of the one VLAN item of a pattern.
fn vlan(fields: &str) -> Match<Vlan> {
    let text = format!("ingress pattern vlan {fields} / end actions of_pop_vlan / end");
    match rule(&text).pattern[..] {
        [Item::Vlan(constraint)] => constraint,
        ref other => panic!("{other:?}"),
    }
}

fn tag(tci: u16, inner_type: u16) -> Option<Vlan> {
    Some(Vlan { tci, inner_type })
}

#[test]
fn a_rule_is_read_whole() {
    let text = "create phy:3 group 1 priority 2 egress transfer ingress pattern eth dst is 02:00:00:00:00:01 src spec \
                0:0:0:a:B:c type last 0x800 / vlan vid is 100 / end actions jump group 4 / queue index 1 / of_pop_vlan / \
                of_push_vlan ethertype 0x88a8 / of_set_vlan_vid vlan_vid 4095 / of_set_vlan_pcp vlan_pcp 7 / end";
    let eth = Match {
        spec: Some(Eth {
            dst: [2, 0, 0, 0, 0, 1],
            src: [0, 0, 0, 10, 11, 12],
            ether_type: 0,
        }),
        last: Some(Eth {
            ether_type: 0x800,
            ..Eth::default()
        }),
        mask: Some(Eth {
            dst: [0xff; 6],
            ..Eth::default()
        }),
    };
    let tagged = Match {
        spec: tag(100, 0),
        last: None,
        mask: tag(0x0fff, 0),
    };
    let expected = Rule {
        attributes: Attributes {
            group: 1,
            priority: 2,
            ingress: true,
            egress: true,
            transfer: true,
        },
        pattern: vec![Item::Eth(eth), Item::Vlan(tagged)],
        actions: vec![
            Action::Jump { group: 4 },
            Action::Queue { index: 1 },
            Action::OfPopVlan,
            Action::OfPushVlan { ethertype: 0x88a8 },
            Action::OfSetVlanVid { vid: 4095 },
            Action::OfSetVlanPcp { pcp: 7 },
        ],
    };
    assert_eq!(
        FlowCommand::parse(text),
        Ok(FlowCommand::Create {
            port: 3,
            rule: expected.clone()
        })
    );
    // Slashes need no blanks, and the last `/ end` no writing.
    let short = text
        .replace(" / ", "/")
        .replace("vlan_pcp 7/end", "vlan_pcp 7");
    assert_eq!(
        FlowCommand::parse(&short).map(|c| c.to_string()).ok(),
        FlowCommand::parse(text).map(|c| c.to_string()).ok()
    );
}

#[test]
fn parts_of_a_tag_take_their_own_bits_and_no_others() {
    for (fields, spec, last, mask) in [
        ("", None, None, None),
        ("pcp is 5", tag(0xa000, 0), None, tag(0xe000, 0)),
        ("dei is 1", tag(0x1000, 0), None, tag(0x1000, 0)),
        ("vid is 100", tag(100, 0), None, tag(0x0fff, 0)),
        ("tci is 0x1234", tag(0x1234, 0), None, tag(0xffff, 0)),
        ("inner_type is 0x0800", tag(0, 0x800), None, tag(0, 0xffff)),
        (
            "pcp is 7 dei is 0 vid is 1",
            tag(0xe001, 0),
            None,
            tag(0xffff, 0),
        ),
        ("vid is 5 vid is 2", tag(2, 0), None, tag(0x0fff, 0)),
        ("vid spec 1 vid last 9", tag(1, 0), tag(9, 0), None),
        ("pcp mask 6", None, None, tag(0xc000, 0)),
        ("vid prefix 4", None, None, tag(0x0f00, 0)),
        ("pcp prefix 1", None, None, tag(0x8000, 0)),
        ("tci prefix 0", None, None, tag(0, 0)),
        ("inner_type prefix 16", None, None, tag(0, 0xffff)),
    ] {
        assert_eq!(vlan(fields), Match { spec, last, mask }, "{fields}");
    }
}

#[test]
fn numbers_are_in_the_notation_of_c() {
    for (word, expected) in [
        ("10", 10),
        ("0x1F", 31),
        ("0X1f", 31),
        ("017", 15),
        ("0", 0),
    ] {
        assert_eq!(
            vlan(&format!("vid spec {word}")).spec,
            tag(expected, 0),
            "{word}"
        );
    }
    for word in [
        "+1",
        "-1",
        "0x",
        "0x+1",
        "08",
        "1.0",
        "4096",
        "99999999999",
        "ten",
    ] {
        let text = format!("ingress pattern vlan vid is {word} / end actions of_pop_vlan / end");
        let error = Rule::parse(&text).unwrap_err().to_string();
        assert_eq!(error, format!("vid '{word}' is no number from 0 to 4095"));
    }
}

#[test]
fn prefixes_of_addresses_are_bits_from_the_left() {
    for (bits, expected) in [
        (0, [0; 6]),
        (1, [0x80, 0, 0, 0, 0, 0]),
        (25, [255, 255, 255, 128, 0, 0]),
        (48, [255; 6]),
    ] {
        let text = format!(
            "ingress pattern eth dst spec 2:0:0:0:0:1 dst prefix {bits} / end actions queue index 0"
        );
        match rule(&text).pattern[..] {
            [
                Item::Eth(Match {
                    mask: Some(mask), ..
                }),
            ] => assert_eq!(mask.dst, expected),
            ref other => panic!("{other:?}"),
        }
    }
    let text = "ingress pattern eth dst prefix 49 / end actions queue index 0";
    assert_eq!(
        Rule::parse(text).unwrap_err().to_string(),
        "prefix '49' is no number from 0 to 48"
    );
}

#[test]
fn what_is_no_rule_is_refused_with_the_word_and_the_remedy() {
    let many = "x".repeat(5000);
    for (text, reason) in [
        ("", "validate, create or destroy is missing after 'flow'"),
        ("list phy:0", "'list' is no flow command"),
        ("create", "flow: a port is missing"),
        ("create ring:0 ingress", "flow: 'ring:0' has no flow rules"),
        (
            "create phy:0nq1 ingress",
            "flow: 'phy:0nq1' has no flow rules",
        ),
        ("create phy:x", "flow: 'x' is no number of a port"),
        ("create phy:0", "pattern is missing after 'phy:0'"),
        ("create phy:0 group", "a number is missing after 'group'"),
        (
            "create phy:0 group -1 pattern",
            "group '-1' is no number from 0 to 4294967295",
        ),
        ("create phy:0 group 0x1 pattern", "group '0x1' is no number"),
        (
            "create phy:0 priority 4294967296",
            "priority '4294967296' is no number",
        ),
        (
            "create phy:0 sideways pattern",
            "'sideways' is no attribute",
        ),
        (
            "create phy:0 ingress pattern",
            "an item, or end, is missing after 'pattern'",
        ),
        (
            "create phy:0 ingress pattern end actions queue index 0",
            "the pattern is empty",
        ),
        (
            "create phy:0 ingress pattern / end actions queue index 0",
            "the pattern is empty",
        ),
        (
            "create phy:0 ingress pattern ipv4 / end",
            "'ipv4' is no item",
        ),
        (
            "create phy:0 ingress pattern eth vid is 1 / end",
            "'vid' is no field of eth: write dst, src or type",
        ),
        (
            "create phy:0 ingress pattern vlan dst is 1 / end",
            "'dst' is no field of vlan: write tci, pcp,",
        ),
        (
            "create phy:0 ingress pattern eth end actions queue",
            "'end' is no field of eth",
        ),
        (
            "create phy:0 ingress pattern eth dst",
            "is, spec, last, mask or prefix is missing after 'dst'",
        ),
        (
            "create phy:0 ingress pattern eth dst 02:00:00:00:00:01 /",
            "'02:00:00:00:00:01' says nothing about dst",
        ),
        (
            "create phy:0 ingress pattern eth dst is 02:00 / end",
            "dst '02:00' is no MAC address",
        ),
        (
            "create phy:0 ingress pattern eth dst is 02:00:00:00:00:001 / end",
            "dst '02:00:00:00:00:001' is no MAC",
        ),
        (
            "create phy:0 ingress pattern eth dst is 02:00:00:00:00:+1 / end",
            "dst '02:00:00:00:00:+1' is no MAC",
        ),
        (
            "create phy:0 ingress pattern eth type is 65536 / end",
            "type '65536' is no number from 0 to 65535",
        ),
        (
            "create phy:0 ingress pattern vlan pcp is 8 / end",
            "pcp '8' is no number from 0 to 7",
        ),
        (
            "create phy:0 ingress pattern vlan dei is 2 / end",
            "dei '2' is no number from 0 to 1",
        ),
        (
            "create phy:0 ingress pattern vlan pcp prefix 4 / end",
            "prefix '4' is no number from 0 to 3",
        ),
        // The original dies of this one.
        (
            "create phy:0 ingress pattern eth / end",
            "actions is missing after 'end'",
        ),
        (
            "create phy:0 ingress pattern eth / end queue",
            "'queue' follows the pattern: write actions",
        ),
        (
            "create phy:0 ingress pattern eth / end actions",
            "the actions are empty",
        ),
        (
            "create phy:0 ingress pattern eth / end actions end",
            "the actions are empty",
        ),
        (
            "create phy:0 ingress pattern eth / end actions / end",
            "the actions are empty",
        ),
        (
            "create phy:0 ingress pattern eth / end actions drop / end",
            "'drop' is no action",
        ),
        (
            "create phy:0 ingress pattern eth / end actions queue",
            "index is missing after 'queue'",
        ),
        (
            "create phy:0 ingress pattern eth / end actions queue 1",
            "'1' does not belong to queue: write queue index N",
        ),
        (
            "create phy:0 ingress pattern eth / end actions queue index 65536",
            "index '65536' is no number",
        ),
        (
            "create phy:0 ingress pattern eth / end actions of_set_vlan_vid vlan_vid 4096",
            "vlan_vid '4096' is",
        ),
        (
            "create phy:0 ingress pattern eth / end actions of_set_vlan_pcp vlan_pcp 8",
            "vlan_pcp '8' is no number from 0 to 7",
        ),
        (
            "create phy:0 ingress pattern eth / end actions of_pop_vlan end",
            "'end' follows of_pop_vlan: write /",
        ),
        (
            "create phy:0 ingress pattern eth / end actions of_pop_vlan / end end",
            "'end' is one word too many",
        ),
        (
            "destroy phy:0",
            "the id of a rule, or ALL is missing after 'phy:0'",
        ),
        ("destroy phy:0 all", "rule id 'all' is no number"),
        ("destroy phy:0 1 2", "'2' is one word too many"),
        (many.as_str(), "is no flow command"),
    ] {
        let error = FlowCommand::parse(text).expect_err(text).to_string();
        assert!(error.contains(reason), "{text}: {error}");
        assert!(error.len() < 300, "{error}");
    }
}

#[test]
fn ids_may_be_asked_for_that_were_never_given_out() {
    assert_eq!(
        FlowCommand::parse("destroy phy:0 -1"),
        Ok(FlowCommand::Destroy { port: 0, id: -1 })
    );
    assert_eq!(
        FlowCommand::parse("destroy phy:65535 ALL"),
        Ok(FlowCommand::DestroyAll { port: 65535 })
    );
}

#[test]
fn a_rule_is_shown_as_the_original_does_with_values_that_can_be_read() {
    let text = "group 1 priority 0 ingress pattern eth dst is 02:00:00:00:00:0a / vlan vid is 100 / end \
                actions queue index 1 / of_pop_vlan / of_push_vlan ethertype 0x8100 / of_set_vlan_vid vlan_vid 100 / \
                of_set_vlan_pcp vlan_pcp 5 / jump group 2 / end";
    let expected = concat!(
        r#"{"rule_id":7,"attr":{"group":1,"priority":0,"ingress":1,"egress":0,"transfer":0},"#,
        r#""patterns":[{"type":"eth","spec":{"dst":"02:00:00:00:00:0A","src":"00:00:00:00:00:00","type":"0x0000"},"#,
        r#""last":null,"mask":{"dst":"FF:FF:FF:FF:FF:FF","src":"00:00:00:00:00:00","type":"0x0000"}},"#,
        r#"{"type":"vlan","spec":{"tci":"0x0064","inner_type":"0x0000"},"last":null,"#,
        r#""mask":{"tci":"0x0fff","inner_type":"0x0000"}}],"#,
        r#""actions":[{"type":"queue","conf":{"index":1}},{"type":"of_pop_vlan","conf":null},"#,
        r#"{"type":"of_push_vlan","conf":{"ethertype":"0x8100"}},{"type":"of_set_vlan_vid","conf":{"vlan_vid":"0x0064"}},"#,
        r#"{"type":"of_set_vlan_pcp","conf":{"vlan_pcp":"0x5"}},{"type":"jump","conf":{"group":2}}]}"#
    );
    assert_eq!(rule(text).object(7).to_string(), expected);
}

fn matches<T: std::fmt::Debug + Clone + 'static>(
    fields: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Match<T>> {
    let part = prop::option::of(fields);
    (part.clone(), part.clone(), part).prop_map(|(spec, last, mask)| Match { spec, last, mask })
}

fn items() -> impl Strategy<Value = Item> {
    let eth =
        (any::<[u8; 6]>(), any::<[u8; 6]>(), any::<u16>()).prop_map(|(dst, src, ether_type)| Eth {
            dst,
            src,
            ether_type,
        });
    let vlan = (any::<u16>(), any::<u16>()).prop_map(|(tci, inner_type)| Vlan { tci, inner_type });
    prop_oneof![
        matches(eth).prop_map(Item::Eth),
        matches(vlan).prop_map(Item::Vlan)
    ]
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        any::<u32>().prop_map(|group| Action::Jump { group }),
        any::<u16>().prop_map(|index| Action::Queue { index }),
        Just(Action::OfPopVlan),
        any::<u16>().prop_map(|ethertype| Action::OfPushVlan { ethertype }),
        (0u16..4096).prop_map(|vid| Action::OfSetVlanVid { vid }),
        (0u8..8).prop_map(|pcp| Action::OfSetVlanPcp { pcp }),
    ]
}

proptest! {
    #[test]
    fn a_rule_reads_back_as_it_is_written(
        (group, priority, ingress, egress, transfer) in any::<(u32, u32, bool, bool, bool)>(),
        pattern in prop::collection::vec(items(), 1..6),
        actions in prop::collection::vec(actions(), 1..6),
        port in any::<u16>(),
    ) {
        let attributes = Attributes { group, priority, ingress, egress, transfer };
        let command = FlowCommand::Validate { port, rule: Rule { attributes, pattern, actions } };
        prop_assert_eq!(FlowCommand::parse(&command.to_string()), Ok(command));
    }

    #[test]
    fn words_in_any_order_do_no_harm(words in prop::collection::vec(
        prop::sample::select(vec![
            "validate", "create", "destroy", "phy:0", "group", "priority", "ingress", "pattern", "eth", "vlan", "dst", "type",
            "tci", "vid", "is", "spec", "last", "mask", "prefix", "2:0:0:0:0:1", "1", "0xffff", "/", "end", "actions", "queue",
            "index", "of_pop_vlan", "jump", "ALL", "\u{e9}/\u{7}",
        ]), 0..40)) {
        if let Ok(command) = FlowCommand::parse(&words.join(" ")) {
            prop_assert_eq!(FlowCommand::parse(&command.to_string()), Ok(command));
        }
    }
}
