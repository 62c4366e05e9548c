//! What goes wrong with disks.

use std::fs;
use std::path::Path;
use std::process::Command;

use testbed::machine::TempDir;
use testbed::{proc, wait_until};

use crate::{LIMIT, capture, listing, packets, panel, report, send, wait_received};

/// A file system of so many kilobytes, gone with this.
pub struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    pub fn mount(at: &'a Path, kilobytes: u32) -> Self {
        let mut mount = Command::new("mount");
        let size = format!("size={kilobytes}k");
        mount.args(["-t", "tmpfs", "-o", &size, "none"]).arg(at);
        proc::run(&mut mount, LIMIT).success();
        SmallDisk(at)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // A test that has failed already says why; the folder stays then.
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_stops_the_capture_and_leaves_what_is_whole() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    for form in [
        "pcap --compress none",
        "pcap --compress lz4",
        "pcapng --compress zstd",
    ] {
        let out = TempDir::new();
        let disk = SmallDisk::mount(out.path(), 64);
        let mut pcap = capture(
            &panel,
            &format!(
                "-c ring:0 --out-dir {} --format {form}",
                out.path().display()
            ),
        );
        // Numbered frames do not compress to nothing.
        flood(&panel);
        wait_until("the capture to have stopped", LIMIT, || {
            !report(&panel).running
        });
        let told = report(&panel);
        let words = told.error.clone().expect("the error");
        assert!(words.contains("No space left on device"), "{words}");
        assert!(told.lost_error > 0 && told.waiting == 0, "{told:?}");
        assert_eq!(
            told.received,
            told.written + told.lost_full + told.lost_error,
            "{told:?}"
        );
        let patch = panel.patch(3, "ring:0").counters;
        assert_eq!(patch.drops.io_error, told.lost_error, "{form}");
        assert!(pcap.terminate(LIMIT).success(), "{}", pcap.output());
        assert!(
            pcap.output().contains("No space left on device"),
            "{}",
            pcap.output()
        );
        let files = listing(out.path());
        assert!(
            files
                .iter()
                .all(|f| !f.display().to_string().ends_with(".tmp")),
            "{files:?}"
        );
        let kept: usize = copied(&files).iter().sum();
        assert_eq!(kept as u64, told.written, "{form}");
        drop(disk);
        // What is left in the ring is for nobody.
        let mut rest = capture(
            &panel,
            &format!("-c ring:0 --out-dir {}", dir.path().display()),
        );
        wait_until("the ring to be empty", LIMIT, || panel.in_rings() == 0);
        assert!(rest.terminate(LIMIT).success());
    }
    panel.finish();
}

/// Sends into ring:0 until it is full for good, because nobody takes anything out any more.
fn flood(panel: &testbed::Panel) {
    let mut command = panel.command(Command::new(testbed::machine::bin("spp-traffic")));
    command.args(["--sec-id", "9", "--file-prefix", panel.prefix()]);
    command.args(
        "--tx ring:0 --count 20000 --rate 40000 --flows 1000 --size 600 --patience 1".split(' '),
    );
    let words = proc::run(&mut command, LIMIT).failure();
    assert!(words.contains("ended early"), "{words}");
}

/// Packets of each file; read elsewhere, for there is no room for anything beside them.
fn copied(files: &[std::path::PathBuf]) -> Vec<usize> {
    let room = TempDir::new();
    files
        .iter()
        .map(|file| {
            let name = file
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .to_string();
            let copy = room.join(&name);
            fs::copy(file, &copy).expect("copied");
            packets(&copy).len()
        })
        .collect()
}

#[test]
fn told_to_go_on_it_does_when_there_is_room_again() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let out = TempDir::new();
    let _disk = SmallDisk::mount(out.path(), 256);
    let ballast = out.join("ballast");
    fs::write(&ballast, vec![1; 200 * 1024]).expect("written");
    let mut pcap = capture(
        &panel,
        &format!(
            "-c ring:0 --out-dir {} --compress none --on-error continue",
            out.path().display()
        ),
    );
    send(&panel, "ring:0", 2_000, "--rate 20000 --size 100");
    let full = wait_received(&panel, 2_000);
    assert!(full.running && full.lost_error > 0, "{full:?}");
    fs::remove_file(&ballast).expect("removed");
    // The next attempt is made within a second or so.
    let mut sent = 2_000;
    wait_until("packets in a new file", LIMIT, || {
        send(&panel, "ring:0", 10, "--size 100");
        sent += 10;
        wait_received(&panel, sent).written > full.written + 10
    });
    panel.ok("pcap 3 stop");
    wait_until("the files to be complete", LIMIT, || {
        report(&panel).writers[0].file.is_empty()
    });
    let told = report(&panel);
    assert!(pcap.terminate(LIMIT).success());
    let files = listing(out.path());
    assert!(files.len() >= 2, "{files:?}");
    assert_eq!(
        copied(&files).iter().sum::<usize>() as u64,
        told.written,
        "{told:?}"
    );
    panel.finish();
}

#[test]
fn a_folder_that_is_taken_away_is_noticed_and_its_packets_counted_as_lost() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    for (action, goes_on) in [("stop", false), ("continue", true)] {
        let out = dir.join("out");
        fs::create_dir(&out).expect("made");
        let mut pcap = capture(
            &panel,
            &format!("-c ring:0 --out-dir {} --on-error {action}", out.display()),
        );
        send(&panel, "ring:0", 700, "");
        wait_received(&panel, 700);
        fs::remove_dir_all(&out).expect("removed");
        wait_until("the loss to be noticed", LIMIT, || {
            report(&panel).lost_error == 700
        });
        let told = report(&panel);
        assert!(
            told.error
                .clone()
                .is_some_and(|e| e.contains("was removed")),
            "{told:?}"
        );
        assert_eq!(told.written, 0, "{told:?}");
        if goes_on {
            fs::create_dir(&out).expect("made");
            let mut sent = 700;
            wait_until("packets in a new file", LIMIT, || {
                send(&panel, "ring:0", 10, "");
                sent += 10;
                wait_received(&panel, sent).written > 0
            });
        } else {
            wait_until("the capture to have stopped", LIMIT, || {
                !report(&panel).running
            });
        }
        let told = report(&panel);
        assert!(pcap.terminate(LIMIT).success(), "{}", pcap.output());
        let found: usize = match out.exists() {
            true => listing(&out).iter().map(|path| packets(path).len()).sum(),
            false => 0,
        };
        assert_eq!(found as u64, told.written);
        let _ = fs::remove_dir_all(&out);
    }
    panel.finish();
}

#[test]
fn a_folder_that_is_not_there_or_cannot_be_written_is_refused_at_once() {
    let dir = TempDir::new();
    let panel = panel(dir.path());
    let gone = dir.join("gone");
    let mut wrong = crate::command(
        &panel,
        3,
        &format!("-c ring:0 --out-dir {}", gone.display()),
    );
    let words = proc::run(&mut wrong, LIMIT).failure();
    assert!(words.contains("name a folder that is there"), "{words}");
    fs::create_dir(&gone).expect("made");
    let mut pcap = capture(
        &panel,
        &format!("-c ring:0 --idle --out-dir {}", gone.display()),
    );
    fs::remove_dir(&gone).expect("removed");
    let words = panel.refused("pcap 3 start");
    assert!(
        words.contains("cannot make") && words.contains("No such file"),
        "{words}"
    );
    fs::create_dir(&gone).expect("made");
    panel.ok("pcap 3 start");
    assert!(pcap.terminate(LIMIT).success());
    panel.finish();
}
