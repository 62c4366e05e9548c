// The cable in hand: picked up by dragging, by a click or by a key, and plugged in likewise.

const MOVED = 6; // px: less is a click
let act;
let held = null; // {jack, box, dragged, x, y}
let swallow = false; // The click that follows a drag.

const path = document.querySelector("#hand path");

/** Listens in `board`; `actions` has `patch(process, src, dst)`, `del`, `tell(text)`, `trouble(text)`. */
export function start(board, actions) {
  act = actions;
  board.addEventListener("pointerdown", press);
  document.addEventListener("pointermove", move);
  document.addEventListener("pointerup", release);
  document.addEventListener("pointercancel", () => lay());
  board.addEventListener("click", click);
  document.addEventListener("keydown", key);
}

/** True while a cable is in hand: then boxes are left as they are. */
export function busy() {
  return held !== null;
}

const jackAt = (target) => target?.closest?.(".row")?.querySelector(".jack:not(:disabled)") ?? null;

function press(event) {
  const jack = event.target.closest(".jack:not(:disabled)");
  if (!jack || held || event.button !== 0) return;
  // Where the press began counts, not where a finger is caught.
  if (jack.hasPointerCapture?.(event.pointerId)) jack.releasePointerCapture(event.pointerId);
  take(jack, event.clientX, event.clientY);
  held.pressed = true;
}

function take(jack, x, y) {
  held = { jack, box: jack.closest(".box"), x, y, dragged: false, pressed: false };
}

function hold() {
  const { jack, box } = held;
  jack.classList.add("held");
  box.classList.add("choosing");
  document.body.classList.add("holding");
  const title = box.process.title;
  const where = jack.dataset.side === "in" ? "where its packets are to go" : "where its packets are to come from";
  act.tell(`Cable at ${jack.dataset.port} of ${title}: choose ${where}. Esc lays it down.`);
  follow(held.x, held.y);
}

function move(event) {
  if (!held) return;
  if (held.pressed && !held.dragged
    && Math.hypot(event.clientX - held.x, event.clientY - held.y) > MOVED) {
    held.dragged = true;
    hold();
  }
  if (held.jack.classList.contains("held")) follow(event.clientX, event.clientY);
}

function follow(x, y) {
  const from = held.jack.getBoundingClientRect();
  const [x1, y1] = [from.left + from.width / 2, from.top + from.height / 2];
  const bend = Math.max(30, Math.abs(x - x1) / 2) * (held.jack.dataset.side === "in" ? 1 : -1);
  path.setAttribute("d", `M${x1} ${y1}C${x1 + bend} ${y1} ${x - bend} ${y} ${x} ${y}`);
}

function release(event) {
  if (!held?.pressed) return;
  held.pressed = false;
  if (!held.dragged) {
    // A click follows, and decides.
    if (!held.jack.classList.contains("held")) held = null;
    return;
  }
  swallow = true;
  setTimeout(() => { swallow = false; }, 0);
  const target = jackAt(document.elementFromPoint(event.clientX, event.clientY));
  if (target && target !== held.jack) plug(target);
  else lay("Laid down.");
}

function click(event) {
  if (swallow) return;
  const jack = event.target.closest(".jack:not(:disabled)");
  if (!jack) return;
  if (!held) {
    const spot = jack.getBoundingClientRect();
    take(jack, spot.left + spot.width / 2, spot.top + spot.height / 2);
    hold();
  } else if (jack === held.jack) {
    lay("Laid down.");
  } else {
    plug(jack);
  }
}

function plug(target) {
  const { jack, box } = held;
  const other = target.closest(".box");
  if (other !== box) {
    const [one, two] = [box.process.title, other.process.title];
    lay();
    act.trouble(`A patch joins ports of one process. To lead packets from ${one} to ${two}, patch to a ring here and from that ring there.`);
    return;
  }
  // Left is where packets come from; on one side, they come from where the cable began.
  const backward = jack.dataset.side === "out" && target.dataset.side === "in";
  const [src, dst] = backward ? [target, jack] : [jack, target];
  lay();
  act.patch(box.process, src.dataset.port, dst.dataset.port);
}

/** Lays the cable down. */
export function lay(text) {
  if (!held) return;
  held.jack.classList.remove("held");
  held.box.classList.remove("choosing");
  document.body.classList.remove("holding");
  path.setAttribute("d", "");
  held = null;
  if (text) act.tell(text);
}

function key(event) {
  if (event.key === "Escape") {
    lay("Laid down.");
    return;
  }
  const jack = event.target.closest?.(".jack");
  if (!jack) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const column = jack.closest(".column");
  const jacks = [...column.querySelectorAll(".jack")];
  const at = jacks.indexOf(jack);
  let next = null;
  if (step) {
    next = jacks[at + step];
  } else if (event.key === "Home" || event.key === "End") {
    next = jacks[event.key === "Home" ? 0 : jacks.length - 1];
  } else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
    const side = event.key === "ArrowRight" ? "out" : "in";
    const over = [...column.parentElement.querySelectorAll(`.column.${side} .jack`)];
    if (!column.classList.contains(side)) next = over[Math.min(at, over.length - 1)];
  } else if (event.key === "Delete" && !jack.dataset.ghost) {
    event.preventDefault();
    lay();
    act.del(jack.closest(".box").process, jack.dataset.port);
    return;
  } else {
    return;
  }
  event.preventDefault();
  if (!next) return;
  for (const one of next.closest(".column").querySelectorAll(".jack")) one.tabIndex = one === next ? 0 : -1;
  next.focus();
  if (held) {
    const spot = next.getBoundingClientRect();
    follow(spot.left + spot.width / 2, spot.top + spot.height / 2);
  }
}
