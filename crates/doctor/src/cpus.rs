//! CPUs (`/sys/devices/system/cpu`, `/proc/cmdline`): workers poll, so that whatever else runs on theirs delays packets.

use sys::affinity::CpuSet;

use crate::host::boot_with;
use crate::{Finding, Host};

const NAME: &str = "cpus";
const CPUS: &str = "/sys/devices/system/cpu";
/// With fewer CPUs there is none to spare for workers alone.
const TO_SPARE: usize = 4;

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let online = match list(host, "online") {
        Some(online) if !online.is_empty() => online,
        _ => {
            let found =
                format!("{CPUS}/online cannot be read: which CPUs there are cannot be seen");
            return vec![Finding::warn(NAME, found)];
        }
    };
    let allowed = allowed(host).unwrap_or_else(|| online.clone());
    let mut findings = vec![usable(&online, &allowed)];
    findings.push(isolation(host, &allowed));
    findings.extend(siblings(host, &online));
    findings.extend(governor(host, &online));
    findings
}

/// A list in a file of the CPUs' folder; `None` if there is none that can be read.
fn list(host: &Host, file: &str) -> Option<CpuSet> {
    let text = host.word(&format!("{CPUS}/{file}"))?;
    match text.as_str() {
        "" | "(null)" => Some(CpuSet::default()),
        text => text.parse().ok(),
    }
}

/// The CPUs on which we may run, by affinity and cpuset.
fn allowed(host: &Host) -> Option<CpuSet> {
    let status = host.word("/proc/self/status")?;
    let mut lines = status.lines();
    let list = lines.find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    list.trim().parse().ok()
}

fn usable(online: &CpuSet, allowed: &CpuSet) -> Finding {
    let figures = |finding: Finding| {
        finding
            .with("online", online.to_string())
            .with("allowed", allowed.to_string())
    };
    let of = format!("CPUs {allowed} of {online} can be used");
    if allowed.len() >= 2 {
        return figures(Finding::ok(NAME, of));
    }
    let found = format!(
        "{of}: workers of two processes on one CPU take turns of milliseconds, and queues overflow"
    );
    let finding = Finding::warn(NAME, found);
    figures(match online.len() {
        0 | 1 => finding,
        _ => finding.root(format!("taskset -c {online} COMMAND")),
    })
}

fn isolation(host: &Host, allowed: &CpuSet) -> Finding {
    let isolated = list(host, "isolated").unwrap_or_default();
    let tickless = list(host, "nohz_full").unwrap_or_default();
    let cmdline = host.word("/proc/cmdline").unwrap_or_default();
    let no_callbacks = cmdline
        .split_whitespace()
        .find_map(|word| word.strip_prefix("rcu_nocbs="))
        .and_then(|list| list.parse::<CpuSet>().ok())
        .unwrap_or_default();
    let figures = |finding: Finding| {
        finding
            .with("isolated", isolated.to_string())
            .with("nohz-full", tickless.to_string())
            .with("rcu-nocbs", no_callbacks.to_string())
    };
    if isolated.is_empty() {
        let found = "no CPU is isolated: other programs delay workers now and then";
        if allowed.len() < TO_SPARE {
            return figures(Finding::ok(
                NAME,
                format!("{found}, and there is none to spare"),
            ));
        }
        // All but the first core's are for workers.
        let spared: Vec<u32> = allowed.iter().skip(2).collect();
        let spared = CpuSet::try_from(spared).unwrap_or_default();
        return figures(Finding::warn(NAME, found)).root(kernel_options(&spared));
    }
    let ticking = isolated.without(&tickless);
    if !ticking.is_empty() {
        let found = format!(
            "CPUs {isolated} are isolated, but the kernel's timer interrupts {ticking} (not in nohz_full)"
        );
        return figures(Finding::warn(NAME, found)).root(kernel_options(&isolated));
    }
    let found = format!("CPUs {isolated} are isolated and without timer ticks");
    figures(Finding::ok(NAME, found))
}

/// How a kernel is told at its start to leave these CPUs alone.
fn kernel_options(cpus: &CpuSet) -> String {
    boot_with(&format!(
        "isolcpus={cpus} nohz_full={cpus} rcu_nocbs={cpus}"
    ))
}

