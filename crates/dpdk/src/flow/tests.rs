//! What drivers are given, byte for byte, and what they answer.

use std::ffi::{CString, c_void};
use std::mem::size_of;

use dpdk_sys as ffi;

use super::*;
use crate::testing::with_eal;

/// Every action once; the value is the one in its configuration.
const ACTIONS: [(&str, u32, FlowAction); 6] = [
    ("JUMP", 0x0102_0304, FlowAction::Jump(0x0102_0304)),
    ("QUEUE", 0x0506, FlowAction::Queue(0x0506)),
    ("OF_POP_VLAN", 0, FlowAction::PopVlan),
    ("OF_PUSH_VLAN", 0x88a8, FlowAction::PushVlan(0x88a8)),
    ("OF_SET_VLAN_VID", 0x0abc, FlowAction::SetVlanVid(0x0abc)),
    ("OF_SET_VLAN_PCP", 5, FlowAction::SetVlanPcp(5)),
];

fn bytes(of: *const c_void, size: usize) -> Vec<u8> {
    assert!(!of.is_null());
    // SAFETY: the tests give pointers to structures of this size or larger.
    unsafe { std::slice::from_raw_parts(of.cast(), size) }.to_vec()
}

fn eth(number: u8) -> EthHeader {
    EthHeader {
        destination: [number, 1, 2, 3, 4, 5],
        source: [number, 7, 8, 9, 10, 11],
        ether_type: 0x0800 + u16::from(number),
    }
}

fn c_eth(fields: EthHeader) -> Vec<u8> {
    let mut item = ffi::rte_flow_item_eth::default();
    let (dst, src) = (fields.destination.as_ptr(), fields.source.as_ptr());
    // SAFETY: a zeroed structure and two addresses of six bytes.
    unsafe { ffi::spp_flow_check_eth(&mut item, dst, src, fields.ether_type) };
    bytes(
        (&raw const item).cast(),
        size_of::<ffi::rte_flow_item_eth>(),
    )
}

fn c_vlan(pcp: u16, dei: u16, vid: u16, inner_type: u16) -> Vec<u8> {
    let mut item = ffi::rte_flow_item_vlan::default();
    // SAFETY: a zeroed structure.
    unsafe { ffi::spp_flow_check_vlan(&mut item, pcp, dei, vid, inner_type) };
    bytes(
        (&raw const item).cast(),
        size_of::<ffi::rte_flow_item_vlan>(),
    )
}

fn item_type(word: &str) -> u32 {
    let word = CString::new(word).unwrap();
    // SAFETY: a valid string.
    unsafe { ffi::spp_flow_check_item_type(word.as_ptr()) }
        .try_into()
        .unwrap()
}

fn action_type(word: &str) -> u32 {
    let word = CString::new(word).unwrap();
    // SAFETY: a valid string.
    unsafe { ffi::spp_flow_check_action_type(word.as_ptr()) }
        .try_into()
        .unwrap()
}

#[test]
fn attributes_are_those_that_c_makes() {
    for bits in 0..8 {
        let attributes = FlowAttributes {
            group: 0x0102_0304,
            priority: 0x0506_0708,
            ingress: bits & 1 != 0,
            egress: bits & 2 != 0,
            transfer: bits & 4 != 0,
        };
        let mut c = ffi::rte_flow_attr::default();
        // SAFETY: a zeroed structure.
        unsafe {
            ffi::spp_flow_check_attr(
                &mut c,
                attributes.group,
                attributes.priority,
                attributes.ingress,
                attributes.egress,
                attributes.transfer,
            );
        }
        let rule = FlowRule::new(attributes);
        let raw = rule.raw();
        let size = size_of::<ffi::rte_flow_attr>();
        assert_eq!(
            bytes((&raw const *raw.attributes).cast(), size),
            bytes((&raw const c).cast(), size)
        );
    }
}

