//! The time stamp counter: DPDK and our counters take times from it (`/proc/cpuinfo`, the kernel's clock source).

use crate::{Finding, Host};

const NAME: &str = "tsc";
const SOURCE: &str = "/sys/devices/system/clocksource/clocksource0";

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let info = match host.read("/proc/cpuinfo") {
        Ok(info) => info,
        Err(error) => return vec![host.unseen(NAME, "/proc/cpuinfo", &error)],
    };
    let source = host.word(&format!("{SOURCE}/current_clocksource"));
    let shown = source.as_deref().unwrap_or("unknown");
    let flags = info
        .lines()
        .find_map(|line| line.strip_prefix("flags")?.split_once(':'));
    let Some((_, flags)) = flags else {
        let found = format!(
            "this CPU has no time stamp counter that would have to be asked for (clock source: {shown})"
        );
        return vec![Finding::ok(NAME, found).with("clock-source", source)];
    };
    let missing: Vec<&str> = ["constant_tsc", "nonstop_tsc"]
        .into_iter()
        .filter(|flag| !flags.split_whitespace().any(|word| word == *flag))
        .collect();
    let finding = if missing.is_empty() {
        Finding::ok(
            NAME,
            format!("runs at one rate and never stops (clock source: {shown})"),
        )
    } else {
        let found = format!(
            "this CPU does not say {}: rates, latencies and --rate of traffic are wrong when its clock changes (clock source: {shown})",
            missing.join(" and ")
        );
        Finding::warn(NAME, found).root("cpupower frequency-set -g performance")
    };
    vec![
        finding
            .with("clock-source", source)
            .with("missing", missing),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::testing::{Made, one};

    #[test]
    fn the_flags_of_the_cpu_decide() {
        let made = Made::new();
        made.file("/proc/cpuinfo", "flags\t\t: fpu constant_tsc nonstop_tsc\n")
            .file(&format!("{SOURCE}/current_clocksource"), "tsc\n");
        let found = one(check(&made.host));
        assert_eq!(found.state, State::Ok);
        assert!(found.found.contains("clock source: tsc"));
        made.file("/proc/cpuinfo", "flags\t\t: fpu constant_tsc\n");
        let found = one(check(&made.host));
        assert_eq!(found.state, State::Warn);
        assert!(found.found.contains("does not say nonstop_tsc:"));
        made.file("/proc/cpuinfo", "BogoMIPS: 50\n");
        assert_eq!(one(check(&made.host)).state, State::Ok);
    }
}
