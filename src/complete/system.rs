//! What the running system offers: processes, ports, components, CPUs.

use protocol::port::PortName;
use protocol::reply::{NfvStatus, PatchPorts, PrimaryStatus};

use super::{Candidates, Completion, complete, words};
use crate::commands::spec::{Ports, Target};
use crate::commands::status::in_order;
use crate::render::components::ComponentStatus;

/// Kinds of ports that can be added, with what comes before their number.
const KINDS: [&str; 6] = ["ring:", "vhost:", "pcap:", "memif:", "nullpmd:", "tap:"];

/// Ports of a process as reported, and patches between them.
#[derive(Default)]
struct Known {
    ports: Vec<String>,
    patches: Vec<PatchPorts>,
    /// Ports that components are attached to.
    attached: Vec<String>,
}

impl Completion {
    /// `1;`, `2;` of the registered processes of a type.
    pub(super) fn ids(&self, wanted: &str) -> Candidates {
        let processes = in_order(&self.client.processes().unwrap_or_default());
        let ids = processes.into_iter().filter(|(kind, _)| kind == wanted);
        Candidates {
            words: ids.map(|(_, id)| format!("{id}; ")).collect(),
            ..Candidates::default()
        }
    }

    pub(super) fn ports(&self, ports: Ports, target: Target) -> Candidates {
        let mut found = Candidates::default();
        if matches!(ports, Ports::New | Ports::Any) {
            found.words = KINDS.map(str::to_owned).into();
        }
        if ports == Ports::New {
            return found;
        }
        let Known {
            ports: mut names,
            patches,
            attached,
        } = self.known(target);
        if matches!(ports, Ports::Source | Ports::Destination | Ports::Any) {
            // A patch adds the rings that it names.
            let primary = self.client.detail(Target::Primary.id()).ok().flatten();
            let rings = primary
                .and_then(|primary| primary.detail)
                .map(|detail| detail.rings);
            names.extend(rings.unwrap_or_default().into_iter().map(|ring| ring.name));
        }
        let is_source = |name: &String| patches.iter().any(|patch| patch.src == *name);
        let is_destination = |name: &String| patches.iter().any(|patch| patch.dst == *name);
        match ports {
            Ports::Patched => names.retain(is_source),
            Ports::Source => names.retain(|name| !is_source(name)),
            Ports::Destination => names.retain(|name| !is_destination(name)),
            Ports::Removable => names.retain(|name| {
                !name.starts_with("phy:") && !is_source(name) && !is_destination(name)
            }),
            Ports::Attached => names = attached,
            Ports::Any | Ports::New => {}
        }
        for port in names
            .iter()
            .filter_map(|name| name.parse::<PortName>().ok())
        {
            let word = complete(&port.to_string());
            if !found.words.contains(&word) {
                found.words.push(word);
            }
        }
        found
    }

    /// After `phy:N` of several queues `nq`, and after that their numbers.
    pub(super) fn queues(&self, target: Target, given: &[&str]) -> Candidates {
        let (port, asks_number) = match given {
            [.., port, "nq"] => (port, true),
            [.., port] if port.starts_with("phy:") => (port, false),
            _ => return Candidates::default(),
        };
        let prefix = format!("{port} nq ");
        let known = self.known(target).ports;
        let mut numbers: Vec<&str> = known
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix))
            .collect();
        numbers.dedup();
        match asks_number {
            true => words(numbers.into_iter()),
            false => words(["nq"].into_iter().filter(|_| !numbers.is_empty())),
        }
    }

    /// Names of the components of a process.
    pub(super) fn components(&self, target: Target) -> Candidates {
        let Some(status) = self.component_status(target) else {
            return Candidates::default();
        };
        let named = status.components.iter().filter(|c| c.kind != "unuse");
        words(named.map(|component| component.name.as_str()))
    }

    /// CPUs of a process on which no component runs.
    pub(super) fn idle_cpus(&self, target: Target) -> Candidates {
        let Some(status) = self.component_status(target) else {
            return Candidates::default();
        };
        let idle = status.components.iter().filter(|c| c.kind == "unuse");
        Candidates {
            words: idle.map(|idle| complete(&idle.core.to_string())).collect(),
            ..Candidates::default()
        }
    }

    fn component_status(&self, target: Target) -> Option<ComponentStatus> {
        self.client.read(&target.path()).ok()
    }

    /// Ports and patches of a process; none if it cannot be asked.
    fn known(&self, target: Target) -> Known {
        match target {
            Target::Nfv(_) => {
                let status = self.client.read(&target.path());
                status.map(|status: NfvStatus| Known {
                    ports: status.ports,
                    patches: status.patches,
                    ..Known::default()
                })
            }
            .unwrap_or_default(),
            Target::Vf(_) | Target::Mirror(_) => {
                let status = self.component_status(target);
                status.map(|status| {
                    let components = status.components.into_iter();
                    let attached = components.flat_map(|c| c.rx_port.into_iter().chain(c.tx_port));
                    Known {
                        attached: attached.map(|port| port.port).collect(),
                        ports: status.ports,
                        ..Known::default()
                    }
                })
            }
            .unwrap_or_default(),
            Target::Primary => {
                let forwarder = self.primary().and_then(|status| status.forwarder);
                forwarder.map(|forwarder| Known {
                    ports: forwarder.ports,
                    patches: forwarder.patches,
                    ..Known::default()
                })
            }
            .unwrap_or_default(),
            Target::Pcap(_) | Target::Shell => Known::default(),
        }
    }

    /// Status of the primary.
    pub(super) fn primary(&self) -> Option<PrimaryStatus> {
        self.client.read("/v1/primary/status").ok()
    }
}
