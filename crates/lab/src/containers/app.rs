//! Apps of `spp container` as DPDK nodes: what is typed for them, by the lab and by the file.

use container::app::{App, Form, Role};
use container::options::Given;
use container::plan::{Plan, Privilege};

use super::name;
use crate::file::{Dpdk, Driver};
use crate::kernel::dpdk;
use crate::plan::Node;

/// Options that are not the file's to say, and what is instead.
const OURS: [(&str, &str); 14] = [
    ("--core-list", "lcores: 0-1 of the node says it"),
    ("--core-mask", "lcores: 0-1 of the node says it"),
    ("--lcores", "lcores: 0-1 of the node says it"),
    ("--mem", "memory: 128 of the node says it"),
    ("--socket-mem", "memory: 128 of the node says it"),
    ("--no-huge", "it is so anyway"),
    ("--share-lcores", "it is so anyway"),
    ("--file-prefix", "the network has names of its own"),
    ("--name", "the network has names of its own"),
    ("--net", "its links are its network"),
    ("--dev-uids", "its links are its ports"),
    ("--vdev", "its links are its ports"),
    ("--foreground", "the network comes up by itself"),
    ("--dry-run", "`spp lab graph FILE` starts nothing"),
];

/// What is wrong with an app or its options.
#[derive(Debug)]
pub(crate) struct Wrong {
    pub text: String,
    pub hint: Option<String>,
}

impl From<container::Error> for Wrong {
    fn from(error: container::Error) -> Self {
        Self {
            text: error.to_string(),
            hint: None,
        }
    }
}

fn wrong(text: String, hint: &str) -> Wrong {
    Wrong {
        text,
        hint: Some(hint.to_owned()),
    }
}

/// The container of a node's app. What starts its program, and where it belongs, is not in it yet.
pub(crate) fn planned(
    network: &str,
    node: &Node,
    program: &Dpdk,
    named: &str,
) -> Result<Plan, Wrong> {
    let app = container::app::find(named, None)?;
    if app.role != Role::Guest || app.form != Form::Eal {
        return Err(wrong(
            format!("{named} takes no links as ports"),
            "processes of a panel stand in spp; other programs in start of a host with an image",
        ));
    }
    let text = program.options.as_deref().unwrap_or_default();
    let typed = shlex::split(text).ok_or_else(|| {
        wrong(
            format!("the options '{text}' have a quote without its other one"),
            "as in a shell",
        )
    })?;
    let mut words = ours(network, node, program);
    refuse_ours(&app, &typed)?;
    words.extend(typed);
    let id = "0";
    let mut plan = Plan::new(&app, &app.given(&words)?, id)?;
    plan.user = Some("0:0".to_owned());
    rights(&mut plan, node);
    if let Some(ready) = &program.ready {
        plan.ready = vec![ready.clone()];
    }
    Ok(plan)
}

/// What the lab types in front of the options of the file.
fn ours(network: &str, node: &Node, program: &Dpdk) -> Vec<String> {
    let lcores = match program.lcores.contains('@') {
        true => "--lcores",
        false => "--core-list",
    };
    let memory = program.memory.to_string();
    let (name, prefix) = (name(network, &node.name), dpdk::prefix(network, node));
    let words = [
        [lcores, &program.lcores],
        ["--mem", &memory],
        ["--name", &name],
        ["--file-prefix", &prefix],
        ["--net", "none"],
    ];
    let mut words: Vec<String> = words.into_iter().flatten().map(str::to_owned).collect();
    words.extend(["--no-huge", "--share-lcores"].map(str::to_owned));
    words.extend(dpdk::devices(node).flat_map(|device| ["--vdev".to_owned(), device]));
    words
}

fn refuse_ours(app: &App, typed: &[String]) -> Result<(), Wrong> {
    // Nothing is missing here: the rest is checked when all is together.
    let mut options = app.all_options()?;
    for option in &mut options {
        option.required = false;
    }
    let given = Given::read(&app.name, &options, typed)?;
    match OURS.iter().find(|(option, _)| given.typed(option)) {
        Some((option, instead)) => Err(wrong(
            format!("{option} is not an option of an app in a network"),
            instead,
        )),
        None => Ok(()),
    }
}

/// What its ports take: packet sockets, and for a tap device that it makes one.
fn rights(plan: &mut Plan, node: &Node) {
    if let Privilege::Least(capabilities) = &mut plan.privilege {
        for capability in ["NET_RAW", "NET_ADMIN"] {
            if !capabilities.iter().any(|known| known == capability) {
                capabilities.push(capability.to_owned());
            }
        }
    }
    let makes_tap = |interface: &crate::plan::Interface| interface.driver == Some(Driver::Tap);
    if node.interfaces.iter().any(makes_tap) {
        plan.devices.push("/dev/net/tun".to_owned());
    }
}
