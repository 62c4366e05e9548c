//! Commands that change something.

use super::{done, original, panel};
use crate::testing::fake::{Fake, Ran};

#[test]
fn one_command_has_many_spellings() {
    let fake = Fake::start(panel);
    let spellings: [&[&str]; 5] = [
        &["nfv 1; add vhost:1"],
        &["nfv", "1", "add", "vhost:1"],
        &["sec 1;add vhost 1"],
        &["nfv", "1;", "add", "vhost", "1"],
        &["  nfv   1 ;add   vhost:1 "],
    ];
    for words in spellings {
        assert_eq!(fake.spp(words), done("Add vhost:1."), "{words:?}");
    }
    let sent = r#"PUT /v1/nfvs/1/ports {"action":"add","port":"vhost:1"}"#;
    assert_eq!(fake.changes(), vec![sent; 5]);
}

#[test]
fn commands_of_nfv_send_what_they_say() {
    let fake = Fake::start(panel);
    for (line, out, sent) in [
        (
            "nfv 1; add vhost:2 client",
            "Add vhost:2.",
            r#"PUT /v1/nfvs/1/ports {"action":"add","port":"vhost:2","mode":"client"}"#,
        ),
        (
            "nfv 1; patch phy 0 nq 1 ring 0",
            "Patch ports (phy:0 nq 1 -> ring:0).",
            r#"PUT /v1/nfvs/1/patches {"src":"phy:0nq1","dst":"ring:0"}"#,
        ),
        (
            "nfv 1; patch phy:0nq1 ring:0 on 3",
            "Patch ports (phy:0 nq 1 -> ring:0) on 3.",
            r#"PUT /v1/nfvs/1/patches {"src":"phy:0nq1","dst":"ring:0","lcore":3}"#,
        ),
        (
            "nfv 1; patch reset",
            "Clear all of patches.",
            "DELETE /v1/nfvs/1/patches",
        ),
        (
            "nfv 1; unpatch vhost:1",
            "Unpatch vhost:1.",
            "DELETE /v1/nfvs/1/patches/vhost:1",
        ),
        (
            "nfv 1; unpatch phy 0 nq 1",
            "Unpatch phy:0 nq 1.",
            "DELETE /v1/nfvs/1/patches/phy:0nq1",
        ),
        (
            "nfv 1; forward",
            "Start forwarding.",
            r#"PUT /v1/nfvs/1/forward {"action":"start"}"#,
        ),
        (
            "nfv 1; stop",
            "Stop forwarding.",
            r#"PUT /v1/nfvs/1/forward {"action":"stop"}"#,
        ),
        (
            "nfv 1; clear",
            "Clear port statistics.",
            "DELETE /v1/nfvs/1/counters",
        ),
        ("nfv 1; exit", "Exit nfv 1", "DELETE /v1/nfvs/1"),
        (
            "nfv 1; del ring:0",
            "Unpatch (vhost:1 -> ring:0).\nDelete ring:0.",
            r#"PUT /v1/nfvs/1/ports {"action":"del","port":"ring:0"}"#,
        ),
        (
            "pri; add ring:3",
            "Add ring:3.",
            r#"PUT /v1/primary/ports {"action":"add","port":"ring:3"}"#,
        ),
        (
            "pri clear",
            "Clear port statistics.",
            "DELETE /v1/primary/status",
        ),
        (
            "pri; unpatch phy:0",
            "Unpatch phy:0.",
            "DELETE /v1/primary/patches/phy:0",
        ),
        ("pri; exit", "Exit primary", "DELETE /v1/primary"),
        (
            "pri; unlaunch 5",
            "Process 5 is not started again any more.",
            "DELETE /v1/primary/launched/5",
        ),
        (
            "pri; launch vf 3 -l 1,2 -- --restart on-failure",
            "Send request to launch vf:3.\n(vf:3 has not registered within 0.5 s; \
             `wait vf 3` waits longer, its log tells more)",
            "PUT /v1/primary/launch {\"client_id\":\"3\",\"proc_name\":\"spp_vf\",\
             \"eal\":{\"-l\":\"1,2\",\"--proc-type\":\"secondary\"},\
             \"app\":{\"--restart\":\"on-failure\",\"--client-id\":\"3\"}}",
        ),
        (
            "pri; launch nfv 3 -l 1,2 -- -s 127.0.0.1:6666",
            "Send request to launch nfv:3.\n(nfv:3 has not registered within 0.5 s; \
             `wait nfv 3` waits longer, its log tells more)",
            "PUT /v1/primary/launch {\"client_id\":\"3\",\"proc_name\":\"spp_nfv\",\
             \"eal\":{\"-l\":\"1,2\",\"--proc-type\":\"secondary\"},\
             \"app\":{\"-s\":\"127.0.0.1:6666\",\"-n\":\"3\"}}",
        ),
    ] {
        assert_eq!(fake.spp(&[line]), done(out), "{line}");
        assert_eq!(fake.changes().pop().as_deref(), Some(sent), "{line}");
    }
    let words = ["pri", "launch", "nfv", "3", "-l", "1", "--", "-n", "3"];
    assert_eq!(fake.spp(&words).code, 0);
}

