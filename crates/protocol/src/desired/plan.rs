//! The commands that lead from one state to another.

use std::collections::HashSet;

use super::{Attached, Desired, DesiredComponent, DesiredPatch, same_port};
use crate::command::PanelCommand;
use crate::command::component::{
    CaptureCommand, Change, ClassifierEntry, ComponentCommand, ComponentKind, Direction, Settings,
};
use crate::port::PortName;

/// What a process can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One of ours.
    Ours,
    /// One of the original: it takes out all patches or none, and stops when a port is deleted.
    Original,
}

/// Commands in the order in which they are to be sent. Over several processes, first all that
/// take something out, then all that put something in: a ring's end is free before it is claimed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Stops what is not to go on.
    pub stop: Vec<Change>,
    /// Takes out what is not wanted.
    pub take_out: Vec<Change>,
    /// Puts in what is missing, and starts what is to go on.
    pub put_in: Vec<Change>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.commands().next().is_none()
    }

    /// All commands.
    pub fn commands(&self) -> impl Iterator<Item = &Change> {
        self.stop.iter().chain(&self.take_out).chain(&self.put_in)
    }
}

/// The commands that lead a process from `actual` to `desired`. What is in both is not touched;
/// what `desired` leaves open (`None`) stays as it is. Entries of a classifier that wait for their port are not seen before it is
/// attached: if the plan attaches one, another is to be made afterwards, which takes out those that are not wanted.
pub fn plan(desired: &Desired, actual: &Desired, form: Form) -> Plan {
    let desired = desired.clone().complete();
    let mut plan = Plan::default();
    components(&desired, actual, &mut plan);
    panel(&desired, actual, form, &mut plan);
    match (desired.capture, actual.capture) {
        (Some(false), before) if before != Some(false) => {
            plan.stop.push(CaptureCommand::Stop.into());
        }
        (Some(true), before) if before != Some(true) => {
            plan.put_in.push(CaptureCommand::Start.into());
        }
        _ => {}
    }
    plan
}

fn panel(desired: &Desired, actual: &Desired, form: Form, plan: &mut Plan) {
    let mut forwarding = actual.forwarding;
    if desired.forwarding == Some(false) && forwarding != Some(false) {
        plan.stop.push(PanelCommand::Stop.into());
    }

    let removed: HashSet<PortName> = actual
        .ports
        .iter()
        .filter(|has| {
            let wanted = desired.ports.iter().find(|wanted| wanted.port == has.port);
            wanted.is_none_or(|wanted| wanted.mode.is_some() && wanted.mode != has.mode)
        })
        .map(|has| has.port)
        .collect();
    let touched =
        |patch: &DesiredPatch| removed.contains(&patch.src) || removed.contains(&patch.dst);
    let wanted_sources: HashSet<PortName> = desired
        .patches
        .iter()
        .map(|patch| plain(patch.src))
        .collect();
    let superfluous =
        |patch: &DesiredPatch| touched(patch) || !wanted_sources.contains(&plain(patch.src));
    let mut left: Vec<DesiredPatch> = actual.patches.clone();
    match form {
        Form::Original if left.iter().any(superfluous) => {
            plan.take_out.push(PanelCommand::PatchReset.into());
            left.clear();
        }
        Form::Original => {}
        Form::Ours => left.retain(|patch| {
            let out = superfluous(patch);
            if out {
                plan.take_out.push(PanelCommand::Unpatch(patch.src).into());
            }
            !out
        }),
    }
    for has in actual
        .ports
        .iter()
        .filter(|has| removed.contains(&has.port))
    {
        plan.take_out.push(PanelCommand::Del(has.port).into());
        if form == Form::Original && !matches!(has.port, PortName::Phy { .. }) {
            forwarding = forwarding.map(|_| false);
        }
    }

    let there: HashSet<PortName> = actual
        .ports
        .iter()
        .map(|has| has.port)
        .filter(|port| !removed.contains(port))
        .collect();
    for wanted in desired
        .ports
        .iter()
        .filter(|wanted| !there.contains(&wanted.port))
    {
        let (port, mode) = (wanted.port, wanted.mode);
        plan.put_in.push(PanelCommand::Add { port, mode }.into());
    }
    let left: std::collections::HashMap<PortName, DesiredPatch> = left
        .into_iter()
        .map(|patch| (plain(patch.src), patch))
        .collect();
    for &DesiredPatch {
        src,
        dst,
        cpu,
        with,
    } in &desired.patches
    {
        let stays = left.get(&plain(src)).is_some_and(|has| {
            same_port(has.dst, dst) && (cpu.is_none() || cpu == has.cpu) && with == has.with
        });
        if !stays {
            let patch = PanelCommand::Patch {
                src,
                dst,
                cpu,
                with,
            };
            plan.put_in.push(patch.into());
        }
    }
    if desired.forwarding.or(actual.forwarding) == Some(true) && forwarding != Some(true) {
        plan.put_in.push(PanelCommand::Forward.into());
    }
}

