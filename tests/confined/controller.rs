//! The controller, which takes requests from the network.

use std::process::Command;

use nix::errno::Errno;
use nix::libc;
use testbed::Proc;
use testbed::machine::{self, TempDir};

use crate::inject::{call, text};
use crate::{LIMIT, of_threads};

fn start(state: &TempDir, options: &[&str]) -> Proc {
    let mut command = Command::new(machine::bin("spp-ctl"));
    command
        .args(["-p", "0", "-s", "0", "-a", "0", "--state-dir"])
        .arg(state.path())
        .args(options);
    let mut controller = Proc::spawn("spp-ctl", &mut command);
    controller.wait_output("listening: ", LIMIT);
    controller.wait_output("desired state: ", LIMIT);
    controller
}

#[test]
fn it_runs_nothing_connects_nowhere_and_has_only_its_files() {
    let (state, elsewhere) = (TempDir::new(), TempDir::new());
    let mut controller = start(&state, &[]);
    let pid = controller.pid();
    for (name, wanted) in [
        ("Seccomp", "2"),
        ("NoNewPrivs", "1"),
        ("CapEff", "0000000000000000"),
    ] {
        for thread in of_threads(pid, name) {
            assert_eq!(thread, wanted, "{name}");
        }
    }
    let stream = [libc::AF_INET as u64, libc::SOCK_STREAM as u64, 0, 0, 0, 0];
    for (name, number, arguments) in [
        ("exec", libc::SYS_execve, [text(0), 0, 0, 0, 0, 0]),
        ("fork", libc::SYS_fork, [0; 6]),
        ("socket", libc::SYS_socket, stream),
        ("connect", libc::SYS_connect, [0; 6]),
        ("bind", libc::SYS_bind, [0; 6]),
        ("listen", libc::SYS_listen, [0; 6]),
        ("ptrace", libc::SYS_ptrace, [0; 6]),
        ("kill", libc::SYS_kill, [1, 0, 0, 0, 0, 0]),
    ] {
        assert_eq!(
            call(pid, number, arguments, &["/bin/true"]),
            Err(Errno::EPERM),
            "{name}"
        );
    }
    if !controller.output().contains("this kernel has no Landlock") {
        let open = |path: &str, flags: i32| {
            let arguments = [libc::AT_FDCWD as u64, text(0), flags as u64, 0o600, 0, 0];
            call(pid, libc::SYS_openat, arguments, &[path])
        };
        assert_eq!(open("/etc/passwd", libc::O_RDONLY), Err(Errno::EACCES));
        let outside = elsewhere.join("made");
        let outside = outside.to_str().expect("text");
        let make = libc::O_CREAT | libc::O_WRONLY;
        assert_eq!(open(outside, make), Err(Errno::EACCES));
        let inside = state.join("made");
        let fd = open(
            inside.to_str().expect("text"),
            libc::O_CREAT | libc::O_WRONLY,
        )
        .expect("in its folder");
        call(pid, libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0], &[]).expect("closed");
    } else {
        println!("skipped in part: this kernel has no Landlock");
    }
    assert!(controller.terminate(LIMIT).success());
}

#[test]
fn its_confinement_can_be_turned_off_which_is_said() {
    let state = TempDir::new();
    let mut controller = start(&state, &["--no-confine"]);
    assert!(controller.output().contains("not confined (--no-confine)"));
    assert_eq!(crate::status(controller.pid(), "Seccomp"), "0");
    assert!(controller.terminate(LIMIT).success());
}
