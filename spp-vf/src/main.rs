//! spp-vf: a secondary with components: forwarders, mergers and classifiers.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use protocol::reply::ProcessKind;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match process::components::run(ProcessKind::Vf, &args) {
        Ok(()) => process::ended(),
        Err(e) => process::fail("spp-vf", &e),
    }
}
