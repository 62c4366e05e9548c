use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::command::PanelCommand;
use crate::command::component::{CaptureCommand, Change, ClassifierMac, ComponentCommand};

/// Few ports, so that changes meet.
fn any_port() -> impl Strategy<Value = PortName> {
    prop_oneof![
        (0..3u16).prop_map(PortName::Ring),
        (0..2u16).prop_map(PortName::Vhost),
        (0..2u16, prop::option::of(0..2u16))
            .prop_map(|(port, queue)| PortName::Phy { port, queue }),
        (0..2u16).prop_map(PortName::Nullpmd),
    ]
}

fn any_panel() -> impl Strategy<Value = Change> {
    let mode = prop_oneof![
        Just(None),
        Just(Some(VhostMode::Server)),
        Just(Some(VhostMode::Client))
    ];
    let cpu = prop::option::of(0..3u32);
    let with = prop_oneof![
        Just(None),
        Just("delay 1ms".parse().ok()),
        Just("loss 1%".parse().ok())
    ];
    let command = prop_oneof![
        any_port().prop_map(|port| PanelCommand::Add { port, mode: None }),
        (0..2u16, mode).prop_map(|(n, mode)| PanelCommand::Add {
            port: PortName::Vhost(n),
            mode
        }),
        any_port().prop_map(PanelCommand::Del),
        (any_port(), any_port(), cpu, with).prop_map(|(src, dst, cpu, with)| PanelCommand::Patch {
            src,
            dst,
            cpu,
            with
        }),
        any_port().prop_map(PanelCommand::Unpatch),
        Just(PanelCommand::PatchReset),
        Just(PanelCommand::Forward),
        Just(PanelCommand::Stop),
    ];
    command.prop_map(Change::from)
}

fn any_name() -> impl Strategy<Value = ComponentName> {
    prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(|name| name.parse().unwrap())
}

fn any_component() -> impl Strategy<Value = Change> {
    let kind = prop_oneof![
        Just(ComponentKind::Forward),
        Just(ComponentKind::Merge),
        Just(ComponentKind::Classifier)
    ];
    let dir = || prop_oneof![Just(Direction::Rx), Just(Direction::Tx)];
    let vlan = prop_oneof![
        Just(None),
        Just(Some(VlanTag::Del)),
        (0..3u16, 0..2u8).prop_map(|(id, pcp)| Some(VlanTag::Add { id, pcp })),
    ];
    let entry = || {
        (prop::option::of(0..3u16), 0..3u8, any_port()).prop_map(|(vlan, mac, port)| {
            let mac = match mac {
                0 => ClassifierMac::Default,
                n => ClassifierMac::Address([2, 0, 0, 0, 0, n]),
            };
            ClassifierEntry { vlan, mac, port }
        })
    };
    let command =
        prop_oneof![
            (any_name(), 1..3u32, kind).prop_map(|(name, core, kind)| ComponentCommand::Start {
                name,
                core,
                kind
            }),
            any_name().prop_map(ComponentCommand::Stop),
            (any_name(), any_port(), dir(), vlan).prop_map(|(name, port, dir, vlan)| {
                ComponentCommand::Attach {
                    name,
                    port,
                    dir,
                    vlan,
                }
            }),
            (any_name(), any_port(), dir())
                .prop_map(|(name, port, dir)| ComponentCommand::Detach { name, port, dir }),
            entry().prop_map(ComponentCommand::AddEntry),
            entry().prop_map(ComponentCommand::DelEntry),
        ];
    command.prop_map(Change::from)
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any_panel(),
        any_component(),
        Just(CaptureCommand::Start.into()),
        Just(CaptureCommand::Stop.into()),
    ]
}

fn after(changes: &[Change]) -> Desired {
    let mut state = Desired::default();
    changes.iter().for_each(|change| state.take(change));
    state
}

/// What `nfv` and `primary` of the original do where ours do not: `del` stops.
fn carry_out(state: &mut Desired, form: Form, change: &Change) {
    state.take(change);
    if let (Form::Original, Change::Panel(PanelCommand::Del(_))) = (form, change) {
        state.forwarding = state.forwarding.map(|_| false);
    }
}

/// Leads `state` to what is wanted by one plan, and another one for entries that waited for a port which the first attaches.
fn lead(state: &mut Desired, wanted: &Desired, form: Form) -> Result<(), TestCaseError> {
    let steps = plan(wanted, state, form);
    for change in steps.commands() {
        carry_out(state, form, change);
    }
    let woken = plan(wanted, state, form);
    for change in woken.commands() {
        let is_entry = matches!(change, Change::Component(ComponentCommand::DelEntry(_)));
        prop_assert!(is_entry, "{change} is left of {steps:?}");
        carry_out(state, form, change);
    }
    let rest = plan(wanted, state, form);
    prop_assert!(
        rest.is_empty(),
        "{rest:?} is left of {steps:?} and {woken:?}"
    );
    Ok(())
}

fn any_form() -> impl Strategy<Value = Form> {
    prop_oneof![Just(Form::Ours), Just(Form::Original)]
}

