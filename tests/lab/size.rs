//! A hundred nodes.

use std::time::Instant;

use crate::network::{LIMIT, Place};

/// Ninety hosts at nine switches around a tenth.
fn hundred() -> String {
    let hosts: Vec<String> = (0..90)
        .map(|n| format!("h{n}: 10.0.{}.{}/16", n / 10, n % 10 + 1))
        .collect();
    let switches: Vec<String> = (0..10).map(|n| format!("s{n}")).collect();
    let links = (0..90)
        .map(|n| format!("[h{n}, s{}]", n / 10))
        .chain((0..9).map(|n| format!("[s{n}, s9]")));
    let links: Vec<String> = links.collect();
    format!(
        "hosts:\n  {}\nswitches: [{}]\nlinks: [{}]\n",
        hosts.join("\n  "),
        switches.join(", "),
        links.join(", ")
    )
}

#[test]
fn a_hundred_nodes_come_and_go_in_seconds() {
    let place = Place::new();
    let file = place.file(&hundred());
    let begin = Instant::now();
    place.up(&file, &[]).success();
    let up = begin.elapsed();
    let begin = Instant::now();
    // Not all pairs: of 8010 the machine's table of neighbours, which all namespaces share, has room for some thousand.
    for (from, to) in [("h0", "h89"), ("h45", "h3"), ("h7", "h8")] {
        place.lab(&["ping", from, to, "-c", "1"]).success();
    }
    let asked = begin.elapsed();
    let begin = Instant::now();
    place.lab(&["down"]).success();
    let down = begin.elapsed();
    eprintln!(
        "100 nodes, 99 links: up in {up:?}, three pairs asked in {asked:?}, down in {down:?}"
    );
    // Far more than on an idle machine, which takes less than 15 s and 5 s.
    assert!(
        up < LIMIT && down < LIMIT / 2,
        "up in {up:?}, down in {down:?}"
    );
}
