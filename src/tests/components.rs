//! Commands of vf, mirror and pcap.

use super::{done, switchboard};
use crate::testing::fake::Fake;

#[test]
fn commands_send_what_they_say() {
    let fake = Fake::start(switchboard);
    for (line, out, sent) in [
        (
            "vf 2; component start fw1 4 forward",
            "Succeeded to start component 'fw1' on core:4",
            r#"POST /v1/vfs/2/components {"name":"fw1","core":4,"type":"forward"}"#,
        ),
        (
            "vf 2 component stop f/w",
            "Succeeded to delete component 'f/w'",
            "DELETE /v1/vfs/2/components/f%2Fw",
        ),
        (
            "vf 2; port add ring:1 tx fw1 add_vlantag 100 3",
            "Succeeded to add port",
            r#"PUT /v1/vfs/2/components/fw1/ports {"action":"attach","port":"ring:1","dir":"tx","vlan":{"operation":"add","id":100,"pcp":3}}"#,
        ),
        (
            "vf 2; port add phy:0 nq 1 rx fw1 del_vlantag",
            "Succeeded to add port",
            r#"PUT /v1/vfs/2/components/fw1/ports {"action":"attach","port":"phy:0nq1","dir":"rx","vlan":{"operation":"del"}}"#,
        ),
        (
            "vf 2; port add phy:0nq1 rx fw1",
            "Succeeded to add port",
            r#"PUT /v1/vfs/2/components/fw1/ports {"action":"attach","port":"phy:0nq1","dir":"rx","vlan":{}}"#,
        ),
        (
            "vf 2; port del vhost:0 tx cls",
            "Succeeded to del port",
            r#"PUT /v1/vfs/2/components/cls/ports {"action":"detach","port":"vhost:0","dir":"tx","vlan":{}}"#,
        ),
        (
            "vf 2; classifier_table add vlan 100 default vhost:0",
            "Succeeded to add",
            r#"PUT /v1/vfs/2/classifier_table {"action":"add","type":"vlan","mac_address":"default","port":"vhost:0","vlan":"100"}"#,
        ),
        (
            "vf 2; classifier_table del mac 02-00-00-00-00-0A ring:2",
            "Succeeded to del",
            r#"PUT /v1/vfs/2/classifier_table {"action":"del","type":"mac","mac_address":"02:00:00:00:00:0a","port":"ring:2"}"#,
        ),
        (
            "vf 2; component set cls learn on",
            "Set learn on 300 of component 'cls'",
            r#"PUT /v1/vfs/2/components/cls/settings {"key":"learn","value":"on 300"}"#,
        ),
        (
            "mirror 3; component set m filter proto tcp vlan 7",
            "Set filter vlan 7 proto tcp of component 'm'",
            r#"PUT /v1/mirrors/3/components/m/settings {"key":"filter","value":"vlan 7 proto tcp"}"#,
        ),
        (
            "vf 2; clear",
            "Clear statistics",
            "DELETE /v1/vfs/2/counters",
        ),
        ("vf 2; exit", "Exit vf 2.", "DELETE /v1/vfs/2"),
        (
            "mirror 3; component start m 7 mirror",
            "Succeeded to start component 'm' on core:7",
            r#"POST /v1/mirrors/3/components {"name":"m","core":7,"type":"mirror"}"#,
        ),
        (
            "mirror 3; port add ring:6 tx m",
            "Succeeded to add port",
            r#"PUT /v1/mirrors/3/components/m/ports {"action":"attach","port":"ring:6","dir":"tx"}"#,
        ),
        ("mirror 3; exit", "Exit mirror 3.", "DELETE /v1/mirrors/3"),
        (
            "pcap 4; start",
            "Start packet capture.",
            r#"PUT /v1/pcaps/4/capture {"action":"start"}"#,
        ),
        (
            "pcap 4; stop",
            "Stop packet capture.",
            r#"PUT /v1/pcaps/4/capture {"action":"stop"}"#,
        ),
        ("pcap 4; exit", "Exit pcap 4.", "DELETE /v1/pcaps/4"),
    ] {
        assert_eq!(fake.spp(&[line]), done(out), "{line}");
        assert_eq!(fake.changes().pop().as_deref(), Some(sent), "{line}");
    }
}

