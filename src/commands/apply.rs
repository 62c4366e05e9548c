//! `apply`: brings the system to the state of a document.

use std::io::Read;

use protocol::desired::System;
use protocol::rest::Applied;
use serde_json::json;

use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// Longest document that is read, in bytes; the controller takes less.
const LONGEST: u64 = 1 << 20;

/// `apply FILE`, `apply FILE --dry-run`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let dry_run = args.word("HOW").is_some();
    let applied = send(context, args.word("FILE").unwrap_or_default(), dry_run)?;
    let mut text = lines(&applied);
    let number = text.len();
    text.push(match (number, dry_run) {
        (0, _) => "Nothing to do: the system is as the file says.".to_owned(),
        (number, true) => format!("{} would be sent.", commands(number)),
        (number, false) => format!("Done: {}.", commands(number)),
    });
    Ok(Report::new(text.join("\n"), json!(applied)))
}

/// `1 command`, `2 commands`.
pub fn commands(number: usize) -> String {
    match number {
        1 => "1 command".to_owned(),
        number => format!("{number} commands"),
    }
}

/// Has the controller bring the system to the document in a file (`-` is standard input), or only tell how.
pub fn send(context: &Context, path: &str, dry_run: bool) -> Result<Applied, Failure> {
    let system = read(path)?;
    let resource = format!("/v1/system?dry-run={dry_run}");
    context.client.put_for(&resource, &json!(system))
}

/// The commands as they would be typed.
pub fn lines(applied: &Applied) -> Vec<String> {
    let processes = applied.processes.iter();
    processes
        .flat_map(|process| {
            let prompt = process.process.prompt();
            let commands = process.commands.iter();
            commands.map(move |command| format!("{prompt}; {command}"))
        })
        .collect()
}

fn read(path: &str) -> Result<System, Failure> {
    let mut text = String::new();
    let read = match path {
        "-" => std::io::stdin().take(LONGEST).read_to_string(&mut text),
        path => {
            std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        }
    };
    match read {
        Ok(length) if length as u64 == LONGEST => {
            let text = format!("{path} is longer than {LONGEST} bytes.");
            return Err(Failure::usage(text));
        }
        Ok(_) => {}
        Err(error) => return Err(Failure::refused(format!("Cannot read '{path}': {error}"))),
    }
    parse(path, &text)
}

/// Reads a document, as YAML or JSON. Errors name the line.
pub fn parse(path: &str, text: &str) -> Result<System, Failure> {
    let system: System = serde_norway::from_str(text).map_err(|error| {
        let place = error.location().map_or_else(
            || path.to_owned(),
            |at| format!("{path}:{}:{}", at.line(), at.column()),
        );
        Failure::usage(format!(
            "{place}: {error} (`spp export` shows how a file is written)"
        ))
    })?;
    let checked = system.check();
    checked.map_err(|error| Failure::usage(format!("{path}: {error}")))?;
    Ok(system)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
spp: 1
processes:
  nfv:1:
    forward: true
    ports: [vhost:1, vhost:2 client, ring:0]
    patches:
    - {src: vhost:1, dst: ring:0, cpu: 2}
    - {src: phy:0 nq 1, dst: vhost:2}
  pcap:3:
    capture: true
  nfv:2:
";

    #[test]
    fn a_file_is_read_and_written_alike() {
        let system = parse("file", FILE).unwrap();
        assert_eq!(system.processes.len(), 3);
        let text = serde_norway::to_string(&system).unwrap();
        assert_eq!(parse("file", &text).unwrap(), system);
        let json = serde_json::to_string(&system).unwrap();
        assert_eq!(parse("file", &json).unwrap(), system);
    }

    #[test]
    fn errors_name_the_line_and_what_would_be_right() {
        for (from, to, place, hint) in [
            ("spp: 1", "spp: 3", "file:1:", "write spp: 1"),
            ("nfv:1:", "nvf:1:", "file:3:", "'nvf:1' is no process"),
            (
                "forward: true",
                "forwards: true",
                "file:4:",
                "expected one of `forward`",
            ),
            ("ring:0]", "rink:0]", "file:5:", "no known port type"),
            ("cpu: 2", "cpu: x", "file:7:", "invalid type"),
            ("capture: true", "capture: [", "file:", "expected"),
            ("nfv:2:", "nfv:1:", "file:", "nfv:1 is there twice"),
            (
                "capture: true",
                "forward: true",
                "file:",
                "pcap:3: forward in a process that has none",
            ),
            (
                "[vhost:1, ",
                "[vhost:1, vhost:1, ",
                "file:",
                "port vhost:1 is there twice",
            ),
        ] {
            let text = FILE.replace(from, to);
            let failure = parse("file", &text).unwrap_err();
            let words = failure.to_string();
            assert!(
                words.starts_with(place) && words.contains(hint),
                "{to}: {words}"
            );
            assert_eq!(failure.code(), 2);
        }
    }

    #[test]
    fn no_file_does_harm() {
        let deep = "[".repeat(100_000);
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nspp: 1\nprocesses: {nfv:1: {ports: *b}}";
        for text in [
            "",
            "\0",
            "spp",
            "- 1",
            &deep,
            bomb,
            "spp: 1\nprocesses: 7",
            "%YAML 9.9\n---\n",
        ] {
            assert!(parse("file", text).is_err());
        }
        assert!(
            read("/nonexistent/file")
                .unwrap_err()
                .to_string()
                .contains("Cannot read")
        );
    }
}
