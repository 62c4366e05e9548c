// A box for each process: at the left the sockets that packets come from, at the right those that
// they go to, and cables between. A box is built anew when its ports or patches change; each
// second only its numbers do.

import { draw, make, mark, say } from "./dom.js";
import { groupOf } from "./groups.js";
import { count, packetRate, percent } from "./units.js";

const ROW = 30; // px, as in panel.css
const LANE = 110; // px, likewise
const HUES = 8; // Colours of cables in panel.css

/** Brings the boxes in `parent` to what `panel` says; `act` carries out what users ask for. */
export function show(parent, panel, filter, act) {
  const old = new Map([...parent.children].map((box) => [box.dataset.process, box]));
  const boxes = [];
  for (const process of sorted(panel.processes)) {
    const rows = layOut(process, panel, filter);
    if (!rows) continue;
    const shape = JSON.stringify([process.note, process.fixed, rows]);
    let box = old.get(process.name);
    if (!box || box.shape !== shape) {
      const fresh = build(process, rows, act);
      fresh.shape = shape;
      if (box) takeOver(box, fresh);
      box = fresh;
    }
    update(box, process);
    old.delete(process.name);
    boxes.push(box);
  }
  for (const gone of old.values()) gone.remove();
  boxes.forEach((box, at) => {
    if (parent.children[at] !== box) parent.insertBefore(box, parent.children[at] ?? null);
  });
}

/** Puts `fresh` in the place of `box`, with the focus and what was typed. */
function takeOver(box, fresh) {
  const focused = box.contains(document.activeElement) ? document.activeElement.dataset.key : null;
  const typed = box.querySelector("input")?.value;
  box.replaceWith(fresh);
  const input = fresh.querySelector("input");
  if (typed && input) input.value = typed;
  if (focused) {
    const again = [...fresh.querySelectorAll("[data-key]")].find((one) => one.dataset.key === focused);
    (again ?? fresh.querySelector("[data-key]"))?.focus();
  }
}

/** Processes that feed others come first, so that rings lead to the right where they can. */
function sorted(processes) {
  const feeds = (one, other) => one.patches.some((patch) => patch.dst.startsWith("ring:")
    && other.patches.some((next) => next.src === patch.dst));
  const rest = [...processes].sort((a, b) => a.id - b.id);
  const order = [];
  while (rest.length) {
    // Of a circle, the first begins.
    const next = rest.findIndex((one) => !rest.some((other) => other !== one && feeds(other, one)));
    order.push(...rest.splice(Math.max(0, next), 1));
  }
  return order;
}

/** The rows of both columns; nothing if the filter hides the whole process. */
function layOut(process, panel, filter) {
  const wanted = (text) => text.toLowerCase().includes(filter);
  const whole = !filter || wanted(process.title) || wanted(process.name);
  const near = (port) => wanted(port)
    || process.patches.some(({ src, dst }) => (src === port && wanted(dst)) || (dst === port && wanted(src)));
  const ports = process.ports
    .filter((port) => whole || near(port.name) || wanted(groupOf(port.name)?.label ?? ""))
    .map(({ name, link, info }) => ({ name, link, info, group: groupOf(name) }));
  if (!whole && ports.length === 0) return null;
  // Ports of a subgraph stand together; otherwise they stay in the order of their addition.
  const rank = (port) => (port.group ? port.group.index : Infinity);
  ports.sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
  const has = (ring) => process.ports.some((port) => port.name === ring.name);
  const offered = process.fixed || process.note ? [] : panel.rings.filter((ring) => !has(ring) && wanted(ring.name));
  const ghost = (ring, info) => ({ name: ring.name, link: "-", info, ghost: true, group: groupOf(ring.name) });
  const from = offered.filter((ring) => ring.producer && !ring.consumer)
    .map((ring) => ghost(ring, `filled by ${ring.producer}; nobody takes from it yet`));
  const to = offered.filter((ring) => ring.consumer && !ring.producer)
    .map((ring) => ghost(ring, `${ring.consumer} takes from it; nobody fills it yet`));
  const free = offered.find((ring) => !ring.producer && !ring.consumer);
  if (free) to.push(ghost(free, "a free ring, to another process"));
  const ins = [...ports, ...from];
  const outs = [...ports, ...to];
  const row = (rows, port) => rows.findIndex((one) => one.name === port);
  const cables = process.patches
    .map(({ src, dst }) => ({ src, dst, from: row(ins, src), to: row(outs, dst) }))
    .filter((cable) => cable.from >= 0 && cable.to >= 0);
  return { ins, outs, cables };
}

