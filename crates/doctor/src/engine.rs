//! The container engine, by the way in which `spp container` asks it.

use container::engine::Engine;

use crate::{Finding, Host};

const NAME: &str = "engine";

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    vec![match Engine::connect()
        .and_then(|engine| Ok((engine.version()?, engine.address().to_owned())))
    {
        Ok((version, address)) => Finding::ok(NAME, format!("{version} answers at {address}"))
            .with("version", version)
            .with("address", address),
        // Its words have the remedy.
        Err(error) => {
            let finding = Finding::warn(
                NAME,
                format!("{error}; without one there is no spp container"),
            );
            match host.at("/run/systemd/system").is_dir() {
                true => finding.root("systemctl start docker"),
                false => finding.root("dockerd &"),
            }
        }
    }]
}
