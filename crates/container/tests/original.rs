//! Command lines of the original's launchers and image builder, and the docker commands that it prints for them: ours are the
//! same but for what is listed here (and in docs/container.md).

#![allow(clippy::unwrap_used)]

use std::path::Path;

use container::app;
use container::build::Build;
use container::command;
use container::plan::Plan;

const ID: &str = "0123456789abcdef";

fn split(text: &str) -> Vec<String> {
    shlex::split(text).unwrap()
}

/// The words of docker's command for a launcher's words.
fn run(line: &str) -> Vec<String> {
    let words = split(line);
    let app = app::find(&words[0], None).unwrap();
    let given = app.given(&words[1..]).unwrap();
    let plan = Plan::new(&app, &given, ID).unwrap();
    command::lines(&plan, Path::new("/seccomp.json")).concat()
}

/// What we add: options without a value, and those with one.
const ADDED: [&str; 6] = [
    "--read-only",
    "--in-memory",
    "--no-telemetry",
    "--no-pci",
    "--iova-mode=va",
    "--single-file-segments",
];
const ADDED_WITH_VALUE: [&str; 6] = [
    "--cap-drop",
    "--cap-add",
    "--security-opt",
    "--tmpfs",
    "--net",
    "--label",
];

/// Our words without what we add, and with what the original shares of the host in the place of what we do.
fn as_the_original(words: Vec<String>) -> Vec<String> {
    let mut left = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if ADDED_WITH_VALUE.contains(&word.as_str()) {
            words.next();
        } else if word.starts_with("/var/run/dpdk") {
            left.push("/var/run:/var/run".to_owned());
        } else if !ADDED.contains(&word.as_str()) {
            left.push(word);
        }
    }
    left
}

