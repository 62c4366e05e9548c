//! Absurd values of every option.

use std::time::Duration;

use crate::hand::{Hand, LIMIT};

/// What runs for so long has started.
const STARTED: Duration = Duration::from_secs(20);

/// Starts `program` with each of `lines`: it does not start, and says why.
fn refused(hand: &Hand, program: &str, lines: &[String]) {
    let mut accepted = Vec::new();
    for line in lines {
        let line = line.replace("PREFIX", &hand.prefix);
        let mut proc = hand.start(program, &line);
        proc.close_input();
        if testbed::wait::poll(STARTED, || (!proc.is_running()).then_some(())).is_none() {
            accepted.push(format!("{line}: {}", proc.output()));
            continue;
        }
        let status = proc.wait_exit(LIMIT);
        let told = proc.output();
        let well =
            matches!(status.code(), Some(1 | 2)) && told.len() > 20 && !told.contains("panicked");
        if !well {
            accepted.push(format!("{line}: {status}: {told}"));
        }
    }
    assert!(
        accepted.is_empty(),
        "{program} accepts, or refuses badly:\n{}",
        accepted.join("\n")
    );
}

/// Values that are no number of anything.
fn numbers(option: &str, rest: &str) -> Vec<String> {
    [
        "",
        "x",
        "-1",
        "0",
        "1.5",
        "0x10",
        "999999999999999999999",
        "1,2",
        "\u{663}",
    ]
    .iter()
    .map(|value| format!("{option}={value} {rest}"))
    .collect()
}

#[test]
fn absurd_options_of_the_primary_are_refused() {
    let base = "--no-ctl --file-prefix PREFIX --memory 256";
    let mut lines: Vec<String> = [
        "--nosuch",
        "surplus",
        "--rings 257",
        "--ring-size 63",
        "--ring-size 1000",
        "--ring-size 131072",
        "--mbufs 1",
        "--mbufs 4294967295",
        "--vdev nonsense0",
        "--vdev net_null0,nosuch=1",
        "--queues 0",
        "--queues 0:1",
        "--queues 0:0:1",
        "--queues 0:1:17",
        "--queues x:1:1",
        "--queues 0:1:1:1",
        "--queues 7:2:2",
        "--lcores x",
        "--lcores 9999",
        "--lcores 0@",
        "--lcores 0-",
        "--lcores 3-1",
        "--lcores 0@0,0@1",
        "--lcores 0@9999",
        "--vhost-dir /nonexistent",
        "--vhost-dir /etc/passwd",
        "--poll sometimes",
        "--huge-dir /nonexistent",
        "--huge-dir /tmp",
        "--log-level loud",
        "--eal --nosuch-option",
        "--disp-stats=1",
        "--pci=1",
    ]
    .iter()
    .map(|line| format!("{base} {line}"))
    .collect();
    for option in ["--rings", "--ring-size", "--mbufs"] {
        lines.extend(numbers(option, base));
    }
    lines.extend(numbers("--memory", "--no-ctl --file-prefix PREFIX"));
    lines.push("--no-ctl --file-prefix PREFIX --memory 63".into());
    for prefix in ["..", "a/b", "../x", "\u{e4}"] {
        lines.push(format!("--no-ctl --memory 256 --file-prefix {prefix}"));
    }
    for ports in [
        "1",
        "1,2",
        "1,2,3,4",
        "1,1,2",
        "0,1,2",
        "x,y,z",
        "70000,70001,70002",
        "-1,2,3",
    ] {
        lines.push(format!(
            "--file-prefix PREFIX --memory 256 --ctl-ports={ports}"
        ));
    }
    for address in ["nosuchhost.invalid", "256.1.1.1", "0.0.0.0:1"] {
        lines.push(format!(
            "--file-prefix PREFIX --memory 256 --ctl {address} --ctl-ports 29001,29002,29003"
        ));
    }
    let hand = Hand::new();
    refused(&hand, "spp-primary", &lines);
    hand.wait_nothing_left();
}

