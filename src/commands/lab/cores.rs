//! `lab cores`: where core files lie.

use std::time::SystemTime;

use serde_json::json;
use sys::cores::Pattern;

use super::CORES;
use super::options::Taken;
use crate::commands::args::Args;
use crate::context::{Context, Outcome, Report};
use crate::render::columns::{self, Align};

/// `lab cores [-n NAME] [NODE…]`
pub fn cores(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "cores", CORES, &["-n"], &[])?;
    let network = taken.network()?;
    let (mut rows, mut documents, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    let mut kept = false;
    for number in taken.nodes(&network)? {
        let node = &network.nodes()[number];
        kept |= node.keeps_cores();
        for core in lab::cores::cores(&network, number)? {
            let path = core.path.display().to_string();
            let seconds = SystemTime::now().duration_since(core.time);
            let seconds = seconds.unwrap_or_default().as_secs();
            let of = core.of.as_ref();
            let program = of.and_then(|of| of.program.as_ref());
            let program = program.map(|program| program.display().to_string());
            let words = |word: Option<String>| word.unwrap_or_else(|| "?".to_owned());
            rows.push(vec![
                node.name.clone(),
                words(of.map(|of| of.pid.to_string())),
                words(of.map(|of| of.signal.to_string())),
                format!("{seconds} s ago"),
                core.size.to_string(),
                words(of.map(|of| of.command.clone())),
            ]);
            let words = [Some("gdb"), program.as_deref(), Some(&path)];
            let words = words.into_iter().flatten();
            let gdb = shlex::try_join(words).unwrap_or_else(|_| path.clone());
            documents.push(json!({
                "node": node.name, "path": path, "bytes": core.size, "seconds-ago": seconds,
                "pid": of.map(|of| of.pid), "signal": of.map(|of| of.signal),
                "command": of.map(|of| &of.command), "program": program, "gdb": gdb,
            }));
            lines.push(gdb);
        }
    }
    let header = [
        ("NODE", Align::Left),
        ("PID", Align::Right),
        ("SIGNAL", Align::Right),
        ("WHEN", Align::Right),
        ("BYTES", Align::Right),
        ("COMMAND", Align::Left),
    ];
    let found = match rows.is_empty() {
        true => "There is no core file.".to_owned(),
        false => format!(
            "{}\n{}",
            columns::lines(0, &header, &rows).trim_end(),
            lines.join("\n")
        ),
    };
    let elsewhere = match Pattern::read().map_err(lab::Error::from)? {
        Pattern::Here if kept => None,
        Pattern::Here => Some("Core files are kept of nodes with `cores: true` in the network's file.".to_owned()),
        Pattern::Folder(folder) => Some(format!(
            "This machine puts core files of all programs into {} (kernel.core_pattern).",
            folder.display()
        )),
        Pattern::Program(program) if program.contains("systemd-coredump") => Some(
            "This machine gives core files to systemd-coredump (kernel.core_pattern): `coredumpctl list` names them, `coredumpctl gdb PID` looks into one.".to_owned(),
        ),
        Pattern::Program(program) => Some(format!(
            "This machine gives core files to a program (kernel.core_pattern): {program}"
        )),
    };
    let text = [Some(found), elsewhere].into_iter().flatten();
    let text: Vec<String> = text.collect();
    Ok(Report::new(text.join("\n"), json!(documents)))
}
