//! A virtual machine with a kernel of its own: QEMU without hardware acceleration, so that it
//! runs anywhere. Its NICs are vhost-user clients or servers, or a socket to another machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::equipment::Equipment;
use crate::initramfs::{initramfs, kernel, write_equipped};
use crate::machine::TempDir;
use crate::proc::Proc;
use crate::{machine, wait_until};

/// Booting takes about 3 s on an idle machine and much longer on a busy one.
const BOOT: Duration = Duration::from_secs(120);
/// For what a guest does in a moment.
const SOON: Duration = Duration::from_secs(60);

/// What a network interface of a guest is connected to.
#[derive(Debug, Clone)]
pub enum Nic {
    /// A vhost-user socket on which somebody else listens. QEMU connects again when it is lost.
    VhostClient(PathBuf),
    /// A vhost-user socket that QEMU makes; it boots before anybody has connected.
    VhostServer(PathBuf),
    /// A cable: QEMU listens on this TCP port of the loopback address for one other machine.
    Listen(u16),
    /// The cable's other end. Start the listening machine first.
    Connect(u16),
}

/// A running guest. Commands run over its serial console. Killed on drop.
pub struct Vm {
    proc: Proc,
    commands: u32,
    /// The root file system of an equipped guest.
    _folder: Option<TempDir>,
}

impl Vm {
    /// Boots a guest with these NICs (`eth0`, `eth1`, …; 256 MB, one CPU) and waits until it answers.
    ///
    /// # Panics
    /// If it does not within two minutes.
    #[track_caller]
    pub fn start(name: &str, nics: &[Nic]) -> Self {
        let mut vm = Self::launch(name, nics);
        vm.wait_boot();
        vm
    }

    /// As [`Vm::start`], but does not wait: several machines can boot at once. Call
    /// [`Vm::wait_boot`] before anything else.
    #[track_caller]
    pub fn launch(name: &str, nics: &[Nic]) -> Self {
        Self::launch_with(name, nics, &Equipment::default())
    }

    /// Boots a guest without NICs that has this equipment, and waits until it answers.
    ///
    /// # Panics
    /// If it does not within two minutes.
    #[track_caller]
    pub fn equipped(name: &str, equipment: &Equipment) -> Self {
        let mut vm = Self::launch_with(name, &[], equipment);
        vm.wait_boot();
        vm
    }

    #[track_caller]
    fn launch_with(name: &str, nics: &[Nic], equipment: &Equipment) -> Self {
        let plain = equipment.is_empty();
        let folder = (!plain).then(TempDir::new);
        let root = folder.as_ref().map_or_else(initramfs, |folder| {
            let path = folder.join("initramfs.cpio");
            write_equipped(&path, equipment);
            path
        });
        // DPDK's programs need instructions that qemu64 does not have.
        let (cpu, cpus, memory, boot) = match plain {
            true => ("qemu64", "1", "256M", ""),
            false => ("max", "2", "1G", " hugepages=128"),
        };
        let mut qemu = Command::new("qemu-system-x86_64");
        // qemu64 on the old chipset is the fastest without hardware acceleration.
        qemu.args([
            "-nodefaults",
            "-no-user-config",
            "-no-reboot",
            "-display",
            "none",
        ])
        .args([
            "-M", "pc", "-cpu", cpu, "-accel", "tcg", "-smp", cpus, "-m", memory,
        ])
        // A vhost-user backend maps the guest's memory: it has to be a shared file.
        .arg("-object")
        .arg(format!(
            "memory-backend-memfd,id=mem,size={memory},share=on"
        ))
        .args([
            "-numa",
            "node,memdev=mem",
            "-serial",
            "stdio",
            "-monitor",
            "none",
        ])
        .arg("-kernel")
        .arg(kernel())
        .arg("-initrd")
        .arg(root)
        .arg("-append")
        .arg(format!("console=ttyS0 quiet loglevel=1 panic=-1{boot}"));
        for (number, nic) in nics.iter().enumerate() {
            add_nic(&mut qemu, number, nic);
        }
        let proc = Proc::spawn(&format!("guest {name}"), &mut qemu);
        for nic in nics {
            if let Nic::Listen(port) = nic {
                wait_until("the guest's cable", SOON, || machine::is_listening(*port));
            }
        }
        Self {
            proc,
            commands: 0,
            _folder: folder,
        }
    }

    /// Waits until a guest from [`Vm::launch`] answers.
    ///
    /// # Panics
    /// If it does not within two minutes.
    #[track_caller]
    pub fn wait_boot(&mut self) {
        self.proc.wait_output("@@ready@@\n", BOOT);
    }