/// The original's launchers, with the options that choose its images, against what it prints. Its programs are named by their
/// paths in an image of its own, `-w` has become `-a` in DPDK, and jumbo frames and packet types need other words there.
#[test]
fn launchers_give_the_commands_of_the_original() {
    let image = "--dist-name ubuntu";
    let privileged = "-v /dev/hugepages:/dev/hugepages";
    for (typed, printed) in [
        (
            "l2fwd -fg -l 6-7 -d 1,2 -p 0x03".to_owned(),
            format!(
                "docker run -it --privileged {privileged} -v /tmp/sock1:/var/run/usvhost1 -v /tmp/sock2:/var/run/usvhost2 \
                 sppc/dpdk-ubuntu:latest l2fwd -l 6-7 -n 4 -m 1024 --proc-type auto \
                 --vdev virtio_user1,queues=1,path=/var/run/usvhost1 \
                 --vdev virtio_user2,queues=1,path=/var/run/usvhost2 --file-prefix sppc-l2fwd-{ID} -- -p 0x03"
            ),
        ),
        (
            "helloworld -fg -l 4-6 --dist-ver 18.04 --name hello --workdir /x".to_owned(),
            format!(
                "docker run -it --privileged {privileged} --workdir /x --name hello sppc/dpdk-ubuntu:18.04 helloworld \
                 -l 4-6 -n 4 -m 1024 --proc-type auto --file-prefix sppc-hello-{ID} --"
            ),
        ),
        (
            "testpmd -fg -c 0xc0 -m 512 --nof-memchan 2 -nq 2 -d vhost:1,tap:3 -i --nb-cores 1 --forward-mode macswap \
             --port-topology loop --rxq 2 --stats-period 1"
                .to_owned(),
            format!(
                "docker run -it --privileged {privileged} -v /tmp/sock1:/var/run/usvhost1 sppc/dpdk-ubuntu:latest \
                 dpdk-testpmd -c 0xc0 -n 2 -m 512 --proc-type auto --vdev virtio_user1,queues=2,path=/var/run/usvhost1 \
                 --vdev net_tap3,iface=spp_tap3 --file-prefix sppc-testpmd-{ID} -- --interactive --nb-cores=1 \
                 --port-topology=loop --forward-mode=macswap --rxq=2 --stats-period 1"
            ),
        ),
        (
            "pktgen -fg -l 6-10 -d vhost:1,vhost:2 -T -P".to_owned(),
            format!(
                "docker run -it --privileged {privileged} -v /tmp/sock1:/var/run/usvhost1 -v /tmp/sock2:/var/run/usvhost2 \
                 sppc/pktgen-ubuntu:latest pktgen -l 6-10 -n 4 -m 1024 --proc-type auto \
                 --vdev virtio_user1,queues=1,path=/var/run/usvhost1 \
                 --vdev virtio_user2,queues=1,path=/var/run/usvhost2 --file-prefix sppc-pktgen-{ID} -- \
                 -m '[7:8].0,[9:10].1' -P -T"
            ),
        ),
        (
            "l3fwd -fg -l 1-2 -d 1,2 -nq 2 -p 0x3 --config '(0,0,1),(1,0,2)' -P -L -dst 0,02:00:00:00:00:01".to_owned(),
            format!(
                "docker run -it --privileged {privileged} -v /tmp/sock1:/var/run/usvhost1 -v /tmp/sock2:/var/run/usvhost2 \
                 sppc/dpdk-ubuntu:latest l3fwd -l 1-2 -n 4 -m 1024 --proc-type auto \
                 --vdev virtio_user1,queues=2,path=/var/run/usvhost1 \
                 --vdev virtio_user2,queues=2,path=/var/run/usvhost2 --file-prefix sppc-l3fwd-{ID} -- -p 0x3 \
                 --config '(0,0,1),(1,0,2)' --parse-ptype -P -L --eth-dest=0,02:00:00:00:00:01"
            ),
        ),
        (
            "load-balancer -fg -ci mine:1 -l 8-11 -d 1,2 -rx '(0,0,8)' -tx '(0,8),(1,8)' -wl 9,10 \
             --lpm '1.0.0.0/24=>0;1.0.1.0/24=>1' --pos-lb 29"
                .to_owned(),
            format!(
                "docker run -it --privileged {privileged} -v /tmp/sock1:/var/run/usvhost1 -v /tmp/sock2:/var/run/usvhost2 \
                 mine:1 load_balancer -l 8-11 -n 4 -m 1024 --proc-type auto \
                 --vdev virtio_user1,queues=1,path=/var/run/usvhost1 \
                 --vdev virtio_user2,queues=1,path=/var/run/usvhost2 --file-prefix sppc-load-balancer-{ID} -- \
                 --rx '(0,0,8)' --tx '(0,8),(1,8)' --w 9,10 --lpm '1.0.0.0/24=>0;1.0.1.0/24=>1' --pos-lb 29"
            ),
        ),
        (
            "spp-primary -l 0 -p 0x01 -ip 192.0.2.1 -d tap:1".to_owned(),
            format!(
                "docker run -d --privileged {privileged} -v /var/run:/var/run -v /tmp:/tmp sppc/spp-ubuntu:latest \
                 spp_primary -l 0 -n 4 -m 1024 --proc-type primary --vdev net_tap1,iface=spp_tap1 \
                 --file-prefix sppc_spp_fp -- -p 0x01 -n 10 -s 192.0.2.1:5555"
            ),
        ),
        (
            "spp-nfv -i 1 -l 1-2 -ip 192.0.2.1".to_owned(),
            format!(
                "docker run -d --privileged {privileged} -v /var/run:/var/run -v /tmp:/tmp sppc/spp-ubuntu:latest \
                 spp_nfv -l 1-2 -n 4 -m 1024 --proc-type secondary --file-prefix sppc_spp_fp -- -n 1 -s 192.0.2.1:6666"
            ),
        ),
    ] {
        let ours = as_the_original(run(&format!("{typed} {image} --privileged")));
        assert_eq!(ours, split(&printed), "{typed}");
        // Without being asked for nothing of it is privileged.
        let least = run(&format!("{typed} {image}"));
        assert!(!least.contains(&"--privileged".to_owned()), "{least:?}");
        assert!(least.windows(2).any(|two| two == ["--cap-drop", "ALL"]));
        let without: Vec<String> = split(&printed)
            .into_iter()
            .filter(|word| word != "--privileged")
            .collect();
        let least = as_the_original(least);
        let least: Vec<String> = match typed.contains("tap:") {
            // A tap device of the container's own.
            true => without_pair(least, "--device"),
            false => least,
        };
        assert_eq!(least, without, "{typed}");
    }
}

fn without_pair(words: Vec<String>, option: &str) -> Vec<String> {
    let at = words.iter().position(|word| word == option).unwrap();
    [&words[..at], &words[at + 2..]].concat()
}

