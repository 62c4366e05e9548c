//! CPUs on which workers of SPP run already.

use std::path::Path;

use registry::folder::Folder;
use registry::lease;

use crate::engine::Container;
use crate::plan::RUNTIME;

/// A CPU with a worker of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The CPU.
    pub cpu: u32,
    /// Whose it is.
    pub by: String,
}

/// Those of containers of SPP that run.
#[must_use]
pub fn of_containers(containers: &[Container]) -> Vec<Taken> {
    let running = containers.iter().filter(|container| container.running);
    running
        .flat_map(|container| {
            container.own_cpus().map(|cpu| Taken {
                cpu,
                by: format!("container {}", container.name),
            })
        })
        .collect()
}

/// Those of all panels on this host, by their leases. A panel whose folder is not ours to read has none.
#[must_use]
pub fn of_panels() -> Vec<Taken> {
    of_panels_in(Path::new(RUNTIME))
}

fn of_panels_in(runtime: &Path) -> Vec<Taken> {
    let panels = std::fs::read_dir(runtime).into_iter().flatten().flatten();
    let mut taken = Vec::new();
    for panel in panels {
        let Ok(folder) = Folder::open(&panel.path()) else {
            continue;
        };
        let name = panel.file_name();
        let leases = lease::holders(&folder).unwrap_or_default();
        // In rising order. A primary comes first of all and takes its main thread's from the top.
        let main = leases.iter().rposition(|lease| lease.holder.id == 0);
        let workers = leases.into_iter().enumerate();
        let workers = workers.filter(|(at, _)| Some(*at) != main);
        taken.extend(workers.filter_map(|(_, lease)| {
            let holder = &lease.holder;
            Some(Taken {
                cpu: lease.cpu?,
                by: format!("{} {} of panel {}", holder.kind, holder.id, name.display()),
            })
        }));
    }
    taken
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use registry::Incarnation;
    use registry::lease::{Holder, LcoreLease, LcoreRange};

    use super::*;

    #[test]
    fn leases_of_workers_take_their_cpus_and_that_of_a_primary_does_not() {
        let runtime = tempfile::tempdir().unwrap();
        let folder = Folder::create(&runtime.path().join("p1")).unwrap();
        std::fs::create_dir(runtime.path().join("somebody")).unwrap();
        let range = LcoreRange::beside_cpus(2);
        let lease = |kind: &str, id: u32, cpu: u32| {
            let holder = Holder {
                kind: kind.to_owned(),
                id,
                pid: std::process::id(),
                incarnation: Incarnation::new().unwrap(),
            };
            LcoreLease::take(&folder, range, &holder, Some(cpu), Duration::ZERO).unwrap()
        };
        let held = [
            lease("primary", 0, 0),
            lease("primary", 0, 3),
            lease("nfv", 2, 5),
        ];
        let found = of_panels_in(runtime.path());
        let found: Vec<(u32, &str)> = found.iter().map(|t| (t.cpu, t.by.as_str())).collect();
        assert_eq!(
            found,
            [(5, "nfv 2 of panel p1"), (3, "primary 0 of panel p1")]
        );
        for lease in held {
            lease.release().unwrap();
        }
        assert_eq!(of_panels_in(runtime.path()), []);
    }
}
