//! The operator's command and a controller that is not open to everybody, made as the documentation says.

#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use testbed::machine::{self, TempDir};
use testbed::proc::{self, Finished, Proc};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs the commands of the documentation that make a token and a certificate.
fn make_files(folder: &Path) {
    let text = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/security.md");
    let text = std::fs::read_to_string(text).expect("the documentation");
    let (_, rest) = text.split_once("    umask 077;").expect("the commands");
    let (commands, _) = rest.split_once("    spp-ctl ").expect("their end");
    let script = format!("umask 077;{commands}")
        .replace("/etc/spp/", "")
        .replace("panel.example", "localhost")
        .replace("192.0.2.10", "127.0.0.1");
    let mut command = Command::new("sh");
    command.args(["-ec", &script]).current_dir(folder);
    proc::run(&mut command, LIMIT).success();
}

#[test]
fn the_operator_s_command_has_the_token_and_believes_the_certificate() {
    let folder = TempDir::new();
    make_files(folder.path());
    let file = |name: &str| folder.join(name).to_str().expect("text").to_owned();
    let mut command = Command::new(machine::bin("spp-ctl"));
    command.args(["-p", "0", "-s", "0", "-a", "0"]);
    command.args(["--token-file", &file("token")]);
    command.args([
        "--tls-cert",
        &file("cert.pem"),
        "--tls-key",
        &file("key.pem"),
    ]);
    let mut controller = Proc::spawn("spp-ctl", &mut command);
    let port = controller.wait_rest_of_line("REST 127.0.0.1:", LIMIT);
    let spp = |host: &str, options: &[&str], words: &[&str]| -> Finished {
        let mut command = Command::new(machine::bin("spp"));
        command
            .env_remove("SPP_TOKEN_FILE")
            .env_remove("SPP_TLS_CA");
        command
            .args(["-b", &format!("{host}:{port}")])
            .args(options)
            .args(words);
        proc::run(&mut command, LIMIT)
    };
    let (token, ca) = (file("token"), file("cert.pem"));
    let both = ["--token-file", token.as_str(), "--tls-ca", ca.as_str()];
    for host in ["localhost", "127.0.0.1"] {
        let said = spp(host, &both, &["status"]).success();
        assert!(said.contains("status: not running"), "{said}");
    }
    let said = spp("localhost", &both[..2], &["status"]).failure();
    assert!(said.contains("speaks TLS on this port"), "{said}");
    let said = spp("localhost", &both[2..], &["status"]).failure();
    assert!(said.contains("wants a token"), "{said}");
    std::fs::write(file("token"), "another-token-than-that-one").expect("a token");
    let said = spp("localhost", &both, &["status"]).failure();
    assert!(said.contains("the token is wrong"), "{said}");
    let said = spp("localhost", &["--tls-ca", &token], &["status"]).failure();
    assert!(said.contains("there is no certificate in it"), "{said}");
    // One that somebody else signed.
    make_files(folder.path());
    let finished = spp("localhost", &both, &["status"]);
    assert_eq!(finished.status.code(), Some(3), "{}", finished.output);
    assert!(controller.terminate(LIMIT).success());
}
