//! Programs on nodes: `exec`, `shell` and `gdb`.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command};

use lab::{Plan, Running};

use super::options::{self, Taken};
use super::{EXEC, GDB, SHELL, bring_up, console, read};
use crate::commands::args::Args;
use crate::commands::container::interruptible;
use crate::commands::words::Words;
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;

/// `lab exec [-n NAME] NODE PROGRAM [WORDS]`
pub fn exec(context: &mut Context, args: &Args) -> Outcome {
    let usage =
        |text: &str| Failure::usage(format!("{text}\nUsage: lab exec {EXEC}").trim().to_owned());
    let (network, words) = of_network(context, args, EXEC, &usage)?;
    let Some((node, program)) = words.split_first() else {
        return Err(usage("On which node?"));
    };
    let Some((program, words)) = program
        .strip_prefix(&["--".to_owned()][..])
        .unwrap_or(program)
        .split_first()
    else {
        return Err(usage("Which program?"));
    };
    run(context, &network, node, Command::new(program).args(words))
}

/// `lab shell [-n NAME] NODE | FILE | NETWORK`
pub fn shell(context: &mut Context, args: &Args) -> Outcome {
    let taken = Taken::new(context, args, "shell", SHELL, &["-n"], &["--plain"])?;
    let [word] = taken.words.as_slice() else {
        return Err(taken.refuse("On which node, or in which network?"));
    };
    let network = taken.network();
    let node = network
        .as_ref()
        .is_ok_and(|network| network.plan().find(word).is_some());
    if !node && taken.value("-n").is_none() {
        if let Ok(running) = options::named(Some(word)) {
            return console::stay(context, running, false);
        }
        if Path::new(word).is_file() {
            let file = read(context, &taken)?;
            let running = bring_up(context, Plan::of(&file), taken.flag("--plain"))?;
            return console::stay(context, running, true);
        }
    }
    let network = network?;
    // A container need not have ours.
    let foreign = network.container(network.node(word)?).is_some();
    let shell = std::env::var_os("SHELL")
        .filter(|shell| !shell.is_empty() && !foreign)
        .unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(shell);
    run(
        context,
        &network,
        word,
        command.env("PS1", format!("{word}# ")),
    )
}

/// The network that is meant, and the words after `-n NAME`.
fn of_network(
    context: &mut Context,
    args: &Args,
    name: &str,
    usage: &dyn Fn(&str) -> Failure,
) -> Result<(Running, Vec<String>), Failure> {
    // `-n NAME NODE` are ours, the rest is the program's.
    let named = args.words(name).first().is_some_and(|word| word == "-n");
    let taken = Words::take(context, args, name, if named { 3 } else { 1 });
    if taken.help {
        return Err(usage(""));
    }
    let mut words = taken.words;
    if !named {
        return Ok((options::named(context.session.network.as_deref())?, words));
    }
    if words.len() < 2 {
        return Err(usage("'-n' is to be followed by a network's name."));
    }
    let rest = words.split_off(2);
    Ok((options::named(Some(&words[1]))?, rest))
}

/// `lab gdb [-n NAME] NODE [PID] [-- WORDS]`
pub fn gdb(context: &mut Context, args: &Args) -> Outcome {
    let usage =
        |text: &str| Failure::usage(format!("{text}\nUsage: lab gdb {GDB}").trim().to_owned());
    let (network, words) = of_network(context, args, GDB, &usage)?;
    let Some((node, words)) = words.split_first() else {
        return Err(usage("On which node?"));
    };
    let (pid, words) = match words.split_first() {
        Some((word, rest)) if word != "--" => match word.parse() {
            Ok(pid) => (Some(pid), rest),
            Err(_) => return Err(usage(&format!("'{word}' is no PID."))),
        },
        _ => (None, words),
    };
    let words = words.strip_prefix(&["--".to_owned()][..]).unwrap_or(words);
    let process = network.to_debug(node, pid)?;
    lab::outside::need("gdb", "gdb")?;
    let what = format!("gdb at {} ({})", process.pid, process.command);
    // Not in the node: it is to see the machine's files of debugging symbols, and its own.
    attend(context, &what, || {
        let mut command = Command::new("gdb");
        command.args(["-p", &process.pid.to_string()]).args(words);
        Ok(command.spawn()?)
    })
}

/// Runs a program on a node with our terminal, or whatever input and output are, and takes its exit status over.
pub(super) fn run(
    context: &mut Context,
    network: &Running,
    node: &str,
    command: &mut Command,
) -> Outcome {
    let program = command.get_program().to_string_lossy().into_owned();
    attend(context, &format!("{program} on {node}"), || {
        Ok(network.spawn(node, command)?)
    })
}

/// Starts a program and stays with it to its end.
fn attend(
    context: &mut Context,
    what: &str,
    start: impl FnOnce() -> Result<Child, Failure>,
) -> Outcome {
    context.out.flush()?;
    // An interrupt that is typed reaches the program by itself; we go on to tell how it ended.
    let status = interruptible(context, |_, _| Ok(start()?.wait()?))?;
    if status.success() {
        return Ok(Report::written());
    }
    let (how, code) = match (status.code(), status.signal()) {
        (Some(code), _) => (format!("ended with exit status {code}"), code),
        (None, Some(signal)) => (format!("was ended by signal {signal}"), 128 + signal),
        (None, None) => (status.to_string(), 1),
    };
    Err(Failure::Ended {
        text: format!("{what} {how}."),
        code: u8::try_from(code).unwrap_or(1),
    })
}