#[test]
fn what_cannot_be_understood_is_said_and_sends_nothing() {
    let fake = Fake::start(switchboard);
    for (line, err) in [
        (
            "vf",
            "Required an ID and ';' before the command.\nUsage: vf ID; COMMAND\n",
        ),
        ("mirror x; status", "Invalid command: x;status\n"),
        ("pcap 4;", "Invalid command \"\".\n"),
        (
            "pcap 4; component start a 1 forward",
            "Invalid command \"component\".\n",
        ),
        (
            "mirror 3; classifier_table add mac default ring:1",
            "Invalid command \"classifier_table\".\n",
        ),
        ("vf 2; component", "Error: Not enough parameters.\n"),
        ("vf 2; component foo", "Error: Invalid action.\n"),
        ("vf 2; component start", "Error: Not enough parameters.\n"),
        (
            "vf 2; component start x y forward",
            "CPU 'y' is not a whole number from 0 to 4095.\n",
        ),
        (
            "vf 2; component start x 4 mirror",
            "'mirror' is not one of forward, merge, classifier.\n",
        ),
        (
            &format!("vf 2; component stop {}", "x".repeat(32)),
            "'xxxxxxxx",
        ),
        ("vf 2; port", "Error: Not enough parameters.\n"),
        ("vf 2; port foo ring:5 tx cls", "Error: Invalid action.\n"),
        ("vf 2; port add ring:5", "Error: Not enough parameters.\n"),
        (
            "vf 2; port add ring:5 xx cls",
            "'xx' is not one of rx, tx.\n",
        ),
        (
            "vf 2; port add ring:5 tx cls zz",
            "Error: vlantag is Only add_vlantag or del_vlantag.\n",
        ),
        (
            "vf 2; port add ring:5 tx cls add_vlantag",
            "Error: vid is not a number.\n",
        ),
        (
            "vf 2; port add ring:5 tx cls add_vlantag x 1",
            "Error: vid is not a number.\n",
        ),
        (
            "vf 2; port add ring:5 tx cls add_vlantag 1 x",
            "Error: pcp is not a number.\n",
        ),
        (
            "vf 2; port add ring:5 tx cls add_vlantag 4096 1",
            "Error: 4096 is no VLAN id: 0 to 4095.\n",
        ),
        (
            "vf 2; port add ring:5 tx cls add_vlantag 1 8",
            "Error: 8 is no VLAN priority: 0 to 7.\n",
        ),
        (
            "vf 2; port add ring:5 tx cls add_vlantag 1 2 3",
            "Error: '3' has no meaning here.\n",
        ),
        (
            "vf 2; classifier_table add foo default ring:1",
            "Error: Type is only vlan or mac\n",
        ),
        (
            "vf 2; classifier_table add",
            "Error: Not enough parameters.\n",
        ),
        (
            "vf 2; classifier_table foo mac default ring:1",
            "Error: Invalid action.\n",
        ),
        (
            "vf 2; classifier_table add mac 1:2 ring:1",
            "'1:2' is no MAC address",
        ),
        (
            "vf 2; classifier_table add vlan 4096 default ring:1",
            "VID '4096' is not a whole number from 0 to 4095.\n",
        ),
        ("pcap 4; start now", "'now' has no meaning here.\n"),
    ] {
        let ran = fake.spp(&[line]);
        assert!(ran.err.starts_with(err), "{line}: {ran:?}");
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}");
    }
    assert_eq!(fake.changes(), Vec::<String>::new());
}

#[test]
fn refusals_of_a_process_are_shown() {
    let fake = Fake::start(switchboard);
    let ran = fake.spp(&["vf 2; component start x 99 forward"]);
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (1, "", "command error: error occur\n")
    );
    for kind in ["vf", "mirror", "pcap"] {
        let ran = fake.spp(&[&format!("{kind} 9; status")]);
        let err = format!("\"{kind} 9\" does not exist. (registered: primary, nfv:1, vf:2");
        assert!(ran.err.starts_with(&err), "{}", ran.err);
    }
}

#[test]
fn status_goes_through_rest_to_the_screen() {
    let fake = Fake::start(switchboard);
    let ran = fake.spp(&["vf 2; status"]);
    assert!(ran.out.contains("    - slaves: [4, 5]\n"), "{}", ran.out);
    assert!(
        ran.out.ends_with("  - core:5 '' (type: unuse)\n"),
        "{}",
        ran.out
    );
    let ran = fake.spp(&["mirror 3; status"]);
    assert!(
        ran.out.ends_with("    - tx: [ring:6, ring:7]\n"),
        "{}",
        ran.out
    );
    let ran = fake.spp(&["pcap 4; status"]);
    assert!(
        ran.out.ends_with("  - core:11 write\n    - filename: \n"),
        "{}",
        ran.out
    );
    let ran = fake.spp(&["--json", "pcap 4; status"]);
    assert!(
        ran.out.starts_with(r#"{"client-id":4,"status":"idle""#),
        "{}",
        ran.out
    );
}

#[test]
fn bye_all_has_the_lines_of_the_original_for_every_kind() {
    let fake = Fake::start(switchboard);
    assert_eq!(
        fake.spp(&["bye all"]),
        done(
            "Closing secondary ...\nExit nfv 1\nExit vf 2.\nExit mirror 3.\nExit pcap 4.\n\
             Closing primary ...\nExit primary"
        )
    );
}