#[test]
fn items_are_those_that_c_makes() {
    let mut rule = FlowRule::new(FlowAttributes::default());
    rule.eth(FlowMatch {
        spec: Some(eth(1)),
        last: Some(eth(2)),
        mask: Some(eth(3)),
    });
    rule.eth(FlowMatch::default());
    rule.vlan(FlowMatch {
        spec: Some(VlanTag {
            tci: 0xb064,
            inner_type: 0x86dd,
        }),
        last: None,
        mask: Some(VlanTag {
            tci: 0x0fff,
            inner_type: 0,
        }),
    });
    let raw = rule.raw();
    let types: Vec<u32> = raw.items.iter().map(|item| item.type_).collect();
    assert_eq!(types, ["ETH", "ETH", "VLAN", "END"].map(item_type));
    for (part, number) in [
        (raw.items[0].spec, 1),
        (raw.items[0].last, 2),
        (raw.items[0].mask, 3),
    ] {
        assert_eq!(
            bytes(part, size_of::<ffi::rte_flow_item_eth>()),
            c_eth(eth(number))
        );
    }
    for empty in [&raw.items[1], &raw.items[3]] {
        assert!(empty.spec.is_null() && empty.last.is_null() && empty.mask.is_null());
    }
    let size = size_of::<ffi::rte_flow_item_vlan>();
    assert_eq!(bytes(raw.items[2].spec, size), c_vlan(5, 1, 100, 0x86dd));
    assert!(raw.items[2].last.is_null());
    assert_eq!(bytes(raw.items[2].mask, size), c_vlan(0, 0, 0xfff, 0));
    // In network order, whatever the order of this machine.
    assert_eq!(bytes(raw.items[2].spec, 4), [0xb0, 0x64, 0x86, 0xdd]);
}

#[test]
fn actions_are_those_that_c_makes() {
    let mut rule = FlowRule::new(FlowAttributes::default());
    for (.., action) in ACTIONS {
        rule.action(action);
    }
    let raw = rule.raw();
    assert_eq!(raw.actions.len(), ACTIONS.len() + 1);
    for (action, (word, value, _)) in
        raw.actions
            .iter()
            .zip(ACTIONS.into_iter().chain([("END", 0, FlowAction::PopVlan)]))
    {
        assert_eq!(action.type_, action_type(word), "{word}");
        let mut c = [0u64; 2];
        // SAFETY: zeroed and aligned memory of that size.
        let size = unsafe {
            ffi::spp_flow_check_action(
                action.type_,
                value,
                c.as_mut_ptr().cast(),
                size_of::<[u64; 2]>(),
            )
        };
        match size {
            0 => assert!(action.conf.is_null(), "{word}"),
            size => {
                let size = usize::try_from(size).expect(word);
                assert_eq!(
                    bytes(action.conf, size),
                    bytes(c.as_ptr().cast(), size),
                    "{word}"
                );
            }
        }
    }
}

#[test]
fn a_cause_is_found_in_the_rule() {
    let mut rule = FlowRule::new(FlowAttributes::default());
    rule.eth(FlowMatch {
        spec: Some(eth(1)),
        ..FlowMatch::default()
    });
    rule.vlan(FlowMatch::default());
    rule.action(FlowAction::PopVlan);
    rule.action(FlowAction::Queue(1));
    let raw = rule.raw();
    let elsewhere = 0u8;
    for (cause, expected) in [
        (std::ptr::null(), None),
        ((&raw const elsewhere).cast(), None),
        ((&raw const *raw.attributes).cast(), Some(Cause::Attributes)),
        (raw.items.as_ptr().cast(), Some(Cause::Item(1))),
        (raw.items[0].spec, Some(Cause::Item(1))),
        ((&raw const raw.items[1]).cast(), Some(Cause::Item(2))),
        (raw.actions.as_ptr().cast(), Some(Cause::Action(1))),
        (raw.actions[1].conf, Some(Cause::Action(2))),
    ] {
        assert_eq!(raw.find(cause), expected);
    }
}

#[test]
fn a_driver_without_rules_says_so() {
    with_eal(
        "flow::tests::a_driver_without_rules_says_so",
        |_, _lcore| {
            EthDev::attach("net_null0", "").unwrap();
            let device = EthDev::by_name("net_null0").unwrap();
            let mut rules = FlowRules::of(device).unwrap();
            assert!(FlowRules::<()>::of(device).is_none(), "held twice");
            let mut rule = FlowRule::new(FlowAttributes {
                ingress: true,
                ..FlowAttributes::default()
            });
            rule.eth(FlowMatch::default());
            rule.action(FlowAction::Queue(0));
            for error in [
                rules.validate(&rule).unwrap_err(),
                rules.create(&rule, ()).unwrap_err(),
                rules.destroy_all().unwrap_err(),
            ] {
                assert_eq!(error.kind, FlowErrorKind::UNSPECIFIED);
                assert_eq!(error.kind.text(), "Cause unspecified");
                assert_eq!(error.message.as_deref(), Some("Function not implemented"));
                assert_eq!(error.errno_text(), "Function not implemented");
                assert_eq!((error.cause, error.address), (None, 0));
                assert!(error.is_unsupported());
            }
            assert!(rules.destroy(0).is_none());
            assert!(rules.is_empty());
            drop(rules);
            assert!(FlowRules::<()>::of(device).is_some());
            let gone = FlowError::no_device();
            assert_eq!(gone.message.as_deref(), Some("No such device"));
            assert_eq!(gone.errno_text(), "No such device");
            EthDev::detach("net_null0").unwrap();
        },
    );
}
