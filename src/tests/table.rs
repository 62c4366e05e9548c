//! The table of commands against the controller's router and the language of the wire.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use protocol::command::component::{
    CaptureCommand, ClassifierEntry, ComponentCommand, ComponentKind, Direction, Setting, VlanTag,
};
use protocol::command::probe::ProbeCommand;
use protocol::command::{NfvCommand, PrimaryCommand};

use crate::commands::table::COMMANDS;

#[path = "../../tests/common/controller.rs"]
mod controller;

/// A controller that is asked over its own socket.
struct Server(controller::Running);

impl Server {
    /// Status and body of the answer, as the original's clients get it.
    fn ask(&self, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.0.rest).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        // Events have no end.
        while !answer.ends_with(b"\n\n\r\n") {
            match stream.read(&mut chunk).unwrap() {
                0 => break,
                got => answer.extend_from_slice(&chunk[..got]),
            }
        }
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, body.to_owned())
    }
}

/// Every resource in the table, with its whole path.
fn resources() -> Vec<String> {
    let mut found = Vec::new();
    for outer in COMMANDS {
        found.extend(outer.resources(""));
        for inner in outer.inner() {
            found.extend(inner.resources(&outer.base()));
        }
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn every_resource_in_the_table_is_one_of_the_controller() {
    let server = Server(controller::Running::start());
    assert!(server.ask("GET", "/v1/nosuch").1.starts_with("Not found"));
    let resources = resources();
    assert!(resources.len() > 20, "{resources:?}");
    for resource in &resources {
        let (method, path) = resource.split_once(' ').unwrap();
        let samples = [
            ("{id}", "1"),
            ("{src}", "phy:0"),
            ("{name}", "fw1"),
            ("{port}", "0"),
            ("{rule}", "0"),
        ];
        let path = samples
            .iter()
            .fold(path.to_owned(), |path, (name, sample)| {
                path.replace(name, sample)
            });
        assert!(!path.contains('{'), "{resource} has an unknown part");
        let (status, body) = server.ask(method, &path);
        let missing = status == 405 || (status == 404 && body.starts_with("Not found"));
        assert!(!missing, "{resource}: {status} {body}");
    }
}

/// Samples for the words in capitals of wire forms.
fn sample(form: &str) -> String {
    let words = form.split(' ').map(|word| match word {
        "PORT" => "ring:0",
        "SRC" => "phy:0",
        "N" | "COUNT" | "SECONDS" => "10",
        "DST" => "ring:1",
        "CPU" => "3",
        "vhost:N" => "vhost:1",
        "NAME" => "fw1",
        "DIR" => "rx",
        "ROLE" => "forward",
        "VID" => "100",
        "PCP" => "3",
        "MAC" => "02:00:00:00:00:0a",
        "KEY" => "learn",
        "VALUE" => "off",
        "OFFSET" => "0",
        "ID" => "1",
        "spp_TYPE" => "spp_nfv",
        "IMPAIRMENT" => "delay 10ms loss 1%",
        other => other,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// One of each command for vf and mirror, with the values of [`sample`].
fn component_commands() -> Vec<String> {
    let name = || "fw1".parse().unwrap();
    let port = "ring:0".parse().unwrap();
    let dir = Direction::Rx;
    let start = |kind| ComponentCommand::Start {
        name: name(),
        core: 3,
        kind,
    };
    let attach = |vlan| ComponentCommand::Attach {
        name: name(),
        port,
        dir,
        vlan,
    };
    let entry = |vlan| ClassifierEntry {
        vlan,
        mac: "02:00:00:00:00:0a".parse().unwrap(),
        port,
    };
    let commands = [
        start(ComponentKind::Forward),
        start(ComponentKind::Mirror),
        ComponentCommand::Stop(name()),
        attach(None),
        attach(VlanTag::add(100, 3).ok()),
        attach(Some(VlanTag::Del)),
        ComponentCommand::Detach {
            name: name(),
            port,
            dir,
        },
        ComponentCommand::Set {
            name: name(),
            setting: Setting::Learn(None),
        },
        ComponentCommand::AddEntry(entry(None)),
        ComponentCommand::AddEntry(entry(Some(100))),
        ComponentCommand::DelEntry(entry(None)),
        ComponentCommand::DelEntry(entry(Some(100))),
    ];
    let captures = [CaptureCommand::Start, CaptureCommand::Stop];
    commands
        .iter()
        .map(ToString::to_string)
        .chain(captures.iter().map(ToString::to_string))
        .chain(["status", "exit", "clear", "classifier_table list 0 10"].map(str::to_owned))
        .collect()
}

#[test]
fn every_wire_form_in_the_table_is_one_of_the_protocol() {
    let written = component_commands();
    let mut count = 0;
    for outer in COMMANDS {
        for (inner, form) in outer
            .inner()
            .iter()
            .chain([outer])
            .flat_map(|command| command.wire.iter().map(move |form| (command, form)))
        {
            let line = sample(form);
            let probe =
                ProbeCommand::take(&line).is_some_and(|c| c.is_ok_and(|c| c.to_string() == line));
            let known = probe
                || match outer.name {
                    "pri" => PrimaryCommand::parse(&line).is_ok_and(|c| c.to_string() == line),
                    "vf" | "mirror" | "pcap" => written.contains(&line),
                    _ => NfvCommand::parse(&line).is_ok_and(|c| c.to_string() == line),
                };
            assert!(known, "{} {}: {form}", outer.name, inner.name);
            count += 1;
        }
    }
    assert!(count > 30, "{count}");
}

#[test]
fn names_are_unique_and_every_command_has_a_summary() {
    let outer = COMMANDS.iter();
    for commands in outer.map(|command| command.inner()).chain([COMMANDS]) {
        for (at, command) in commands.iter().enumerate() {
            let twice = commands[..at].iter().any(|other| other.is(command.name));
            assert!(!twice && !command.summary.is_empty(), "{}", command.name);
            assert!(!command.summary.ends_with('.'), "{}", command.name);
        }
    }
}
