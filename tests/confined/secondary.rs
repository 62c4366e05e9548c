//! Processes that read what guests write.

use nix::errno::Errno;
use nix::libc;
use testbed::machine::TempDir;
use testbed::{Panel, wait_until};

use crate::inject::{call, text};
use crate::{LIMIT, of_threads, status};

fn two() -> testbed::panel::Builder {
    Panel::builder().memory(160)
}

/// Calls that are refused, with their arguments.
fn refused() -> Vec<(&'static str, i64, [u64; 6])> {
    let socket = |domain: i32, kind: i32, protocol: i32| {
        let mut args = [0; 6];
        args[..3].copy_from_slice(&[domain as u64, kind as u64, protocol as u64]);
        args
    };
    let clone = |flags: i32| [flags as u32 as u64, 0, 0, 0, 0, 0];
    let code = (libc::PROT_READ | libc::PROT_EXEC) as u64;
    let private = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64;
    vec![
        ("exec", libc::SYS_execve, [text(0), 0, 0, 0, 0, 0]),
        ("fork", libc::SYS_fork, [0; 6]),
        ("a process", libc::SYS_clone, clone(libc::SIGCHLD)),
        (
            "a network",
            libc::SYS_clone,
            clone(libc::CLONE_NEWNET | libc::SIGCHLD),
        ),
        (
            "packets",
            libc::SYS_socket,
            socket(libc::AF_PACKET, libc::SOCK_RAW, 0),
        ),
        (
            "raw",
            libc::SYS_socket,
            socket(libc::AF_INET, libc::SOCK_RAW, 1),
        ),
        (
            "UDP",
            libc::SYS_socket,
            socket(libc::AF_INET, libc::SOCK_DGRAM, 0),
        ),
        (
            "UDP of IPv6",
            libc::SYS_socket,
            socket(libc::AF_INET6, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0),
        ),
        (
            "SCTP",
            libc::SYS_socket,
            socket(libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_SCTP),
        ),
        (
            "netlink",
            libc::SYS_socket,
            socket(libc::AF_NETLINK, libc::SOCK_RAW, 0),
        ),
        (
            "vsock",
            libc::SYS_socket,
            socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        ),
        ("ptrace", libc::SYS_ptrace, [0; 6]),
        ("mount", libc::SYS_mount, [text(0), text(0), 0, 0, 0, 0]),
        ("unshare", libc::SYS_unshare, [0; 6]),
        ("setns", libc::SYS_setns, [0; 6]),
        ("bpf", libc::SYS_bpf, [0; 6]),
        ("modules", libc::SYS_init_module, [0; 6]),
        ("keys", libc::SYS_keyctl, [0; 6]),
        ("userfaultfd", libc::SYS_userfaultfd, [0; 6]),
        ("perf", libc::SYS_perf_event_open, [0; 6]),
        (
            "memory of others",
            libc::SYS_process_vm_writev,
            [1, 0, 0, 0, 0, 0],
        ),
        (
            "io_uring",
            libc::SYS_io_uring_setup,
            [1, text(0), 0, 0, 0, 0],
        ),
        ("kill", libc::SYS_kill, [1, 0, 0, 0, 0, 0]),
        (
            "kill a thread of others",
            libc::SYS_tgkill,
            [1, 1, 0, 0, 0, 0],
        ),
        ("other users", libc::SYS_setuid, [0; 6]),
        (
            "code",
            libc::SYS_mmap,
            [0, 4096, code, private, u64::MAX, 0],
        ),
    ]
}

