//! What a `vf` or `mirror` says of itself.

use panel::area::Direction as Side;
use panel::rack::{ComponentView, SocketView};
use panel::{EntryView, Function};
use protocol::command::component::{ClassifierMac, Settings};
use protocol::desired::{Attached, Desired, DesiredComponent, entry_of};
use protocol::reply::{ComponentInfo, MAX_SHOWN, VfReply};
use protocol::rest::{
    ClassifierRow, Component, ComponentPort, ComponentVlan, TableEntry, TablePage,
};

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

    /// The first entries of ports that a classifier sends to: who reads no more than the status sees no others.
    fn show_table(&self, info: &mut ComponentInfo) {
        let Some(table) = &mut info.classifier_table else {
            return;
        };
        let (entries, all) = self.console.board.entries(0, MAX_SHOWN);
        let classifies = |port| {
            let user = self.user(port, Side::Tx);
            let mut components = self.console.board.components().into_iter();
            components.any(|c| {
                Some(c.name) == user.as_deref() && matches!(c.function, Function::Classifier(_))
            })
        };
        let shown = entries
            .iter()
            .filter(|e| !e.learned && (e.component.is_some() || classifies(e.port)));
        table.extend(shown.map(|e| self.row(e)));
        if all > MAX_SHOWN {
            info.classifier_table_size = Some(all);
        }
    }

    fn row(&self, view: &EntryView) -> ClassifierRow {
        let name = report::name(&self.console.board, view.port);
        let mac = match view.rule.mac() {
            Some(address) => ClassifierMac::Address(address),
            None => ClassifierMac::Default,
        };
        ClassifierRow::of(view.rule.vlan(), mac, name)
    }

    /// Its components, and the entries that it was given.
    pub(super) fn desired(&self) -> Desired {
        let board = &self.console.board;
        let ends = |sockets: &[SocketView], side| {
            let end = |socket: &SocketView| {
                Some(Attached {
                    port: report::name(board, socket.port).parse().ok()?,
                    vlan: self.tags.get(&(socket.port, side)).copied(),
                })
            };
            sockets.iter().filter_map(end).collect()
        };
        let component = |view: &ComponentView<'_>| {
            Some(DesiredComponent {
                name: view.name.parse().ok()?,
                core: view.cpu,
                kind: report::kind(view.function),
                rx: ends(&view.rx, Side::Rx),
                tx: ends(&view.tx, Side::Tx),
                set: self.settings.get(view.name).cloned().unwrap_or_default(),
            })
        };
        let (entries, _) = board.entries(0, usize::MAX);
        let given = entries.iter().filter(|entry| !entry.learned);
        Desired {
            components: board.components().iter().filter_map(component).collect(),
            classifier: given.filter_map(|e| entry_of(&self.row(e))).collect(),
            ..Desired::default()
        }
    }

    /// Answer to `classifier_table list`.
    pub(super) fn list(&self, offset: usize, count: usize) -> VfReply {
        let (entries, total) = self.console.board.entries(offset, count);
        let entry = |view: &EntryView| TableEntry {
            row: self.row(view),
            component: view.component.clone(),
            hits: view.hits,
            learned: view.learned,
        };
        VfReply::status(&TablePage {
            total,
            offset,
            entries: entries.iter().map(entry).collect(),
        })
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
