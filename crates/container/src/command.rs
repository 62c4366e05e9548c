//! What is to be started, as a command line of docker.

use std::path::Path;

use crate::plan::{Plan, Privilege};

/// Folders in memory that a container with a read-only root can write into.
pub const SCRATCH: [&str; 2] = ["/run", "/tmp"];
/// Their options.
pub const SCRATCH_OPTIONS: &str = "rw,nosuid,nodev,size=64m";

/// Options of docker, each with its value: lines of what is printed.
type Lines = Vec<Vec<String>>;

/// The folders of [`SCRATCH`] in which the container has nothing of the host anyway.
pub fn scratch(plan: &Plan) -> Vec<&'static str> {
    let taken = |folder: &str| plan.mounts.iter().any(|mount| mount.guest == folder);
    SCRATCH
        .into_iter()
        .filter(|folder| !taken(folder))
        .collect()
}

/// `docker run …` for a plan, one option a line; `profile` is the file with the list of system calls.
pub fn lines(plan: &Plan, profile: &Path) -> Vec<Vec<String>> {
    let mut lines: Lines = Vec::new();
    let mut add =
        |words: &[&str]| lines.push(words.iter().map(|word| (*word).to_owned()).collect());
    add(&["docker", "run"]);
    match (plan.foreground, plan.terminal) {
        (true, _) => add(&["-it"]),
        (false, true) => {
            add(&["-d"]);
            add(&["-it"]);
        }
        (false, false) => add(&["-d"]),
    }
    match &plan.privilege {
        Privilege::All => add(&["--privileged"]),
        Privilege::Usual(capabilities) => {
            for capability in capabilities {
                add(&["--cap-add", capability]);
            }
        }
        Privilege::Least(capabilities) => {
            add(&["--cap-drop", "ALL"]);
            for capability in capabilities {
                add(&["--cap-add", capability]);
            }
            add(&["--security-opt", "no-new-privileges"]);
            add(&["--security-opt", &format!("seccomp={}", profile.display())]);
            add(&["--read-only"]);
            for folder in scratch(plan) {
                add(&["--tmpfs", &format!("{folder}:{SCRATCH_OPTIONS}")]);
            }
        }
    }
    if let Some(network) = &plan.network {
        add(&["--net", network]);
    }
    for device in &plan.devices {
        add(&["--device", device]);
    }
    if let Some(user) = &plan.user {
        add(&["--user", user]);
    }
    for (name, value) in plan.labels() {
        add(&["--label", &format!("{name}={value}")]);
    }
    // The sockets stand at the end, as in the original's commands.
    let is_socket = |host: &str| plan.sockets.iter().any(|socket| socket == Path::new(host));
    let (sockets, others): (Vec<_>, Vec<_>) =
        plan.mounts.iter().partition(|mount| is_socket(&mount.host));
    for mount in others {
        add(&["-v", &mount.text()]);
    }
    if let Some(workdir) = &plan.workdir {
        add(&["--workdir", workdir]);
    }
    if let Some(name) = &plan.name {
        add(&["--name", name]);
    }
    for mount in sockets {
        add(&["-v", &mount.text()]);
    }
    // docker takes one word there; the others come before the program's.
    let mut entry = plan.entrypoint.iter().map(String::as_str);
    if let Some(word) = entry.next() {
        add(&["--entrypoint", word]);
    }
    add(&[&plan.image]);
    for word in entry {
        add(&[word]);
    }
    lines.extend(program(&plan.command));
    lines
}

/// The program and its options: one option with its values a line.
fn program(words: &[String]) -> Lines {
    let mut lines: Lines = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if !word.starts_with('-') && line[0].starts_with('-') && line[0] != "--" => {
                line.push(word.clone());
            }
            _ => lines.push(vec![word.clone()]),
        }
    }
    lines
}

/// A command line as it can be given to a shell: an option a line.
pub fn text(lines: &[Vec<String>]) -> String {
    let lines: Vec<String> = lines
        .iter()
        .map(|words| {
            let words = words.iter().map(|word| quoted(word));
            words.collect::<Vec<_>>().join(" ")
        })
        .collect();
    lines.join(" \\\n ")
}

fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    // Only a word with a zero byte cannot be quoted; the kernel takes none of these either.
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}
