//! From a plan to a network that is up.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use container::engine::Engine;
use sys::keeper::Keeper;

use crate::containers::{self, Containers};
use crate::drops::{self, Dropped};
use crate::error::{Error, Result};
use crate::file::{Panel, Switching};
use crate::kernel::namespace;
use crate::kernel::route::Router;
use crate::kernel::{dpdk, impair, settings};
use crate::panels::{self, Layout, Stage, Tap};
use crate::plan::{Plan, Role};
use crate::programs;
use crate::running::Running;
use crate::state::{Claim, KeeperState, State};
use crate::switches;
use crate::user;

/// How long the kernel may take to bring up all links.
const LINK_LIMIT: Duration = Duration::from_secs(20);

/// Between two looks at what is waited for.
const PAUSE: Duration = Duration::from_millis(5);

/// A namespace, and a routing socket in it.
type Made = (OwnedFd, Router);

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
    let engine = containers::engine(&plan)?;
    user::become_root()?;
    if !options.plain {
        impair::check(&plan)?;
    }
    switches::check(&plan)?;
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
        dropped: Vec::new(),
    };
    match build(state, engine.as_ref(), &claim, options) {
        Ok((state, keeper)) => {
            drop(claim);
            Ok(Running::new(state, keeper))
        }
        Err(error) => {
            // What the kernel had of it is gone: its keeper was dropped, and before there is one everything hangs on descriptors.
            if let Some(engine) = &engine
                && let Err(left) = containers::remove_by(engine, claim.folder())
            {
                return Err(Error::Refused(format!("{error}\nBesides, {left}")));
            }
            claim.forget()?;
            Err(error)
        }
    }
}

fn build(
    mut state: State,
    engine: Option<&Engine>,
    claim: &Claim,
    options: &Options<'_>,
) -> Result<(State, Keeper)> {
    claim.remember(&state)?;
    let plan = &state.plan;
    let layout = Layout::of(plan, options.plain)?;
    let mut containers = Containers::start(plan, engine, claim, options)?;
    let made = namespaces(plan, &layout, &containers, options)?;
    for &number in &layout.pairs {
        options.go_on()?;
        let [(one, near), (other, far)] = plan.links[number].ends;
        let (near, far) = (
            &plan.nodes[one].interfaces[near],
            &plan.nodes[other].interfaces[far],
        );
        made[one].1.cable(near, far, made[other].0.as_fd())?;
    }
    let descriptors: Vec<_> = made
        .iter()
        .map(|(namespace, _)| namespace.as_fd())
        .collect();
    let kept: Vec<_> = descriptors
        .iter()
        .copied()
        .chain(containers.leashes())
        .collect();
    let keeper = Keeper::start(&format!("lab:{}", plan.name), &kept)?;
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
        containers: containers.hand_over(),
    };
    state.keeper = Some(kept.clone());
    claim.remember(&state)?;
    let by = programs::Kept {
        keeper: &keeper,
        state: &kept,
    };
    panels::start(&layout.racks, &by, claim, options)?;
    let network = Network {
        plan: &state.plan,
        layout: &layout,
        made: &made,
        options,
    };
    network.give(&layout.taps)?;
    network.connect(Stage::Kernel)?;
    programs::dpdk(&state.plan, &by, &containers, claim, options)?;
    network.give(&layout.programs)?;
    network.connect(Stage::Programs)?;
    switches::start(&state.plan, &by, claim, options)?;
    network.routes()?;
    let dropped = network.dropped()?;
    programs::hosts(&state.plan, &by, &containers, claim, options)?;
    state.complete = true;
    state.dropped = dropped;
    claim.remember(&state)?;
    Ok((state, keeper))
}

/// Makes the namespaces of the nodes that are no containers, and behind them those of panels that belong to no node.
fn namespaces(
    plan: &Plan,
    layout: &Layout,
    containers: &Containers<'_>,
    options: &Options<'_>,
) -> Result<Vec<Made>> {
    let count = plan.nodes.len() + layout.further(plan);
    let given: Vec<_> = (0..count)
        .map(|number| containers.network(number))
        .collect();
    namespace::make(&given, |number| {
        options.go_on()?;
        let Some(node) = plan.nodes.get(number) else {
            settings::apply(&Role::Panel(Panel::default()))?;
            let router = Router::open("links")?;
            router.loopback(&[])?;
            return Ok(router);
        };
        settings::apply(&node.role)?;
        let router = Router::open(&node.name)?;
        router.loopback(&node.loopback)?;
        if let Role::Switch {
            stp,
            via: Switching::Bridge,
        } = node.role
        {
            router.bridge(stp)?;
        }
        Ok(router)
    })
}

