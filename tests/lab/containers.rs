//! Nodes that are containers: they come and go with their network, however that ends.

use std::process::Command;
use std::time::{Duration, Instant};

use testbed::{Proc, machine, proc, wait_until};

use crate::engine::{docker, engine_with};
use crate::network::{LIMIT, Place};

/// How many moments of a kill.
const ROUNDS: u32 = 4;

/// A host of this machine and one in a container; `EXTRA` is said of that.
const TWO: &str = "hosts:
  h1: 10.0.0.1/24
  box: {image: IMAGE, address: [10.0.0.2/24, 'fd00::2/64'], EXTRA}
links: [[h1, box]]
";

/// Says whether the test can go on: without an engine it is skipped, by name.
pub fn engine(test: &str) -> bool {
    engine_with(test, &[("dpdk", &[])])
}

/// An app between two interfaces of a host.
const APP: &str = "hosts: {h1: 10.0.0.1/24}
nodes: {d1: {app: l2fwd, options: OPTIONS}}
links: [[h1, d1], [d1, h1]]
";

fn two(place: &Place, image: &str, extra: &str) -> String {
    place.file(&TWO.replace("IMAGE", image).replace("EXTRA", extra))
}

/// The label of containers of a test's network.
fn label(place: &Place) -> String {
    format!("spp.lab={}", place.path(&format!("state/{}", place.name)))
}

/// Containers of a test's network that run, or that the engine still knows of.
fn containers(place: &Place, which: &[&str]) -> Vec<String> {
    let label = format!("label={}", label(place));
    let words = [&["ps", "--quiet", "--filter", &label], which].concat();
    let text = docker(&words).success();
    text.lines().map(str::to_owned).collect()
}

#[track_caller]
fn nothing_left(place: &Place) {
    assert_eq!(containers(place, &["--all"]), Vec::<String>::new());
    assert_eq!(place.left(), Vec::<String>::new());
    place.wait_gone(&place.name);
}

#[test]
fn programs_run_in_the_container_and_its_network_is_the_nodes() {
    if !engine("programs_run_in_the_container_and_its_network_is_the_nodes") {
        return;
    }
    let place = Place::new();
    let extra = "run: 'cp /etc/spp-image /tmp/copy', start: sleep 1234";
    let file = two(&place, "dpdk", extra);
    place.up(&file, &[]).success();
    place.lab(&["pingall"]).success();
    // What was run before has the files of the image, and so has what comes later.
    let text = place.lab(&["exec", "box", "cat", "/tmp/copy"]).success();
    assert!(text.starts_with("dpdk "), "{text}");
    let text = place
        .lab(&["exec", "box", "cat", "/proc/net/if_inet6"])
        .success();
    assert!(text.contains("fd000000000000000000000000000002"), "{text}");
    let text = place.lab(&["exec", "box", "nowhere"]).failure();
    assert!(text.contains("no program 'nowhere' in container"), "{text}");
    let text = place.lab(&["ps"]).success();
    assert!(text.contains("sleep 1234"), "{text}");
    assert!(!text.contains("spp-entry"), "{text}");
    let text = place.lab(&["graph"]).success();
    assert!(text.contains("box (host of image dpdk)"), "{text}");
    place.lab(&["down"]).success();
    nothing_left(&place);
}

#[test]
fn an_image_runs_its_own_program_and_whoever_ends_is_seen() {
    if !engine("an_image_runs_its_own_program_and_whoever_ends_is_seen") {
        return;
    }
    let place = Place::new();
    let image = Image::new("USER 65534:65534\nENTRYPOINT [\"sleep\"]\nCMD [\"4321\"]");
    let file = two(&place, &image.0, "run: []");
    place.up(&file, &[]).success();
    let text = place.lab(&["ps"]).success();
    assert!(text.contains("sleep 4321"), "{text}");
    let running = containers(&place, &[]);
    assert_eq!(running.len(), 1);
    docker(&["kill", &running[0]]).success();
    wait_until("the end to be seen", LIMIT, || {
        place.lab(&["ps"]).success().contains("has ended")
    });
    let text = place.lab(&["exec", "box", "true"]).failure();
    assert!(text.contains("spp container logs spp-lab-"), "{text}");
    place.lab(&["down"]).success();
    nothing_left(&place);
}

#[test]
fn what_cannot_come_up_is_named_and_undone() {
    if !engine("what_cannot_come_up_is_named_and_undone") {
        return;
    }
    let place = Place::new();
    let failing = Image::new("CMD [\"sh\", \"-c\", \"echo the last words; exit 3\"]");
    let ending = Image::new("CMD [\"true\"]");
    for (image, extra, parts) in [
        (
            "spptest/nowhere:1",
            "run: []",
            ["image spptest/nowhere:1 is not there", "docker pull"],
        ),
        (&failing.0, "run: []", ["exit status 3", "the last words"]),
        (
            &ending.0,
            "run: []",
            ["ended at once", "start: sleep infinity"],
        ),
        (
            "dpdk",
            "run: 'echo some words; exit 4'",
            ["on box ended with exit status 4", "some words"],
        ),
    ] {
        let text = place.up(&two(&place, image, extra), &[]).failure();
        for part in parts {
            assert!(text.contains(part), "{text} lacks {part}");
        }
        nothing_left(&place);
    }
    for (options, parts) in [
        (
            "-p 0x3 -ci sppc/nowhere:1",
            [
                "image sppc/nowhere:1 is not there",
                "spp container build -t dpdk",
            ],
        ),
        (
            "-p 0x3 -- --nonsense",
            ["ended at its start with exit status", "--nonsense"],
        ),
    ] {
        let text = place
            .up(&place.file(&APP.replace("OPTIONS", options)), &[])
            .failure();
        for part in parts {
            assert!(text.contains(part), "{text} lacks {part}");
        }
        nothing_left(&place);
    }
}

