//! `up` that dies or is interrupted at any moment.

use std::time::{Duration, Instant};

use testbed::{Proc, wait_until};

use crate::network::{LIMIT, Place};

/// How many times.
const ROUNDS: u32 = 24;

/// Large enough for something to be half done at every moment, with a link that a panel carries.
fn text() -> String {
    let hosts: Vec<String> = (1..=20).map(|n| format!("h{n}: 10.0.0.{n}/24")).collect();
    let links: Vec<String> = (1..=20).map(|n| format!("[h{n}, s1]")).collect();
    format!(
        "hosts:\n  {}\n  last: {{run: [sleep 0.05], start: [sleep 1000]}}\nswitches: [s1]\nlinks: [{}, {{link: [last, s1], delay: 1ms}}]\n",
        hosts.join("\n  "),
        links.join(", ")
    )
}

/// How long `up` takes here and now.
fn usual(place: &Place, file: &str) -> Duration {
    let begin = Instant::now();
    place.up(file, &[]).success();
    let took = begin.elapsed();
    place.lab(&["down"]).success();
    took
}

#[test]
fn killed_at_any_moment_it_leaves_nothing_that_clean_does_not_remove() {
    let place = Place::new();
    let file = place.file(&text());
    let took = usual(&place, &file);
    let (mut half, mut whole) = (0, 0);
    for round in 0..ROUNDS {
        let mut up = Proc::spawn(
            "up",
            &mut place.command(&["up", &file, "--name", &place.name]),
        );
        // The moment is what is tried here, not what is waited for.
        std::thread::sleep(took * round / ROUNDS);
        up.kill();
        if place
            .lab(&["ping", "h1", "h20", "-c", "1"])
            .status
            .success()
        {
            whole += 1;
            place.lab(&["down"]).success();
        } else {
            half += 1;
            wait_until("a keeper without a maker to end", LIMIT, || {
                Place::keepers(&place.name).is_empty()
            });
            place.lab(&["clean"]).success();
        }
        assert_eq!(place.left(), Vec::<String>::new(), "round {round}");
        place.wait_gone(&place.name);
    }
    eprintln!("killed within {took:?}: {half} times before it was up, {whole} times after");
    assert!(
        half >= ROUNDS / 3,
        "it was up already in {whole} of {ROUNDS} rounds"
    );
    place.up(&file, &[]).success();
    place.lab(&["ping", "h1", "h20"]).success();
}

#[test]
fn interrupted_it_leaves_nothing_at_all() {
    let place = Place::new();
    let file = place.file(&text().replace("sleep 0.05", "sleep 50"));
    let mut up = Proc::spawn(
        "up",
        &mut place.command(&["up", &file, "--name", &place.name]),
    );
    wait_until("the network to be kept", LIMIT, || {
        !Place::keepers(&place.name).is_empty()
    });
    let begin = Instant::now();
    let status = up.interrupt(LIMIT);
    assert_eq!(status.code(), Some(1), "{}", up.output());
    assert!(up.output().contains("interrupted"), "{}", up.output());
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert_eq!(place.left(), Vec::<String>::new());
    place.wait_gone(&place.name);
}