/// Threads that share a core: a worker beside a busy one has half of it.
fn siblings(host: &Host, online: &CpuSet) -> Vec<Finding> {
    let mut pairs: Vec<String> = Vec::new();
    for cpu in online.iter() {
        let Some(threads) = list(host, &format!("cpu{cpu}/topology/thread_siblings_list")) else {
            continue;
        };
        let text = threads.to_string();
        if threads.len() > 1 && !pairs.contains(&text) {
            pairs.push(text);
        }
    }
    if pairs.is_empty() {
        return Vec::new();
    }
    let isolated = list(host, "isolated").unwrap_or_default();
    let split = pairs.iter().find(|pair| {
        let threads = pair.parse::<CpuSet>().unwrap_or_default();
        let inside = threads.iter().filter(|cpu| isolated.contains(*cpu)).count();
        inside > 0 && inside < threads.len()
    });
    let shown = match pairs.len() {
        0..=8 => pairs.join(" "),
        more => format!("{} and {} more", pairs[..8].join(" "), more - 8),
    };
    let finding = match split {
        Some(pair) => Finding::warn(
            NAME,
            format!("CPUs {pair} share a core, and not all of them are isolated: the others slow its worker down"),
        )
        .root(format!("echo 0 > {CPUS}/cpuN/online   # N: those of {pair} that are not isolated")),
        None => Finding::ok(NAME, format!("share a core: {shown} (workers belong on different cores)")),
    };
    vec![finding.with("siblings", pairs)]
}

/// A governor that lowers the clock makes the first packets after a pause slow.
fn governor(host: &Host, online: &CpuSet) -> Option<Finding> {
    let path = |cpu: u32| format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor");
    let mut others: Vec<u32> = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for cpu in online.iter() {
        let name = host.word(&path(cpu))?;
        if name != "performance" {
            others.push(cpu);
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let shown = names.join(", ");
    let finding = match others.is_empty() {
        true => Finding::ok(NAME, "all are clocked for performance"),
        false => {
            let slow = CpuSet::try_from(others).unwrap_or_default();
            let found = format!(
                "CPUs {slow} are clocked by governor {shown}: the first packets after a pause are slow"
            );
            Finding::warn(NAME, found).root(format!(
                "echo performance | tee {CPUS}/cpu*/cpufreq/scaling_governor"
            ))
        }
    };
    Some(finding.with("governors", names))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, about, all_ok};

    fn host(online: &str, allowed: &str) -> Made {
        let made = Made::new();
        made.file(&format!("{CPUS}/online"), format!("{online}\n"))
            .file(
                "/proc/self/status",
                format!("Name:\tx\nCpus_allowed_list:\t{allowed}\n"),
            );
        made
    }

    #[test]
    fn a_small_machine_needs_no_isolation() {
        let made = host("0-1", "0-1");
        let found = check(&made.host);
        about(&found, "CPUs 0-1 of 0-1 can be used");
        about(&found, "none to spare");
        all_ok(&found);
        let made = host("0-1", "1");
        assert_eq!(about(&check(&made.host), "take turns").state, State::Warn);
    }

    #[test]
    fn a_large_one_is_told_how() {
        let made = host("0-7", "0-7");
        let found = check(&made.host);
        let warned = about(&found, "no CPU is isolated");
        assert_eq!(warned.state, State::Warn);
        assert!(
            warned
                .remedy
                .as_ref()
                .unwrap()
                .contains("isolcpus=2-7 nohz_full=2-7")
        );
        made.file(&format!("{CPUS}/isolated"), "2-3\n")
            .file(&format!("{CPUS}/nohz_full"), "2\n");
        let found = check(&made.host);
        assert_eq!(about(&found, "interrupts 3").state, State::Warn);
        made.file(&format!("{CPUS}/nohz_full"), "2-3\n");
        all_ok(&check(&made.host));
        made.file(&format!("{CPUS}/nohz_full"), "(null)\n");
        about(&check(&made.host), "interrupts 2-3");
    }

    #[test]
    fn cores_and_clocks_are_looked_at() {
        let made = host("0-3", "0-3");
        made.file(&format!("{CPUS}/isolated"), "2\n")
            .file(&format!("{CPUS}/nohz_full"), "2\n");
        for (cpu, pair) in [(0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")] {
            made.file(
                &format!("{CPUS}/cpu{cpu}/topology/thread_siblings_list"),
                pair,
            )
            .file(
                &format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor"),
                "powersave",
            );
        }
        let found = check(&made.host);
        assert_eq!(about(&found, "CPUs 2-3 share a core").state, State::Warn);
        let slow = about(&found, "governor powersave");
        assert_eq!((slow.state, slow.as_root), (State::Warn, true));
    }

    #[test]
    fn odd_lists_are_said_to_be_unseen() {
        for odd in ["", "0-99999999", "3-1", "x"] {
            let found = check(&host(odd, "0").host);
            assert_eq!(about(&found, "cannot be seen").state, State::Warn, "{odd}");
        }
    }
}