#[test]
fn refusals_are_shown_and_end_with_1() {
    let fake = Fake::start(panel);
    for (line, err) in [
        (
            "nfv 1; add ring:50",
            "ring:50 does not exist: this primary has ring:0..ring:15",
        ),
        (
            "nfv 9; status",
            "\"nfv 9\" does not exist. (registered: primary, pcap:4, nfv:1, nfv:2)",
        ),
        (
            "nfv 9; forward",
            "\"nfv 9\" does not exist. (registered: primary, pcap:4, nfv:1, nfv:2)",
        ),
        ("nfv 1; del phy:0", "Cannot delete phy port 'phy:0'."),
        (
            "pri; launch nfv 1 -l 1 -- -n 1",
            "Secondary ID 1 is already used!",
        ),
    ] {
        let ran = fake.spp(&[line]);
        assert_eq!(
            ran,
            Ran {
                code: 1,
                out: String::new(),
                err: format!("{err}\n")
            },
            "{line}"
        );
    }
    let fake = Fake::start(original);
    let ran = fake.spp(&["pri; status"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (1, "No spp_primary is running.\n")
    );
    let ran = fake.spp(&["top"]);
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
}

#[test]
fn wait_ends_when_the_process_is_there_or_the_time_is_over() {
    let fake = Fake::start(|request, _, number| match (request, number) {
        ("GET /v1/processes", 0..3) => (200, "[]".into()),
        ("GET /v1/processes", _) => (200, r#"[{"type":"nfv","client-id":1}]"#.into()),
        _ => (404, String::new()),
    });
    assert_eq!(
        fake.spp(&["wait", "sec", "1", "--timeout", "60"]),
        done("nfv 1 is registered.")
    );
    let ran = fake.spp(&["wait pri --timeout=0"]);
    let err = "spp_primary did not register within 0 s (registered: nfv:1)\n";
    assert_eq!(
        ran,
        Ran {
            code: 1,
            out: String::new(),
            err: err.into()
        }
    );
}

#[test]
fn bye_ends_processes_and_says_which_it_could_not() {
    let fake = Fake::start(panel);
    let out = "Closing secondary ...\nExit nfv 1\nExit nfv 2\nExit pcap 4.\n\
               Closing primary ...\nExit primary";
    assert_eq!(fake.spp(&["bye", "all"]), done(out));
    assert_eq!(
        fake.spp(&["bye"]),
        done("Thank you for using Soft Patch Panel")
    );
    let fake = Fake::start(|request, body, number| match request {
        "DELETE /v1/nfvs/1" => (504, "nfv 1 did not answer within 5 s".into()),
        _ => panel(request, body, number),
    });
    let ran = fake.spp(&["bye sec"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (1, "Closing secondary ...\nExit nfv 2\nExit pcap 4.\n")
    );
    assert_eq!(
        ran.err,
        "nfv 1 did not end: nfv 1 did not answer within 5 s\n"
    );
}
