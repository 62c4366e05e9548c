//! Tells the command which commit and which DPDK it was built from, for `spp --version`.
//! Neither git nor pkg-config has to be there: what cannot be found out is `unknown`.

use std::path::Path;
use std::process::Command;

fn main() {
    let commit = output("git", &["rev-parse", "--short", "HEAD"]);
    let dpdk = output("pkg-config", &["--modversion", "libdpdk"]);
    println!(
        "cargo::rustc-env=SPP_GIT_COMMIT={}",
        commit.as_deref().unwrap_or("unknown")
    );
    println!(
        "cargo::rustc-env=SPP_DPDK_VERSION={}",
        dpdk.as_deref().unwrap_or("unknown")
    );

    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PKG_CONFIG_PATH");
    // The log of HEAD grows with every commit and checkout, packed references or not. A path
    // that does not exist would make cargo run this every time, so only one that does is named.
    for name in ["logs/HEAD", "HEAD"] {
        let path = output("git", &["rev-parse", "--git-path", name]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
            break;
        }
    }
}

/// First line that a program prints, if it can be run, succeeds and prints one.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim().to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}
