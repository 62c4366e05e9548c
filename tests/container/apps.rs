//! Images, applications, and what can be done with containers that run.

use std::process::Command;
use std::time::Duration;

use testbed::machine::{self, TempDir, cpu};
use testbed::{Panel, proc};

use crate::engine::{Containers, LIMIT, docker, engine, image_name, inspect, nfv_line, spp};

/// Most bytes of the image with SPP's programs.
const SPP_IMAGE: u64 = 150_000_000;

#[test]
fn the_image_of_spp_is_small_and_says_what_it_is() {
    if !engine("the_image_of_spp_is_small_and_says_what_it_is") {
        return;
    }
    let image = &inspect(&image_name("spp"));
    let size = image["Size"].as_u64().expect("a size");
    assert!(size < SPP_IMAGE, "{size} bytes");
    let labels = &image["Config"]["Labels"];
    assert_eq!(labels["spp.target"], "spp");
    assert_eq!(labels["spp.version"], env!("CARGO_PKG_VERSION"));
    let containers = Containers::new();
    let name = containers.name("version");
    let run = |program: &str| {
        docker(&[
            "run",
            "--rm",
            "--network=none",
            &image_name("spp"),
            program,
            "--version",
        ])
        .success()
    };
    for program in [
        "spp",
        "spp-nfv",
        "spp_nfv",
        "spp-primary",
        "spp-ctl",
        "spp_vf",
    ] {
        assert!(
            run(program).contains(env!("CARGO_PKG_VERSION")),
            "{program}"
        );
    }
    drop((
        name,
        containers
            .try_run("helloworld", "unused", "--help")
            .success(),
    ));
}

#[test]
fn the_same_programs_make_the_same_layer() {
    if !engine("the_same_programs_make_the_same_layer") {
        return;
    }
    let image = machine::unique("spptest-image-") + ":1";
    let programs = machine::bin_dir().display().to_string();
    let build = || {
        // A folder of its own each time, so that nothing is in docker's cache but the files themselves.
        let cache = TempDir::new();
        let mut command = Command::new(machine::bin("spp"));
        command.env("SPP_CACHE", cache.path());
        command.args(["container", "build", "-t", "spp", "-ci", &image]);
        proc::run(command.args(["--bin-dir", &programs]), LIMIT).success();
        let layers = inspect(&image)["RootFS"]["Layers"].clone();
        docker(&["rmi", &image]).success();
        layers
    };
    let first = build();
    assert_eq!(first.as_array().map(Vec::len), Some(1), "{first}");
    assert_eq!(first, build());
}

#[test]
fn an_application_that_ends_is_done_and_its_words_are_kept() {
    if !engine("an_application_that_ends_is_done_and_its_words_are_kept") {
        return;
    }
    let containers = Containers::new();
    let line = format!("-l {} -m 64 --share-lcores", cpu(0));
    let name = containers.run("helloworld", "hello", &line);
    let hello = format!("hello from core {}", cpu(0));
    let log = spp(&["container", "logs", &name, "--tail", "3"]).success();
    assert!(log.contains(&hello), "{log}");
    // The container that has ended makes way for one of its name.
    containers.run("helloworld", "hello", &line);
    // In the foreground its output is the command's, and the container goes.
    let mut command = Command::new(machine::bin("spp"));
    command.args(["container", "run", "helloworld", "-fg"]);
    let finished = proc::run(command.args(line.split_whitespace()), LIMIT);
    assert!(finished.success().contains(&hello));
}

#[test]
fn three_lines_make_an_application() {
    if !engine("three_lines_make_an_application") {
        return;
    }
    let folder = TempDir::new();
    let file = format!(
        "image = \"{}\"\nbinary = \"helloworld\"\nargs = [\"--mine\"]\n",
        image_name("dpdk")
    );
    std::fs::write(folder.join("mine.toml"), file).expect("a file");
    let apps = folder.path().display().to_string();
    let containers = Containers::new();
    let line = format!("-l {} -m 64 --share-lcores --apps {apps}", cpu(0));
    let name = containers.run("mine", "mine", &line);
    assert!(inspect(&name)["Args"].to_string().contains("--mine"));
    let list = spp(&["container", "apps", "--apps", &apps]).success();
    assert!(list.lines().any(|line| line.starts_with("mine ")), "{list}");
}

