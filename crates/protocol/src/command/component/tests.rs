use proptest::prelude::*;

use super::*;
use crate::port::tests::any_port;

fn name(text: &str) -> ComponentName {
    text.parse().unwrap()
}

fn port(text: &str) -> PortName {
    text.parse().unwrap()
}

#[test]
fn commands_are_written_as_the_original_reads_them() {
    let start = ComponentCommand::Start {
        name: name("fw1"),
        core: 4,
        kind: ComponentKind::Forward,
    };
    assert_eq!(start.to_string(), "component start fw1 4 forward");
    let attach = |vlan| ComponentCommand::Attach {
        name: name("fw1"),
        port: port("phy:0 nq 1"),
        dir: Direction::Tx,
        vlan,
    };
    assert_eq!(attach(None).to_string(), "port add phy:0nq1 tx fw1");
    assert_eq!(
        attach(Some(VlanTag::Del)).to_string(),
        "port add phy:0nq1 tx fw1 del_vlantag"
    );
    assert_eq!(
        attach(VlanTag::add(100, 3).ok()).to_string(),
        "port add phy:0nq1 tx fw1 add_vlantag 100 3"
    );
    let entry = ClassifierEntry {
        vlan: None,
        mac: "02-00-00-00-00-0A".parse().unwrap(),
        port: port("ring:3"),
    };
    assert_eq!(
        ComponentCommand::AddEntry(entry.clone()).to_string(),
        "classifier_table add mac 02:00:00:00:00:0a ring:3"
    );
    let entry = ClassifierEntry {
        vlan: Some(100),
        mac: ClassifierMac::Default,
        ..entry
    };
    assert_eq!(
        ComponentCommand::DelEntry(entry).to_string(),
        "classifier_table del vlan 100 default ring:3"
    );
}

#[test]
fn addresses_are_read_in_their_usual_forms() {
    let wanted = ClassifierMac::Address([0x02, 0, 0, 0, 0, 0x0a]);
    for text in [
        "02:00:00:00:00:0a",
        "02-00-00-00-00-0A",
        "0200.0000.000a",
        "02000000000a",
    ] {
        assert_eq!(text.parse(), Ok(wanted), "{text}");
    }
    for text in [
        "",
        "02:00:00:00:00",
        "02:00:00:00:00:0g",
        "02:00-00:00-00:0a",
        "2:0:0:0:0:a",
        "+2:00:00:00:00:0a",
        "é2:00:00:00:00:0",
    ] {
        assert!(text.parse::<ClassifierMac>().is_err(), "{text}");
    }
    assert_eq!(
        "00:00:00:00:00:01".parse::<ClassifierMac>(),
        Err(ComponentError::ReservedMac)
    );
}

#[test]
fn names_and_tags_that_harm_the_original_are_refused() {
    for text in ["", "a b", "a\n", &"x".repeat(32)] {
        assert!(text.parse::<ComponentName>().is_err(), "{text:?}");
    }
    assert!("x".repeat(31).parse::<ComponentName>().is_ok());
    assert!(VlanTag::add(4096, 0).is_err() && VlanTag::add(0, 8).is_err());
    assert!(VlanTag::add(4095, 7).is_ok());
}

fn any_mac() -> impl Strategy<Value = ClassifierMac> {
    prop_oneof![
        Just(ClassifierMac::Default),
        any::<[u8; 6]>()
            .prop_filter("reserved", |address| *address != [0, 0, 0, 0, 0, 1])
            .prop_map(ClassifierMac::Address),
    ]
}

fn any_entry() -> impl Strategy<Value = ClassifierEntry> {
    let vlan = proptest::option::of(0u16..=4095);
    (vlan, any_mac(), any_port()).prop_map(|(vlan, mac, port)| ClassifierEntry { vlan, mac, port })
}

/// Any command, and the process that knows it.
fn any_command() -> impl Strategy<Value = (ComponentCommand, ProcessKind)> {
    let name = || "[!-~]{1,31}".prop_map(|text| name(&text));
    let process = || prop_oneof![Just(ProcessKind::Vf), Just(ProcessKind::Mirror)];
    let dir = || prop_oneof![Just(Direction::Rx), Just(Direction::Tx)];
    let tag = prop_oneof![
        Just(None),
        Just(Some(VlanTag::Del)),
        (0u16..=4095, 0u8..=7).prop_map(|(id, pcp)| Some(VlanTag::Add { id, pcp })),
    ];
    let start = (name(), 0u32..=127, any::<prop::sample::Index>(), process());
    prop_oneof![
        start.prop_map(|(name, core, at, process)| {
            let kind = *at.get(ComponentKind::of(process));
            (ComponentCommand::Start { name, core, kind }, process)
        }),
        (name(), process()).prop_map(|(name, process)| (ComponentCommand::Stop(name), process)),
        (name(), any_port(), dir(), tag, process()).prop_map(|(name, port, dir, vlan, process)| {
            let command = ComponentCommand::Attach {
                name,
                port,
                dir,
                vlan,
            };
            (command, process)
        }),
        (name(), any_port(), dir(), process()).prop_map(|(name, port, dir, process)| {
            (ComponentCommand::Detach { name, port, dir }, process)
        }),
        any_entry().prop_map(|entry| (ComponentCommand::AddEntry(entry), ProcessKind::Vf)),
        any_entry().prop_map(|entry| (ComponentCommand::DelEntry(entry), ProcessKind::Vf)),
    ]
}

