//! The running system as a document, and the way from it to another one.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::command::Change;
use protocol::command::component::{ComponentCommand, ComponentKind};
use protocol::desired::{
    Desired, DesiredComponent, Form, Plan, ProcessName, Processes, System, plan,
};
use protocol::rest::{Applied, AppliedProcess, Difference};
use tokio::time::Instant;

use super::restore::observed;
use super::{Held, Outcome, What, clear_doubts, form_of, name_of};
use crate::change;
use crate::original;
use crate::peer::Peer;
use crate::rest::{RestError, Shared};

/// What all connected processes have.
///
/// # Errors
/// If one does not tell: a document without it would say that it has nothing.
pub(crate) async fn export(shared: &Shared) -> Result<System, RestError> {
    let ask = |peer: Arc<Peer>| {
        let shared = shared.clone();
        tokio::spawn(async move { Ok((name_of(&peer), remembered(&shared, &peer).await?)) })
    };
    let asked: Vec<_> = shared.table.all().into_iter().map(ask).collect();
    let mut processes = Processes::new();
    for task in asked {
        let joined: Result<_, RestError> = task.await.unwrap_or_else(|error| {
            Err(RestError::Refused(format!(
                "a process cannot be asked: {error}"
            )))
        });
        let (name, desired) = joined?;
        processes.insert(name, desired);
    }
    Ok(System::new(processes))
}

/// What a process has, with what only its changes tell.
async fn remembered(shared: &Shared, peer: &Peer) -> Result<Desired, RestError> {
    let memory = shared.state.record(name_of(peer)).unwrap_or_default();
    Ok(observed(shared, peer).await?.remembering(&memory.desired))
}

/// What is not as it shall be. All processes are asked at once: this takes no longer than the limit of one.
///
/// # Errors
/// If nothing is kept.
pub(crate) async fn differences(shared: &Shared) -> Result<Vec<Difference>, RestError> {
    let state = &shared.state;
    if !state.keeps() {
        return Err(RestError::Refused(
            "no desired state is kept: the controller was started with --stateless".to_owned(),
        ));
    }
    let ask = |process: ProcessName| {
        let shared = shared.clone();
        (
            process,
            tokio::spawn(async move { difference(&shared, process).await }),
        )
    };
    let asked: Vec<_> = state.known().into_iter().map(ask).collect();
    let mut differences = Vec::with_capacity(asked.len());
    for (process, task) in asked {
        differences.push(
            task.await.map_err(|error| {
                RestError::Refused(format!("{process} cannot be asked: {error}"))
            })?,
        );
    }
    Ok(differences)
}

/// What is not as it shall be in one process.
async fn difference(shared: &Shared, process: ProcessName) -> Difference {
    let state = &shared.state;
    let peer = shared
        .table
        .find(process.id)
        .filter(|peer| peer.kind == process.kind);
    let has = match &peer {
        Some(peer) => Some(remembered(shared, peer).await),
        None => None,
    };
    let form = peer.as_deref().map_or(Form::Ours, form_of);
    let record = state.record(process).unwrap_or_default();
    let missing = |has: &Desired| plan(&record.desired, has, form);
    let (status, steps, error) = match has {
        None => ("not connected", missing(&Desired::default()), None),
        Some(Err(error)) => ("not known", Plan::default(), Some(error.to_string())),
        Some(Ok(has)) => match missing(&has) {
            steps if steps.is_empty() => ("as desired", steps, None),
            steps => ("differs", steps, None),
        },
    };
    let failed = state.failures().get(&process).cloned().unwrap_or_default();
    Difference {
        process,
        status: status.to_owned(),
        commands: steps.commands().map(ToString::to_string).collect(),
        failed,
        error,
    }
}

/// A process on its way to another state.
struct Step {
    peer: Arc<Peer>,
    process: ProcessName,
    /// What it had before.
    before: Desired,
    wanted: Desired,
    plan: Plan,
    /// Why it stays what it was.
    failed: Option<String>,
    _held: Held,
}

/// Brings the processes of `system` to its state, each as a whole or not at all; others are left
/// alone. With `dry_run` only tells the commands.
///
/// # Errors
/// In words what failed, what became of the process, and what was done to others.
pub(crate) async fn apply(
    shared: &Shared,
    system: System,
    dry_run: bool,
) -> Result<Applied, RestError> {
    let peers = find_all(shared, &system)?;
    let mut steps = Vec::new();
    for (process, desired) in system.processes {
        let Some(peer) = peers.get(&process) else {
            continue;
        };
        steps.push(prepare(shared, peer.clone(), desired).await?);
    }
    if !dry_run {
        carry_out(shared, &mut steps).await?;
    }
    let result = |step: &Step| match (step.plan.is_empty(), dry_run) {
        (true, _) => "unchanged",
        (false, true) => "planned",
        (false, false) => "done",
    };
    let processes: Vec<AppliedProcess> = steps
        .iter()
        .map(|step| AppliedProcess {
            process: step.process,
            result: result(step).to_owned(),
            commands: step.plan.commands().map(ToString::to_string).collect(),
        })
        .collect();
    match failures(&steps) {
        Some(words) => Err(RestError::Refused(words)),
        None => Ok(Applied { dry_run, processes }),
    }
}

