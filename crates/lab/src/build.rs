//! From a plan to a network that is up.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sys::keeper::Keeper;

use crate::error::{Error, Result};
use crate::kernel::namespace;
use crate::kernel::route::Router;
use crate::kernel::{impair, settings};
use crate::plan::{Node, Plan, Role};
use crate::programs;
use crate::running::Running;
use crate::state::{Claim, KeeperState, State};

/// How long the kernel may take to bring up all links.
const LINK_LIMIT: Duration = Duration::from_secs(20);

/// Between two looks at what is waited for.
const PAUSE: Duration = Duration::from_millis(5);

/// How a network is brought up.
#[derive(Clone, Debug, Default)]
pub struct Options<'a> {
    /// Links get no character, whatever the file says.
    pub plain: bool,
    /// Set from outside, it ends the work; nothing is left then.
    pub interrupt: Option<&'a AtomicBool>,
}

impl Options<'_> {
    pub(crate) fn go_on(&self) -> Result<()> {
        match self.interrupt {
            Some(flag) if flag.load(Ordering::Relaxed) => Err(Error::Refused(
                "interrupted: nothing is left of the network".into(),
            )),
            _ => Ok(()),
        }
    }
}

/// Brings a network up. It lives as long as what is given back, unless that is [released](Running::release).
///
/// # Errors
/// A network of this name is up; the kernel refuses; a command fails. Nothing is left then.
pub fn up(plan: Plan, options: &Options<'_>) -> Result<Running> {
    executable(&plan)?;
    if !options.plain {
        impair::check(&plan)?;
    }
    let claim = Claim::take(&plan.name)?;
    if let Some(old) = claim.state().filter(|state| state.complete)
        && old.keeper.is_some_and(|keeper| keeper.is_alive())
    {
        return Err(Error::Refused(format!(
            "the network '{}' is up already: `spp lab down {}` takes it down",
            plan.name, plan.name
        )));
    }
    let state = State {
        plan,
        keeper: None,
        complete: false,
        plain: options.plain,
    };
    match build(state, &claim, options) {
        Ok((state, keeper)) => {
            drop(claim);
            Ok(Running::new(state, keeper))
        }
        Err(error) => {
            // What the kernel had of it is gone: its keeper was dropped, and before there is one everything hangs on descriptors.
            claim.forget()?;
            Err(error)
        }
    }
}

/// What a file may say, but cannot be done yet.
fn executable(plan: &Plan) -> Result<()> {
    let panel = plan
        .nodes
        .iter()
        .find(|node| matches!(node.role, Role::Panel(_)));
    match panel {
        Some(node) => Err(Error::Refused(format!(
            "'{}' is a panel: panels are read and checked, but cannot be brought up in a network yet",
            node.name
        ))),
        None => Ok(()),
    }
}

fn build(mut state: State, claim: &Claim, options: &Options<'_>) -> Result<(State, Keeper)> {
    claim.remember(&state)?;
    let namespaces = network(&state.plan, options)?;
    let descriptors: Vec<_> = namespaces
        .iter()
        .map(|namespace| namespace.as_fd())
        .collect();
    let keeper = Keeper::start(&format!("lab:{}", state.plan.name), &descriptors)?;
    let gone = || {
        Error::Refused(format!(
            "process {}, which keeps the network, has ended",
            keeper.pid()
        ))
    };
    let kept = KeeperState {
        pid: keeper.pid(),
        started: sys::keeper::start_time(keeper.pid()).ok_or_else(gone)?,
        namespaces: descriptors
            .iter()
            .map(|descriptor| descriptor.as_raw_fd())
            .collect(),
    };
    state.keeper = Some(kept.clone());
    claim.remember(&state)?;
    let by = programs::Kept {
        keeper: &keeper,
        state: &kept,
    };
    programs::start(&state.plan, &by, claim, options)?;
    state.complete = true;
    claim.remember(&state)?;
    Ok((state, keeper))
}

/// Makes the nodes' namespaces and all that is in them.
fn network(plan: &Plan, options: &Options<'_>) -> Result<Vec<OwnedFd>> {
    let nodes = &plan.nodes;
    let made = namespace::make(nodes.len(), |number| {
        options.go_on()?;
        let node = &nodes[number];
        settings::apply(&node.role)?;
        let router = Router::open(&node.name)?;
        router.loopback(&node.loopback)?;
        if let Role::Switch { stp } = node.role {
            router.bridge(stp)?;
        }
        Ok(router)
    })?;
    for cable in &plan.links {
        options.go_on()?;
        let [(one, near), (other, far)] = cable.ends;
        let (near, far) = (&nodes[one].interfaces[near], &nodes[other].interfaces[far]);
        made[one].1.cable(near, far, made[other].0.as_fd())?;
    }
    for (node, (namespace, router)) in nodes.iter().zip(&made) {
        options.go_on()?;
        interfaces(node, router, namespace)?;
    }
    if !options.plain {
        for cable in &plan.links {
            for (node, number) in cable.ends {
                options.go_on()?;
                let interface = &nodes[node].interfaces[number].name;
                impair::apply(
                    &nodes[node].name,
                    made[node].0.as_fd(),
                    interface,
                    &cable.character,
                )?;
            }
        }
    }
    let end = Instant::now() + LINK_LIMIT;
    for (node, (_, router)) in nodes.iter().zip(&made) {
        let stp = matches!(node.role, Role::Switch { stp: true });
        for interface in &node.interfaces {
            while !router.passes(interface, stp)? {
                options.go_on()?;
                if Instant::now() >= end {
                    return Err(Error::Refused(format!(
                        "the kernel has not brought up the interface {} of {} within {} s",
                        interface.name,
                        node.name,
                        LINK_LIMIT.as_secs()
                    )));
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
    // Both ends of each link are up now, so a gateway can be reached.
    for (node, (_, router)) in nodes.iter().zip(&made) {
        for (to, via) in &node.routes {
            router.route(*to, *via)?;
        }
    }
    Ok(made.into_iter().map(|(namespace, _)| namespace).collect())
}

fn interfaces(node: &Node, router: &Router, namespace: &OwnedFd) -> Result<()> {
    for interface in &node.interfaces {
        if let Role::Switch { .. } = node.role {
            router.join_bridge(interface)?;
        }
        for address in &interface.addresses {
            router.address(interface.index, &interface.name, *address)?;
        }
        if interface.plain {
            namespace::within(namespace, || Ok(sys::offload::off(&interface.name)?))?;
        }
        router.set_up(interface.index, &interface.name)?;
    }
    Ok(())
}