proptest! {
    #[test]
    fn commands_read_back((command, process) in any_command()) {
        let text = format!(" {command} \r\n");
        prop_assert_eq!(ComponentCommand::parse(&text, process), Ok(command));
    }

    #[test]
    fn no_text_does_harm(
        text in "(component|port|classifier_table|start|stop)?( (start|stop|add|del|mac|vlan))?[ -~\\PC]{0,60}"
    ) {
        for process in [ProcessKind::Vf, ProcessKind::Mirror] {
            if let Ok(command) = ComponentCommand::parse(&text, process) {
                prop_assert_eq!(ComponentCommand::parse(&command.to_string(), process), Ok(command));
            }
        }
        if let Ok(command) = CaptureCommand::parse(&text) {
            prop_assert_eq!(CaptureCommand::parse(&command.to_string()), Ok(command));
        }
    }
}

#[test]
fn refusals_have_the_words_and_the_order_of_the_original() {
    let cases = [
        ("foo", "Invalid value (command)"),
        ("", "Invalid value (command)"),
        ("Component start a 1 forward", "Invalid value (command)"),
        ("a b c d e f g h i", "Wrong message format"),
        ("component start", "Wrong message format"),
        ("component foo x", "Invalid value (action)"),
        ("component start a 4", "Wrong message format"),
        ("component start a 4 forward x", "Wrong message format"),
        ("component start a 200 zap", "Invalid value (core)"),
        ("component start a x forward", "Invalid value (core)"),
        ("component start a -1 forward", "Invalid value (core)"),
        ("component start a +1 forward", "Invalid value (core)"),
        ("component start a 4 zap", "Invalid value (component type)"),
        (
            "component start a 4 mirror",
            "Invalid value (component type)",
        ),
        ("port add ring:5", "Wrong message format"),
        ("port foo bogus xx cls", "Invalid value (action)"),
        ("port add bogus xx cls", "Invalid value (port)"),
        ("port add ring:5 xx cls", "Invalid value (port rxtx)"),
        (
            "port add ring:5 tx cls zap",
            "Invalid value (port vlan operation)",
        ),
        (
            "port del phy:0 rx a x y z",
            "Invalid value (port vlan operation)",
        ),
        (
            "port add ring:5 tx cls add_vlantag 5000 9",
            "Invalid value (port vid)",
        ),
        (
            "port add ring:5 tx cls add_vlantag 5 9",
            "Invalid value (port pcp)",
        ),
        (
            "port add ring:5 tx cls add_vlantag",
            "Invalid value (port vid)",
        ),
        (
            "port add ring:5 tx cls add_vlantag 5",
            "Invalid value (port pcp)",
        ),
        ("classifier_table add mac default", "Wrong message format"),
        (
            "classifier_table foo zap default ring:3",
            "Invalid value (action)",
        ),
        (
            "classifier_table add zap default ring:3",
            "Invalid value (type)",
        ),
        (
            "classifier_table add vlan default ring:3",
            "Wrong message format",
        ),
        (
            "classifier_table add vlan 5000 bogus ring:3",
            "Invalid value (vlan id)",
        ),
        (
            "classifier_table add mac bogus bogus",
            "Invalid value (mac address)",
        ),
        (
            "classifier_table add mac default bogus",
            "Invalid value (port)",
        ),
    ];
    for (text, words) in cases {
        let refusal = ComponentCommand::parse(text, ProcessKind::Vf).unwrap_err();
        assert_eq!(refusal.to_string(), words, "{text}");
    }
    let long = format!("component stop {}", "x".repeat(32));
    let refusal = ComponentCommand::parse(&long, ProcessKind::Vf);
    assert_eq!(refusal, Err(Refusal::COMPONENT_NAME));
    let refusal = ComponentCommand::parse("component start m 8 forward", ProcessKind::Mirror);
    assert_eq!(refusal, Err(Refusal::COMPONENT_TYPE));
    assert_eq!(CaptureCommand::parse("start x"), Err(Refusal::Format));
    assert_eq!(
        CaptureCommand::parse("component start a 10 forward"),
        Err(Refusal::COMMAND)
    );
}

#[test]
fn what_the_original_takes_is_taken() {
    let same = |text: &str, as_written: &str| {
        let command = ComponentCommand::parse(text, ProcessKind::Vf).unwrap();
        assert_eq!(command.to_string(), as_written, "{text}");
    };
    same("component stop a b c", "component stop a");
    same("component start a 0x0a merge", "component start a 10 merge");
    same("component start a 012 merge", "component start a 10 merge");
    same("component start a 0 merge", "component start a 0 merge");
    same("port del ring:1 rx a del_vlantag", "port del ring:1 rx a");
}