/// The name with its queue, so that equal ports have equal names.
pub(super) fn plain(port: PortName) -> PortName {
    match port {
        PortName::Phy { port, queue } => PortName::Phy {
            port,
            queue: Some(queue.unwrap_or(0)),
        },
        other => other,
    }
}

/// Whether the status of the process shows the classifier's entry of this port: it does while a
/// classifier sends to it.
pub(super) fn is_shown(state: &Desired, port: PortName) -> bool {
    let classifiers = state.components.iter();
    classifiers
        .filter(|component| component.kind == ComponentKind::Classifier)
        .any(|component| component.tx.iter().any(|end| same_port(end.port, port)))
}

fn components(desired: &Desired, actual: &Desired, plan: &mut Plan) {
    let shown = |state: &Desired, entry: &ClassifierEntry| is_shown(state, entry.port);
    let has_entry = |state: &Desired, entry: &ClassifierEntry| {
        state.classifier.iter().any(|known| {
            known.vlan == entry.vlan && known.mac == entry.mac && same_port(known.port, entry.port)
        })
    };
    for entry in &actual.classifier {
        if shown(actual, entry) && !has_entry(desired, entry) {
            plan.take_out
                .push(ComponentCommand::DelEntry(entry.clone()).into());
        }
    }
    let found = |state: &Desired, wanted: &DesiredComponent| {
        let mut same = state.components.iter().cloned();
        same.find(|known| {
            (&known.name, known.core, known.kind) == (&wanted.name, wanted.core, wanted.kind)
        })
    };
    for has in &actual.components {
        let Some(wanted) = found(desired, has) else {
            let stop = ComponentCommand::Stop(has.name.clone());
            plan.take_out.push(stop.into());
            continue;
        };
        each_end(has, &wanted, |dir, end| {
            let detach = ComponentCommand::Detach {
                name: has.name.clone(),
                port: end.port,
                dir,
            };
            plan.take_out.push(detach.into());
        });
    }
    for wanted in &desired.components {
        let has = found(actual, wanted).unwrap_or_else(|| {
            let (name, core, kind) = (wanted.name.clone(), wanted.core, wanted.kind);
            let start = ComponentCommand::Start {
                name: name.clone(),
                core,
                kind,
            };
            plan.put_in.push(start.into());
            DesiredComponent {
                name,
                core,
                kind,
                rx: Vec::new(),
                tx: Vec::new(),
                set: Settings::default(),
            }
        });
        for setting in wanted.set.since(&has.set) {
            let name = wanted.name.clone();
            plan.put_in
                .push(ComponentCommand::Set { name, setting }.into());
        }
        each_end(wanted, &has, |dir, end| {
            let attach = ComponentCommand::Attach {
                name: wanted.name.clone(),
                port: end.port,
                dir,
                vlan: end.vlan,
            };
            plan.put_in.push(attach.into());
        });
    }
    for entry in &desired.classifier {
        if shown(desired, entry) && !has_entry(actual, entry) {
            plan.put_in
                .push(ComponentCommand::AddEntry(entry.clone()).into());
        }
    }
}

/// The ends of `one` that `other` has not, or has with another tag.
fn each_end(
    one: &DesiredComponent,
    other: &DesiredComponent,
    mut action: impl FnMut(Direction, &Attached),
) {
    for dir in [Direction::Rx, Direction::Tx] {
        for end in one.side(dir) {
            let same = |known: &Attached| same_port(known.port, end.port) && known.vlan == end.vlan;
            if !other.side(dir).iter().any(same) {
                action(dir, end);
            }
        }
    }
}
