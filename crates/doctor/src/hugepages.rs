//! Hugepages by size and NUMA node (`/sys/kernel/mm/hugepages`, `/sys/devices/system/node`).

use serde_json::{Value, json};
use sys::hugepages::{HugePool, pools_in};

use crate::finding::size;
use crate::{Finding, Host, State};

const NAME: &str = "hugepages";
const POOLS: &str = "/sys/kernel/mm/hugepages";
const NODES: &str = "/sys/devices/system/node";

/// What a primary takes unless told otherwise.
pub(crate) const WANTED: u64 = 512 << 20;
/// The least with which a primary of 16 rings starts (`--memory 132`).
pub(crate) const LEAST: u64 = 132 << 20;

/// The hugepages that the kernel knows.
pub(crate) fn pools(host: &Host) -> Result<Vec<HugePool>, sys::Error> {
    pools_in(&host.at(POOLS))
}

pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let pools = match pools(host) {
        Ok(pools) if pools.is_empty() => {
            let found = format!(
                "this kernel has no hugepages ({POOLS} is not there): one with CONFIG_HUGETLBFS is needed"
            );
            return vec![Finding::fail(NAME, found)];
        }
        Ok(pools) => pools,
        Err(error) => return vec![Finding::fail(NAME, error.to_string())],
    };
    let sum = |of: fn(&HugePool) -> u64| pools.iter().map(of).fold(0, u64::saturating_add);
    let there = sum(|pool| pool.total.saturating_mul(pool.page_size));
    let free = sum(HugePool::available_bytes);
    let state = match free {
        _ if there < LEAST => State::Fail,
        free if free < WANTED => State::Warn,
        _ => State::Ok,
    };
    // Sizes of which there are none say nothing, but for the one that is to be reserved.
    let shown = pools
        .iter()
        .enumerate()
        .filter(|(at, pool)| pool.total > 0 || *at == 0);
    let mut findings: Vec<Finding> = shown
        .map(|(at, pool)| pool_finding(host, pool, if at == 0 { state } else { State::Ok }))
        .collect();
    for pool in &pools {
        findings.extend(uneven(host, pool));
    }
    findings
}

fn pool_finding(host: &Host, pool: &HugePool, state: State) -> Finding {
    let free = pool.free.saturating_sub(pool.reserved);
    let nodes = nodes(host, pool.page_size);
    let by_node: Vec<String> = nodes
        .iter()
        .map(|(node, there)| format!("node {node}: {}", there.free))
        .collect();
    let mut found = format!(
        "{free} of {} pages of {} free",
        pool.total,
        size(pool.page_size)
    );
    if !by_node.is_empty() {
        found.push_str(&format!(" ({})", by_node.join(", ")));
    }
    if pool.reserved > 0 {
        found.push_str(&format!(
            ", {} more promised to running programs",
            pool.reserved
        ));
    }
    match state {
        State::Ok => {}
        State::Warn => found.push_str(&format!(
            ": a primary takes {} unless told otherwise",
            size(WANTED)
        )),
        State::Fail => found.push_str(&format!(": no panel runs with less than {}", size(LEAST))),
    }
    let list: Vec<Value> = nodes
        .iter()
        .map(|(node, there)| json!({"node": node, "total": there.total, "free": there.free}))
        .collect();
    let finding = Finding::new(NAME, state, found)
        .with("page-size", pool.page_size)
        .with("total", pool.total)
        .with("free", pool.free)
        .with("reserved", pool.reserved)
        .with("nodes", list);
    if state == State::Ok {
        return finding;
    }
    let more = WANTED
        .div_ceil(pool.page_size)
        .saturating_sub(free)
        .saturating_add(pool.total);
    let file = format!("{POOLS}/hugepages-{}kB/nr_hugepages", pool.page_size >> 10);
    finding.root(format!("echo {more} > {file}"))
}

/// What each NUMA node has of pages of this size.
fn nodes(host: &Host, page_size: u64) -> Vec<(u32, HugePool)> {
    let names = host.list(NODES);
    let mut nodes: Vec<(u32, HugePool)> = names
        .iter()
        .filter_map(|name| {
            let number = name.strip_prefix("node")?.parse().ok()?;
            let pools = pools_in(&host.at(&format!("{NODES}/{name}/hugepages"))).ok()?;
            let pool = pools.into_iter().find(|pool| pool.page_size == page_size)?;
            Some((number, pool))
        })
        .collect();
    nodes.sort_by_key(|(number, _)| *number);
    nodes
}

