//! Single things of a panel: a port, a patch, a ring, what the primary counts.

use protocol::detail::{Detail, PatchDetail, PortDetail};
use protocol::reply::{PrimaryStatus, RingPortStatus};

use super::{Panel, START};
use crate::{wait_for, wait_until};

impl Panel {
    /// A port of a process, by its name as reported.
    ///
    /// # Panics
    /// If the process has none of that name.
    #[track_caller]
    pub fn port(&self, id: u32, name: &str) -> PortDetail {
        let ports = self.detail(id).ports;
        let found = ports.iter().find(|port| port.name == name).cloned();
        found.unwrap_or_else(|| panic!("process {id} has no port {name}: {ports:?}"))
    }

    /// The names of the ports of a process.
    #[track_caller]
    pub fn port_names(&self, id: u32) -> Vec<String> {
        let ports = self.detail(id).ports.into_iter();
        ports.map(|port| port.name).collect()
    }

    /// The patch of a process that has this source.
    ///
    /// # Panics
    /// If there is none.
    #[track_caller]
    pub fn patch(&self, id: u32, src: &str) -> PatchDetail {
        let patches = self.detail(id).patches;
        let found = patches.iter().find(|patch| patch.src == src).cloned();
        found.unwrap_or_else(|| panic!("process {id} has no patch of {src}: {patches:?}"))
    }

    /// The patches of a process: source and destination.
    #[track_caller]
    pub fn patches(&self, id: u32) -> Vec<(String, String)> {
        let patches = self.detail(id).patches.into_iter();
        patches.map(|patch| (patch.src, patch.dst)).collect()
    }

    /// The process ids of its controllers: one, but while one takes another's place.
    pub fn controllers(&self) -> Vec<u32> {
        let comm = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm"));
        let is_one = |pid: &u32| comm(pid).is_ok_and(|name| name == "spp-ctl\n");
        let all = crate::proc::marked(self.prefix());
        all.into_iter().filter(is_one).collect()
    }

    /// Kills the controller (SIGKILL), of which there is one, and waits until the one that the primary starts in its
    /// place answers.
    #[track_caller]
    pub fn replace_controller(&self) {
        let old = wait_for("one controller", START, || match self.controllers()[..] {
            [pid] => Some(pid),
            _ => None,
        });
        crate::proc::kill_pid(old);
        wait_until("another controller to answer", START, || {
            let another = self.controllers().iter().any(|pid| *pid != old);
            another && self.spp(&["status"]).status.success()
        });
    }

    /// What the primary answers to `status`.
    ///
    /// # Panics
    /// If it does not within half a minute.
    #[track_caller]
    pub fn primary_status(&self) -> PrimaryStatus {
        let mut last = None;
        let status = crate::wait::poll(START, || {
            let answer = self.http("GET", "/v1/primary/status", "");
            let status = (answer.status == 200).then(|| serde_json::from_str(&answer.body));
            last = Some(answer);
            status.and_then(Result::ok)
        });
        status.unwrap_or_else(|| panic!("no status of the primary: {last:?}"))
    }

    /// What the primary counts for `ring:N`.
    ///
    /// # Panics
    /// If there is no such ring.
    #[track_caller]
    pub fn ring(&self, number: u16) -> RingPortStatus {
        let rings = self.primary_status().ring_ports.into_iter();
        let mut rings = rings.filter(|ring| ring.id == number);
        rings
            .next()
            .unwrap_or_else(|| panic!("there is no ring:{number}"))
    }

    /// What stays as it is while nobody changes anything: of every process its run, its ports and its
    /// patches without their counters, and who holds which ring.
    ///
    /// # Panics
    /// If a process does not answer within half a minute.
    #[track_caller]
    pub fn shape(&self) -> Vec<String> {
        let mut all = Vec::new();
        let answered = crate::wait::poll(START, || {
            all = self.details();
            all.iter()
                .all(|process| process.detail.is_some())
                .then_some(())
        });
        assert!(answered.is_some(), "not all processes answer: {all:?}");
        all.iter()
            .filter_map(|process| process.detail.as_ref())
            .flat_map(lines)
            .collect()
    }
}

fn lines(detail: &Detail) -> Vec<String> {
    let Detail {
        kind,
        client_id,
        incarnation,
        status,
        ..
    } = detail;
    let ports = detail
        .ports
        .iter()
        .map(|port| format!("{} {}", port.name, port.link));
    let patches = detail.patches.iter();
    let patches = patches.map(|patch| format!("{} -> {} on {}", patch.src, patch.dst, patch.cpu));
    let rings = detail.rings.iter();
    let rings = rings.map(|ring| format!("{} {} {}", ring.name, ring.producer, ring.consumer));
    std::iter::once(format!("{kind} {client_id} {incarnation} {status}"))
        .chain(ports)
        .chain(patches)
        .chain(rings)
        .collect()
}
