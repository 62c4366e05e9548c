//! What a `vf` or `mirror` says of itself.

use panel::area::Direction as Side;
use panel::rack::{ComponentView, SocketView};
use protocol::command::component::Settings;
use protocol::reply::{ComponentInfo, VfReply};
use protocol::rest::{Component, ComponentPort, ComponentVlan};

use super::Components;
use crate::report;

impl Components {
    /// Answer to `status`.
    pub(super) fn status(&self) -> VfReply {
        let board = &self.console.board;
        let mut info = ComponentInfo::new(self.kind, self.identity.id, self.identity.main_lcore);
        let mut ports: Vec<_> = board.ports().iter().map(|p| p.code()).collect();
        ports.sort_by_key(|c| (c.kind(), c.number(), c.queue()));
        for code in ports {
            info.add_port(&report::name(board, code));
        }
        let mut cpus: Vec<u32> = board.hands().iter().map(|h| h.cpu).collect();
        cpus.sort_unstable();
        cpus.dedup();
        let components = board.components();
        for cpu in cpus {
            let here: Vec<_> = components.iter().filter(|c| c.cpu == cpu).collect();
            if here.is_empty() {
                info.core.push(idle(cpu));
            }
            info.core.extend(here.into_iter().map(|c| self.shown(c)));
        }
        self.show_table(&mut info);
        VfReply::status(&info)
    }

    fn shown(&self, component: &ComponentView<'_>) -> Component {
        let ends = |sockets: &[SocketView], side| {
            let end = |socket: &SocketView| ComponentPort {
                port: report::name(&self.console.board, socket.port),
                vlan: ComponentVlan::of(self.tags.get(&(socket.port, side)).copied()),
            };
            sockets.iter().map(end).collect()
        };
        Component {
            name: Some(component.name.to_owned()),
            kind: report::kind(component.function).word().to_owned(),
            rx_port: Some(ends(&component.rx, Side::Rx)),
            tx_port: Some(ends(&component.tx, Side::Tx)),
            lacks: component.lacks.map(str::to_owned),
            set: self
                .settings
                .get(component.name)
                .cloned()
                .unwrap_or_default(),
            ..idle(component.cpu)
        }
    }

    fn show_table(&self, _info: &mut ComponentInfo) {}

    /// Answer to `classifier_table list`.
    pub(super) fn list(&self, _offset: usize, _count: usize) -> VfReply {
        VfReply::done(Err("there is no table"))
    }
}

/// A CPU without a component.
fn idle(core: u32) -> Component {
    Component {
        core,
        name: None,
        kind: "unuse".to_owned(),
        rx_port: None,
        tx_port: None,
        lacks: None,
        set: Settings::default(),
    }
}
