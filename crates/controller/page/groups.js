// Subgraphs: ports under a common label, kept in this browser.

const KEY = "spp.subgraphs";
let groups = load();
let changed = () => {};

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return kept.filter((group) => typeof group.label === "string" && Array.isArray(group.ports));
  } catch {
    return []; // Damaged: begin anew.
  }
}

/** Sets what is called after a change. */
export function onChange(action) {
  changed = action;
}

export function all() {
  return groups;
}

/** Index and label of the subgraph that `port` is in. */
export function groupOf(port) {
  const index = groups.findIndex((group) => group.ports.includes(port));
  return index < 0 ? null : { index, label: groups[index].label };
}

/** Adds one, in place of another of that label. `ports`: names with commas, semicolons or blanks between. */
export function add(label, ports) {
  const names = ports.replaceAll("_", ":").split(/[,;\s]+/).filter(Boolean);
  const group = { label, ports: queues(names) };
  const at = groups.findIndex((other) => other.label === label);
  if (at < 0) groups.push(group);
  else groups[at] = group;
  keep();
}

/** Processes report queues as `phy:0 nq 1`. */
function queues(names) {
  return names.map((name) => name.replace(/^(phy:\d+)nq(\d+)$/, "$1 nq $2"));
}

export function remove(label) {
  groups = groups.filter((group) => group.label !== label);
  keep();
}

function keep() {
  localStorage.setItem(KEY, JSON.stringify(groups));
  changed();
}