    /// Runs a shell command in the guest (busybox; one line of at most 4000 bytes; working folder and
    /// variables are not kept) and gives its exit status and output.
    ///
    /// # Panics
    /// If it does not end within `limit`.
    #[track_caller]
    pub fn run(&mut self, command: &str, limit: Duration) -> (i32, String) {
        assert!(
            command.len() <= 4000 && !command.contains('\n'),
            "the guest's console takes one line of 4000 bytes"
        );
        self.commands += 1;
        let from = self.proc.position();
        let number = self.commands;
        self.proc.send(&format!("{number} {command}"));
        let start = format!("\n@@{number} ");
        let output = self.proc.wait_output_from(from, &start, limit);
        let status = self
            .proc
            .wait_output_from(from + output.len() + start.len(), "@@\n", limit);
        match status.parse() {
            Ok(status) => (status, output),
            Err(_) => self
                .proc
                .fail(&format!("no exit status of {command:?}: {status:?}")),
        }
    }

    /// Runs a command that succeeds within a minute, and gives its output.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn sh(&mut self, command: &str) -> String {
        let (status, output) = self.run(command, SOON);
        assert_eq!(status, 0, "{command:?} in the guest: {output}");
        output
    }

    /// Gives `ethN` an address such as `10.0.0.1/24` and brings it up.
    #[track_caller]
    pub fn address(&mut self, nic: usize, address: &str) {
        self.sh(&format!(
            "ip addr add {address} dev eth{nic} && ip link set eth{nic} up"
        ));
    }

    /// Waits until this address answers pings. The first ones may get lost while links come up.
    ///
    /// # Panics
    /// If it does not within a minute.
    #[track_caller]
    pub fn wait_ping(&mut self, address: &str) {
        self.sh(&format!(
            "for i in $(seq 25); do ping -c 1 -W 1 {address} && exit 0; sleep 1; done; exit 1"
        ));
    }

    /// Receives a file over TCP on `port` until the sender closes; ask with [`Vm::sh`] when
    /// `path.done` exists.
    #[track_caller]
    pub fn receive_file(&mut self, port: u16, path: &str) {
        // An input that never ends: at its end nc would hang up, and the sender then stop halfway.
        self.sh(&format!(
            "rm -f {path}.in {path}.done; mkfifo {path}.in; \
             (nc -l -p {port} 0<>{path}.in >{path}; echo $? >{path}.done) &"
        ));
        // LISTEN is state 0A; the local port stands in hexadecimal.
        self.sh(&format!(
            "until grep -q ':{port:04X} .* 0A ' /proc/net/tcp*; do usleep 50000; done"
        ));
    }

    /// Sends a file to who called [`Vm::receive_file`].
    #[track_caller]
    pub fn send_file(&mut self, address: &str, port: u16, path: &str) {
        self.sh(&format!("nc {address} {port} <{path}"));
    }

    /// The process that is the machine.
    pub fn proc(&mut self) -> &mut Proc {
        &mut self.proc
    }
}

fn add_nic(qemu: &mut Command, number: usize, nic: &Nic) {
    static COUNTER: AtomicU32 = AtomicU32::new(1);
    let socket = |path: &Path, rest: &str| {
        assert!(
            path.as_os_str().len() < 108,
            "too long for a socket: {}",
            path.display()
        );
        // A comma separates options; a doubled one is itself.
        let path = path.display().to_string().replace(',', ",,");
        format!("socket,id=c{number},path={path},{rest}")
    };
    let vhost = format!("vhost-user,id=n{number},chardev=c{number}");
    let netdev = match nic {
        Nic::VhostClient(path) => {
            qemu.arg("-chardev").arg(socket(path, "reconnect=1"));
            vhost
        }
        Nic::VhostServer(path) => {
            qemu.arg("-chardev").arg(socket(path, "server=on,wait=off"));
            vhost
        }
        Nic::Listen(port) => format!("socket,id=n{number},listen=127.0.0.1:{port}"),
        Nic::Connect(port) => format!("socket,id=n{number},connect=127.0.0.1:{port}"),
    };
    let mac = COUNTER.fetch_add(1, Ordering::Relaxed);
    // vectors=0: QEMU 7.2 crashes without it when the guest's driver starts under TCG.
    // romfile: no boot from the network.
    qemu.args(["-netdev", &netdev, "-device"]).arg(format!(
        "virtio-net-pci,netdev=n{number},romfile=,vectors=0,mac=52:54:00:00:{:02x}:{:02x}",
        (mac >> 8) & 0xff,
        mac & 0xff
    ));
}
