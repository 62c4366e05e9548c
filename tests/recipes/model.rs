//! All recipes, read: every line is a command of its grammar, and played in order on a model of the processes nothing is used
//! before it is there, and nothing stays when a sequence undoes itself.

use std::collections::{BTreeMap, BTreeSet};

use protocol::command::component::{
    ClassifierEntry, ClassifierMac, ComponentKind, ComponentName, Direction, VlanTag, vlan_id,
};
use protocol::command::{NfvCommand, PanelCommand, PrimaryCommand};
use protocol::flow::FlowCommand;
use protocol::port::PortName;

use crate::{below, folder};

/// Ports and patches of an nfv or of the primary.
#[derive(Default)]
struct Panel {
    ports: BTreeSet<PortName>,
    patches: BTreeMap<PortName, PortName>,
}

/// A component of a vf or mirror.
struct Component {
    core: u32,
    kind: ComponentKind,
    rx: BTreeSet<PortName>,
    tx: BTreeSet<PortName>,
}

/// What the recipes of one sequence have made.
#[derive(Default)]
struct World {
    panels: BTreeMap<u32, Panel>,
    components: BTreeMap<(String, u32), BTreeMap<ComponentName, Component>>,
    entries: BTreeSet<(u32, String)>,
    capturing: BTreeSet<u32>,
    rules: BTreeSet<i64>,
}

impl World {
    /// Plays one line.
    fn line(&mut self, line: &str) {
        let (who, what) = line.split_once("; ").unwrap_or((line, ""));
        let words: Vec<&str> = who.split(' ').collect();
        let id = |text: &str| -> u32 {
            let id = text.parse().expect("an id");
            assert!((1..=127).contains(&id), "{line}");
            id
        };
        match words[..] {
            ["pri"] => match PrimaryCommand::parse(what).expect("a command of the primary") {
                PrimaryCommand::Panel(command) => self.panel(0, &command),
                PrimaryCommand::Flow(words) => self.flow(&words),
                other => panic!("{other:?} in a recipe"),
            },
            ["nfv", n] => match NfvCommand::parse(what).expect("a command of nfv") {
                NfvCommand::Panel(command) => self.panel(id(n), &command),
                other => panic!("{other:?} in a recipe"),
            },
            ["vf" | "mirror", n] => self.components(words[0], id(n), what),
            ["pcap", n] => match what {
                "start" => assert!(self.capturing.insert(id(n)), "started twice"),
                "stop" => assert!(self.capturing.remove(&id(n)), "not started"),
                "status" | "exit" => {}
                _ => panic!("no command of pcap"),
            },
            ["status" | "server", ..] | ["topo", "term"] if what.is_empty() => match words[..] {
                ["server", "add", address] => {
                    address.parse::<std::net::Ipv4Addr>().expect("an address");
                }
                ["server", "list"] | ["status"] | ["topo", "term"] => {}
                ["server", number] => {
                    number.parse::<u32>().expect("a number");
                }
                _ => panic!("unknown words"),
            },
            ["topo_subgraph", "add", label, ports] => {
                label.parse::<ComponentName>().expect("a label");
                for port in ports.split(',') {
                    port.parse::<PortName>().expect("a port");
                }
            }
            _ => panic!("no command of the shell"),
        }
    }

    /// Rules of one port get the ids 0, 1, ….
    fn flow(&mut self, words: &str) {
        if let Some(("list", _)) = words.split_once(' ') {
            return;
        }
        if let Some(rule) = words.strip_prefix("status phy:0 ") {
            let id = rule.parse().expect("an id");
            return assert!(self.rules.contains(&id), "no rule {id}");
        }
        match FlowCommand::parse(words).expect("a flow command") {
            FlowCommand::Validate { port: 0, .. } => {}
            FlowCommand::Create { port: 0, .. } => {
                let next = self.rules.last().map_or(0, |id| id + 1);
                self.rules.insert(next);
            }
            FlowCommand::Destroy { port: 0, id } => {
                assert!(self.rules.remove(&id), "no rule {id}");
            }
            FlowCommand::DestroyAll { port: 0 } => self.rules.clear(),
            other => panic!("{other} in a recipe"),
        }
    }

