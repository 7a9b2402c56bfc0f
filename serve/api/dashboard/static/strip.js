// The monitor's state over windows: a strip of cells, each state with a colour and a height of its own.

import { h, s } from "./dom.js";
import { since, words } from "./format.js";

const STATES = {
  OK: ["ok", 8, "ok"],
  WARNING: ["warn", 20, "warning"],
  DRIFT: ["bad", 32, "drift"],
  RETRAINING: ["act", 26, "retraining"],
  COOLDOWN: ["other", 14, "cooldown"],
  HALTED: ["bad", 40, "learning paused"],
};
const HEIGHT = 40;

/** Return a strip over windows, oldest first, with its legend and its ends. */
export function stateStrip(panes) {
  const width = 100 / panes.length;
  const bars = panes.map((pane, at) => {
    const [kind, high] = STATES[pane.state] ?? ["unknown", 4];
    const title = s("title", {}, `Window ${pane.index}: ${words(pane.state.toLowerCase())}, ${pane.alarms.length} in alarm, up to ${since(pane.last)}`);
    return s("rect", { class: `strip-${kind}`, x: at * width, y: HEIGHT - high, width: Math.max(0.1, width - 0.15), height: high }, title);
  });
  const counts = new Map();
  for (const pane of panes) counts.set(pane.state, (counts.get(pane.state) ?? 0) + 1);
  const said = [...counts].map(([state, count]) => `${STATES[state]?.[2] ?? words(state)} ${count}`).join(", ");
  const shown = s("svg", { class: "strip", viewBox: `0 0 100 ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `States of ${panes.length} windows: ${said}` }, bars);
  const keys = [...counts].map(([state, count]) => h("span", { class: "key" }, s("svg", { class: "swatch", viewBox: "0 0 14 10", "aria-hidden": "true" }, s("rect", { class: `strip-${STATES[state]?.[0] ?? "unknown"}`, width: 14, height: 10, rx: 2 })), `${STATES[state]?.[2] ?? words(state)} ${count}`));
  const last = panes.at(-1).last;
  return [shown, h("div", { class: "strip-ends" }, h("span", {}, since(panes[0].first, last)), h("span", {}, since(last))), h("div", { class: "chart-legend" }, keys)];
}