function build(process, rows, act) {
  const { name, title } = process;
  const box = make("section", { class: "box", "data-process": name, "aria-label": title });
  const state = make("span", { class: "state" });
  const head = make("header", {}, make("h2", {}, title), state, make("span", { class: "busy" }));
  if (!process.fixed && !process.note) {
    head.append(make("button", { class: "run", "data-key": "run", click: () => act.run(box.process) }));
  }
  box.append(head);
  if (process.note) {
    box.append(make("p", { class: "note" }, process.note));
    return box;
  }
  const height = Math.max(1, rows.ins.length, rows.outs.length) * ROW;
  const cables = draw("svg", {
    class: "cables", width: LANE, height, viewBox: `0 0 ${LANE} ${height}`, "aria-hidden": "true",
  });
  rows.cables.forEach((cable) => cables.append(drawCable(process, cable, act, box)));
  box.append(make("div", { class: "jacks" },
    column(box, process, rows, "in", act), cables, column(box, process, rows, "out", act)));
  if (!rows.ins.length) box.append(make("p", { class: "note" }, "no ports"));
  if (!process.fixed) box.append(adder(box, title, act));
  return box;
}

function drawCable(process, cable, act, box) {
  const [y1, y2] = [cable.from, cable.to].map((row) => (row + 0.5) * ROW);
  const d = `M0 ${y1}C${LANE * 0.55} ${y1} ${LANE * 0.45} ${y2} ${LANE} ${y2}`;
  const group = draw("g", { class: "cable", "data-hue": cable.from % HUES, "data-cable": `${cable.src}→${cable.dst}` });
  group.append(draw("path", { class: "wire", d }), draw("path", { class: "flow", d }));
  // A wide one that is easy to hit.
  const hit = draw("path", { class: "hit", d });
  if (!process.fixed) hit.addEventListener("click", () => act.unpatch(box.process, cable.src, cable.dst));
  group.append(hit);
  return group;
}

function column(box, process, rows, side, act) {
  const list = side === "in" ? rows.ins : rows.outs;
  const what = side === "in" ? "ports to receive from" : "ports to send to";
  const element = make("div", { class: `column ${side}`, role: "group", "aria-label": `${process.title}: ${what}` });
  list.forEach((port, at) => {
    const cable = side === "in" ? rows.cables.find((one) => one.src === port.name) : undefined;
    const jack = make("button", {
      class: "jack",
      "data-key": `${side} ${port.name}`,
      "data-side": side,
      "data-port": port.name,
      "data-ghost": port.ghost,
      // One stop of the Tab key for a column; arrows go on from there.
      tabindex: at === 0 ? 0 : -1,
      disabled: process.fixed,
      "aria-label": label(process, port, side, rows),
    });
    const shown = make("span", { class: "port", title: port.info || undefined }, port.name);
    const texts = [shown];
    if (port.link === "down") texts.push(make("span", { class: "down" }, "down"));
    if (port.group && side === "in") {
      texts.push(make("span", { class: "group", "data-group": port.group.index % HUES }, port.group.label));
    }
    const row = make("div", { class: "row", "data-kind": port.name.split(":")[0] });
    if (port.ghost) row.classList.add("ghost");
    if (port.group) row.dataset.group = port.group.index % HUES;
    if (side === "in") {
      row.append(...(deleter(box, process, port, act)), ...texts);
      // Its place is kept without a cable, too: a new patch must not move what the hand aims at.
      row.append(make("span", { class: "rate" }, ...(cable ? [chip(box, process, cable, act)] : [])), jack);
    } else {
      row.append(jack, ...texts);
    }
    element.append(row);
  });
  return element;
}

