//! What is shown: status, drawings, rates, help, completion.

use serde_json::{Value, json};

use super::{done, original, panel};
use crate::complete::Completion;
use crate::session::Session;
use crate::testing::fake::Fake;

#[test]
fn status_has_the_original_lines_first_and_then_ours() {
    let ran = Fake::start(panel).spp(&["status"]);
    let (theirs, ours) = ran.out.split_once("- patches:\n").unwrap();
    assert!(theirs.ends_with(
        "- primary:\n  - status: running\n- secondary:\n  - processes:\n    \
         1: nfv:1\n    2: nfv:2\n    3: pcap:4\n"
    ));
    assert!(ours.contains("full 5, link-down 2"), "{ours}");
    let ran = Fake::start(original).spp(&["status"]);
    assert!(ran.out.contains("status: not running\n"), "{}", ran.out);
    assert!(ran.out.ends_with("    1: nfv:1\n"), "{}", ran.out);

    let ran = Fake::start(panel).spp(&["nfv 1; status"]);
    let start = "- status: running\n- lcore_ids:\n  - master: 0\n  - slave: 1\n- ports:\n  \
                 - phy:0 nq 1\n  - vhost:1 -> ring:0\n  - ring:0\n  - ring:1 -> vhost:1\n- patches:\n";
    assert!(ran.out.starts_with(start), "{}", ran.out);
    let ran = Fake::start(panel).spp(&["pri; status"]);
    assert!(ran.out.contains("- rings:\n"), "{}", ran.out);
}

