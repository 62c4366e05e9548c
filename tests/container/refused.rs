//! What is refused, and that nothing is left of it.

use std::os::unix::net::UnixListener;
use std::process::Command;

use testbed::machine::{self, TempDir, cpu};
use testbed::{Panel, proc};

use crate::engine::{Containers, LIMIT, docker, engine, spp};

#[test]
fn without_an_engine_the_remedy_is_named() {
    let mut command = Command::new(machine::bin("spp"));
    command
        .env("DOCKER_HOST", "unix:///nosuch/docker.sock")
        .args(["container", "ps"]);
    let said = proc::run(&mut command, LIMIT).failure();
    assert!(
        said.contains("/nosuch/docker.sock") && said.contains("dockerd"),
        "{said}"
    );
}

#[test]
fn what_is_missing_or_taken_is_named_and_nothing_is_started() {
    if !engine("what_is_missing_or_taken_is_named_and_nothing_is_started") {
        return;
    }
    let panel = Panel::builder().memory(256).nfv_on(1, cpu(0)).start();
    panel.ok("nfv 1 add vhost:1");
    panel.ok("nfv 1 add vhost:2");
    let folder = panel.vhost_dir();
    let containers = Containers::new();
    let holder = containers.testpmd("holder", cpu(0), 1, &folder, "io");
    let mut foreign = testbed::TestPmd::builder("foreign");
    foreign = foreign
        .vhost_client(&panel.socket(2))
        .memory(64)
        .cpu(cpu(1));
    let foreign = foreign.start();
    let at = format!("--vhost-dir {} -m 64", folder.display());
    let some = cpu(0);
    let share = "--share-lcores";
    for (app, line, reason) in [
        ("nosuch", String::new(), "There is no application 'nosuch'"),
        (
            "testpmd",
            format!("-l {some} {share} -d 7 {at}"),
            "sock7 is not there",
        ),
        (
            "testpmd",
            format!("-l {some} {share} -d 1 {at}"),
            "is taken by container",
        ),
        (
            "testpmd",
            format!("-l {some} {share} -d 2 {at}"),
            "some process is connected",
        ),
        (
            "testpmd",
            format!("-l {some} -m 64"),
            "is in use by container",
        ),
        ("testpmd", "-l 127 -m 64".to_owned(), "CPU 127 is not there"),
        (
            "testpmd",
            format!("-l {some} {share} -m 1000000"),
            "MB are free",
        ),
        (
            "testpmd",
            format!("-l {some} {share} -m 64 --huge-dir /proc"),
            "/proc is no mount of hugetlbfs",
        ),
        (
            "testpmd",
            format!("-l {some} {share} -m 64 -ci sppc/nosuch:1"),
            "image sppc/nosuch:1 is not there",
        ),
        (
            "testpmd",
            format!("-l {some} {share} -m 64 -v /nosuch:/x"),
            "/nosuch is not there",
        ),
        (
            "spp-nfv",
            format!("-i 1 -l {some} {share} --file-prefix nosuch"),
            "no primary of panel nosuch",
        ),
    ] {
        let said = containers.try_run(app, "refused", &line).failure();
        assert!(said.contains(reason), "{app} {line}: {said}");
        assert!(
            !docker(&["inspect", &containers.name("refused")])
                .status
                .success(),
            "{line}"
        );
    }
    let said = containers
        .try_run("testpmd", "holder", &format!("-l {some} {share} -m 64"))
        .failure();
    assert!(said.contains("already, which runs testpmd"), "{said}");
    let said = spp(&["container", "stop", "nosuch-container"]).failure();
    assert!(
        said.contains("there is no container nosuch-container"),
        "{said}"
    );
    foreign.quit();
    holder.quit();
    panel.finish();
}

#[test]
fn a_container_that_dies_at_its_start_shows_its_last_words_and_goes() {
    if !engine("a_container_that_dies_at_its_start_shows_its_last_words_and_goes") {
        return;
    }
    let containers = Containers::new();
    let line = format!(
        "--lcores 0@{0},1@{0} --share-lcores -m 64 -- --nosuch-option",
        cpu(0)
    );
    let said = containers.try_run("testpmd", "dying", &line).failure();
    assert!(
        said.contains("ended at its start with exit status 1"),
        "{said}"
    );
    assert!(said.contains("nosuch-option"), "{said}");
    assert!(
        !docker(&["inspect", &containers.name("dying")])
            .status
            .success()
    );
    // A program that the image does not have.
    let folder = TempDir::new();
    let image = crate::engine::image_name("dpdk");
    std::fs::write(
        folder.join("mine.toml"),
        format!("image = \"{image}\"\nbinary = \"nosuch-program\"\n"),
    )
    .expect("a file");
    let line = format!(
        "-l {} --share-lcores -m 64 --apps {}",
        cpu(0),
        folder.path().display()
    );
    let said = containers.try_run("mine", "missing", &line).failure();
    assert!(said.contains("nosuch-program"), "{said}");
    assert!(
        !docker(&["inspect", &containers.name("missing")])
            .status
            .success()
    );
}

/// A socket that nobody serves as vhost: testpmd waits for it in vain, and is stopped when it has not come up.
#[test]
fn a_socket_that_does_not_answer_as_a_panel_ends_the_start() {
    if !engine("a_socket_that_does_not_answer_as_a_panel_ends_the_start") {
        return;
    }
    let folder = TempDir::new();
    let _deaf = UnixListener::bind(folder.join("sock1")).expect("a socket");
    let containers = Containers::new();
    let line = format!(
        "-l {} --share-lcores -m 64 -d 1 --vhost-dir {}",
        cpu(0),
        folder.path().display()
    );
    let said = containers.try_run("testpmd", "deaf", &line).failure();
    assert!(
        said.contains("was not ready within 30 s") || said.contains("ended at its start"),
        "{said}"
    );
    assert!(
        !docker(&["inspect", &containers.name("deaf")])
            .status
            .success()
    );
}

#[test]
fn an_interrupted_start_leaves_no_container() {
    if !engine("an_interrupted_start_leaves_no_container") {
        return;
    }
    let folder = TempDir::new();
    let image = crate::engine::image_name("dpdk");
    let file = format!(
        "image = \"{image}\"\nbinary = \"/bin/sleep\"\nrole = \"plain\"\nargs = [\"600\"]\nready = \"never\"\n"
    );
    std::fs::write(folder.join("mine.toml"), file).expect("a file");
    let containers = Containers::new();
    // So that it goes when the test ends.
    containers.try_run("mine", "slow", "--nosuch").failure();
    let name = containers.name("slow");
    let mut command = Command::new(machine::bin("spp"));
    command.args(["container", "run", "mine", "--name", &name, "--apps"]);
    let mut run = testbed::Proc::spawn("run", command.arg(folder.path()));
    testbed::wait_until("the container", LIMIT, || {
        spp(&["container", "ps"]).success().contains(&name)
    });
    let status = run.interrupt(LIMIT);
    assert_eq!(status.code(), Some(1), "{}", run.output());
    assert!(run.output().contains("interrupted"), "{}", run.output());
    assert!(!docker(&["inspect", &name]).status.success());
}
