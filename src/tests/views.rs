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

    let folder = Folder::new("topo");
    let path = folder.file("x.dot");
    let fake = Fake::start(panel);
    let created = |path: &str| format!("{SILENT}Create topology: '{path}'");
    assert_eq!(fake.spp(&["topo", &path]), done(&created(&path)));
    let dot = std::fs::read_to_string(&path).unwrap();
    let edge = "vhost_1 -> ring_0[label=\"nfv:1\", color";
    assert!(dot.contains(edge), "{dot}");
    let fake = Fake::start(panel);
    fake.spp(&["topo", &path, "--rates", "0.1"]);
    let dot = std::fs::read_to_string(&path).unwrap();
    assert!(dot.contains("[label=\"nfv:1\\n2.00 Mpps, "), "{dot}");
    let ran = fake.spp(&["topo", "/nonexistent/x.json"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(
        ran.err.contains("Cannot write '/nonexistent/x.json': "),
        "{ran:?}"
    );
}

/// What is said of the process that does not answer.
const SILENT: &str = "Error: Failed to parse links in nfv:3. (no answer within 500 ms)\n";

/// A folder that is removed with the test.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("spp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn topo_writes_every_kind_of_file() {
    let folder = Folder::new("kinds");
    let fake = Fake::start(panel);
    for (kind, start) in [
        ("dot", &b"digraph spp{\n"[..]),
        ("mmd", b"flowchart LR\n"),
        ("svg", b"<svg "),
        ("png", b"\x89PNG\r\n"),
        ("jpg", b"\xff\xd8\xff"),
        ("bmp", b"BM"),
    ] {
        // By its ending, and by a word.
        for words in [
            vec![folder.file(&format!("x.{kind}"))],
            vec![folder.file("x"), kind.to_owned()],
        ] {
            let mut line = vec!["topo"];
            line.extend(words.iter().map(String::as_str));
            assert_eq!(
                fake.spp(&line),
                done(&format!("{SILENT}Create topology: '{}'", words[0]))
            );
            let bytes = std::fs::read(&words[0]).unwrap();
            assert!(
                bytes.starts_with(start),
                "{kind}: {:?}",
                &bytes[..bytes.len().min(20)]
            );
        }
    }
    // These have the original's content: one line, and block style with sorted keys.
    let fake = Fake::start(original);
    for (kind, content) in [
        (
            "js",
            "[{\"client-id\": 1, \"status\": \"running\", \"master-lcore\": 0, \"lcores\": [0, 1], \
                \"ports\": [\"phy:0 nq 1\", \"vhost:1\", \"ring:0\", \"ring:1\"], \"patches\": \
                [{\"src\": \"vhost:1\", \"dst\": \"ring:0\"}, {\"src\": \"ring:1\", \"dst\": \"vhost:1\"}]}]",
        ),
        (
            "yml",
            "- client-id: 1\n  lcores:\n  - 0\n  - 1\n  master-lcore: 0\n  patches:\n  - dst: ring:0\n    \
                 src: vhost:1\n  - dst: vhost:1\n    src: ring:1\n  ports:\n  - phy:0 nq 1\n  - vhost:1\n  \
                 - ring:0\n  - ring:1\n  status: running\n",
        ),
    ] {
        let path = folder.file(&format!("y.{kind}"));
        assert_eq!(
            fake.spp(&["topo", &path]),
            done(&format!("Create topology: '{path}'"))
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
    for (words, text) in [
        (&["topo"][..], "Usage: topo dst [ftype]\n"),
        (&["topo", "x.gif"], "Invalid file type\n"),
        (&["topo", "x", "gif"], "'gif' is not one of"),
    ] {
        let ran = fake.spp(words);
        assert!(ran.code == 2 && ran.err.starts_with(text), "{ran:?}");
    }
}

/// A controller of the original with a process of each kind, as it was recorded.
fn components(request: &str, body: &str, number: usize) -> (u16, String) {
    let text = match request {
        "GET /v1/processes" => {
            r#"[{"type":"nfv","client-id":1},{"type":"vf","client-id":2},
            {"type":"mirror","client-id":3},{"type":"pcap","client-id":4},{"type":"pcap","client-id":5}]"#
        }
        "GET /v1/vfs/2" => {
            r#"{"client-id":2,"ports":["phy:0"],"components":[
            {"core":4,"name":"f","type":"forward","rx_port":[{"port":"phy:0"}],"tx_port":[{"port":"ring:2"}]}]}"#
        }
        "GET /v1/mirrors/3" => {
            r#"{"client-id":3,"ports":[],"components":[{"core":8,"type":"unuse"},
            {"core":7,"type":"mirror","rx_port":[{"port":"ring:2"}],"tx_port":[{"port":"ring:4"}]}]}"#
        }
        "GET /v1/pcaps/4" => {
            r#"{"client-id":4,"status":"running","core":[
            {"core":10,"role":"receive","rx_port":[{"port":"phy:1"}]}]}"#
        }
        "GET /v1/pcaps/5" => r#"{"client-id":5,"status":"idle","core":[]}"#,
        _ => return original(request, body, number),
    };
    (200, text.to_owned())
}

