// The live panel: looks each second, shows, and carries out what users ask for.

import { call, follow, useToken } from "./api.js";
import * as boxes from "./boxes.js";
import { make, say } from "./dom.js";
import * as groups from "./groups.js";
import * as hand from "./hand.js";
import * as links from "./links.js";
import { look } from "./model.js";
import { count } from "./units.js";

const EVERY = 1000; // ms between looks
const find = (selector) => document.querySelector(selector);
const board = find("#board");
let panel = { processes: [], rings: [] };
let looking = false;
let again = false;
let timer = 0;

/** Looks now, and from then on each second. At most one look is under way. */
async function refresh() {
  if (looking) {
    again = true;
    return;
  }
  clearTimeout(timer);
  looking = true;
  try {
    panel = await look();
    complain("");
    listen();
    redraw();
  } catch (error) {
    complain(error.message);
  }
  looking = false;
  timer = setTimeout(refresh, again ? 0 : EVERY);
  again = false;
}

let listening = false;

/** Hears of changes at once. Begun again when it ended, and when the token came after the page. */
async function listen() {
  if (listening) return;
  listening = true;
  await follow(refresh);
  listening = false;
}

function complain(text) {
  find("#trouble").hidden = !text;
  say(find("#trouble"), text);
  document.body.classList.toggle("stale", Boolean(text));
}

/** Whether a button of the mouse is down: what it was pressed on has to be there when it comes up. */
let pressed = false;
document.addEventListener("pointerdown", () => { pressed = true; }, true);
for (const end of ["pointerup", "pointercancel"]) {
  // The click follows the release.
  document.addEventListener(end, () => setTimeout(() => { pressed = false; redraw(); }, 0), true);
}

function redraw() {
  // With a cable in hand nothing moves under it.
  if (!hand.busy() && !pressed) {
    boxes.show(find("#boxes"), panel, find("#find").value.trim().toLowerCase(), actions);
  }
  links.show(find("#links"), find("#boxes"), panel);
  find("#nobody").hidden = panel.processes.length > 0;
  const patches = panel.processes.flatMap((process) => process.patches);
  say(find("#sum"), `${count(panel.processes.length, "process").replace("processs", "processes")}, ${
    count(patches.length, "patch").replace("patchs", "patches")}`);
}

function tell(text, undo) {
  say(find("#said"), text);
  find("#results").className = text ? "shown" : "";
  find("#hush").hidden = !text;
  find("#undo").hidden = !undo;
  find("#undo").onclick = undo ?? null;
}

function trouble(text) {
  tell(text);
  if (text) find("#results").className = "shown failed";
}

/** Carries out a change and says what came of it; true if it took effect. */
async function change(process, doing, done, undo, ...request) {
  try {
    await call(...request);
    tell(`${process.title}: ${done}`, undo);
    return true;
  } catch (error) {
    trouble(`${process.title}: ${doing}: ${error.message}`);
    return false;
  } finally {
    refresh();
  }
}

const actions = {
  tell,
  trouble,
  patch(process, src, dst) {
    const cable = `${src} → ${dst}`;
    return change(process, `cannot patch ${cable}`, `patched ${cable}`, null,
      "PUT", `${process.base}/patches`, { src, dst });
  },
  unpatch(process, src, dst) {
    const cable = `${src} → ${dst}`;
    return change(process, `cannot take out ${cable}`, `took out ${cable}`,
      () => actions.patch(process, src, dst),
      "DELETE", `${process.base}/patches/${encodeURIComponent(src)}`);
  },
  run(process) {
    const stop = process.state === "running";
    const [doing, done] = stop ? ["cannot stop", "stopped forwarding"] : ["cannot start", "forwards"];
    return change(process, doing, done, null,
      "PUT", `${process.base}/forward`, { action: stop ? "stop" : "start" });
  },
  add(process, port) {
    return change(process, `cannot add ${port}`, `added ${port}`, null,
      "PUT", `${process.base}/ports`, { action: "add", port });
  },
  del(process, port) {
    return change(process, `cannot delete ${port}`, `deleted ${port}`,
      () => actions.add(process, port),
      "PUT", `${process.base}/ports`, { action: "del", port });
  },
};

function listGroups() {
  const rows = groups.all().map(({ label, ports }) => make("li", {},
    make("b", {}, label), ` ${ports.join(", ")} `,
    make("button", { "aria-label": `Delete the subgraph ${label}`, click: () => groups.remove(label) }, "✕")));
  find("#group-list").replaceChildren(...rows);
}

/** `#token=…&subgraph=LABEL,PORT,PORT…`: taken in and removed from the address. */
function takeFragment() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.has("token")) useToken(given.get("token"));
  for (const text of given.getAll("subgraph")) {
    const [label, ...ports] = text.split(",");
    if (label && ports.length) groups.add(label, ports.join(","));
  }
  if (location.hash) history.replaceState(null, "", location.pathname);
}

groups.onChange(() => {
  listGroups();
  redraw();
});
find("#group-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  groups.add(form.elements.label.value.trim(), form.elements.ports.value);
  form.reset();
});
find("#find").addEventListener("input", redraw);
find("#hush").addEventListener("click", () => tell(""));
window.addEventListener("resize", redraw);
window.addEventListener("hashchange", () => {
  takeFragment();
  refresh();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) refresh();
});
hand.start(board, actions);
takeFragment();
listGroups();
refresh();
