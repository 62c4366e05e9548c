//! spp-mirror: a secondary whose components copy packets to further ports.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use protocol::reply::ProcessKind;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match process::components::run(ProcessKind::Mirror, &args) {
        Ok(()) => process::ended(),
        Err(e) => process::fail("spp-mirror", &e),
    }
}
