// How a distance over its threshold is shown: 1 and above is an alarm, and none is too few values.

import { badge, h, s } from "./dom.js";
import { number } from "./format.js";

const NEAR = 0.7;
const MOST = 3;

/** Return what a ratio means, in a word. */
export function ratioWord(ratio) {
  if (ratio === null || ratio === undefined) return "not enough samples";
  if (ratio >= 1) return "in alarm";
  return ratio >= NEAR ? "close" : "fine";
}

/** Return the colour's name, for badges. */
export function ratioKind(ratio) {
  if (ratio === null || ratio === undefined) return "unknown";
  if (ratio >= 1) return "bad";
  return ratio >= NEAR ? "warn" : "ok";
}

/** Return a bar and a number. */
export function ratioMeter(ratio) {
  if (ratio === null || ratio === undefined) return badge("unknown", "not enough samples");
  const kind = ratioKind(ratio);
  const width = Math.min(1, ratio / MOST) * 100;
  const bar = s("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { width, height: 8 }));
  return h("span", { class: "nowrap" }, h("span", { class: `meter ${kind}` }, bar), ` ${number(ratio)}× `, kind === "ok" ? "" : badge(kind, ratioWord(ratio)));
}