#[test]
fn processes_that_read_guests_input_have_no_way_to_programs_networks_and_the_kernel() {
    let mut panel = two().nfv(1).vf(2).mirror(3).start();
    for id in 1..=3 {
        let pid = panel.nfv(id).pid();
        for (name, wanted) in [
            ("Seccomp", "2"),
            ("NoNewPrivs", "1"),
            ("CapEff", "0000000000000000"),
            ("CapPrm", "0000000000000000"),
            ("CapBnd", "0000000000000000"),
        ] {
            for thread in of_threads(pid, name) {
                assert_eq!(thread, wanted, "{name} of {id}");
            }
        }
        for (name, number, arguments) in refused() {
            assert_eq!(
                call(pid, number, arguments, &["/bin/true"]),
                Err(Errno::EPERM),
                "{id}: {name}"
            );
        }
        // What is in no list.
        assert_eq!(call(pid, libc::SYS_uselib, [0; 6], &[]), Err(Errno::ENOSYS));
        assert_eq!(call(pid, libc::SYS_clone3, [0; 6], &[]), Err(Errno::ENOSYS));
        // What it needs is there.
        let (unix, stream) = (libc::AF_UNIX as u64, libc::SOCK_STREAM as u64);
        for domain in [unix, libc::AF_INET as u64] {
            let socket = [domain, stream | libc::SOCK_CLOEXEC as u64, 0, 0, 0, 0];
            let fd = call(pid, libc::SYS_socket, socket, &[]).expect("a socket");
            call(pid, libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0], &[]).expect("closed");
        }
    }
    // And they work as before.
    for line in [
        "nfv 1 add vhost:1",
        "nfv 1 add memif:1",
        "nfv 1 add nullpmd:0",
        "nfv 1 patch nullpmd:0 ring:0",
    ] {
        panel.ok(line);
    }
    wait_until("packets", LIMIT, || panel.in_rings() > 1_000);
    panel.ok("nfv 1 del vhost:1");
    panel.ok("nfv 1 del memif:1");
    panel.finish();
}

#[test]
fn files_outside_the_panel_cannot_be_written() {
    let (captures, elsewhere) = (TempDir::new(), TempDir::new());
    let dir = captures.path().to_str().expect("text").to_owned();
    let mut panel = two().nfv_args(1, ["--pcap-dir", &dir]).start();
    if panel
        .nfv(1)
        .output()
        .contains("this kernel has no Landlock")
    {
        println!("skipped: this kernel has no Landlock");
        return;
    }
    let pid = panel.nfv(1).pid();
    let open = |path: &str, flags: i32| {
        let arguments = [libc::AT_FDCWD as u64, text(0), flags as u64, 0o600, 0, 0];
        let fd = call(pid, libc::SYS_openat, arguments, &[path])?;
        call(pid, libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0], &[])
    };
    let make = libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC;
    let outside = elsewhere.join("made");
    let outside = outside.to_str().expect("text");
    assert_eq!(open(outside, make), Err(Errno::EACCES));
    assert_eq!(open("/etc/passwd", libc::O_WRONLY), Err(Errno::EACCES));
    assert_eq!(open("/proc/self/comm", libc::O_WRONLY), Err(Errno::EACCES));
    open("/etc/passwd", libc::O_RDONLY).expect("reading is allowed");
    let inside = panel.vhost_dir().join("made");
    open(inside.to_str().expect("text"), make).expect("where sockets are made");
    std::fs::remove_file(inside).expect("it is there");
    panel.finish();
}

#[test]
fn a_capture_is_confined_and_writes_where_it_was_told() {
    let panel = two().nfv(1).start();
    panel.ok("nfv 1 add nullpmd:0");
    panel.ok("nfv 1 patch nullpmd:0 ring:0");
    let folder = TempDir::new();
    let mut command = panel.command(std::process::Command::new(testbed::machine::bin(
        "spp-pcap",
    )));
    command.args([
        "--sec-id",
        "2",
        "--file-prefix",
        panel.prefix(),
        "-c",
        "ring:0",
        "--out-dir",
    ]);
    command.arg(folder.path());
    let mut pcap = testbed::Proc::spawn("spp-pcap 2", &mut command);
    wait_until("a capture", LIMIT, || {
        let files = std::fs::read_dir(folder.path())
            .expect("the folder")
            .flatten();
        files
            .into_iter()
            .any(|f| f.metadata().is_ok_and(|m| m.len() > 10_000))
    });
    // It captures before all that needs more is done.
    let confined = |name: &str, wanted: &str| {
        let threads = of_threads(pcap.pid(), name);
        threads.into_iter().all(|thread| thread == wanted)
    };
    wait_until("its confinement", LIMIT, || confined("Seccomp", "2"));
    assert!(confined("CapEff", "0000000000000000"));
    assert!(pcap.terminate(LIMIT).success());
    panel.finish();
}