/// The command that a dry run prints makes the same container as the request to the engine.
#[test]
fn the_printed_command_does_what_the_launcher_does() {
    if !engine("the_printed_command_does_what_the_launcher_does") {
        return;
    }
    let panel = Panel::builder().memory(256).start();
    let containers = Containers::new();
    let ours = containers.nfv(&panel, 1, cpu(0));
    let theirs = containers.name("printed");
    let line = nfv_line(&panel, 2, cpu(0));
    let mut words = vec![
        "container",
        "run",
        "spp-nfv",
        "--name",
        &theirs,
        "--dry-run",
    ];
    words.extend(line.split_whitespace());
    let command = spp(&words).success();
    // So that it goes when the test ends.
    assert!(
        !containers
            .try_run("spp-nfv", "printed", "--nosuch")
            .status
            .success()
    );
    proc::run(Command::new("sh").args(["-ec", &command]), LIMIT).success();
    testbed::wait_until("nfv 2 in the container", LIMIT, || {
        panel.ok("status").contains("nfv:2")
    });
    let (mut a, mut b) = (inspect(&ours), inspect(&theirs));
    for (of, id) in [(&mut a, "1"), (&mut b, "2")] {
        let args = of["Config"]["Cmd"].as_array_mut().expect("arguments");
        let at = args.iter().position(|word| word == "-s").expect("-s");
        assert_eq!(args[at - 1], id);
        args.remove(at - 1);
        let labels = of["Config"]["Labels"].as_object_mut().expect("labels");
        let process = labels.remove("spp.process").expect("a process");
        assert_eq!(process, format!("nfv:{id}"));
        for key in ["Hostname", "AttachStdout", "AttachStderr", "Env"] {
            of["Config"][key] = serde_json::Value::Null;
        }
        // Nothing said, in two ways of saying it; the command line's own defaults.
        for key in ["Devices", "ConsoleSize", "ShmSize", "RestartPolicy"] {
            of["HostConfig"][key] = serde_json::Value::Null;
        }
    }
    let plain = |value: &serde_json::Value| {
        let object = value.as_object().expect("an object");
        let given = |value: &serde_json::Value| {
            !matches!(
                value.to_string().as_str(),
                "null" | "[]" | "{}" | "\"\"" | "0" | "false"
            )
        };
        let left = object.iter().filter(|(_, value)| given(value));
        left.map(|(key, value)| {
            // The profile is compared as what it says.
            let value = match key.as_str() {
                "SecurityOpt" => serde_json::json!(options(value)),
                // With the prefix or without it: the same.
                "CapAdd" => serde_json::json!(value.to_string().replace("CAP_", "")),
                // The command line takes them in any order.
                "Binds" => serde_json::json!(sorted(value)),
                _ => value.clone(),
            };
            (key.clone(), value)
        })
        .collect::<serde_json::Map<_, _>>()
    };
    for part in ["Config", "HostConfig"] {
        assert_eq!(plain(&a[part]), plain(&b[part]), "{part}");
    }
    let stop = ["container", "stop", &ours, &theirs];
    spp(&stop).success();
    panel.finish();
}

fn sorted(value: &serde_json::Value) -> Vec<&str> {
    let all = value.as_array().expect("an array").iter();
    let mut texts: Vec<_> = all.map(|one| one.as_str().expect("a text")).collect();
    texts.sort_unstable();
    texts
}

fn options(value: &serde_json::Value) -> Vec<serde_json::Value> {
    let all = value.as_array().expect("options").iter();
    let read = |option: &serde_json::Value| {
        let text = option.as_str().expect("an option");
        match text.strip_prefix("seccomp=") {
            Some(profile) => serde_json::from_str(profile).expect("a profile"),
            None => option.clone(),
        }
    };
    all.map(read).collect()
}

