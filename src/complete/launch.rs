//! `pri; launch`: types, ids, and the whole text of options.

use std::collections::BTreeSet;

use protocol::rest::{CpuSocket, CpuUsage};

use super::{Candidates, Completion, complete, words};
use crate::commands::table::SECONDARIES;

/// TCP port on which a controller waits for secondaries.
const SECONDARY_PORT: u16 = 6666;

impl Completion {
    pub(super) fn launch(&self, given: &[&str]) -> Candidates {
        match given {
            [] => words(SECONDARIES.iter().copied()),
            [_] => self.free_ids(),
            [kind, id] => {
                let kind = kind.strip_prefix("spp_").unwrap_or(kind);
                match SECONDARIES.contains(&kind) {
                    true => self.options(kind, id),
                    false => Candidates::default(),
                }
            }
            _ => Candidates::default(),
        }
    }

    fn free_ids(&self) -> Candidates {
        let taken: Vec<u32> = self
            .client
            .processes()
            .unwrap_or_default()
            .iter()
            .filter_map(|process| process.client_id)
            .collect();
        let most = u32::try_from(self.config.number("max_secondary")).unwrap_or(u32::MAX);
        Candidates {
            words: (1..=most.min(127))
                .filter(|id| !taken.contains(id))
                .map(|id| complete(&id.to_string()))
                .collect(),
            ..Candidates::default()
        }
    }

    fn options(&self, kind: &str, id: &str) -> Candidates {
        let main = self.config.number("sec_m_lcore");
        let count = self.config.number(&format!("sec_{kind}_nof_lcores"));
        let layout: Vec<CpuSocket> = self.client.read("/v1/cpu_layout").unwrap_or_default();
        let usage: Vec<CpuUsage> = self.client.read("/v1/cpu_usage").unwrap_or_default();
        let used: BTreeSet<u64> = usage.into_iter().flat_map(|usage| usage.lcores).collect();
        let Some(workers) = unused(&layout, &used, main as u64, count) else {
            return Candidates {
                note: Some("// WARN: No available lcores remained!".to_owned()),
                ..Candidates::default()
            };
        };
        let lcores: Vec<String> = std::iter::once(main as u64)
            .chain(workers)
            .map(|lcore| lcore.to_string())
            .collect();
        let prefix = std::env::var("SPP_FILE_PREFIX").unwrap_or_default();
        let prefix = match prefix.is_empty() {
            true => prefix,
            false => format!("--file-prefix {prefix} "),
        };
        let id_option = if kind == "nfv" { "-n" } else { "--client-id" };
        let vhost = match self.config.get("sec_vhost_cli").is_empty() {
            true => "",
            false => "--vhost-client",
        };
        let captured = match kind {
            "pcap" => format!(" -c {}", self.config.get("sec_pcap_port")),
            _ => String::new(),
        };
        Candidates {
            words: vec![format!(
                "-l {} {} {prefix}-- {id_option} {id} -s {}:{SECONDARY_PORT} {vhost}{captured}",
                lcores.join(","),
                self.config.get("sec_mem"),
                self.client.address().host,
            )],
            ..Candidates::default()
        }
    }
}

/// The first `count` CPUs above `main` that nobody uses: all of one socket if one has so many, that of
/// `main` before the others; else of several. `None` if there are not so many.
fn unused(layout: &[CpuSocket], used: &BTreeSet<u64>, main: u64, count: usize) -> Option<Vec<u64>> {
    let mut sockets: Vec<(bool, Vec<u64>)> = layout
        .iter()
        .map(|socket| {
            let mut all: Vec<u64> = socket
                .cores
                .iter()
                .flat_map(|core| core.lcores.iter().copied().map(u64::from))
                .collect();
            all.sort_unstable();
            let is_far = !all.contains(&main);
            all.retain(|lcore| *lcore > main && !used.contains(lcore));
            (is_far, all)
        })
        .collect();
    sockets.sort_by_key(|(is_far, _)| *is_far);
    let free: Vec<Vec<u64>> = sockets.into_iter().map(|(_, free)| free).collect();
    let one = free.iter().find(|free| free.len() >= count).cloned();
    let chosen: Vec<u64> = one
        .unwrap_or_else(|| free.concat())
        .into_iter()
        .take(count)
        .collect();
    (chosen.len() == count).then_some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(sockets: &[&[u32]]) -> Vec<CpuSocket> {
        let sockets = (0..).zip(sockets).map(|(socket_id, lcores)| CpuSocket {
            socket_id,
            cores: (0..)
                .zip(*lcores)
                .map(|(core_id, lcore)| protocol::rest::CpuCore {
                    core_id,
                    lcores: vec![*lcore],
                })
                .collect(),
        });
        sockets.collect()
    }

    #[test]
    fn workers_are_the_first_unused_cpus_of_one_socket() {
        let one = layout(&[&[0, 1, 2, 3, 4, 5, 6]]);
        let used = BTreeSet::from([0, 3]);
        assert_eq!(unused(&one, &used, 2, 3), Some(vec![4, 5, 6]));
        assert_eq!(unused(&one, &used, 2, 4), None);
        let two = layout(&[&[0, 2, 4, 6], &[1, 3, 5, 7]]);
        let none = BTreeSet::new();
        assert_eq!(unused(&two, &none, 2, 2), Some(vec![4, 6]));
        assert_eq!(unused(&two, &none, 2, 3), Some(vec![3, 5, 7]));
        assert_eq!(unused(&two, &none, 1, 2), Some(vec![3, 5]));
        assert_eq!(unused(&two, &none, 2, 4), Some(vec![4, 6, 3, 5]));
        assert_eq!(unused(&[], &none, 2, 1), None);
    }
}