/// A network whose devices come into being.
struct Network<'a> {
    plan: &'a Plan,
    layout: &'a Layout,
    /// Namespaces of the nodes, and behind them those of panels that belong to no node.
    made: &'a [Made],
    options: &'a Options<'a>,
}

impl Network<'_> {
    /// Moves tap devices from where they were made to where links end.
    fn give(&self, taps: &[Tap]) -> Result<()> {
        for tap in taps {
            let interface = &self.plan.nodes[tap.node].interfaces[tap.interface];
            let namespace = self.made[tap.node].0.as_fd();
            let router = &self.made[tap.owner].1;
            router.give(&dpdk::tap(tap.port), interface, namespace)?;
        }
        Ok(())
    }

    /// The interfaces of which the devices are there from a stage on: numbers of the node and of the interface.
    fn interfaces(&self, stage: Stage) -> impl Iterator<Item = (usize, usize)> {
        let nodes = self.plan.nodes.iter().enumerate();
        let all = nodes.flat_map(|(node, of)| (0..of.interfaces.len()).map(move |at| (node, at)));
        all.filter(move |(node, at)| self.layout.stage(*node, *at) == Some(stage))
    }

    /// Gives interfaces, which are there, all that they are to have, and waits until packets pass them.
    fn connect(&self, stage: Stage) -> Result<()> {
        for (number, at) in self.interfaces(stage) {
            self.options.go_on()?;
            let (node, (namespace, router)) = (&self.plan.nodes[number], &self.made[number]);
            let interface = &node.interfaces[at];
            if let Role::Switch {
                via: Switching::Bridge,
                ..
            } = node.role
            {
                router.join_bridge(interface)?;
            }
            for address in &interface.addresses {
                router.address(interface.index, &interface.name, *address)?;
            }
            // A tap's other side is never promised what the kernel leaves to devices.
            if interface.plain && !self.layout.is_tap(number, at) {
                namespace::within(namespace, || Ok(sys::offload::off(&interface.name)?))?;
            }
            router.set_up(interface.index, &interface.name)?;
        }
        if stage == Stage::Kernel && !self.options.plain {
            self.characters()?;
        }
        let end = Instant::now() + LINK_LIMIT;
        for (number, at) in self.interfaces(stage) {
            let (node, (_, router)) = (&self.plan.nodes[number], &self.made[number]);
            let (interface, stp) = (
                &node.interfaces[at],
                matches!(node.role, Role::Switch { stp: true, .. }),
            );
            while !router.passes(interface, stp)? {
                self.options.go_on()?;
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
        Ok(())
    }

    /// Gives links of the kernel their character.
    fn characters(&self) -> Result<()> {
        for &number in &self.layout.pairs {
            let cable = &self.plan.links[number];
            for (node, interface) in cable.ends {
                self.options.go_on()?;
                let (namespace, node) = (self.made[node].0.as_fd(), &self.plan.nodes[node]);
                let interface = &node.interfaces[interface].name;
                impair::apply(&node.name, namespace, interface, &cable.character)?;
            }
        }
        Ok(())
    }

    /// Adds routes: both ends of each link are up now, so a gateway can be reached.
    fn routes(&self) -> Result<()> {
        for (node, (_, router)) in self.plan.nodes.iter().zip(self.made) {
            for (to, via) in &node.routes {
                router.route(*to, *via)?;
            }
        }
        Ok(())
    }

    /// What nodes have dropped so far.
    fn dropped(&self) -> Result<Vec<Dropped>> {
        let mut all = Vec::new();
        for (number, (of, (namespace, _))) in self.plan.nodes.iter().zip(self.made).enumerate() {
            self.options.go_on()?;
            all.append(&mut drops::counted(of, number, namespace)?);
        }
        Ok(all)
    }
}
