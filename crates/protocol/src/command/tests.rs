use proptest::prelude::*;

use super::*;
use crate::impair::tests::any_impairment;
use crate::port::tests::any_port;

fn any_panel() -> impl Strategy<Value = PanelCommand> {
    let mode = prop_oneof![
        Just(None),
        Just(Some(VhostMode::Server)),
        Just(Some(VhostMode::Client))
    ];
    prop_oneof![
        Just(PanelCommand::GetClientId),
        Just(PanelCommand::Framing),
        Just(PanelCommand::Detail),
        Just(PanelCommand::Status),
        any_port().prop_map(|port| PanelCommand::Add { port, mode: None }),
        (any::<u16>(), mode).prop_map(|(n, mode)| {
            PanelCommand::Add {
                port: PortName::Vhost(n),
                mode,
            }
        }),
        any_port().prop_map(PanelCommand::Del),
        (
            any_port(),
            any_port(),
            any::<Option<u32>>(),
            proptest::option::of(any_impairment())
        )
            .prop_map(|(src, dst, cpu, with)| PanelCommand::Patch {
                src,
                dst,
                cpu,
                with
            }),
        Just(PanelCommand::PatchReset),
        any_port().prop_map(PanelCommand::Unpatch),
        Just(PanelCommand::Forward),
        Just(PanelCommand::Stop),
        Just(PanelCommand::Clear),
        Just(PanelCommand::Exit),
    ]
}

proptest! {
    #[test]
    fn nfv_commands_read_back(panel in any_panel(), id in any::<i64>()) {
        for command in [NfvCommand::Panel(panel.clone()), NfvCommand::SetClientId(id)] {
            let text = format!(" {command} \r\n");
            prop_assert_eq!(NfvCommand::parse(&text), Ok(command));
        }
    }

    #[test]
    fn primary_commands_read_back(
        panel in any_panel(),
        mut words in proptest::collection::vec("[!-~]{1,12}", 2..9),
    ) {
        let flow = PrimaryCommand::Flow(words.join(" "));
        let args = words.split_off(2);
        let launch = PrimaryCommand::Launch { id: words[0].clone(), name: words[1].clone(), args };
        let unlaunch = PrimaryCommand::Unlaunch(words[0].clone());
        let upgrade = PrimaryCommand::Upgrade(words[1].clone());
        for command in [PrimaryCommand::Panel(panel), launch, unlaunch, upgrade, flow] {
            prop_assert_eq!(PrimaryCommand::parse(&command.to_string()), Ok(command));
        }
    }

    #[test]
    fn no_text_does_harm(
        text in "(add|del|patch|unpatch|status|_framing|launch|flow)?[ -~\\PC]{0,60}"
    ) {
        if let Ok(command) = NfvCommand::parse(&text) {
            prop_assert_eq!(NfvCommand::parse(&command.to_string()), Ok(command));
        }
        if let Ok(command) = PrimaryCommand::parse(&text) {
            prop_assert_eq!(PrimaryCommand::parse(&command.to_string()), Ok(command));
        }
    }
}

#[test]
fn older_spellings_are_the_same_command() {
    let patch = NfvCommand::parse("patch phy 0 nq 1 ring 0 on 3").unwrap();
    assert_eq!(patch.to_string(), "patch phy:0nq1 ring:0 on 3");
    assert_eq!(
        NfvCommand::parse("add vhost 1 client").unwrap().to_string(),
        "add vhost:1 client"
    );
}

#[test]
fn refusals_name_the_thing_and_the_remedy() {
    let cases = [
        ("", "empty command: commands are status, add"),
        (" \n", "empty command"),
        ("foo bar", "unknown command 'foo': commands are status"),
        ("Status", "unknown command 'Status'"),
        ("status x", "status: 'x' is one word too many: write status"),
        ("add", "add: a port is missing: write add PORT"),
        ("add bogus", "add: 'bogus' has no known port type"),
        ("add ring:0 x", "add: 'x' is no vhost mode"),
        ("add ring:0 server", "add: ring:0 takes no server or client"),
        ("add vhost:0 server now", "add: 'now' is one word too many"),
        ("patch", "patch: a port is missing"),
        ("patch phy:0", "patch: a port is missing"),
        ("patch reset now", "patch: 'reset' has no known port type"),
        ("patch ring:0 ring:1 on", "patch: a CPU is missing"),
        (
            "patch ring:0 ring:1 on +1",
            "patch: '+1' is no number of a CPU",
        ),
        (
            "patch ring:0 ring:1 at 1",
            "patch: 'at' is one word too many",
        ),
        ("_framing", "_framing: the word newline is missing"),
        ("_framing length", "_framing: 'length' is no framing"),
        (
            "_set_client_id x",
            "_set_client_id: 'x' is no number of a process",
        ),
        ("launch 1 spp_nfv", "unknown command 'launch'"),
    ];
    for (text, start) in cases {
        let message = NfvCommand::parse(text).unwrap_err().to_string();
        assert!(message.starts_with(start), "{text}: {message}");
    }
    let message = PrimaryCommand::parse("launch 5").unwrap_err().to_string();
    assert!(
        message.starts_with("launch: a name is missing"),
        "{message}"
    );
    let long = "add ring:".to_string() + &"1".repeat(2 << 20);
    assert_eq!(
        NfvCommand::parse(&long),
        Err(CommandError::TooLong(long.len()))
    );
    let long = "x".repeat(MAX_COMMAND);
    assert!(NfvCommand::parse(&long).unwrap_err().to_string().len() < 250);
}
