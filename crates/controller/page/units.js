// Numbers as people read them.

/** Packets a second: 0 pps, 950 pps, 1.23 Mpps. */
export function packetRate(rate) {
  let value = Math.max(0, rate);
  let prefix = "";
  for (const next of ["k", "M", "G", "T"]) {
    if (value < 999.5) break;
    value /= 1000;
    prefix = next;
  }
  if (!prefix) return `${value.toFixed(0)} pps`;
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${prefix}pps`;
}

/** A share of one: 12 %. */
export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** 1 packet, 2 packets. */
export function count(number, one) {
  return `${number.toLocaleString("en")} ${one}${number === 1 ? "" : "s"}`;
}
