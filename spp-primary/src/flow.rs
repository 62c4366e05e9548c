//! Flow rules of the physical ports. They are the control thread's alone: drivers take rules without an lcore, and
//! workers do not notice.

use dpdk::ethdev::EthInfo;
use dpdk::flow::{
    Cause, EthHeader, FlowAction, FlowAttributes, FlowError, FlowMatch, FlowRule, FlowRules,
    VlanTag,
};
use process::devices::Phy;
use protocol::flow::{Action, Eth, FlowCommand, Item, Match, Rule, Vlan};
use protocol::reply::{FlowReply, FlowStep, Refusal};

/// The rules of one port.
struct PortRules {
    number: u16,
    /// Name and driver of the device, for messages.
    device: String,
    rules: FlowRules<Rule>,
}

/// The rules of all physical ports.
pub struct Flows(Vec<PortRules>);

impl Flows {
    /// None yet.
    pub fn of(phys: &[Phy]) -> Self {
        Flows(
            phys.iter()
                .filter_map(|phy| {
                    let shown = |i: EthInfo| format!("{}, driver {}", i.name, i.driver);
                    Some(PortRules {
                        number: phy.number,
                        device: phy.device.info().map(shown).unwrap_or_default(),
                        rules: FlowRules::of(phy.device)?,
                    })
                })
                .collect(),
        )
    }

    /// The rules of a port, by ascending id.
    pub fn of_port(&self, port: u16) -> impl Iterator<Item = (u64, &Rule)> {
        let found = self.0.iter().find(move |p| p.number == port);
        found.into_iter().flat_map(|p| p.rules.iter())
    }

    /// Carries out the words after `flow`.
    pub fn answer(&mut self, words: &str) -> FlowReply {
        let command = match FlowCommand::parse(words) {
            Ok(command) => command,
            Err(e) => return FlowReply::invalid(&e),
        };
        let number = command.port();
        let Some(port) = self.0.iter_mut().find(|p| p.number == number) else {
            return self.no_port(&command);
        };
        match command {
            FlowCommand::Validate { rule, .. } => match port.rules.validate(&driver_rule(&rule)) {
                Ok(()) => FlowReply::validated(),
                Err(e) => port.refused(FlowStep::Validate, &e, Some(&rule)),
            },
            FlowCommand::Create { rule, .. } => {
                match port.rules.create(&driver_rule(&rule), rule.clone()) {
                    Ok(id) => FlowReply::created(id),
                    Err(e) => port.refused(FlowStep::Create, &e, Some(&rule)),
                }
            }
            FlowCommand::Destroy { id, .. } => {
                let known = u64::try_from(id).ok();
                match known.and_then(|id| Some((id, port.rules.destroy(id)?))) {
                    None => FlowReply::not_found(id),
                    Some((id, Ok(()))) => FlowReply::destroyed(id),
                    Some((_, Err(e))) => port.refused(FlowStep::Destroy, &e, None),
                }
            }
            FlowCommand::DestroyAll { .. } => match port.rules.destroy_all() {
                Ok(()) => FlowReply::destroyed_all(),
                Err(e) => port.refused(FlowStep::Destroy, &e, None),
            },
        }
    }

    fn no_port(&self, command: &FlowCommand) -> FlowReply {
        let number = command.port();
        let step = match command {
            FlowCommand::Validate { .. } => FlowStep::Validate,
            FlowCommand::Create { .. } => FlowStep::Create,
            FlowCommand::Destroy { .. } | FlowCommand::DestroyAll { .. } => {
                return FlowReply::invalid_port(number);
            }
        };
        let there = match self.0.len() {
            0 => "no physical port (start it with NICs bound to a driver of DPDK)".to_string(),
            1 => "phy:0 only".to_string(),
            n => format!("phy:0 to phy:{}", n - 1),
        };
        reply(
            step,
            &FlowError::no_device(),
            format!("phy:{number} does not exist: this primary has {there}"),
        )
    }