/// PCI devices are named as DPDK does since 20.11, and then they are not left out.
#[test]
fn devices_on_pci_are_named_as_todays_dpdk_wants() {
    let words = run("testpmd -l 0-1 -w 0000:04:00.0 -w 0000:04:00.1");
    assert!(words.windows(2).any(|two| two == ["-a", "0000:04:00.1"]));
    assert!(!words.contains(&"--no-pci".to_owned()));
    let words = run("testpmd -l 0-1 -b 0000:04:00.0");
    assert!(words.windows(2).any(|two| two == ["-b", "0000:04:00.0"]));
}

/// What the image builder prints for sources, but for the base image and the labels. The original passes the template's path and
/// folder in its own tree.
#[test]
fn the_image_builder_gives_the_commands_of_the_original() {
    let proxies = ["http_proxy", "https_proxy", "no_proxy"];
    for (typed, printed) in [
        (
            "-t spp --dpdk-branch v20.02 --spp-branch v20.02",
            "docker build --build-arg home_dir=/root --build-arg rte_sdk=/root/dpdk \
             --build-arg rte_target=x86_64-native-linuxapp-gcc --build-arg dpdk_repo=http://dpdk.org/git/dpdk \
             --build-arg 'dpdk_branch=-b v20.02' --build-arg spp_repo=http://dpdk.org/git/apps/spp \
             --build-arg 'spp_branch=-b v20.02' --build-arg spp_dir=spp -t sppc/spp-ubuntu:latest",
        ),
        (
            "-t dpdk --dpdk-repo https://example.org/x/my-dpdk.git --dist-ver 22.04",
            "docker build --build-arg home_dir=/root --build-arg rte_sdk=/root/my-dpdk \
             --build-arg rte_target=x86_64-native-linuxapp-gcc --build-arg dpdk_repo=https://example.org/x/my-dpdk.git \
             --build-arg dpdk_branch= -t sppc/dpdk-ubuntu:22.04",
        ),
        (
            "-t pktgen --dpdk-branch v19.08 --pktgen-branch pktgen-19.08.0 -ci mine:2",
            "docker build --build-arg home_dir=/root --build-arg rte_sdk=/root/dpdk \
             --build-arg rte_target=x86_64-native-linuxapp-gcc --build-arg dpdk_repo=http://dpdk.org/git/dpdk \
             --build-arg 'dpdk_branch=-b v19.08' --build-arg pktgen_repo=http://dpdk.org/git/apps/pktgen-dpdk \
             --build-arg 'pktgen_branch=-b pktgen-19.08.0' --build-arg pktgen_dir=pktgen-dpdk -t mine:2",
        ),
        (
            "-t suricata --dpdk-branch v19.08 --suricata-repo https://example.org/DPDK_SURICATA-4_1_1.git",
            "docker build --build-arg home_dir=/root --build-arg rte_sdk=/root/dpdk \
             --build-arg rte_target=x86_64-native-linuxapp-gcc --build-arg dpdk_repo=http://dpdk.org/git/dpdk \
             --build-arg 'dpdk_branch=-b v19.08' --build-arg suricata_repo=https://example.org/DPDK_SURICATA-4_1_1.git \
             --build-arg suricata_branch= --build-arg suricata_dir=DPDK_SURICATA-4_1_1 -t sppc/suricata-ubuntu:latest",
        ),
    ] {
        let words = split(&format!("{typed} --dist-name ubuntu"));
        let build = Build::new(&words, |_| true).unwrap();
        let mut lines = build.lines();
        let folder = lines.pop().unwrap();
        assert_eq!(folder, [build.context.folder.display().to_string()]);
        lines.retain(|line| {
            let ours = |name: &str| line[1].starts_with(&format!("{name}="));
            let added =
                line[0] == "--build-arg" && (ours("base") || proxies.iter().any(|p| ours(p)));
            !added && !["--label", "-f"].contains(&line[0].as_str())
        });
        assert_eq!(lines.concat(), split(printed), "{typed}");
    }
}