#[test]
fn topo_draws_components_and_says_what_it_cannot_read() {
    let folder = Folder::new("components");
    let path = folder.file("x.dot");
    let expected = format!("Error: No rx port in pcap:5.\nCreate topology: '{path}'");
    assert_eq!(
        Fake::start(components).spp(&["topo", &path]),
        done(&expected)
    );
    let dot = std::fs::read_to_string(&path).unwrap();
    for line in [
        "vhost_1 -> ring_0[label=\"nfv:1\", color=\"green\", style=\"solid\"];",
        "phy_0 -> ring_2[label=\"vf:2:f\", color=\"orange\", style=\"solid\"];",
        "ring_2 -> ring_4[label=\"vf:3\", color=\"chocolate\", style=\"solid\"];",
        "phy_1 -> spppcap_4[label=\"pcap:4\", color=\"black\", style=\"solid\"];",
    ] {
        assert!(dot.lines().any(|found| found == line), "{line}: {dot}");
    }
}

#[test]
fn subgraphs_are_kept_by_the_shell_and_used_by_topo() {
    let folder = Folder::new("subgraphs");
    let path = folder.file("x.dot");
    let lines = [
        "topo_subgraph",
        "topo_subgraph add g vhost:1,phy:0",
        "topo_subgraph add h vhost_2; phy:0 nq 1",
        "topo_subgraph add g vhost:1,phy:0nq1",
        "topo_subgraph",
        &format!("topo {path}"),
        "topo http",
        "topo_subgraph delete h",
        "topo_subgraph del h",
        "topo_subgraph add x",
        "topo_subgraph add x zap:1",
        "topo_subgraph foo",
    ];
    let fake = Fake::start(|request, body, number| match request {
        "GET /v1/version" => (200, "{}".to_owned()),
        _ => panel(request, body, number),
    });
    let ran = fake.spp_with(&["-f", "-", "-k"], &lines.join("\n"));
    let shown: Vec<_> = ran.out.lines().collect();
    assert_eq!(
        shown[..6],
        [
            "No subgraph.",
            "Add subgraph 'g'",
            "Add subgraph 'h'",
            "Add subgraph 'g'",
            "label: g\tsubgraph: \"vhost:1;phy:0 nq 1\"",
            "label: h\tsubgraph: \"vhost:2;phy:0 nq 1\"",
        ]
    );
    let url = shown
        .iter()
        .find(|line| line.starts_with("http://127.0.0.1:"))
        .unwrap();
    let marks = "/panel/#subgraph=g,vhost:1,phy:0nq1&subgraph=h,vhost:2,phy:0nq1";
    assert!(url.ends_with(marks), "{url}");
    let dot = std::fs::read_to_string(&path).unwrap();
    assert!(
        dot.contains("; subgraph cluster1 {label=\"g\" vhost_1; phy_0nq1}; subgraph cluster2 "),
        "{dot}"
    );
    assert_eq!(shown.last(), Some(&"Delete subgraph 'h'"));
    for text in [
        "There is no subgraph 'h'",
        "Invalid syntax 'add x'!",
        "Invalid syntax 'add x zap:1'!",
        "'zap:1' has no known port type",
        "Ivalid subcommand 'foo'!",
    ] {
        assert!(ran.err.contains(text), "{text}: {}", ran.err);
    }
    let ran = Fake::start(original).spp(&["topo", "http"]);
    assert!(
        ran.code == 1 && ran.err.contains("serves no page"),
        "{ran:?}"
    );
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
            out.starts_with("nfv ID; patch SRC DST [on CPU] [with IMPAIRMENT]\n  packets from SRC"),
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
        ("to", &["topo ", "top ", "topo_subgraph "]),
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
