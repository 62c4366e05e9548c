//! What a command that succeeded does to the desired state.

use super::{Attached, Desired, DesiredComponent, DesiredPatch, DesiredPort, same_port};
use crate::command::component::{CaptureCommand, Change, ComponentCommand, Settings};
use crate::command::{PanelCommand, VhostMode};
use crate::port::PortName;

impl Change {
    /// Whether it changes the desired state of its process.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Panel(command) => matches!(
                command,
                PanelCommand::Add { .. }
                    | PanelCommand::Del(_)
                    | PanelCommand::Patch { .. }
                    | PanelCommand::PatchReset
                    | PanelCommand::Unpatch(_)
                    | PanelCommand::Forward
                    | PanelCommand::Stop
            ),
            Self::Component(_) | Self::Capture(_) => true,
        }
    }
}

impl Desired {
    /// Does what `change` did to the process. Taking a change twice is the same as once.
    pub fn take(&mut self, change: &Change) {
        match change {
            Change::Panel(command) => self.take_panel(command),
            Change::Component(command) => self.take_component(command),
            Change::Capture(command) => self.capture = Some(*command == CaptureCommand::Start),
        }
    }

    fn take_panel(&mut self, command: &PanelCommand) {
        match *command {
            PanelCommand::Add { port, mode } => add(&mut self.ports, port, mode),
            PanelCommand::Del(port) => {
                self.ports.retain(|added| !same_port(added.port, port));
                self.patches
                    .retain(|patch| !same_port(patch.src, port) && !same_port(patch.dst, port));
            }
            PanelCommand::Patch {
                src,
                dst,
                cpu,
                with,
            } => {
                // A process of ours adds the rings that a patch names.
                attach_rings(&mut self.ports, src, dst);
                let patch = DesiredPatch {
                    src,
                    dst,
                    cpu,
                    with,
                };
                let known = self.patches.iter_mut();
                match known.into_iter().find(|known| same_port(known.src, src)) {
                    Some(known) => *known = patch,
                    None => self.patches.push(patch),
                }
            }
            PanelCommand::PatchReset => self.patches.clear(),
            PanelCommand::Unpatch(src) => self.patches.retain(|patch| !same_port(patch.src, src)),
            PanelCommand::Forward => self.forwarding = Some(true),
            PanelCommand::Stop => self.forwarding = Some(false),
            PanelCommand::GetClientId
            | PanelCommand::Framing
            | PanelCommand::Detail
            | PanelCommand::Status
            | PanelCommand::Clear
            | PanelCommand::Exit => {}
        }
    }

    fn take_component(&mut self, command: &ComponentCommand) {
        let found = |components: &mut Vec<DesiredComponent>, wanted| {
            components.iter().position(|known| known.name == wanted)
        };
        match command {
            ComponentCommand::Start { name, core, kind } => {
                if found(&mut self.components, name.clone()).is_none() {
                    self.components.push(DesiredComponent {
                        name: name.clone(),
                        core: *core,
                        kind: *kind,
                        rx: Vec::new(),
                        tx: Vec::new(),
                        set: Settings::default(),
                    });
                }
            }
            ComponentCommand::Stop(name) => self.components.retain(|known| known.name != *name),
            ComponentCommand::Attach {
                name,
                port,
                dir,
                vlan,
            } => {
                let Some(at) = found(&mut self.components, name.clone()) else {
                    return;
                };
                let side = self.components[at].side_mut(*dir);
                match side.iter_mut().find(|known| same_port(known.port, *port)) {
                    Some(known) => known.vlan = *vlan,
                    None => side.push(Attached {
                        port: *port,
                        vlan: *vlan,
                    }),
                }
            }
            ComponentCommand::Detach { name, port, dir } => {
                if let Some(at) = found(&mut self.components, name.clone()) {
                    let side = self.components[at].side_mut(*dir);
                    side.retain(|known| !same_port(known.port, *port));
                }
            }
            ComponentCommand::Set { name, setting } => {
                if let Some(at) = found(&mut self.components, name.clone()) {
                    self.components[at].set.take(setting);
                }
            }
            ComponentCommand::AddEntry(entry) => {
                if !self.classifier.contains(entry) {
                    self.classifier.push(entry.clone());
                }
            }
            ComponentCommand::DelEntry(entry) => self.classifier.retain(|known| {
                !(known.vlan == entry.vlan
                    && known.mac == entry.mac
                    && same_port(known.port, entry.port))
            }),
        }
    }
}

fn add(ports: &mut Vec<DesiredPort>, port: PortName, mode: Option<VhostMode>) {
    let known = ports.iter_mut().find(|added| added.port == port);
    match known {
        Some(known) => known.mode = mode.or(known.mode),
        None if matches!(port, PortName::Phy { .. }) => {}
        None => ports.push(DesiredPort { port, mode }),
    }
}

/// Adds the rings among the two ends of a patch.
pub(super) fn attach_rings(ports: &mut Vec<DesiredPort>, src: PortName, dst: PortName) {
    for end in [src, dst] {
        if matches!(end, PortName::Ring(_)) {
            add(ports, end, None);
        }
    }
}