    /// Takes all rules away, before the devices go.
    pub fn end(self) {
        for port in self.0 {
            let (number, count) = (port.number, port.rules.len());
            drop(port);
            if count > 0 {
                log::info!("phy:{number}: flow rules taken away: {count}");
            }
        }
    }
}

impl PortRules {
    fn refused(&self, step: FlowStep, error: &FlowError, rule: Option<&Rule>) -> FlowReply {
        let (number, device) = (self.number, &self.device);
        let reason = if error.is_unsupported() {
            format!(
                "phy:{number} ({device}) takes no flow rules: they need a NIC whose driver has them (rte_flow); \
                 sort packets by MAC address or VLAN with a classifier of spp-vf instead"
            )
        } else if rule.is_none() && !self.rules.is_empty() {
            let ids: Vec<String> = self.rules.iter().map(|(id, _)| id.to_string()).collect();
            format!(
                "phy:{number} ({device}) did not let go of all rules; there still are: {}",
                ids.join(", ")
            )
        } else {
            let about = error.cause.map_or_else(String::new, |cause| {
                format!(": {}", pointed_at(cause, rule))
            });
            format!("phy:{number} ({device}) refuses this{about}")
        };
        log::warn!("{reason} ({error})");
        reply(step, error, reason)
    }
}

/// What a driver points at, in the words of the command.
fn pointed_at(cause: Cause, rule: Option<&Rule>) -> String {
    let word = |n: usize, word: Option<&'static str>| format!("{n} ({})", word.unwrap_or("end"));
    match cause {
        Cause::Attributes => "group, priority or direction".to_string(),
        Cause::Item(n) => {
            let item = rule.and_then(|rule| rule.pattern.get(n - 1));
            format!("item {}", word(n, item.map(Item::word)))
        }
        Cause::Action(n) => {
            let action = rule.and_then(|rule| rule.actions.get(n - 1));
            format!("action {}", word(n, action.map(Action::word)))
        }
    }
}

fn reply(step: FlowStep, error: &FlowError, reason: String) -> FlowReply {
    let errno = error.errno_text();
    let refusal = Refusal {
        kind: (error.kind.0, error.kind.text()),
        cause: error.address,
        message: error.message.as_deref(),
        errno: &errno,
    };
    FlowReply::refused(step, &refusal, reason)
}

/// The rule as drivers read it.
fn driver_rule(rule: &Rule) -> FlowRule {
    let at = rule.attributes;
    let mut made = FlowRule::new(FlowAttributes {
        group: at.group,
        priority: at.priority,
        ingress: at.ingress,
        egress: at.egress,
        transfer: at.transfer,
    });
    for item in &rule.pattern {
        match item {
            Item::Eth(fields) => made.eth(parts(fields, eth)),
            Item::Vlan(fields) => made.vlan(parts(fields, vlan)),
        }
    }
    for action in &rule.actions {
        made.action(match *action {
            Action::Jump { group } => FlowAction::Jump(group),
            Action::Queue { index } => FlowAction::Queue(index),
            Action::OfPopVlan => FlowAction::PopVlan,
            Action::OfPushVlan { ethertype } => FlowAction::PushVlan(ethertype),
            Action::OfSetVlanVid { vid } => FlowAction::SetVlanVid(vid),
            Action::OfSetVlanPcp { pcp } => FlowAction::SetVlanPcp(pcp),
        });
    }
    made
}

fn parts<A, B>(fields: &Match<A>, of: fn(&A) -> B) -> FlowMatch<B> {
    FlowMatch {
        spec: fields.spec.as_ref().map(of),
        last: fields.last.as_ref().map(of),
        mask: fields.mask.as_ref().map(of),
    }
}

fn eth(fields: &Eth) -> EthHeader {
    EthHeader {
        destination: fields.dst,
        source: fields.src,
        ether_type: fields.ether_type,
    }
}

fn vlan(fields: &Vlan) -> VlanTag {
    VlanTag {
        tci: fields.tci,
        inner_type: fields.inner_type,
    }
}
