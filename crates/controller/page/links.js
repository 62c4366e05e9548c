// Rings that lead from one box to another, drawn behind the boxes.

import { draw } from "./dom.js";

/** Draws them anew; positions come from the boxes as they lie now. */
export function show(svg, boxes, panel) {
  const area = svg.parentElement;
  const origin = area.getBoundingClientRect();
  const jack = (process, side, port) => {
    const box = [...boxes.children].find((one) => one.dataset.process === process.name);
    const found = box && [...box.querySelectorAll(`.${side} .jack`)].find((one) => one.dataset.port === port);
    if (!found) return null;
    const [edge, row] = [box.getBoundingClientRect(), found.getBoundingClientRect()];
    const [left, top] = [area.scrollLeft - origin.left, area.scrollTop - origin.top];
    return {
      x: (side === "out" ? edge.right : edge.left) + left,
      y: row.top + row.height / 2 + top,
      top: edge.top + top,
      bottom: edge.bottom + top,
    };
  };
  const shapes = [];
  for (const from of panel.processes) {
    for (const patch of from.patches.filter(({ dst }) => dst.startsWith("ring:"))) {
      for (const to of panel.processes.filter((one) => one.patches.some(({ src }) => src === patch.dst))) {
        const [start, end] = [jack(from, "out", patch.dst), jack(to, "in", patch.dst)];
        if (!start || !end) continue;
        const ring = panel.rings.find((one) => one.name === patch.dst);
        shapes.push(...link(start, end, patch, ring, shapes.length / 2));
      }
    }
  }
  svg.replaceChildren(...shapes);
}

function link(start, end, patch, ring, number) {
  const full = ring && ring.used > ring.capacity * 0.9;
  const classes = ["ring", patch.rate > 0 ? "moving" : "", full ? "full" : ""].join(" ");
  const depth = ring ? `${ring.name}: ${ring.used} of ${ring.capacity} packets` : patch.dst;
  const text = draw("text", { x: start.x + 8, y: start.y - 7 }, patch.dst);
  return [draw("path", { class: classes, d: way(start, end, number) }, draw("title", {}, depth)), text];
}

/** To the right in a bow; back, or to a row below, around the boxes. */
function way(start, end, number) {
  const apart = end.x - start.x;
  if (apart > 0) {
    const bend = Math.max(24, apart / 2);
    return `M${start.x} ${start.y}C${start.x + bend} ${start.y} ${end.x - bend} ${end.y} ${end.x} ${end.y}`;
  }
  const step = (number % 4) * 5;
  const between = end.top > start.bottom ? end.top - 12 - step : Math.max(start.bottom, end.bottom) + 12 + step;
  return `M${start.x} ${start.y}H${start.x + 14 + step}V${between}H${end.x - 14 - step}V${end.y}H${end.x}`;
}
