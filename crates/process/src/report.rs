//! What a process says of itself.

use panel::port::LinkState;
use panel::rack::SocketView;
use panel::{Area, Board, Function, PortCode, PortKind, Totals};
use protocol::command::component::ComponentKind;
use protocol::detail::{
    ComponentDetail, ComponentPortDetail, Counters, Detail, Drops, ImpairedDetail, PatchDetail,
    PortDetail, WorkerDetail,
};
use protocol::reply::PatchPorts;
use std::sync::atomic::Ordering::Relaxed;

/// Who a process is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// `primary`, `nfv`, …
    pub kind: &'static str,
    /// Its id; 0 for the primary.
    pub id: u32,
    /// Which run of it this is: 16 hex digits.
    pub incarnation: String,
    /// The number of its main lcore, as shown.
    pub main_lcore: u32,
    /// All its lcores, the main one first, as shown.
    pub lcores: Vec<u32>,
}

/// Counts in the form of the wire.
pub fn counters(t: &Totals) -> Counters {
    let [
        full,
        link_down,
        no_mbuf,
        too_big,
        removed,
        io_error,
        unknown,
        filtered,
        lost,
        limit,
    ] = t.drops;
    Counters {
        rx_packets: t.rx_packets,
        rx_bytes: t.rx_bytes,
        tx_packets: t.tx_packets,
        tx_bytes: t.tx_bytes,
        drops: Drops {
            full,
            link_down,
            no_mbuf,
            too_big,
            removed,
            io_error,
            unknown,
            filtered,
            lost,
            limit,
        },
    }
}

/// A port's name as reported: with its queue if its device has several.
pub fn name(board: &Board, code: PortCode) -> String {
    let several = code.kind() == PortKind::Phy
        && board.ports().iter().any(|p| {
            let other = p.code();
            other.kind() == PortKind::Phy && other.number() == code.number() && other.queue() != 0
        });
    let code_text = PortCode::new(code.kind(), code.number(), 0).to_string();
    if several {
        format!("{code_text} nq {}", code.queue())
    } else {
        code_text
    }
}

/// The ports by kind, number and queue, physical ones first, as the original lists them.
pub fn port_names(board: &Board) -> Vec<String> {
    let mut codes: Vec<PortCode> = board.ports().iter().map(|p| p.code()).collect();
    // Physical ports by number and queue; the rest stays in the order of addition.
    codes.sort_by_key(|c| {
        (
            c.kind() != PortKind::Phy,
            (c.kind() == PortKind::Phy).then(|| (c.number(), c.queue())),
        )
    });
    codes.into_iter().map(|c| name(board, c)).collect()
}

/// The patches by source.
pub fn patch_names(board: &Board) -> Vec<PatchPorts> {
    board
        .patches()
        .iter()
        .map(|p| PatchPorts {
            src: name(board, p.src),
            dst: name(board, p.dst),
            with: p.impaired.map(|(with, _)| with),
        })
        .collect()
}

/// What a component does.
pub fn kind(function: &Function) -> ComponentKind {
    match function {
        Function::Forward => ComponentKind::Forward,
        Function::Merge => ComponentKind::Merge,
        Function::Classifier(_) => ComponentKind::Classifier,
        Function::Mirror(_) => ComponentKind::Mirror,
    }
}

/// `running` or `idling`.
pub fn status(board: &Board) -> &'static str {
    if board.forwarding() {
        "running"
    } else {
        "idling"
    }
}

/// For how long the worker of `lcore` has been stuck, if it is.
fn stuck_ms(area: &Area, lcore: u32, now: u64) -> Option<u64> {
    let since = area.layout().pulses[lcore as usize].stuck.load(Relaxed);
    (since != 0).then(|| crate::watch::passed(since, now).as_millis() as u64)
}

/// The whole of it; the primary adds its rings and pools.
pub fn detail(identity: &Identity, board: Option<&Board>, area: &Area) -> Detail {
    let tsc = dpdk::tsc();
    let mut detail = Detail {
        kind: identity.kind.to_string(),
        client_id: identity.id,
        pid: std::process::id(),
        version: crate::VERSION.to_string(),
        dpdk: dpdk::dpdk_version(),
        incarnation: identity.incarnation.clone(),
        status: board.map_or("idling", status).to_string(),
        tsc_hz: dpdk::tsc_hz(),
        tsc,
        ports: Vec::new(),
        patches: Vec::new(),
        components: Vec::new(),
        workers: Vec::new(),
        rings: Vec::new(),
        pools: Vec::new(),
        heap: None,
        latencies: board.map(crate::probes::latencies).unwrap_or_default(),
        launched: Vec::new(),
        capture: None,
    };
    let Some(board) = board else { return detail };
    for port in board.ports() {
        let link = match port.link() {
            LinkState::Up => "up",
            LinkState::Down => "down",
            LinkState::None => "-",
        };
        detail.ports.push(PortDetail {
            name: name(board, port.code()),
            link: link.to_string(),
            info: port.info(),
            source: board.takes_from(port.code()),
            destination: board.sends_to(port.code()),
            counters: counters(&board.port_totals(port.code())),
        });
    }
    for patch in board.patches() {
        detail.patches.push(PatchDetail {
            src: name(board, patch.src),
            dst: name(board, patch.dst),
            cpu: patch.cpu,
            impaired: patch.impaired.map(|(with, counts)| ImpairedDetail {
                with,
                warning: with.warning(),
                held: counts.held,
                late: counts.late,
                reordered: counts.reordered,
                duplicated: counts.duplicated,
                corrupted: counts.corrupted,
            }),
            counters: counters(&patch.totals),
        });
    }
    for component in board.components() {
        let ends = |sockets: &[SocketView]| {
            let end = |socket: &SocketView| ComponentPortDetail {
                port: name(board, socket.port),
                counters: counters(&socket.totals),
            };
            sockets.iter().map(end).collect()
        };
        detail.components.push(ComponentDetail {
            name: component.name.to_owned(),
            kind: kind(component.function).word().to_owned(),
            cpu: component.cpu,
            lacks: component.lacks.map(str::to_owned),
            rx: ends(&component.rx),
            tx: ends(&component.tx),
        });
    }
    for hand in board.hands() {
        let block = &area.layout().workers[hand.lcore as usize];
        let started = block.started.load(Relaxed);
        detail.workers.push(WorkerDetail {
            cpu: hand.cpu,
            busy_cycles: block.busy_cycles.load(Relaxed),
            total_cycles: if started == 0 {
                0
            } else {
                tsc.saturating_sub(started)
            },
            polls: block.polls.load(Relaxed),
            empty_polls: block.empty_polls.load(Relaxed),
            packets: block.packets.load(Relaxed),
            rests: block.rests.load(Relaxed),
            stuck_ms: stuck_ms(area, hand.lcore, tsc),
        });
    }
    detail.workers.sort_by_key(|w| w.cpu);
    detail
}
