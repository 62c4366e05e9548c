//! `doctor`: looks at this host for all that SPP needs. The checks are in the crate of that name.

use doctor::{CHECKS, Finding, Host, State};
use serde_json::json;

use crate::commands::args::Args;
use crate::commands::quote;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::programs;
use crate::render::columns::{self, Align};
use crate::style::Style;

/// Its words, as the table of commands shows them.
pub const WORDS: &str = "[CHECK...] [--clean] [--file-prefix NAME] [--list]";

/// Its options, for completion.
pub const OPTIONS: [&str; 4] = ["--clean", "--file-prefix", "--list", "--json"];

/// What was asked for.
#[derive(Debug, Default, PartialEq)]
struct Wanted {
    checks: Vec<String>,
    clean: bool,
    list: bool,
    json: bool,
    file_prefix: Option<String>,
}

/// `doctor [CHECK...] [--clean] [--file-prefix NAME] [--list]`
pub fn run(context: &mut Context, args: &Args) -> Outcome {
    let wanted = read(args.words(WORDS))?;
    context.json |= wanted.json;
    if wanted.list {
        return Ok(list());
    }
    let program = programs::find("spp-primary");
    let host = Host::here(wanted.file_prefix, program, env!("SPP_DPDK_VERSION"));
    let host = host.map_err(|error| Failure::usage(error.to_string()))?;
    let host = Host {
        clean: wanted.clean,
        ..host
    };
    let names: Vec<&str> = wanted.checks.iter().map(String::as_str).collect();
    let findings = doctor::examine(&host, &names);
    let report = Report::new(text(context.style, &host, &findings), json!(findings));
    let failed = findings
        .iter()
        .filter(|finding| finding.state == State::Fail)
        .count();
    if failed == 0 {
        return Ok(report);
    }
    context.print(&report)?;
    let words = format!("{failed} of {} findings fail.", findings.len());
    Err(Failure::Told(words))
}

fn read(words: &[String]) -> Result<Wanted, Failure> {
    let mut wanted = Wanted::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--clean" => wanted.clean = true,
            "--list" => wanted.list = true,
            "--json" => wanted.json = true,
            "--file-prefix" => {
                let name = words.next().ok_or_else(|| {
                    Failure::usage("--file-prefix is to be followed by the name of a panel.")
                })?;
                wanted.file_prefix = Some(name.to_owned());
            }
            word => match word.strip_prefix("--file-prefix=") {
                Some(name) => wanted.file_prefix = Some(name.to_owned()),
                None if doctor::find(word).is_some() => wanted.checks.push(word.to_owned()),
                None => {
                    let names: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
                    return Err(Failure::usage(format!(
                        "'{}' is neither a check nor an option (checks: {}; options: {})",
                        quote(word),
                        names.join(", "),
                        OPTIONS.join(", ")
                    )));
                }
            },
        }
    }
    let stale = wanted.checks.is_empty() || wanted.checks.iter().any(|name| name == "stale");
    if wanted.clean && !stale {
        return Err(Failure::usage(
            "--clean is done by the check 'stale', which is not among those named (name it, too, or none)",
        ));
    }
    Ok(wanted)
}

fn list() -> Report {
    let row = |check: &doctor::Check| vec![check.name.to_owned(), check.what.to_owned()];
    let rows: Vec<Vec<String>> = CHECKS.iter().map(row).collect();
    let header = [("CHECK", Align::Left), ("WHAT", Align::Left)];
    let entries: Vec<_> = CHECKS
        .iter()
        .map(|check| json!({"name": check.name, "what": check.what}))
        .collect();
    Report::new(columns::lines(0, &header, &rows), json!(entries))
}

/// A line for each finding, and below it what helps; below a removal what was removed.
fn text(style: Style, host: &Host, findings: &[Finding]) -> String {
    let width = CHECKS.iter().map(|check| check.name.len()).max();
    let width = width.unwrap_or_default();
    let mut text = String::new();
    for finding in findings {
        let state = format!("{:<4}", finding.state.word());
        let state = match finding.state {
            State::Ok => state,
            State::Warn => style.bold(&state),
            State::Fail => style.alarm(&state),
        };
        let (name, found) = (finding.name, &finding.found);
        text.push_str(&format!("{state}  {name:<width$}  {found}\n"));
        let indent = " ".repeat(width + 8);
        if host.clean {
            for file in &finding.paths {
                let (path, bytes) = (file.path.display(), doctor::size(file.bytes));
                text.push_str(&format!("{indent}{path}  {bytes}\n"));
            }
        }
        if let Some(remedy) = &finding.remedy {
            let who = match finding.as_root && host.uid != 0 {
                true => "as root: ",
                false => "",
            };
            text.push_str(&format!("{indent}{who}{remedy}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Wanted, Failure> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        read(&words)
    }

    #[test]
    fn words_are_read_in_any_order() {
        let wanted = of("stale --clean --file-prefix x --json hugepages").unwrap();
        let expected = Wanted {
            checks: vec!["stale".into(), "hugepages".into()],
            clean: true,
            json: true,
            file_prefix: Some("x".into()),
            list: false,
        };
        assert_eq!(wanted, expected);
        assert_eq!(
            of("--file-prefix=y").unwrap().file_prefix.as_deref(),
            Some("y")
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        for (line, said) in [
            ("hugepage", "'hugepage' is neither a check"),
            ("--cleen", "--clean, --file-prefix"),
            ("--file-prefix", "followed by the name"),
            ("--clean hugepages", "done by the check 'stale'"),
        ] {
            let error = of(line).unwrap_err();
            assert_eq!(error.code(), 2);
            assert!(error.to_string().contains(said), "{line}: {error}");
        }
    }
}
