//! `pri; flow`.

use super::{done, switchboard};
use crate::testing::fake::Fake;

#[test]
fn rules_are_sent_as_rest_takes_them() {
    let fake = Fake::start(switchboard);
    let rule = "phy:0 group 1 priority 0 egress ingress transfer pattern eth dst is 02:00:00:00:00:01 / \
                vlan vid is 100/end actions queue index 1 / of_pop_vlan / end";
    let body = r#"{"rule":{"group":1,"priority":0,"direction":"ingress","transfer":true,"pattern":["eth dst is 02:00:00:00:00:01","vlan vid is 100"],"actions":["queue index 1","of_pop_vlan"]}}"#;
    let path = "/v1/primary/flow_rules";
    for (line, out, sent) in [
        (
            format!("pri; flow validate {rule}"),
            "Flow rule validated",
            format!("POST {path}/port_id/0/validate {body}"),
        ),
        (
            format!("pri; flow create {rule}"),
            "Flow rule #0 created",
            format!("POST {path}/port_id/0 {body}"),
        ),
        (
            "pri; flow destroy phy:0 0".to_owned(),
            "Flow rule #0 destroyed",
            format!("DELETE {path}/0/port_id/0"),
        ),
        (
            "pri; flow destroy phy:0 ALL".to_owned(),
            "Flow rule all destroyed",
            format!("DELETE {path}/port_id/0"),
        ),
    ] {
        assert_eq!(fake.spp(&[&line]), done(out), "{line}");
        assert_eq!(fake.changes().pop(), Some(sent), "{line}");
    }
    let ran = fake.spp(&["pri; flow destroy phy:0 7"]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (1, "", "Flow rule #7 not found\n")
    );
}

#[test]
fn rules_are_listed_and_shown() {
    let fake = Fake::start(switchboard);
    assert_eq!(
        fake.spp(&["pri; flow list phy:0"]),
        done("ID      Group   Prio    Attr    Rule\n0       1       0       i--     ETH => QUEUE ")
    );
    assert_eq!(
        fake.spp(&["pri; flow list phy:1"]),
        done("ID      Group   Prio    Attr    Rule")
    );
    let ran = fake.spp(&["pri; flow status phy:0 0"]);
    assert!(
        ran.out.starts_with(
            "Attribute:\n  Group   Priority Ingress Egress Transfer\n  1       0        true "
        ),
        "{}",
        ran.out
    );
    for (line, err) in [
        ("pri; flow status phy:0 5", "RULE_ID:5 does not exist.\n"),
        ("pri; flow list phy:9", "'phy:9' is invalid\n"),
        ("pri; flow status phy:9 0", "'phy:9' is invalid\n"),
    ] {
        let ran = fake.spp(&[line]);
        assert_eq!((ran.code, ran.err.as_str()), (1, err), "{line}");
    }
}

#[test]
fn what_cannot_be_understood_is_said_in_the_words_of_the_original() {
    let fake = Fake::start(switchboard);
    let invalid = "Flow command invalid argument\n(";
    for (line, err) in [
        ("pri; flow", "Flow sub command is NULL\n"),
        ("pri; flow foo", "Invalid flow sub command: 'foo'\n"),
        ("pri; flow list", "RES_UID is NULL\n"),
        ("pri; flow list ring:0", "RES_UID is invalid\n"),
        ("pri; flow destroy phy:0", "RULE_ID is NULL\n"),
        ("pri; flow destroy phy:0 x", "RULE_ID is invalid\n"),
        ("pri; flow status phy:0", "RULE_ID is NULL\n"),
        ("pri; flow status phy:0 0 1", "'1' has no meaning here.\n"),
        ("pri; flow validate phy:0 ingress", invalid),
        (
            "pri; flow validate phy:0 pattern eth / end actions queue index 1 / end",
            invalid,
        ),
        (
            "pri; flow validate phy:0 ingress group x pattern eth / end actions queue index 1 / end",
            invalid,
        ),
        (
            "pri; flow validate phy:0 ingress pattern eth / end",
            invalid,
        ),
        (
            "pri; flow create phy:0 ingress pattern eth actions queue index 1 / end",
            invalid,
        ),
        (
            "pri; flow create phy:0 ingress pattern end actions queue index 1 / end",
            invalid,
        ),
        (
            "pri; flow create phy:0 ingress pattern ip / end actions queue index 1 / end",
            invalid,
        ),
        (
            "pri; flow create phy:0 ingress pattern eth / end actions drop / end",
            invalid,
        ),
        ("pri; flow create phy:0 ingress foo", invalid),
        (
            "pri; flow create phy:0 ingress pattern vlan vid is 4096 / end actions of_pop_vlan / end",
            "Flow command invalid argument\n(vid '4096' is no number from 0 to 4095)\n",
        ),
        (
            "pri; flow create phy:0 ingress pattern eth dst 2:0:0:0:0:1 / end actions of_pop_vlan / end",
            "Flow command invalid argument\n('2:0:0:0:0:1' says nothing about dst: write is, spec, last, mask or prefix, ",
        ),
    ] {
        let ran = fake.spp(&[line]);
        assert!(ran.err.starts_with(err), "{line}: {ran:?}");
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
    }
    assert_eq!(fake.changes(), Vec::<String>::new());
}
