//! What the shell remembers: controllers, configuration, records, history, plugins.

use std::path::{Path, PathBuf};

use super::{done, panel, switchboard};
use crate::commands::execute;
use crate::context::Context;
use crate::session::history::History;
use crate::session::plugins::Plugins;
use crate::testing::fake::{Fake, with_context};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("spp-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Runs lines one after the other in one shell; gives what they print, failures among it.
fn lines(fake: &Fake, prepare: impl FnOnce(&mut Context), lines: &[&str]) -> String {
    let mut both = String::new();
    let ran = with_context(|context| {
        context.client = fake.client();
        prepare(context);
        for line in lines {
            if let Err(failure) = execute(context, line) {
                writeln!(context.out, "{failure}").unwrap();
            }
        }
    });
    both.push_str(&ran.out);
    both.push_str(&ran.err);
    both
}

#[test]
fn the_configuration_is_shown_as_recorded_and_set() {
    let fake = Fake::start(panel);
    assert_eq!(
        fake.spp(&["config"]).out,
        "- max_secondary: \"16\"\t# The maximum number of secondary processes
- prompt: \"spp > \"\t# Command prompt
- sec_mem: \"-m 512\"\t# Mem size
- sec_m_lcore: \"2\"\t# Shared master lcore among secondaries
- sec_wait_launch: \"0.5\"\t# Wait for launching secondary process in sec
- sec_vhost_cli: \"\"\t# Vhost client mode, activated if set any of values
- sec_nfv_nof_lcores: \"1\"\t# Default num of lcores for workers of spp_nfv
- sec_vf_nof_lcores: \"3\"\t# Default num of lcores for workers of spp_vf
- sec_mirror_nof_lcores: \"2\"\t# Default num of lcores for workers of spp_mirror
- sec_pcap_nof_lcores: \"2\"\t# Default num of lcores for workers of spp_pcap
- sec_pcap_port: \"phy:0\"\t# Default captured port
- topo_size: \"60%\"\t# Percentage or ratio of topo
"
    );
    let out = lines(
        &fake,
        |_| {},
        &[
            "config sec_vf",
            "config nosuch",
            "config topo_size 50%",
            "config prompt \"$  \"",
            "config prompt",
            "config sec_mem --socket-mem 1024,1024",
            "config sec_mem 12",
            "config nosuch 1",
        ],
    );
    assert_eq!(
        out,
        "- sec_vf_nof_lcores: \"3\"\t# Default num of lcores for workers of spp_vf
Set topo_size: \"50%\"
Set prompt: \"$  \"
- prompt: \"$  \"\t# Command prompt
Set sec_mem: \"--socket-mem 1024,1024\"
Invalid value \"12\" for \"sec_mem\"
(expected: -m MEGABYTES or --socket-mem MEGABYTES,MEGABYTES,…)
There is no key \"nosuch\" (`config` lists them)
"
    );
}

#[test]
fn several_controllers_are_known_and_switched() {
    let (first, second) = (Fake::start(panel), Fake::start(switchboard));
    let (a, b) = (first.client(), second.client());
    let (a, b) = (a.address(), b.address());
    let input = format!(
        "server\nserver add {b}\nserver list\nserver 2\nmirror 3; exit\nserver del 1\nserver\nserver del 1\n\
         server add {a}\nserver {a}\nserver 0\nserver 7\nserver foo bar\nserver del 9\nserver del -1\nserver del\n\
         server add\nserver add {a}\nserver add 1.2.3\nserver add {host}:x\nserver del {host}:1\nserver {host}:1\n\
         server add {host}:1\n",
        host = "127.0.0.1"
    );
    let ran = first.spp_with(&[], &input);
    assert_eq!(
        ran.out,
        format!(
            "  1: {a} *\nRegistered spp-ctl \"{b}\".\n  1: {a} *\n  2: {b} \nSwitch spp-ctl to \"2: {b}\".\n\
             Exit mirror 3.\nUnregistered spp-ctl \"{a}\".\n  1: {b} *\n\
             Registered spp-ctl \"{a}\".\nSwitch spp-ctl to \"2: {a}\".\n"
        )
    );
    let mut errors = ran.err.lines();
    for expected in [
        "Cannot del server \"1\" in use!",
        "Server index should be > 0 !",
        "Cannot switch to no existing server \"7\".",
        "\"foo:7777\" is not registered.",
        "(`server add foo:7777` registers it)",
        "Cannot del server \"9\" not exist!",
        "Cannot del server of invalid ID \"-1\"!",
        "Error: server address or index is requiired.",
        "Error: server address is requiired.",
        &format!("\"{a}\" is already registered."),
        "Error: Invalid address \"1.2.3\" (expected ADDR or ADDR:PORT, such as 127.0.0.1:7777)",
        "Error: Invalid port in \"127.0.0.1:x\" (expected 1 to 65535)",
        "\"127.0.0.1:1\" is not registered.",
        "(`server add 127.0.0.1:1` registers it)",
        "\"127.0.0.1:1\" is not registered.",
        "(`server add 127.0.0.1:1` registers it)",
        "Is not spp-ctl on \"127.0.0.1:1\", nor correct address?",
    ] {
        assert_eq!(errors.next(), Some(expected), "{}", ran.err);
    }
    assert_eq!(second.changes(), ["DELETE /v1/mirrors/3"]);
    // Repeated options: the first is the current one.
    let ran = first.spp(&["-b", &b.to_string(), "server"]);
    assert_eq!(ran, done(&format!("  1: {a} *\n  2: {b} ")));
}

#[test]
fn what_is_recorded_can_be_played_back() {
    let folder = Folder::new("record");
    let fake = Fake::start(switchboard);
    let path = folder.0.join("my recipe.rcp");
    let file = path.to_str().unwrap();
    let input = format!(
        "record\nrecord \"{file}\"\n# note\n\nnfv  1; exit\npcap 4; start\nfoo\nrecord stop\nrecord stop\npcap 4; stop\n"
    );
    let ran = fake.spp_with(&[], &input);
    assert_eq!(
        ran.out,
        "# note\nExit nfv 1\nStart packet capture.\nClosing file\nStop packet capture.\n"
    );
    assert!(
        ran.err.starts_with("Record file is required!\n"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("Nothing is recorded."), "{}", ran.err);
    assert_eq!(read(&path), "# note\n\nnfv  1; exit\npcap 4; start\nfoo\n");

    let ran = fake.spp(&["playback", file]);
    assert_eq!(
        ran.out,
        "# note\n# \n# nfv  1; exit\nExit nfv 1\n# pcap 4; start\nStart packet capture.\n# foo\n"
    );
    assert_eq!(ran.code, 2);
    let start = format!("{file}:5: *** Unknown syntax: foo\n");
    assert!(ran.err.starts_with(&start), "{}", ran.err);
    assert!(
        ran.err
            .ends_with("1 of 5 lines of the playback failed (see above).\n"),
        "{}",
        ran.err
    );

    // `exit`, `bye` and `playback` end a record, and are not in it.
    let other = folder.file("other.rcp", "pcap 4; stop\n");
    let ran = fake.spp_with(
        &[],
        &format!("record '{file}'\nplayback {other}\nrecord '{file}'\nexit\n"),
    );
    assert_eq!(
        ran.out,
        "Closing file\n# pcap 4; stop\nStop packet capture.\nClosing file\nThank you for using Soft Patch Panel\n"
    );
    assert_eq!((ran.code, read(&path)), (0, String::new()));
    for line in [
        "playback /nonexistent",
        "playback /",
        "record /nonexistent/x",
    ] {
        let ran = fake.spp(&[line]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}");
        assert!(ran.err.contains("/"), "{}", ran.err);
    }
    assert!(
        fake.spp(&["playback /"])
            .err
            .starts_with("Error: File does not exist.\n")
    );
}

#[test]
fn playbacks_within_playbacks_end() {
    let folder = Folder::new("nested");
    let fake = Fake::start(switchboard);
    let inner = folder.file("inner", "pcap 4; stop\n");
    // What a nested playback adds comes after the lines that wait already.
    let outer = folder.file("outer", &format!("playback {inner}\npcap 4; start\n"));
    assert_eq!(
        fake.spp(&["playback", &outer]),
        done(&format!(
            "# playback {inner}\n# pcap 4; start\nStart packet capture.\n# pcap 4; stop\nStop packet capture."
        ))
    );
    let own = folder.0.join("own").to_str().unwrap().to_owned();
    folder.file("own", &format!("playback {own}\n"));
    let ran = fake.spp(&["playback", &own]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("Does it play itself?"), "{}", ran.err);
    // Twice a line: many times as many with every level.
    folder.file(
        "own",
        &format!("playback {own}\nplayback {own}\nplayback {own}\n"),
    );
    let ran = fake.spp(&["playback", &own]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err.contains("more than 20000 lines"),
        "{}",
        ran.err.len()
    );
}

#[test]
fn lines_of_the_history_are_numbered_and_run_again() {
    let folder = Folder::new("redo");
    let text: String = (1..=8).map(|n| format!("# {n}\n")).collect();
    folder.file(
        ".spp_history",
        &format!("{text}pri; flow list phy:1\nredo 1\npcap 4; stop\n"),
    );
    let fake = Fake::start(switchboard);
    let home = folder.0.clone();
    let out = lines(
        &fake,
        |context| context.session.history = History::at_home(Some(home.into())),
        &[
            "history", "redo 11", "redo 9", "redo 10", "redo 12", "redo", "redo x", "redo 0",
        ],
    );
    let mut expected: String = (1..=8).map(|n| format!("   {n}  # {n}\n")).collect();
    expected.push_str(
        "   9  pri; flow list phy:1\n  10  redo 1\n  11  pcap 4; stop\nStop packet capture.\n\
         pri ; flow list phy:1\nID      Group   Prio    Attr    Rule\n\
         Line 10 is 'redo 1': a redo is not run again.\n\
         There is no line 12 in the history, which has 11 (`history` lists them).\n\
         Which line? Give its number (`history` lists them).\nUsage: redo N\n\
         N 'x' is not a whole number from 1 to 4294967295.\nUsage: redo N\n\
         N '0' is not a whole number from 1 to 4294967295.\nUsage: redo N\n",
    );
    assert_eq!(out, expected);
    assert_eq!(lines(&fake, |_| {}, &["history"]), "");
}

#[test]
fn plugins_become_commands() {
    let folder = Folder::new("plugins");
    let plugins = || {
        Plugins::in_folders(vec![
            folder.0.clone(),
            format!("{}/plugins", env!("CARGO_MANIFEST_DIR")).into(),
        ])
    };
    folder.file("no_program", "");
    let fails = folder.file("fails", "#!/bin/sh\necho \"$# $2 $SPP_CTL\"\ncat\nexit 7\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(fails, mode).unwrap();
    let fake = Fake::start(switchboard);
    let out = lines(
        &fake,
        |context| context.session.plugins = plugins(),
        &[
            "hello",
            "load_cmd hello",
            "hello alice",
            "help hello",
            "load_cmd fails",
            "fails 1 'two words'",
            "load_cmd",
            "load_cmd ../hello",
            "load_cmd nosuch",
            "load_cmd no_program",
            "load_cmd status",
            "hello 'open",
        ],
    );
    let address = fake.client().address().to_string();
    for expected in [
        "*** Unknown syntax: hello\n",
        "Module 'hello' loaded.\nHello, alice!\nhello NAME\n",
        &format!(
            "Module 'fails' loaded.\n2 two words {address}\n'fails' ended with exit status: 7\n"
        ),
        "Which plugin is to be loaded?\n",
        "'../hello' is no name of a plugin",
        "There is no plugin 'nosuch'",
        "There is no plugin 'no_program'",
        "'status' is a command of the shell",
        "A quote is not closed",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
}

#[test]
fn files_are_shown_without_a_system_shell() {
    let folder = Folder::new("files");
    let base = folder.0.to_str().unwrap().to_owned();
    let fake = Fake::start(panel);
    assert_eq!(
        fake.spp(&[&format!("mkdir '{base}/a b/c' {base}/$(x)")]),
        crate::testing::fake::Ran {
            code: 0,
            out: String::new(),
            err: String::new()
        }
    );
    folder.file("x;y.txt", "one\n\ntwo");
    let program = folder.file("run", "");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(program, mode).unwrap();
    std::os::unix::fs::symlink("run", folder.0.join("link")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.0.join("socket")).unwrap());
    folder.file(".hidden", "");
    assert_eq!(
        fake.spp(&["ls", &base]),
        done("$(x)/\na b/\nlink@\nrun*\nsocket=\nx;y.txt")
    );
    for words in [
        &["cat", &format!("{base}/x;y.txt")][..],
        &[&format!("less \"{base}/x;y.txt\"")],
    ] {
        assert_eq!(fake.spp(words).out, "one\n\ntwo", "{words:?}");
    }
    for line in [
        "ls /nonexistent",
        "ls -l",
        "cd /nonexistent",
        "cat /nonexistent",
        "cat /dev/zero",
        "less /",
    ] {
        let ran = fake.spp(&[line]);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{line}");
        assert!(
            ran.err.starts_with("No such a directory.\n"),
            "{line}: {}",
            ran.err
        );
    }
    for line in ["cat", "less", "cd"] {
        assert!(
            fake.spp(&[line]).err.starts_with("No such a directory.\n"),
            "{line}"
        );
    }
    let pwd = std::env::current_dir().unwrap();
    assert_eq!(fake.spp(&["pwd"]), done(pwd.to_str().unwrap()));
    let ran = fake.spp(&["env CARGO_MANIFEST_D"]);
    assert_eq!(
        ran,
        done(&format!(
            "CARGO_MANIFEST_DIR: {}",
            env!("CARGO_MANIFEST_DIR")
        ))
    );
    let ran = fake.spp(&["inspect"]);
    assert!(ran.out.contains("\"sec_mem\": \"-m 512\""), "{}", ran.out);
}
