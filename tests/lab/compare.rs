//! `spp lab save` and `spp lab diff`.

use std::path::{Path, PathBuf};

use lab::{File, Plan};

use crate::capture::TWO;
use crate::network::Place;

fn plan(path: &Path) -> Plan {
    Plan::of(&File::read(path).expect("a right file").file)
}

/// Of everything that a file can say of a network something.
const ALL: &str = "
name: everything
hosts:
  h1: {address: [10.0.1.2/24, 'fd00:1::2/64'], gateway: ['fd00:1::1', 10.0.1.1], run: ['true', 'echo a: b'], start: sleep 1000}
  h2: {loopback: [192.0.2.1/32], anycast: true, routes: [{to: 10.0.0.0/8, via: 10.0.2.1}, {to: default, via: 10.0.2.1}]}
  h3: {address: 10.0.4.2/24, loopback: 192.0.2.1/32, anycast: true}
  alone: {}
  box: {image: 'debian:12', run: 'true'}
switches: {s1: {}, s2: {stp: true}, s3: {stp: true}}
routers: {r1: {routes: [{to: 192.0.2.1/32, via: 10.0.2.2}]}}
nodes: {d1: {command: 'dpdk-testpmd {eal} -- --forward-mode=io', lcores: 0-1, memory: 256, driver: af_xdp, ready: 'Press: enter'}, d2: {app: testpmd, options: '--forward-mode io'}}
spp: {p1: {memory: 512, rings: 4, processes: {nfv:1: {forward: true, patches: [{src: tap:0, dst: ring:0, with: {delay: 1ms}}]}, vf:2: {}}}}
links:
  - [h1, s1]
  - [s1, {node: r1, address: [10.0.1.1/24, 'fd00:1::1/64']}]
  - {link: [{node: r1, address: 10.0.2.1/24, mac: '02:00:00:00:00:09'}, {node: h2, interface: up, address: 10.0.2.2/24}], mtu: 1400}
  - {link: [s2, s3], delay: 1.5ms, jitter: 50us, loss: 0.1%, rate: 1Mbit/s, reorder: 5%, duplicate: 1%, corrupt: 2%, queue: 100, seed: 7}
  - {link: [s3, s2], delay: 1ms, via: netem}
  - [s2, {node: d1, driver: tap}]
  - [d1, p1]
  - [h3, {node: r1, address: 10.0.4.1/24}]
";

#[test]
fn what_is_saved_gives_an_equal_plan() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/lab");
    let files = std::fs::read_dir(folder).expect("examples").flatten();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    assert!(files.len() >= 4, "{files:?}");
    files.push(place.file(ALL).into());
    for path in files {
        let plan = plan(&path);
        let text = serde_norway::to_string(&lab::save::document(&plan)).expect("YAML");
        // The name is in it: that of the file does not matter.
        let saved = File::parse(&text, "saved", Some("other"));
        let saved = saved.unwrap_or_else(|error| panic!("{}: {error}\n{text}", path.display()));
        assert_eq!(Plan::of(&saved.file), plan, "{}:\n{text}", path.display());
    }
}

#[test]
fn a_network_that_is_up_is_saved_and_brought_up_again() {
    let place = Place::new();
    let file = place.file(TWO);
    place.up(&file, &[]).success();
    let saved = place.path("saved.yaml");
    place.lab(&["save", "-o", &saved]).success();
    let text = place.lab(&["save", &place.name]).success();
    assert_eq!(text, std::fs::read_to_string(&saved).expect("the file"));
    assert_eq!(place.lab(&["diff", &saved]).success(), "");
    // The file has no name of the network: that does not matter.
    assert_eq!(place.lab(&["diff", &file, &place.name]).success(), "");
    place.lab(&["down"]).success();
    place.lab(&["up", &saved]).success();
    place
        .lab(&["ping", "h1", "h2", "-c", "1", "-n", &place.name])
        .success();
}

#[test]
fn what_differs_is_said_and_seen_by_the_exit_status() {
    let place = Place::new();
    place.up(&place.file(TWO), &[]).success();
    let text = TWO.replace("10.0.0.2/24", "{address: 10.0.0.3/24, start: sleep 9}");
    let text = text.replace("[s1, h2]]", "{link: [s1, h2], delay: 5ms}, [h3, s1]]");
    let file = place.file(&text.replace("h2: ", "h3: {}, h2: "));
    let finished = place.lab(&["diff", &file]);
    assert_eq!(finished.status.code(), Some(1), "{}", finished.output);
    for part in [
        format!("address of h2:eth0: 10.0.0.3/24 in {file}, 10.0.0.2/24 in the network"),
        format!("h3: only in {file} (host)"),
        format!("link h2:eth0 ── s1:eth1: delay 5ms by panel in {file}, there in the network"),
        format!("link h3:eth0 ── s1:eth2: only in {file} (there)"),
        format!("start of h2: only in {file} (sleep 9)"),
        "differences.".to_owned(),
    ] {
        assert!(
            finished.output.contains(&part),
            "{} lacks {part}",
            finished.output
        );
    }
    let text = place.lab(&["save", "nowhere"]).failure();
    assert!(text.contains("there is no network 'nowhere'"), "{text}");
    let text = place.lab(&["save", "-o", "/nowhere/file"]).failure();
    assert!(text.contains("cannot write /nowhere/file"), "{text}");
}