/// A node with CPUs and no free page, while another one has some: its workers go to the other's memory.
fn uneven(host: &Host, pool: &HugePool) -> Vec<Finding> {
    let nodes = nodes(host, pool.page_size);
    let most = nodes.iter().map(|(_, there)| there.free).max().unwrap_or(0);
    let has_cpus = |node: u32| {
        let cpus = host.word(&format!("{NODES}/node{node}/cpulist"));
        cpus.is_none_or(|cpus| !cpus.is_empty())
    };
    let bare = nodes
        .iter()
        .filter(|(node, there)| most > 0 && there.free == 0 && has_cpus(*node));
    bare.map(|(node, there)| {
        let found = format!(
            "node {node} has no free page of {} and another node has {most}: workers there would use memory of the other one",
            size(pool.page_size)
        );
        let kilobytes = pool.page_size >> 10;
        let wanted = there.total.saturating_add(most.div_ceil(2));
        Finding::warn(NAME, found).with("node", *node).root(format!(
            "echo {wanted} > {NODES}/node{node}/hugepages/hugepages-{kilobytes}kB/nr_hugepages"
        ))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Made, about, one};

    fn node(made: &Made, number: u32, total: u64, free: u64) {
        let pool = format!("{NODES}/node{number}/hugepages/hugepages-2048kB");
        made.file(&format!("{pool}/nr_hugepages"), total.to_string())
            .file(&format!("{pool}/free_hugepages"), free.to_string())
            .file(&format!("{NODES}/node{number}/cpulist"), "0-3");
    }

    #[test]
    fn pages_are_counted_by_size_and_node() {
        let made = Made::new();
        made.hugepages(2048, 1536);
        node(&made, 0, 2048, 1536);
        let found = one(check(&made.host));
        assert_eq!(
            (found.state, found.found.as_str()),
            (State::Ok, "1536 of 2048 pages of 2 MB free (node 0: 1536)")
        );
        assert_eq!(found.figures["free"], 1536);
        assert_eq!(found.figures["nodes"][0]["total"], 2048);
        assert_eq!(found.remedy, None);
    }

    #[test]
    fn too_few_are_told_with_the_number_to_reserve() {
        let made = Made::new();
        made.hugepages(0, 0);
        let found = one(check(&made.host));
        assert_eq!(found.state, State::Fail);
        assert_eq!(
            found.remedy.as_deref(),
            Some("echo 256 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
        );
        assert!(found.as_root);
        made.hugepages(300, 10);
        let found = one(check(&made.host));
        assert_eq!(found.state, State::Warn);
        assert!(found.remedy.unwrap().starts_with("echo 546 >"));
    }

    #[test]
    fn what_is_promised_is_not_free() {
        let made = Made::new();
        made.hugepages(600, 600).file(
            "/sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages",
            "590",
        );
        let found = one(check(&made.host));
        assert_eq!(found.state, State::Warn);
        assert!(found.found.contains("10 of 600") && found.found.contains("590 more promised"));
    }

    #[test]
    fn a_bare_node_is_told() {
        let made = Made::new();
        made.hugepages(2048, 2048);
        node(&made, 0, 2048, 2048);
        node(&made, 1, 0, 0);
        let found = check(&made.host);
        let bare = about(&found, "node 1 has no free page");
        assert_eq!(bare.state, State::Warn);
        assert!(bare.remedy.as_ref().unwrap().contains("node1/hugepages"));
    }

    #[test]
    fn odd_figures_do_no_harm() {
        let made = Made::new();
        assert_eq!(one(check(&made.host)).state, State::Fail);
        let most = u64::MAX.to_string();
        made.hugepages(u64::MAX, u64::MAX).file(
            "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages",
            &most,
        );
        // A pool without its other files.
        assert_eq!(one(check(&made.host)).state, State::Fail);
        made.file(
            "/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages",
            &most,
        );
        assert_eq!(check(&made.host)[0].state, State::Ok);
        made.file(
            "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
            "many",
        );
        assert!(one(check(&made.host)).found.contains("'many'"));
    }
}
