use super::*;

#[test]
fn replies_are_the_bytes_of_the_original() {
    let done = |text| Simple::nfv(&NfvCommand::parse(text).unwrap(), Ok::<(), String>(()));
    assert_eq!(
        done("add ring:0").to_json(),
        r#"{"result":"succeeded","command":"add","port":"ring:0"}"#
    );
    assert_eq!(
        done("patch phy:0nq0 ring:0").to_json(),
        r#"{"result":"succeeded","command":"patch","ports":{"src":"phy:0nq0","dst":"ring:0"}}"#
    );
    assert_eq!(
        done("forward").to_json(),
        r#"{"result":"succeeded","command":"forward"}"#
    );
    assert_eq!(
        done("_set_client_id 7").to_json(),
        r#"{"result":"succeeded","command":"_set_client_id"}"#
    );
    assert_eq!(
        done("patch reset").to_json(),
        r#"{"result":"succeeded","command":"patch reset"}"#
    );
    assert_eq!(
        done("_framing newline").to_json(),
        r#"{"result":"succeeded","command":"_framing"}"#
    );
}

#[test]
fn a_failure_has_its_reason_last() {
    let add = PrimaryCommand::parse("add ring:50").unwrap();
    assert_eq!(
        Simple::primary(&add, Err("ring:50 does not exist")).to_json(),
        r#"{"result":"failed","command":"add","port":"ring:50","error":"ring:50 does not exist"}"#
    );
    let error = NfvCommand::parse("foo bar").unwrap_err();
    let text = Simple::refused(&error).to_json();
    assert!(
        text.starts_with(r#"{"result":"failed","command":"foo","error":"unknown command 'foo': "#),
        "{text}"
    );
}

#[test]
fn status_documents_have_the_order_of_the_original() {
    let nfv = r#"{"client-id":1,"status":"running","master-lcore":1,"lcores":[1,2],"ports":["phy:0","phy:1 nq 0","phy:1 nq 1","ring:0"],"patches":[{"src":"phy:0","dst":"phy:1 nq 1"}]}"#;
    assert_eq!(
        serde_json::from_str::<NfvStatus>(nfv).unwrap().to_json(),
        nfv
    );
    let primary = r#"{"master-lcore":0,"lcores":[0,1],"forwarder":{"status":"running","ports":["phy:0","ring:0"],"patches":[{"src":"phy:0","dst":"ring:0"}]},"phy_ports":[{"id":0,"eth":"02:00:00:00:00:0a","rx":5,"tx":0,"tx_drop":0,"nof_queues":{"rx":2,"tx":2},"flow":[]}],"ring_ports":[{"id":0,"rx":0,"rx_drop":0,"tx":5,"tx_drop":0}]}"#;
    assert_eq!(
        serde_json::from_str::<PrimaryStatus>(primary)
            .unwrap()
            .to_json(),
        primary
    );
    let flow =
        r#"{"result": "error", "message": "Flow create error\nrte_errno: x", "rule_id": ""}"#;
    assert_eq!(
        serde_json::from_str::<FlowReply>(flow).unwrap().to_json(),
        flow
    );
    let id = ClientId::new(ProcessKind::Nfv, 1, "0.1.0", "0123456789abcdef").to_json();
    let start = r#"{"results":[{"result":"success"}],"client_id":1,"process_type":"nfv","#;
    assert!(id.starts_with(start), "{id}");
}

#[test]
fn a_long_status_is_cut_at_whole_elements() {
    let ring = |id| RingPortStatus {
        id,
        rx: u64::MAX,
        rx_drop: 0,
        tx: u64::MAX,
        tx_drop: 0,
    };
    let status = PrimaryStatus {
        main_lcore: 0,
        lcores: vec![0],
        forwarder: None,
        phy_ports: vec![],
        ring_ports: (0..1024).map(ring).collect(),
    };
    let text = status.clone().to_json_within(MAX_BARE_REPLY);
    assert!(text.len() <= MAX_BARE_REPLY && text.len() > MAX_BARE_REPLY - 256);
    let cut: PrimaryStatus = serde_json::from_str(&text).unwrap();
    assert_eq!(
        cut.ring_ports[..],
        status.ring_ports[..cut.ring_ports.len()]
    );
}

#[test]
fn replies_with_results_are_the_bytes_of_the_original() {
    assert_eq!(
        VfReply::new(Ok::<(), String>(())).to_json(),
        r#"{ "results": [ { "result": "success" } ] }"#
    );
    assert_eq!(
        VfReply::new(Err("Invalid value (port)")).to_json(),
        r#"{ "results": [ { "result": "error", "error_details": { "message": "Invalid value (port)" } } ] }"#
    );
    let status = crate::rest::CaptureStatus {
        client_id: 4,
        status: "idle".into(),
        main_lcore: 9,
        core: vec![
            crate::rest::CaptureCore {
                core: 10,
                role: "receive".into(),
                rx_port: Some(vec![crate::rest::CapturedPort {
                    port: "phy:0 nq 1".into(),
                }]),
                filename: None,
            },
            crate::rest::CaptureCore {
                core: 11,
                role: "write".into(),
                rx_port: None,
                filename: Some(String::new()),
            },
        ],
    };
    assert_eq!(
        VfReply::status(&status).to_json(),
        r#"{ "results": [ { "result": "success" } ], "info": { "client-id": 4, "status": "idle", "master-lcore": 9, "core": [ { "core": 10, "role": "receive", "rx_port": [ { "port": "phy:0 nq 1" } ] }, { "core": 11, "role": "write", "filename": "" } ] } }"#
    );
    let id = ClientId::new(ProcessKind::Pcap, 3, "0.1.0", "0123456789abcdef").to_json();
    let start =
        r#"{ "results": [ { "result": "success" } ], "client_id": 3, "process_type": "pcap""#;
    assert!(id.starts_with(start), "{id}");
}