proptest! {
    #[test]
    fn a_plan_leads_to_what_is_desired(
        wanted in vec(any_change(), 0..30),
        had in vec(any_change(), 0..30),
        form in any_form(),
    ) {
        let (wanted, mut state) = (after(&wanted), after(&had));
        let before = state.clone();
        lead(&mut state, &wanted, form)?;
        prop_assert!(state.patches.len() == wanted.patches.len());
        // And back, as a failed apply does.
        lead(&mut state, &before, form)?;
    }

    #[test]
    fn nothing_is_to_be_done_for_what_is_there(changes in vec(any_change(), 0..30), form in any_form()) {
        let state = after(&changes);
        prop_assert_eq!(plan(&state, &state, form), Plan::default());
        prop_assert_eq!(plan(&state.clone().complete(), &state, form), Plan::default());
    }

    #[test]
    fn patches_that_stay_are_not_touched(
        wanted in vec(any_panel(), 0..30),
        had in vec(any_panel(), 0..30),
    ) {
        let (wanted, has) = (after(&wanted), after(&had));
        let steps = plan(&wanted, &has, Form::Ours);
        let removed = |port| steps.commands().any(
            |change| *change == Change::Panel(PanelCommand::Del(port)));
        for stays in has.patches.iter().filter(|patch| wanted.patches.contains(patch)) {
            if removed(stays.src) || removed(stays.dst) {
                continue;
            }
            let touched = steps.commands().any(|change| match change {
                Change::Panel(PanelCommand::Patch { src, .. } | PanelCommand::Unpatch(src)) =>
                    same_port(*src, stays.src),
                Change::Panel(PanelCommand::PatchReset) => true,
                _ => false,
            });
            prop_assert!(!touched, "{stays:?} is touched by {steps:?}");
        }
    }

    #[test]
    fn taking_a_change_twice_is_the_same_as_once(changes in vec(any_change(), 1..30)) {
        let mut state = after(&changes);
        let once = state.clone();
        state.take(&changes[changes.len() - 1]);
        prop_assert_eq!(plan(&once, &state, Form::Ours), Plan::default());
        prop_assert_eq!(plan(&state, &once, Form::Ours), Plan::default());
    }

    #[test]
    fn states_and_changes_are_read_as_they_were_written(changes in vec(any_change(), 0..20)) {
        let state = after(&changes);
        let text = serde_json::to_string(&state).unwrap();
        prop_assert_eq!(serde_json::from_str::<Desired>(&text).unwrap(), state);
        let text = serde_json::to_string(&changes).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<Change>>(&text).unwrap(), changes);
    }

    #[test]
    fn no_status_does_harm(text in "[\\[{\":a-z0-9,}\\]]{0,40}") {
        if let Ok(value) = serde_json::from_str(&text) {
            let _ = observe(ProcessKind::Nfv, &value);
            let _ = observe(ProcessKind::Vf, &value);
        }
    }
}

fn words(plan: &Plan) -> Vec<String> {
    plan.commands().map(ToString::to_string).collect()
}

fn read(document: serde_json::Value) -> Desired {
    serde_json::from_value(document).unwrap()
}

#[test]
fn what_goes_is_taken_out_before_what_comes_is_put_in() {
    let has = observe(
        ProcessKind::Nfv,
        &json!({"client-id": 1, "status": "running", "master-lcore": 0, "lcores": [0, 1],
            "ports": ["phy:0 nq 0", "vhost:1", "ring:0", "ring:1"],
            "patches": [{"src": "vhost:1", "dst": "ring:0"}, {"src": "ring:1", "dst": "phy:0 nq 0"}]}),
    )
    .unwrap();
    let wanted = read(
        json!({"forward": false, "ports": ["vhost:2 client", "ring:0"],
        "patches": [{"src": "vhost:2", "dst": "ring:0", "cpu": 3}, {"src": "phy:0", "dst": "ring:7"}]}),
    );
    assert_eq!(
        words(&plan(&wanted, &has, Form::Ours)),
        [
            "stop",
            "unpatch vhost:1",
            "unpatch ring:1",
            "del vhost:1",
            "del ring:1",
            "add vhost:2 client",
            "add ring:7",
            "patch vhost:2 ring:0 on 3",
            "patch phy:0 ring:7",
        ]
    );
    assert_eq!(
        words(&plan(&wanted, &has, Form::Original))[1],
        "patch reset"
    );
}

#[test]
fn a_process_that_was_never_told_to_forward_is_left_as_it_is() {
    let wanted = read(json!({"ports": ["ring:0"]}));
    for status in ["running", "idling"] {
        let has = observe(ProcessKind::Nfv, &json!({"status": status})).unwrap();
        assert_eq!(words(&plan(&wanted, &has, Form::Ours)), ["add ring:0"]);
    }
}