#[test]
fn json_is_one_document_a_line() {
    let fake = Fake::start(panel);
    for words in [&["--json", "nfv 1; status"][..], &["nfv 1; status --json"]] {
        let ran = fake.spp(words);
        let document: Value = serde_json::from_str(ran.out.trim_end()).unwrap();
        assert_eq!(document["patches"][0]["dst"], "ring:0");
        assert_eq!(document["details"]["detail"]["pid"], 4711);
    }
    let ran = fake.spp(&["--json", "nfv 1; add vhost:1"]);
    assert_eq!(
        ran,
        done(r#"{"result":"succeeded","message":"Add vhost:1."}"#)
    );
    for words in [
        &["--json", "nfv 1; add ring:50"][..],
        &["nfv 1; add ring:50 --json"],
    ] {
        let ran = fake.spp(words);
        let document: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(
            (ran.code, &document["result"], &document["status"]),
            (1, &json!("failed"), &json!(409))
        );
        assert!(ran.err.contains("ring:50 does not exist"), "{}", ran.err);
    }
    let ran = fake.spp_with(&["--json"], "status\nfoo\n");
    assert_eq!(
        ran.out.lines().filter(|line| line.starts_with('{')).count(),
        2
    );
}

#[test]
fn topo_draws_measures_and_writes_files() {
    let ran = Fake::start(panel).spp(&["topo", "term"]);
    assert_eq!(ran.out, include_str!("../testing/topology.txt"));
    let ran = Fake::start(original).spp(&["topo term"]);
    assert!(ran.out.starts_with("┌─ nfv:1  running"), "{}", ran.out);

    let folder = std::env::temp_dir();
    let path = folder.join(format!("spp-test-{}.dot", std::process::id()));
    let path = path.to_str().unwrap();
    let fake = Fake::start(panel);
    assert_eq!(
        fake.spp(&["topo", path]),
        done(&format!("Create topology: '{path}'"))
    );
    let dot = std::fs::read_to_string(path).unwrap();
    assert!(dot.contains("vhost_1 -> ring_0[label=\"nfv:1\""), "{dot}");
    assert_eq!(fake.spp(&["topo", path, "json"]).code, 0);
    let json = std::fs::read_to_string(path).unwrap();
    std::fs::remove_file(path).unwrap();
    assert!(
        json.starts_with("[{\"client-id\": 1, \"status\": \"running\", "),
        "{json}"
    );
    let ran = fake.spp(&["topo", "/nonexistent/x.json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn top_prints_a_set_of_tables_an_interval() {
    let ran = Fake::start(panel).spp(&["top", "--count", "2", "--interval", "0.1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out.matches("PROCESS  PATCH").count(), 2, "{}", ran.out);
    assert!(
        ran.out.contains("vhost:1 -> ring:0    1  2.00 Mpps"),
        "{}",
        ran.out
    );
    let ran = Fake::start(panel).spp(&["--json", "top", "--count=1", "--interval=0.1"]);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        document["processes"][1]["patches"][0]["flow"]["packets"],
        2_000_000.0
    );
}

#[test]
fn help_comes_from_the_table() {
    let fake = Fake::start(panel);
    for words in [&["help"][..], &["?"]] {
        let out = fake.spp(words).out;
        let header = "\nDocumented commands (type help <topic>):\n========";
        assert!(out.starts_with(header) && out.ends_with("\n\n"), "{out:?}");
        assert!(out.contains("\nbye "), "{out}");
    }
    for line in ["help nfv patch", "help nfv 1; patch", "nfv 1; patch --help"] {
        let out = fake.spp(&[line]).out;
        assert!(
            out.starts_with("nfv ID; patch SRC DST [on CPU]\n  packets from SRC"),
            "{out}"
        );
    }
    let help = fake.spp(&["--help"]);
    assert_eq!(help.code, 0);
    assert!(
        help.err.contains("Exit status:") && help.err.contains("wait pri|nfv"),
        "{}",
        help.err
    );
    assert!(fake.spp(&["--version"]).err.contains("DPDK"));
}

#[test]
fn completion_knows_commands_ids_and_ports() {
    let fake = Fake::start(panel);
    let completion = Completion::new(&fake.client(), &Session::default());
    let words = |head: &str| completion.complete(head).words;
    for (head, expected) in [
        ("st", &["status "][..]),
        ("to", &["topo ", "top "]),
        ("nfv ", &["1; ", "2; "]),
        ("sec 2", &["2; "]),
        ("nfv 1; un", &["unpatch "]),
        ("nfv 1;pa", &["patch "]),
        (
            "nfv 1; add ",
            &["ring:", "vhost:", "pcap:", "memif:", "nullpmd:", "tap:"],
        ),
        ("nfv 1; add vhost:1 ", &["server ", "client "]),
        ("nfv 1; del ", &[]),
        ("nfv 1; unpatch ", &["vhost:1 ", "ring:1 "]),
        (
            "nfv 1; patch r",
            // ring:1 has a patch.
            &["ring:0 ", "ring:2 ", "reset "],
        ),
        ("nfv 1; patch phy 0 nq 1 v", &[]),
        ("nfv 1; patch phy 0 nq 1 r", &["ring:1 ", "ring:2 "]),
        ("nfv 1; patch phy:0 n", &["nq "]),
        ("nfv 1; patch phy:0 nq ", &["1 "]),
        ("nfv 1; patch phy:0nq1 ring:0 ", &["on "]),
        ("nfv 1; patch p", &["phy:0nq1 "]),
        ("pri; patch p", &["phy:0 "]),
        ("pri; launch ", &["nfv ", "vf ", "mirror ", "pcap "]),
        ("help nfv un", &["unpatch "]),
        ("wait p", &["pri ", "pcap "]),
        ("top --c", &["--count "]),
        ("top --count 3 --", &["--interval "]),
        ("bye ", &["sec ", "all "]),
        ("foo ", &[]),
        ("nfv x; ", &[]),
    ] {
        assert_eq!(words(head), expected, "{head}");
    }
    // Tests run in the folder of the package.
    let found = words("topo ");
    assert!(found.contains(&"term ".to_owned()) && found.contains(&"src/".to_owned()));
    assert_eq!(completion.complete("nfv 1; add vh").start, 11);
}