    fn panel(&mut self, id: u32, command: &PanelCommand) {
        let panel = self.panels.entry(id).or_default();
        let known = |panel: &Panel, port: &PortName| {
            matches!(port, PortName::Phy { .. }) || panel.ports.contains(port)
        };
        match command {
            PanelCommand::Add { port, .. } => assert!(panel.ports.insert(*port), "added twice"),
            PanelCommand::Del(port) => {
                let patched = panel
                    .patches
                    .iter()
                    .any(|(src, dst)| src == port || dst == port);
                assert!(!patched, "{port} is patched");
                assert!(panel.ports.remove(port), "{port} was not added");
            }
            PanelCommand::Patch { src, dst, .. } => {
                assert!(
                    known(panel, src) && known(panel, dst),
                    "a port was not added"
                );
                panel.patches.insert(*src, *dst);
                self.check_ring_ends();
            }
            PanelCommand::PatchReset => panel.patches.clear(),
            PanelCommand::Forward | PanelCommand::Stop | PanelCommand::Status => {}
            other => panic!("{other} in a recipe"),
        }
    }

    /// No end of a ring is used by two processes.
    fn check_ring_ends(&self) {
        let mut ends = BTreeSet::new();
        for panel in self.panels.values() {
            let used = |ports: Vec<&PortName>| ports.into_iter().copied().collect::<BTreeSet<_>>();
            let sources = used(panel.patches.keys().collect());
            let destinations = used(panel.patches.values().collect());
            let all = sources
                .iter()
                .map(|p| (*p, "rx"))
                .chain(destinations.iter().map(|p| (*p, "tx")));
            for end in all.filter(|(port, _)| matches!(port, PortName::Ring(_))) {
                assert!(ends.insert(end), "{end:?} is used twice");
            }
        }
    }

    fn components(&mut self, kind: &str, id: u32, what: &str) {
        let components = self.components.entry((kind.to_owned(), id)).or_default();
        let words: Vec<&str> = what.split(' ').collect();
        let name = |text: &str| text.parse::<ComponentName>().expect("a name");
        let port = |text: &str| text.parse::<PortName>().expect("a port");
        let direction = |text: &str| match text {
            "rx" => Direction::Rx,
            "tx" => Direction::Tx,
            _ => panic!("{text} is no direction"),
        };
        match words[..] {
            ["status"] => components.values().for_each(check_complete),
            ["exit"] => assert!(components.is_empty(), "components are left"),
            ["component", "start", one, core, role] => {
                let roles: &[ComponentKind] = match kind {
                    "vf" => &[
                        ComponentKind::Forward,
                        ComponentKind::Merge,
                        ComponentKind::Classifier,
                    ],
                    _ => &[ComponentKind::Mirror],
                };
                let role = roles
                    .iter()
                    .find(|known| known.word() == role)
                    .expect("a role");
                let core = core.parse().expect("a core");
                assert!(
                    !components.values().any(|c| c.core == core),
                    "core {core} is in use"
                );
                let (rx, tx) = Default::default();
                let new = Component {
                    core,
                    kind: *role,
                    rx,
                    tx,
                };
                assert!(components.insert(name(one), new).is_none(), "{one} exists");
            }
            ["component", "stop", one] => {
                let old = components.remove(&name(one)).expect("a component");
                assert!(
                    old.rx.is_empty() && old.tx.is_empty(),
                    "{one} still has ports"
                );
            }
            ["port", action, at, dir, one, ref tag @ ..] => {
                let (at, dir) = (port(at), direction(dir));
                match (action, tag) {
                    (_, []) | ("add", ["del_vlantag"]) => {}
                    ("add", ["add_vlantag", id, pcp]) => {
                        let number = |text: &str| text.parse().expect("a number");
                        VlanTag::add(number(id), number(pcp)).expect("a tag");
                    }
                    _ => panic!("{tag:?} is no VLAN operation"),
                }
                // A port has one user a direction in a process.
                let users = components.values().filter(|c| ports(c, dir).contains(&at));
                let used = users.count();
                let component = components.get_mut(&name(one)).expect("a component");
                let own = match dir {
                    Direction::Rx => &mut component.rx,
                    Direction::Tx => &mut component.tx,
                };
                match action {
                    "add" => assert!(used == 0 && own.insert(at), "{at} is in use"),
                    "del" => assert!(own.remove(&at), "{at} was not added"),
                    _ => panic!("no action"),
                }
            }
            ["classifier_table", action, ref rest @ ..] => {
                let (vlan, mac, at) = match rest {
                    ["mac", mac, at] => (None, mac, at),
                    ["vlan", id, mac, at] => (
                        Some(vlan_id(id.parse().expect("a number")).expect("an id")),
                        mac,
                        at,
                    ),
                    _ => panic!("no entry of the table"),
                };
                let mac: ClassifierMac = mac.parse().expect("an address");
                let entry = ClassifierEntry {
                    vlan,
                    mac,
                    port: port(at),
                };
                let text = (id, entry.to_string());
                match action {
                    "add" => {
                        let classifies = |c: &Component| {
                            c.kind == ComponentKind::Classifier && c.tx.contains(&entry.port)
                        };
                        assert!(
                            components.values().any(classifies),
                            "no classifier sends there"
                        );
                        assert!(self.entries.insert(text), "registered twice");
                    }
                    "del" => assert!(self.entries.remove(&text), "not registered"),
                    _ => panic!("no action"),
                }
            }
            _ => panic!("no command of {kind}"),
        }
    }