#[test]
fn a_device_that_every_process_opens_keeps_its_capability() {
    let mut panel = two()
        .primary_args(["--vdev", "net_pcap0,iface=lo"])
        .nfv(1)
        .start();
    assert_eq!(status(panel.nfv(1).pid(), "CapEff"), "0000000000002000");
    panel.finish();
}

#[test]
fn it_comes_back_to_a_controller_that_was_killed() {
    let mut panel = two().nfv(1).start();
    let name = "spp-ctl";
    let ours = testbed::proc::marked(panel.prefix());
    let controller = ours
        .into_iter()
        .find(|pid| status(*pid, "Name") == name)
        .expect("a controller");
    assert!(
        std::process::Command::new("kill")
            .args(["-9", &controller.to_string()])
            .status()
            .expect("kill")
            .success()
    );
    wait_until("a controller that lists the process", LIMIT, || {
        let all = testbed::proc::marked(panel.prefix());
        let new = all.into_iter().find(|pid| status(*pid, "Name") == name);
        new.is_some_and(|pid| pid != controller)
            && panel.spp(&["nfv", "1", "status"]).status.success()
    });
    assert_eq!(status(panel.nfv(1).pid(), "Seccomp"), "2");
    panel.finish();
}

#[test]
fn confinement_can_be_turned_off_which_is_said() {
    let mut panel = two().nfv_args(1, ["--no-confine"]).start();
    let pid = panel.nfv(1).pid();
    assert!(
        panel
            .nfv(1)
            .output()
            .contains("not confined (--no-confine)")
    );
    assert_eq!(status(pid, "Seccomp"), "0");
    assert_eq!(status(pid, "CapEff"), status(std::process::id(), "CapEff"));
    panel.finish();
}

#[test]
fn a_controller_by_its_name_costs_the_sockets_that_look_it_up() {
    let panel = two().start();
    let mut command = panel.nfv_command(1);
    let port = panel.control()[1].port();
    command.args(["--ctl", &format!("localhost:{port}")]);
    let mut nfv = testbed::Proc::spawn("spp-nfv 1", &mut command);
    nfv.wait_output("connected to the controller", LIMIT);
    let udp = [libc::AF_INET as u64, libc::SOCK_DGRAM as u64, 0, 0, 0, 0];
    let fd = call(nfv.pid(), libc::SYS_socket, udp, &[]).expect("UDP, to ask name servers");
    call(nfv.pid(), libc::SYS_close, [fd as u64, 0, 0, 0, 0, 0], &[]).expect("closed");
    let raw = [libc::AF_INET as u64, libc::SOCK_RAW as u64, 1, 0, 0, 0];
    assert_eq!(
        call(nfv.pid(), libc::SYS_socket, raw, &[]),
        Err(Errno::EPERM)
    );
    assert!(nfv.terminate(LIMIT).success());
    panel.finish();
}

#[test]
fn a_tap_device_is_added_to_a_process_without_capabilities() {
    let mut panel = two().nfv(1).start();
    panel.ok("nfv 1 add tap:7");
    assert_eq!(status(panel.nfv(1).pid(), "CapEff"), "0000000000000000");
    // Of the primary: what devices need, and what cleaning up does.
    let kept = u64::from_str_radix(&status(panel.primary().pid(), "CapEff"), 16).expect("a set");
    let (admin, module, ptrace, sys_admin) = (1 << 12, 1 << 16, 1 << 19, 1 << 21);
    assert_eq!(
        kept & (admin | module | ptrace | sys_admin),
        admin,
        "{kept:x}"
    );
    panel.ok("nfv 1 del tap:7");
    panel.finish();
}