#[test]
fn the_status_of_a_vf_is_its_components() {
    let status = json!({"results": [{"result": "success"}], "info": {
        "client-id": 2, "phy": ["0"], "vhost": [], "ring": ["0"], "master-lcore": 1,
        "core": [
            {"core": 2, "name": "cls", "type": "classifier",
             "rx_port": [{"port": "phy:0", "vlan": {"operation": "none", "id": 0, "pcp": 0}}],
             "tx_port": [{"port": "ring:0", "vlan": {"operation": "add", "id": 100, "pcp": 3}}]},
            {"core": 3, "type": "unuse"}],
        "classifier_table": [{"type": "vlan", "value": "100/default", "port": "ring:0"}]}});
    let has = observe(ProcessKind::Vf, &status).unwrap();
    assert_eq!(
        words(&plan(&has, &Desired::default(), Form::Ours)),
        [
            "component start cls 2 classifier",
            "port add phy:0 rx cls",
            "port add ring:0 tx cls add_vlantag 100 3",
            "classifier_table add vlan 100 default ring:0",
        ]
    );
    assert!(!has.is_pristine() && Desired::default().is_pristine());
}

#[test]
fn documents_that_make_no_sense_are_refused_with_the_reason() {
    let cases = [
        (json!({"processes": {}}), "missing field `spp`"),
        (
            json!({"spp": 2, "processes": {}}),
            "version 2 of the form is not known",
        ),
        (
            json!({"spp": 1, "processes": {"nfv": {}}}),
            "'nfv' is no process",
        ),
        (
            json!({"spp": 1, "processes": {"nfv:01": {}}}),
            "'nfv:01' is no process",
        ),
        (
            json!({"spp": 1, "processes": {"nfv:1": {"port": []}}}),
            "unknown field `port`",
        ),
        (
            json!({"spp": 1, "processes": {"nfv:1": {"ports": ["eth:1"]}}}),
            "no known port type",
        ),
        (
            json!({"spp": 1, "processes": {"nfv:1": {"ports": ["ring:1 client"]}}}),
            "takes no server or client",
        ),
        (
            json!({"spp": 1, "processes": {"nfv:1": {"ports": ["ring:1", "ring:1"]}}}),
            "port ring:1 is there twice",
        ),
        (
            json!({"spp": 1, "processes": {"nfv:1": {"capture": true}}}),
            "it has forward, ports and patches",
        ),
        (
            json!({"spp": 1, "processes": {"pcap:1": {"forward": true}}}),
            "it has capture",
        ),
        (
            json!({"spp": 1, "processes": {"nfv:1": {"patches": [
            {"src": "phy:0", "dst": "ring:0"}, {"src": "phy:0 nq 0", "dst": "ring:1"}]}}}),
            "a patch from phy:0nq0 is there twice",
        ),
        (
            json!({"spp": 1, "processes": {"vf:1": {"classifier": [
            {"vlan": 4096, "mac": "default", "port": "ring:0"}]}}}),
            "4096 is no VLAN id",
        ),
        (
            json!({"spp": 1, "processes": {"vf:1": {"classifier": [
            {"mac": "default", "port": "ring:0"}, {"mac": "default", "port": "ring:0"}]}}}),
            "the entry mac default ring:0 of the classifier is there twice",
        ),
        (
            json!({"spp": 1, "processes": {"mirror:1": {"components": [
            {"name": "m", "core": 2, "type": "mirror", "set": {"snap": 3}}]}}}),
            "component m: '3' is no value of snap: 14 to 65535 bytes, or off",
        ),
        (
            json!({"spp": 1, "processes": {"vf:1": {"components": [
            {"name": "f", "core": 2, "type": "forward", "set": {"learn": 60}}]}}}),
            "component f: a forward has no learn",
        ),
        (
            json!({"spp": 1, "processes": {"vf:1": {"components": [
            {"name": "f", "core": 2, "type": "forward", "set": {"lern": 60}}]}}}),
            "'lern' cannot be set",
        ),
    ];
    for (document, reason) in cases {
        let read = serde_json::from_value::<System>(document.clone());
        let words = match read {
            Ok(system) => system.check().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        assert!(words.contains(reason), "{document}: {words}");
    }
    let twice = r#"{"spp": 1, "processes": {"nfv:1": {}, "nfv:1": {}}}"#;
    let words = serde_json::from_str::<System>(twice)
        .unwrap_err()
        .to_string();
    assert!(words.contains("nfv:1 is there twice"), "{words}");
}

#[test]
fn what_a_status_does_not_tell_is_remembered() {
    let memory = read(
        json!({"ports": ["vhost:1 client"], "patches": [{"src": "phy:0", "dst": "vhost:1", "cpu": 2}]}),
    );
    let has = observe(
        ProcessKind::Nfv,
        &json!({"status": "running", "ports": ["phy:0 nq 0", "vhost:1"],
            "patches": [{"src": "phy:0 nq 0", "dst": "vhost:1"}]}),
    )
    .unwrap()
    .remembering(&memory);
    assert_eq!(plan(&memory, &has, Form::Ours), Plan::default());
    let other =
        read(json!({"ports": ["vhost:1 server"], "patches": [{"src": "phy:0", "dst": "vhost:1"}]}));
    assert_eq!(
        words(&plan(&other, &has, Form::Ours)),
        [
            "unpatch phy:0nq0",
            "del vhost:1",
            "add vhost:1 server",
            "patch phy:0 vhost:1"
        ]
    );
}
