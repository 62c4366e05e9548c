//! A shell of a network: programs on its nodes, and commands of `lab` without that word.

use std::io::{BufReader, IsTerminal as _};
use std::process::{Command, Stdio};

use lab::Running;

use super::programs;
use crate::commands;
use crate::complete::{Candidates, Completion};
use crate::context::{Context, Outcome, Report};
use crate::failure::Failure;
use crate::script;
use crate::shell::{self, Offers, Room};

/// What `help` says.
const HELP: &str = "\
NODE COMMAND   run a command on a node, by a shell; names of nodes among its words become their addresses: h1 ping h2
help [COMMAND] this, or what a command takes
exit           leave; a network that was brought up for this is taken down";

/// Takes lines until the user leaves, or a line of a pipe fails; then the network is taken down if it is `ours`.
pub fn stay(context: &mut Context, network: Running, ours: bool) -> Outcome {
    if let Some(name) = &context.session.network {
        return Err(Failure::refused(format!(
            "this is a shell of the network {name} already: `exit` leaves it"
        )));
    }
    let name = network.name().to_owned();
    context.session.network = Some(name.clone());
    let typed = std::io::stdin().is_terminal();
    let mut console = Console {
        network,
        typed,
        left: false,
    };
    let result = if typed {
        shell::stay(context, &mut console)
    } else {
        console.script(context)
    };
    context.session.network = None;
    let network = console.network;
    // It may have been taken down by one of the lines.
    if ours && network.is_alive() {
        network.down()?;
        if typed {
            writeln!(context.out, "Down: {name}.")?;
        }
    }
    result.map(|()| Report::written())
}

struct Console {
    network: Running,
    /// Somebody sits at the input.
    typed: bool,
    left: bool,
}

impl Console {
    /// Runs the lines of the input until one fails.
    fn script(&mut self, context: &mut Context) -> Result<(), Failure> {
        let mut input = BufReader::new(std::io::stdin());
        while !self.is_over(context) {
            let line = script::next_line(&mut input)
                .map_err(|error| Failure::refused(format!("cannot read on: {error}")))?;
            match line {
                Some(line) => self.run(context, &line?)?,
                None => break,
            }
        }
        Ok(())
    }

    /// Runs a command on a node.
    fn on_node(&self, context: &mut Context, node: &str, line: &str) -> Result<(), Failure> {
        let number = self.network.node(node)?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &self.addressed(number, line)]);
        if !self.typed {
            // The lines of the input are ours.
            command.stdin(Stdio::null());
        }
        programs::run(context, &self.network, node, &mut command).map(drop)
    }

    /// A command with addresses in place of names of nodes; its first word is a program.
    fn addressed(&self, from: usize, line: &str) -> String {
        let mut text = String::new();
        for (at, part) in line.split_inclusive(char::is_whitespace).enumerate() {
            let word = part.trim_end();
            let known = at > 0 && self.network.plan().find(word).is_some();
            let address = known.then(|| lab::ping::target(&self.network, from, word));
            match address {
                Some(Ok(address)) => text.push_str(&format!("{address}{}", &part[word.len()..])),
                // A switch has none, and may be meant by its name.
                Some(Err(_)) | None => text.push_str(part),
            }
        }
        text
    }

    fn nodes(&self) -> Vec<String> {
        let nodes = self.network.nodes().iter();
        nodes.map(|node| node.name.clone()).collect()
    }
}

impl Room for Console {
    fn begin(&mut self, context: &mut Context) -> Result<(), Failure> {
        let name = self.network.name();
        writeln!(
            context.out,
            "{name}: {}. `help` says what can be done.",
            self.nodes().join(", ")
        )?;
        Ok(())
    }

    fn prompt(&self, _: &Context) -> String {
        format!("{}> ", self.network.name())
    }

    fn offers(&self, context: &Context) -> Offers {
        const PREFIX: &str = "lab ";
        let completion = Completion::new(&context.client, &context.session);
        let nodes = self.nodes();
        Box::new(move |head| {
            let head = head.trim_start();
            let mut found = completion.complete(&format!("{PREFIX}{head}"));
            found.start = found.start.saturating_sub(PREFIX.len());
            if !head.contains(char::is_whitespace) {
                let nodes = nodes.iter().filter(|node| node.starts_with(head));
                found.words.extend(nodes.map(|node| format!("{node} ")));
            } else if nodes
                .iter()
                .any(|node| head.split_whitespace().next() == Some(node))
            {
                return Candidates::default();
            }
            found
        })
    }

    fn run(&mut self, context: &mut Context, line: &str) -> Result<(), Failure> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim_start();
        match word {
            "" => Ok(()),
            _ if commands::is_comment(line) => Ok(()),
            "exit" | "quit" => {
                self.left = true;
                Ok(())
            }
            "help" | "?" if rest.is_empty() => {
                writeln!(context.out, "{HELP}")?;
                commands::execute(context, "lab")
            }
            "help" => commands::execute(context, &format!("help lab {rest}")),
            _ if super::names().contains(&word) => {
                commands::execute(context, &format!("lab {line}"))
            }
            node if self.network.plan().find(node).is_some() => match rest {
                "" => Err(Failure::usage(format!("Which command on {node}?"))),
                rest => self.on_node(context, node, rest),
            },
            _ => {
                let nodes = self.nodes();
                let known = nodes.iter().map(String::as_str).chain(super::names());
                let hint = match lab::file::closest(word, known) {
                    Some(close) => format!("did you mean '{close}'?"),
                    None => "`help` lists the commands".to_owned(),
                };
                Err(Failure::usage(format!(
                    "'{word}' is neither a node of {} nor a command here ({hint})",
                    self.network.name()
                )))
            }
        }
    }

    fn end(&mut self, _: &mut Context) -> Result<(), Failure> {
        self.left = true;
        Ok(())
    }

    fn is_over(&self, _: &Context) -> bool {
        self.left
    }
}