fn find_all(
    shared: &Shared,
    system: &System,
) -> Result<BTreeMap<ProcessName, Arc<Peer>>, RestError> {
    let mut found = BTreeMap::new();
    for process in system.processes.keys() {
        let peer = shared
            .table
            .find(process.id)
            .filter(|peer| peer.kind == process.kind);
        let Some(peer) = peer else {
            return Err(RestError::Refused(format!(
                "{process} is not connected: start it, or leave it out; nothing is changed"
            )));
        };
        found.insert(*process, peer);
    }
    Ok(found)
}

/// Waits for its turn and finds out what is to be done.
async fn prepare(shared: &Shared, peer: Arc<Peer>, desired: Desired) -> Result<Step, RestError> {
    let end = Instant::now() + shared.limits.command;
    let held = shared.state.wait_turn(&peer, end).await?;
    clear_doubts(shared, &peer).await?;
    let memory = shared
        .state
        .record(name_of(&peer))
        .unwrap_or_default()
        .desired;
    let before = observed(shared, &peer).await?.remembering(&memory);
    let wanted = Desired {
        forwarding: desired.forwarding.or(memory.forwarding),
        capture: desired.capture.or(memory.capture),
        ..desired.complete()
    };
    let plan = plan(&wanted, &before, form_of(&peer));
    // What is sure to be refused is refused before anything is changed.
    for change in plan.commands() {
        original::check(shared, &peer, change).await?;
    }
    Ok(Step {
        process: name_of(&peer),
        plan,
        peer,
        before,
        wanted,
        failed: None,
        _held: held,
    })
}

/// First everything that takes something out, then what puts something in, so that a ring's end is
/// free when another process claims it.
async fn carry_out(shared: &Shared, steps: &mut [Step]) -> Result<(), RestError> {
    let state = &shared.state;
    let intents = steps
        .iter()
        .map(|step| (step.process, What::Whole(step.wanted.clone())))
        .collect();
    let numbers = state.intend(intents, shared.limits.command).await?;
    for step in steps.iter_mut() {
        let out: Vec<Change> = step
            .plan
            .stop
            .iter()
            .chain(&step.plan.take_out)
            .cloned()
            .collect();
        send(shared, step, &out).await;
    }
    for step in steps.iter_mut() {
        let put_in = step.plan.put_in.clone();
        send(shared, step, &put_in).await;
        take_out_woken(shared, step).await;
    }
    let outcomes = numbers.into_iter().zip(steps.iter()).map(|(number, step)| {
        let outcome = match &step.failed {
            None => Outcome::Done,
            Some(_) => Outcome::Failed,
        };
        (number, outcome)
    });
    state.settle(outcomes.collect()).await;
    for step in steps.iter().filter(|step| step.failed.is_none()) {
        state.failures().remove(&step.process);
    }
    Ok(())
}

/// Sends commands to the process of `step`; when one fails, brings it back to where it was.
async fn send(shared: &Shared, step: &mut Step, commands: &[Change]) {
    if step.failed.is_some() {
        return;
    }
    for change in commands {
        if let Err(error) = change::send(shared, &step.peer, change).await {
            return fail(shared, step, &change.to_string(), &error).await;
        }
    }
}

/// Entries of a classifier that waited for their port are seen when it is attached: takes out those that are not wanted.
async fn take_out_woken(shared: &Shared, step: &mut Step) {
    let classifies = |component: &DesiredComponent| component.kind == ComponentKind::Classifier;
    if step.failed.is_some()
        || step.plan.put_in.is_empty()
        || !step.wanted.components.iter().any(classifies)
    {
        return;
    }
    let now = match observed(shared, &step.peer).await {
        Ok(now) => now.remembering(&step.wanted),
        Err(error) => return fail(shared, step, "status", &error).await,
    };
    let left = plan(&step.wanted, &now, form_of(&step.peer)).take_out;
    let woken: Vec<Change> = left.into_iter().filter(is_del_entry).collect();
    send(shared, step, &woken).await;
    step.plan.put_in.extend(woken);
}

fn is_del_entry(change: &Change) -> bool {
    matches!(change, Change::Component(ComponentCommand::DelEntry(_)))
}

/// Brings the process of `step` back to where it was before `command` failed.
async fn fail(shared: &Shared, step: &mut Step, command: &str, error: &RestError) {
    let back = match bring_back(shared, step).await {
        Ok(()) => "it is brought back to where it was".to_owned(),
        Err(back) => format!("it CANNOT be brought back to where it was: {back}"),
    };
    step.failed = Some(format!("'{command}' failed: {error}; {back}"));
}

async fn bring_back(shared: &Shared, step: &Step) -> Result<(), RestError> {
    let now = observed(shared, &step.peer)
        .await?
        .remembering(&step.wanted);
    for change in plan(&step.before, &now, form_of(&step.peer)).commands() {
        change::send(shared, &step.peer, change).await?;
    }
    Ok(())
}

fn failures(steps: &[Step]) -> Option<String> {
    let failed: Vec<String> = steps
        .iter()
        .filter_map(|step| Some(format!("{}: {}", step.process, step.failed.as_ref()?)))
        .collect();
    if failed.is_empty() {
        return None;
    }
    let done: Vec<String> = steps
        .iter()
        .filter(|step| step.failed.is_none() && !step.plan.is_empty())
        .map(|step| step.process.to_string())
        .collect();
    let rest = match done.is_empty() {
        true => "nothing else is changed".to_owned(),
        false => format!("done as the document says: {}", done.join(", ")),
    };
    Some(format!("{}; {rest}", failed.join("; ")))
}