#[test]
fn a_program_in_a_container_is_run_and_its_failure_is_one() {
    if !engine("a_program_in_a_container_is_run_and_its_failure_is_one") {
        return;
    }
    let panel = Panel::builder().memory(256).start();
    let containers = Containers::new();
    let name = containers.nfv(&panel, 1, cpu(0));
    let out = spp(&["container", "exec", &name, "sh", "-c", "echo $((6 * 7))"]).success();
    assert_eq!(out.trim(), "42");
    let failed = spp(&["container", "exec", &name, "sh", "-c", "exit 3"]).failure();
    assert!(failed.contains("exit status 3"), "{failed}");
    let log = spp(&["container", "logs", &name]).success();
    assert!(log.contains("nfv 1 of panel"), "{log}");
    // Followed, a log ends with its container.
    let mut command = Command::new(machine::bin("spp"));
    command.args(["container", "logs", "-f", &name]);
    let mut follower = testbed::Proc::spawn("logs -f", &mut command);
    follower.wait_output("nfv 1 of panel", LIMIT);
    spp(&["container", "stop", &name]).success();
    assert!(follower.wait_exit(Duration::from_secs(20)).success());
    panel.finish();
}

#[test]
fn the_samples_of_dpdk_come_up_on_ports_of_a_panel() {
    if !engine("the_samples_of_dpdk_come_up_on_ports_of_a_panel") {
        return;
    }
    let panel = Panel::builder().memory(256).nfv_on(1, cpu(0)).start();
    for line in ["nfv 1 add vhost:1", "nfv 1 add vhost:2"] {
        panel.ok(line);
    }
    let containers = Containers::new();
    let at = cpu(1);
    let common = format!(
        "--share-lcores -m 64 -d vhost:1,vhost:2 -p 0x3 --vhost-dir {}",
        panel.vhost_dir().display()
    );
    for (app, more) in [
        // One lcore for each port.
        ("l2fwd", format!("--lcores 0@{at},1@{at}")),
        ("l3fwd", format!("-l {at} --config (0,0,{at}),(1,0,{at})")),
    ] {
        let name = containers.run(app, app, &format!("{common} {more}"));
        for port in ["vhost:1", "vhost:2"] {
            panel.wait_link(1, port, "up");
        }
        spp(&["container", "stop", &name]).success();
    }
    panel.finish();
}

/// A program that says who it is and stays until it is asked to end.
fn write_program(path: &std::path::Path, words: &str) {
    use std::os::unix::fs::PermissionsExt;
    let new = path.with_extension("new");
    let text =
        format!("#!/bin/sh\ntrap 'exit 0' TERM\necho {words}\nwhile :; do sleep 0.1; done\n");
    std::fs::write(&new, text).expect("a program");
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).expect("its mode");
    std::fs::rename(&new, path).expect("its place");
}

#[test]
fn a_program_that_changes_is_started_again_in_its_container() {
    if !engine("a_program_that_changes_is_started_again_in_its_container") {
        return;
    }
    let folder = TempDir::new();
    let file = format!(
        "image = \"{}\"\nbinary = \"mine\"\nready = \"ready\"\n",
        image_name("dpdk")
    );
    std::fs::write(folder.join("mine.toml"), file).expect("a file");
    let program = folder.join("program");
    write_program(&program, "the first is ready");
    let containers = Containers::new();
    assert!(
        !containers
            .try_run("mine", "dev", "--nosuch")
            .status
            .success()
    );
    let name = containers.name("dev");
    let mut command = Command::new(machine::bin("spp"));
    command.args(["container", "dev", "mine"]).arg(&program);
    command.args([
        "--name",
        &name,
        "-m",
        "64",
        "-l",
        &cpu(0).to_string(),
        "--share-lcores",
    ]);
    let mut dev = testbed::Proc::spawn("dev", command.arg("--apps").arg(folder.path()));
    let said = format!("mine runs in container {name}, after ");
    dev.wait_output(&said, LIMIT);
    let first = inspect(&name)["Id"].clone();
    let from = dev.position();
    write_program(&program, "the second is ready");
    dev.wait_output_from(from, &said, LIMIT);
    assert_ne!(first, inspect(&name)["Id"]);
    let log = spp(&["container", "logs", &name]).success();
    assert!(log.contains("the second is ready"), "{log}");
    // One that does not come up is told of, and the next one is started all the same.
    let from = dev.position();
    write_program(&program, "not so fast; exit 4");
    dev.wait_output_from(from, "exit status 4", LIMIT);
    let from = dev.position();
    write_program(&program, "the third is ready");
    dev.wait_output_from(from, &said, LIMIT);
    assert!(dev.interrupt(LIMIT).success(), "{}", dev.output());
    assert!(!docker(&["inspect", &name]).status.success());
}
