//! Unit tests on a real EAL.
//!
//! There is one EAL a process, so every such test runs in a process of its own: the test function
//! starts its own binary again for just itself.

use std::process::{Command, Stdio};

use crate::{Eal, EalConfig, Lcore, ProcessType};

const INSIDE: &str = "SPP_TEST_INSIDE_EAL";

/// Runs `body` on the main lcore of an EAL of its own (memory without hugepages, no devices). `name`
/// is the test's whole path in its crate, as the test runner prints it:
/// `with_eal("ring::tests::keeps_order", |eal, lcore| …)`. Panics if the body panics.
#[allow(clippy::panic)]
pub fn with_eal(name: &str, body: impl FnOnce(Eal, Lcore)) {
    alone(name, || {
        let prefix = format!("spptest{}", std::process::id());
        let mut config = EalConfig::new(ProcessType::Primary, &prefix, vec![(0, 0), (1, 1)]);
        config.private_memory = true;
        config.memory_mb = Some(128);
        match Eal::init(&config) {
            Ok((eal, lcore)) => body(eal, lcore),
            Err(e) => panic!("{e}"),
        }
    });
}

/// Runs `body` in a process of its own, where EAL was not started yet; `name` as in [`with_eal`].
#[allow(clippy::panic)]
pub fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var(INSIDE).as_deref() == Ok(name) {
        return body();
    }
    // EAL puts its runtime folder here, whoever we are; it goes with the test.
    let place = std::env::temp_dir().join(format!(
        "spptest-{}-{}",
        std::process::id(),
        name.replace(':', "-")
    ));
    let run = std::fs::create_dir_all(&place)
        .and_then(|()| std::env::current_exe())
        .and_then(|exe| {
            Command::new(exe)
                .args(["--exact", name, "--nocapture", "--test-threads=1"])
                .env(INSIDE, name)
                .env("RUNTIME_DIRECTORY", &place)
                .stdin(Stdio::null())
                .output()
        });
    let _ = std::fs::remove_dir_all(&place);
    match run {
        Ok(out) => {
            let text = String::from_utf8_lossy(&out.stdout);
            let ran = text.contains("1 passed");
            assert!(
                out.status.success() && ran,
                "{name} failed in its own process ({}):\n{text}\n{}",
                out.status,
                String::from_utf8_lossy(&out.stderr)
            );
        }
        Err(e) => panic!("cannot run {name} in a process of its own: {e}"),
    }
}
