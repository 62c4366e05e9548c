// What is shown: processes with ports and patches, from the documents of the controller.

import { call } from "./api.js";

const SECONDARIES = { nfv: "nfvs", vf: "vfs", mirror: "mirrors", pcap: "pcaps" };

let before = new Map(); // Details of the last look, by process.
let rings = [];
let known = new Map(); // What was shown of it.

/** Reads the whole panel. */
export async function look() {
  const documents = await call("GET", "/v1/details");
  const shown = documents.filter((process) => process.status !== "gone");
  const processes = await Promise.all(shown.map(read));
  before = new Map(documents.filter((process) => process.detail)
    .map((process) => [name(process), process.detail]));
  known = new Map(processes.filter((process) => !process.note).map((process) => [process.name, process]));
  rings = shown.find((process) => process.type === "primary")?.detail?.rings ?? rings;
  return {
    rings,
    processes: processes.filter((process) => process.id !== 0 || process.ports.length > 0
      || process.workers.length > 0),
  };
}

function name(process) {
  return process["client-id"] === 0 ? "primary" : `${process.type}:${process["client-id"]}`;
}

async function read(process) {
  const id = process["client-id"];
  const base = id === 0 ? "/v1/primary" : `/v1/${SECONDARIES[process.type]}/${id}`;
  const shown = {
    id, base,
    name: name(process),
    title: id === 0 ? "primary" : `${process.type} ${id}`,
    state: process.status,
    note: "",
    ports: [],
    patches: [],
    workers: [],
    fixed: process.type !== "nfv" && id !== 0, // Has components instead of patches.
  };
  if (process.detail) return ofDetail(shown, process.detail);
  if (process.status !== "ok") return silent(shown, process.error ?? "it does not answer");
  try {
    return ofStatus(shown, await call("GET", id === 0 ? `${base}/status` : base));
  } catch (error) {
    return silent(shown, error.message);
  }
}

/** A process that does not answer now is shown as it was. */
function silent(shown, why) {
  const last = known.get(shown.name);
  if (!last) return { ...shown, state: "not responding", note: why };
  const patches = last.patches.map((patch) => ({ ...patch, rate: 0, dropRate: 0 }));
  return { ...last, patches, state: "not responding" };
}

function ofDetail(shown, detail) {
  const old = before.get(shown.name);
  const then = old?.incarnation === detail.incarnation ? old : detail;
  const seconds = (detail.tsc - then.tsc) / detail["tsc-hz"];
  const patches = detail.patches.map((patch) => {
    const was = then.patches.find((other) => other.src === patch.src && other.dst === patch.dst);
    const drops = total(patch.drops);
    return {
      src: patch.src,
      dst: patch.dst,
      packets: patch["tx-packets"],
      drops,
      rate: rate(was?.["tx-packets"], patch["tx-packets"], seconds),
      dropRate: rate(was && total(was.drops), drops, seconds),
    };
  });
  const workers = detail.workers.map((worker) => {
    const was = then.workers.find((other) => other.cpu === worker.cpu) ?? worker;
    const cycles = worker["total-cycles"] - was["total-cycles"];
    const busy = cycles > 0 ? (worker["busy-cycles"] - was["busy-cycles"]) / cycles : 0;
    return { cpu: worker.cpu, busy: Math.min(1, Math.max(0, busy)) };
  });
  const ports = detail.ports.map(({ name, link, info }) => ({ name, link, info }));
  return { ...shown, state: detail.status, ports, patches, workers };
}

function total(drops) {
  return Object.values(drops).reduce((sum, one) => sum + one, 0);
}

/** Growth in a second. A counter that went back was cleared meanwhile and grew from 0. */
function rate(was, now, seconds) {
  if (was === undefined || !(seconds > 0)) return 0;
  return (now >= was ? now - was : now) / seconds;
}

/** A process of the original, or one with components: no counters. */
function ofStatus(shown, status) {
  const forwarder = status.forwarder ?? status;
  const names = (forwarder.ports ?? []).map(String);
  let patches = forwarder.patches ?? [];
  const parts = status.components ?? status.core;
  if (parts) patches = parts.flatMap(edges);
  const patched = patches.flatMap(({ src, dst }) => [src, dst]);
  const ports = [...new Set([...names, ...patched])];
  return {
    ...shown,
    state: forwarder.status ?? shown.state,
    ports: ports.map((port) => ({ name: port, link: "-", info: "" })),
    patches: patches.map(({ src, dst }) => ({ src, dst })),
  };
}

/** Which way packets go through a component; a capturing lcore writes them to a file. */
function edges(part) {
  const sources = (part.rx_port ?? []).map((end) => end.port);
  const targets = (part.tx_port ?? []).map((end) => end.port);
  if (part.role === "receive") targets.push("file");
  return sources.flatMap((src) => targets.map((dst) => ({ src, dst })));
}
