//! The operator's command of SPP.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    spp_shell::main()
}