function label(process, port, side, rows) {
  const patched = side === "in"
    ? rows.cables.filter((cable) => cable.src === port.name).map((cable) => `patched to ${cable.dst}`)
    : rows.cables.filter((cable) => cable.dst === port.name).map((cable) => `patched from ${cable.src}`);
  const link = port.link === "down" ? "link down" : "";
  const texts = [`${port.name} of ${process.title}, ${side === "in" ? "receives" : "sends"}`, link, port.ghost ? port.info : ""];
  return [...texts, ...(patched.length ? patched : ["not patched"])].filter(Boolean).join(", ");
}

function deleter(box, process, port, act) {
  if (process.fixed || port.ghost || port.name.startsWith("phy:")) return [];
  return [make("button", {
    class: "delete", tabindex: -1, "aria-label": `Delete ${port.name} of ${process.title}`, title: "Delete the port",
    click: () => act.del(box.process, port.name),
  }, "✕")];
}

function chip(box, process, cable, act) {
  return make("button", {
    class: "chip", "data-key": `chip ${cable.src}`, "data-src": cable.src, "data-dst": cable.dst,
    disabled: process.fixed,
    click: () => act.unpatch(box.process, cable.src, cable.dst),
  });
}

function adder(box, title, act) {
  const input = make("input", {
    name: "port", "data-key": "add", "aria-label": `Port to add to ${title}`, placeholder: "vhost:1",
    list: "port-kinds", autocomplete: "off", spellcheck: "false", required: true, maxlength: 40,
  });
  const form = make("form", { class: "add" }, input, make("button", { "data-key": "add button" }, "Add port"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const port = input.value.trim();
    act.add(box.process, port).then((done) => { if (done) input.value = ""; });
  });
  return form;
}

/** The numbers, each second. */
function update(box, process) {
  box.process = process;
  const running = process.state === "running";
  box.classList.toggle("running", running);
  say(box.querySelector(".state"), process.state);
  say(box.querySelector(".busy"), process.workers.map((work) => `CPU ${work.cpu}: ${percent(work.busy)}`).join("  "));
  const run = box.querySelector(".run");
  if (run) {
    say(run, running ? "Stop" : "Forward");
    mark(run, "aria-label", `${running ? "Stop" : "Start"} forwarding in ${process.title}`);
  }
  for (const patch of process.patches) {
    const key = `${patch.src}→${patch.dst}`;
    const cable = [...box.querySelectorAll(".cable")].find((one) => one.dataset.cable === key);
    const shown = [...box.querySelectorAll(".chip")].find((one) => one.dataset.src === patch.src && one.dataset.dst === patch.dst);
    const drops = patch.dropRate > 0;
    cable?.classList.toggle("moving", patch.rate > 0);
    cable?.classList.toggle("dropping", drops);
    if (!shown) continue;
    shown.classList.toggle("dropping", drops);
    if (patch.packets === undefined) {
      say(shown, "✕");
      mark(shown, "aria-label", `Take out the cable ${patch.src} to ${patch.dst}`);
      continue;
    }
    say(shown, drops ? `${packetRate(patch.rate)}  ▼ ${packetRate(patch.dropRate)}` : packetRate(patch.rate));
    const lost = patch.drops > 0 ? `, ${count(patch.drops, "drop")}` : "";
    const told = `${patch.src} to ${patch.dst}: ${packetRate(patch.rate)}, ${count(patch.packets, "packet")}${lost}`;
    mark(shown, "title", `${told}. Click to take the cable out.`);
    mark(shown, "aria-label", `Take out the cable ${told}`);
    mark(shown, "data-packets", String(patch.packets));
  }
}