    /// Nothing is left.
    fn check_empty(&self) {
        for (id, panel) in &self.panels {
            assert!(
                panel.ports.is_empty() && panel.patches.is_empty(),
                "process {id}"
            );
        }
        assert!(self.components.values().all(BTreeMap::is_empty));
        assert!(self.entries.is_empty() && self.capturing.is_empty());
        assert!(self.rules.is_empty(), "flow rules stay");
    }
}

fn ports(component: &Component, dir: Direction) -> &BTreeSet<PortName> {
    match dir {
        Direction::Rx => &component.rx,
        Direction::Tx => &component.tx,
    }
}

/// A component that has ports has as many as it needs to run.
fn check_complete(component: &Component) {
    let (rx, tx) = (component.rx.len(), component.tx.len());
    let enough = match component.kind {
        ComponentKind::Forward => (rx, tx) == (1, 1),
        ComponentKind::Merge => rx >= 2 && tx == 1,
        ComponentKind::Classifier => rx == 1 && tx >= 2,
        ComponentKind::Mirror => (rx, tx) == (1, 2),
    };
    let none = (rx, tx) == (0, 0);
    assert!(
        enough || none,
        "a {:?} with {rx} rx and {tx} tx",
        component.kind
    );
}

/// Plays recipes on a model, and says where it fails.
fn play(paths: &[std::path::PathBuf]) -> World {
    let mut world = World::default();
    for path in paths {
        let text = std::fs::read_to_string(path).expect("a recipe");
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("# ") && first.len() > 10,
            "{}: no first comment",
            path.display()
        );
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with("# ") {
                continue;
            }
            let played =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.line(line)));
            assert!(played.is_ok(), "{}:{number}: {line}", path.display());
        }
    }
    world
}

#[test]
fn every_sequence_of_recipes_holds_together_and_undoes_itself() {
    let mut by_folder: BTreeMap<std::path::PathBuf, Vec<_>> = BTreeMap::new();
    let mut alone = 0;
    for path in below(&folder()) {
        let mut parent = path.parent().expect("a folder").to_owned();
        // Two folders, one sequence: `setup` comes before `shutdown`.
        if parent.ends_with("setup") || parent.ends_with("shutdown") {
            parent.pop();
        }
        if parent.ends_with("spp_container") || parent.ends_with("multiple_nodes") {
            play(&[path]);
            alone += 1;
        } else {
            by_folder.entry(parent).or_default().push(path);
        }
    }
    assert_eq!((by_folder.len(), alone), (19, 8));
    for (folder, paths) in by_folder {
        assert!(paths.len() >= 2, "{}", folder.display());
        play(&paths).check_empty();
    }
}

#[test]
fn the_model_refuses_what_the_original_had_wrong() {
    for wrong in [
        // A ring that was not added; a type that is none; the prompt before the command; a removed command.
        &["nfv 2; patch ring:0 ring:1"][..],
        &["vf 1; component start cls1 2 classifier_mac"],
        &["spp > vf 1; status"],
        &["sec 1; flush"],
        // Another direction, and another address, than what was set up.
        &[
            "vf 1; component start f 2 forward",
            "vf 1; port add ring:7 tx f",
            "vf 1; port del ring:7 rx f",
        ],
        &["vf 1; classifier_table del mac 51:54:00:12:34:56 ring:0"],
    ] {
        let mut world = World::default();
        let (last, before) = wrong.split_last().expect("lines");
        before.iter().for_each(|line| world.line(line));
        let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.line(last)));
        assert!(played.is_err(), "{last}");
    }
}
