//! CPUs of this machine, as the kernel describes them in `/sys/devices/system/cpu`.

use std::collections::BTreeMap;
use std::path::Path;

use protocol::rest::{CpuCore, CpuSocket};

/// Sockets, cores and CPUs that are online; what cannot be read is left out.
pub(crate) fn layout(dir: &Path) -> Vec<CpuSocket> {
    let mut sockets: BTreeMap<u32, BTreeMap<u32, Vec<u32>>> = BTreeMap::new();
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("cpu"));
        let Some(cpu) = number.and_then(|number| number.parse::<u32>().ok()) else {
            continue;
        };
        // An offline CPU has no topology.
        let read = |file: &str| -> Option<u32> {
            let text = std::fs::read_to_string(entry.path().join("topology").join(file)).ok()?;
            text.trim().parse().ok()
        };
        if let (Some(socket), Some(core)) = (read("physical_package_id"), read("core_id")) {
            sockets
                .entry(socket)
                .or_default()
                .entry(core)
                .or_default()
                .push(cpu);
        }
    }
    let core = |(core_id, mut lcores): (u32, Vec<u32>)| {
        lcores.sort_unstable();
        CpuCore { core_id, lcores }
    };
    sockets
        .into_iter()
        .map(|(socket_id, cores)| CpuSocket {
            socket_id,
            cores: cores.into_iter().map(core).collect(),
        })
        .collect()
}