#[test]
fn clean_removes_containers_of_networks_that_nobody_remembers() {
    if !engine("clean_removes_containers_of_networks_that_nobody_remembers") {
        return;
    }
    let (place, other) = (Place::new(), Place::new());
    let image = crate::engine::image_name("dpdk");
    for place in [&place, &other] {
        let label = label(place);
        docker(&["create", "--label", &label, &image, "true"]).success();
    }
    let text = place.lab(&["clean"]).success();
    assert!(text.contains(&place.name), "{text}");
    nothing_left(&place);
    // That of networks of another folder stays.
    assert_eq!(containers(&other, &["--all"]).len(), 1);
    other.lab(&["clean"]).success();
    nothing_left(&other);
}

#[test]
fn without_an_engine_it_says_so() {
    let place = Place::new();
    let file = two(&place, "dpdk", "run: []");
    let mut command = place.command(&["up", &file, "--name", &place.name]);
    command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let text = proc::run(&mut command, LIMIT).failure();
    assert!(
        text.contains("no container engine answers at unix:///nowhere"),
        "{text}"
    );
    assert_eq!(place.left(), Vec::<String>::new());
}

#[test]
fn a_container_does_not_outlive_who_keeps_its_network() {
    if !engine("a_container_does_not_outlive_who_keeps_its_network") {
        return;
    }
    let place = Place::new();
    let file = two(&place, "dpdk", "start: sleep 1234");
    let begin = Instant::now();
    place.up(&file, &[]).success();
    let took = begin.elapsed();
    keeper_killed(&place);
    // What is left of it is in nobody's way.
    place.up(&file, &[]).success();
    keeper_killed(&place);
    place.lab(&["clean"]).success();
    nothing_left(&place);
    for round in 0..ROUNDS {
        killed(&place, &file, took * round / ROUNDS);
    }
}

/// Kills who keeps the network, and waits for its container to end.
#[track_caller]
fn keeper_killed(place: &Place) {
    let keepers = Place::keepers(&place.name);
    assert_eq!((keepers.len(), containers(place, &["--all"]).len()), (1, 1));
    sys::signal::kill(keepers[0]).expect("the keeper is killed");
    wait_until("the container to end", LIMIT, || {
        containers(place, &[]).is_empty()
    });
}

/// Kills who brings a network up after a time.
#[track_caller]
fn killed(place: &Place, file: &str, after: Duration) {
    let mut up = Proc::spawn(
        "up",
        &mut place.command(&["up", file, "--name", &place.name]),
    );
    // The moment is what is tried here, not what is waited for.
    std::thread::sleep(after);
    up.kill();
    // The last round may be too late.
    if !place.lab(&["down"]).status.success() {
        // What the engine was asked for it does, although nobody hears the answer.
        wait_until("the containers to end and be removed", LIMIT, || {
            place.lab(&["clean"]).success();
            containers(place, &["--all"]).is_empty() && place.left().is_empty()
        });
    }
    nothing_left(place);
}

#[test]
fn a_container_goes_with_what_holds_its_network() {
    if !engine("a_container_goes_with_what_holds_its_network") {
        return;
    }
    let name = machine::unique("l");
    let network = lab::Lab::new()
        .name(&name)
        .host("box")
        .image("dpdk")
        .start("sleep 1234")
        .up()
        .expect("the network comes up");
    // Nobody waits for it, and it does not hold the network up.
    let mut program = Command::new("sleep");
    let child = network.spawn("box", program.arg("1234")).expect("a child");
    let pid = child.id();
    drop(network);
    assert!(!sys::proc::is_alive(pid));
    drop(child);
    let filter = format!("name=spp-lab-{name}");
    let left = docker(&["ps", "--all", "--quiet", "--filter", &filter]).success();
    assert_eq!(left, "");
}

#[test]
fn interrupted_it_leaves_no_container() {
    if !engine("interrupted_it_leaves_no_container") {
        return;
    }
    let place = Place::new();
    let file = two(&place, "dpdk", "run: sleep 50");
    let mut up = Proc::spawn(
        "up",
        &mut place.command(&["up", &file, "--name", &place.name]),
    );
    wait_until("the network to be kept", LIMIT, || {
        !Place::keepers(&place.name).is_empty()
    });
    let status = up.interrupt(LIMIT);
    assert_eq!(status.code(), Some(1), "{}", up.output());
    assert!(up.output().contains("interrupted"), "{}", up.output());
    nothing_left(&place);
}

/// An image that is gone when the test is.
struct Image(String);

impl Image {
    /// The image of DPDK with these lines.
    fn new(lines: &str) -> Self {
        let folder = machine::TempDir::new();
        let base = crate::engine::image_name("dpdk");
        let text = format!("FROM {base}\n{lines}\n");
        std::fs::write(folder.join("Dockerfile"), text).expect("a file");
        let name = format!("spptest/{}:1", machine::unique("lab"));
        docker(&[
            "build",
            "-q",
            "-t",
            &name,
            &folder.path().display().to_string(),
        ])
        .success();
        Self(name)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&["rmi", "--force", &self.0]);
    }
}