/// Packages of the distribution, where the original knows only repositories.
#[test]
fn without_a_repository_the_distributions_packages_are_taken() {
    let build = Build::new(&split("-t dpdk --base mine:1"), |_| false).unwrap();
    let words = build.lines().concat();
    assert!(words.contains(&"base=mine:1".to_owned()), "{words:?}");
    assert!(!words.iter().any(|word| word.starts_with("dpdk_repo")));
    assert!(build.context.dockerfile().ends_with("Dockerfile"));
    let spp = Build::new(&split("-t spp"), |_| false).unwrap();
    assert!(spp.base.is_none());
    for (typed, reason) in [
        ("", "-t, --target TARGET is missing"),
        ("-t lab", "should be one of dpdk"),
        ("-t suricata --suricata-branch x", "--suricata-repo URL"),
        ("-t dpdk --dist-ver 8", "--base"),
        (
            "-t pktgen --bin-dir /x",
            "--bin-dir is for the images spp and dpdk",
        ),
        ("-t dpdk extra", "'extra' is no option"),
    ] {
        let error = Build::new(&split(typed), |_| false)
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{typed}: {error}");
    }
    let given = Build::new(&split("-t dpdk --dist-ver 13"), |name| name == "debian:13").unwrap();
    assert!(
        given
            .lines()
            .concat()
            .contains(&"base=debian:13".to_owned())
    );
}

/// What the launchers of the original refuse, and what virtio-user cannot do, is refused with the reason.
#[test]
fn what_cannot_work_is_refused_before_anything_is_started() {
    for (typed, reason) in [
        ("testpmd -d 1", "'core_mask or core_list' is not defined"),
        ("testpmd -l 0-1 -d foo:1", "'foo' is not supported"),
        (
            "testpmd -l 0-1 -b 1 -w 2",
            "-b and -w cannot be given together",
        ),
        ("testpmd -l 0-1 -i --tx-first", "cannot be given together"),
        ("testpmd -l 0-1 --burst 513", "from 1 to 512"),
        (
            "testpmd -l 0-1 --forward-mode fast",
            "should be one of io, mac",
        ),
        ("testpmd -l 0-1 --eth-peer 0,02:00", "0,02:00:00:00:00:01"),
        ("testpmd -l 0-1 -d 1 -nq 9", "at most 8 pairs of queues"),
        (
            "testpmd -l 0-1 -d 1 --socket-mem 1,1,1,1,1,1,1,1,1",
            "a memory region each, and a vhost port takes 8",
        ),
        ("l2fwd -l 0-1 -d 1,2", "--port-mask MASK is missing"),
        ("l2fwd -l 0-1 -d 1,2 -p 3", "mask such as 0x3"),
        (
            "l2fwd -l 0-1 -d 1 -p 0x3",
            "Not enough ports, 1 devs for '0x3(=0b11)'",
        ),
        (
            "l2fwd -l 0-1 -d 1,2,3 -p 0x7",
            "Number of ports must be an even number",
        ),
        ("l3fwd -l 0-1 -d 1 -p 0x1 --config (0,0)", "tuples of 3"),
        (
            "l3fwd -l 0-1 -d 1 -p 0x1 --config (0,1,1)",
            "queues of port 0 must be 0, 1",
        ),
        (
            "l3fwd -l 0-1 -d 1 -p 0x1 --config (0,0,1),(0,1,1)",
            "which has 1 (-nq)",
        ),
        (
            "l3fwd -l 0-1 -d 1 -p 0x1 --config (0,0,1) -E -L",
            "-E and -L cannot be given together",
        ),
        (
            "l3fwd -l 0-1 -d 1 -p 0x1 --config (0,0,1) --max-pkt-len 9000",
            "--max-pkt-len is given without --enable-jumbo",
        ),
        (
            "l3fwd -l 0-1 -d 1 -p 0x1 --config (0,0,1)",
            "2 lcores send by a queue each, and vhost ports have 1 (-nq)",
        ),
        ("pktgen -l 0 -d 1", "Two or more cores required"),
        ("pktgen -l 0-3 -d 1,2", "Too many cores"),
        (
            "load-balancer -l 0-1 -rx (0,0,1) -tx (0,1) -wl 1 --lpm x",
            "19.08",
        ),
        ("spp-nfv -l 0-1", "--sec-id ID is missing"),
        ("spp-nfv -l 0-1 -i 128", "from 1 to 127"),
    ] {
        let words = split(typed);
        let app = app::find(&words[0], None).unwrap();
        let planned = app
            .given(&words[1..])
            .and_then(|given| Plan::new(&app, &given, ID));
        let error = planned.unwrap_err().to_string();
        assert!(error.contains(reason), "{typed}: {error}");
    }
}