#[test]
fn absurd_options_of_the_originals_primary_are_refused() {
    let tail = "-- -p 1 -n 4 -s 127.0.0.1:5555";
    let eal = "-l 0 -m 256 --file-prefix PREFIX --no-pci --vdev net_null0 --";
    let lines: Vec<String> = [
        format!("-l x --file-prefix PREFIX {tail}"),
        format!("-l 9999 --file-prefix PREFIX {tail}"),
        format!("-c 0 --file-prefix PREFIX {tail}"),
        format!("-m x --file-prefix PREFIX {tail}"),
        format!("--main-lcore 5 -l 0 --file-prefix PREFIX {tail}"),
        format!("-l 0 -m 256 --no-pci --nosuch --vdev net_null0 --file-prefix PREFIX {tail}"),
        format!("{eal} -n 4 -s 127.0.0.1:5555"),
        format!("{eal} -p 1 -s 127.0.0.1:5555"),
        format!("{eal} -p 1 -n 4"),
        format!("{eal} -p 1 -n 0 -s 127.0.0.1:5555"),
        format!("{eal} -p 1 -n x -s 127.0.0.1:5555"),
        format!("{eal} -p 1 -n 4 -s nonsense"),
        format!("{eal} -p 1 -n 4 -s 127.0.0.1:x"),
        format!("{eal} -p 1 -n 4 -s 127.0.0.1:99999"),
        format!("{eal} -p 1 -n 4 -s 127.0.0.1:5555 --port-num 0"),
        format!("{eal} -p 1 -n 4 -s 127.0.0.1:5555 --port-num 0 rxq 0 txq 1"),
        format!("{eal} -p 1 -n 4 -s 127.0.0.1:5555 --port-num 0 txq 1 rxq 1"),
        format!("{eal} -p 1 -n 4 -s 127.0.0.1:5555 --nosuch"),
    ]
    .into();
    let hand = Hand::new();
    refused(&hand, "spp-primary", &lines);
    hand.wait_nothing_left();
}

#[test]
fn absurd_options_of_nfv_are_refused() {
    let hand = Hand::new();
    let mut primary = hand.start("spp-primary", &hand.primary("--no-ctl"));
    primary.wait_output("is ready", LIMIT);
    let base = format!("--file-prefix {} --wait 0", hand.prefix);
    let good = format!("--sec-id 1 {base}");
    let mut lines: Vec<String> = vec![
        base.clone(),
        format!("{good} --nosuch"),
        format!("{good} surplus"),
    ];
    lines.extend(numbers("--sec-id", &base));
    lines.push(format!("--sec-id 128 {base}"));
    lines.extend(numbers("--workers", &good));
    for more in [
        "--workers 65",
        "--workers 1 --lcores 0",
        "--lcores x",
        "--lcores 9999",
        "--lcores 0@9999",
        "--lcores 0@",
        "--lcores 1@0,1@0",
        "--poll sometimes",
        "--log-level loud",
        "--huge-dir /nonexistent",
        "--ctl nonsense",
        "--ctl 127.0.0.1",
        "--ctl 127.0.0.1:x",
        "--ctl 127.0.0.1:99999",
        "--ctl=",
        "--idle=1",
        "--vhost-client=1",
    ] {
        lines.push(format!("{good} {more}"));
    }
    for wait in ["-1", "nan", "inf", "x", "1e400", ""] {
        lines.push(format!(
            "--sec-id 1 --file-prefix {} --wait={wait}",
            hand.prefix
        ));
    }
    for prefix in ["..", "a/b", "\u{e4}"] {
        lines.push(format!("--sec-id 1 --wait 0 --file-prefix {prefix}"));
    }
    for old in [
        "-l x -- -n 1 -s 127.0.0.1:1",
        "-- -n 1 -s 127.0.0.1:1",
        "-l 0 -- -s 127.0.0.1:1",
        "-l 0 -- -n 1",
        "-l 0 -- -n 0 -s 127.0.0.1:1",
        "-l 0 -- -n x -s 127.0.0.1:1",
        "-l 0 -- -n 1 -s nonsense",
        "-l 0 -- -n 1 -s 127.0.0.1:1 --nosuch",
    ] {
        lines.push(format!("--file-prefix {} {old}", hand.prefix));
    }
    refused(&hand, "spp-nfv", &lines);
    assert!(primary.is_running());
    // Nobody minded.
    let mut nfv = hand.start("spp-nfv", &hand.nfv(1, ""));
    nfv.wait_output("nfv 1 of panel", LIMIT);
    assert!(nfv.terminate(LIMIT).success());
    assert!(primary.terminate(LIMIT).success());
    hand.wait_nothing_left();
}

#[test]
fn absurd_options_of_the_controller_are_refused() {
    let mut lines: Vec<String> = [
        "--nosuch",
        "surplus",
        "-b nonsense",
        "-b 256.1.1.1",
        "-b 192.0.2.1",
        "-b 0.0.0.0",
        "-p 29101 -s 29101 -a 29102",
    ]
    .map(String::from)
    .into();
    for option in ["-p", "-s", "-a"] {
        for value in ["x", "-1", "65536", "1.5", "999999999999"] {
            lines.push(format!("{option} {value}"));
        }
    }
    let hand = Hand::new();
    refused(&hand, "spp-ctl", &lines);
    hand.wait_nothing_left();
}
