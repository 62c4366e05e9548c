//! For tests: a recorded panel, and a controller that is none.

pub mod fake;

use protocol::detail::ProcessDetail;

/// Two nfv processes joined by two rings, a primary, and a third that does not answer.
const DETAILS: &str = include_str!("details.json");

/// The recorded panel.
pub fn details() -> Vec<ProcessDetail> {
    serde_json::from_str(DETAILS).unwrap()
}

/// The panel half a second later: a million packets went from `vhost:1` to `ring:0`, 32 were
/// dropped, in polls of 32; the worker of nfv 1 was busy half of the time.
pub fn later(before: &[ProcessDetail]) -> Vec<ProcessDetail> {
    const PACKETS: u64 = 1_000_000;
    const DROPS: u64 = 32;
    let mut after = before.to_vec();
    for detail in after
        .iter_mut()
        .filter_map(|process| process.detail.as_mut())
    {
        detail.tsc += detail.tsc_hz / 2;
        for worker in &mut detail.workers {
            worker.total_cycles += detail.tsc_hz / 2;
        }
    }
    let nfv = after[1].detail.as_mut().unwrap();
    let patch = &mut nfv.patches[0].counters;
    patch.rx_packets += PACKETS + DROPS;
    patch.tx_packets += PACKETS;
    patch.tx_bytes += PACKETS * 64;
    patch.drops.full += DROPS;
    let port = &mut nfv.ports[0].counters;
    port.rx_packets += PACKETS + DROPS;
    port.rx_bytes += (PACKETS + DROPS) * 64;
    let worker = &mut nfv.workers[0];
    worker.busy_cycles += nfv.tsc_hz / 4;
    worker.packets += PACKETS + DROPS;
    worker.empty_polls += 70;
    worker.polls += 70 + (PACKETS + DROPS) / 32;
    after
}
