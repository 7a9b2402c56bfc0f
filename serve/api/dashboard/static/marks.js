// When models were trained, promoted and sent back: marks for charts over time.

import { get, ROOT } from "./api.js";
import { moment } from "./format.js";

const KINDS = {
  training: { word: "a run began", symbol: "circle", colour: "act" },
  promoted: { word: "promoted", symbol: "triangle-up", colour: "ok" },
  rolled_back: { word: "rolled back", symbol: "triangle-down", colour: "bad" },
  rejected: { word: "rejected", symbol: "x", colour: "unknown" },
};
const RUNS = 50;

/** Return the marks of the newest runs, oldest first: {time, state, word, sentence, run, version}. */
export async function loadMarks() {
  const { retrains } = await get(`${ROOT}/retrains`, { limit: RUNS });
  return retrains
    .flatMap((run) => run.changes)
    .filter((change) => KINDS[change.state] && change.time)
    .map((change) => ({ ...KINDS[change.state], ...change, time: moment(change.time).getTime() }))
    .sort((a, b) => a.time - b.time);
}

export const PATHS = { circle: "M7 1a4 4 0 1 0 0 8 4 4 0 0 0 0-8z", "triangle-up": "M7 1l5 8H2z", "triangle-down": "M7 9l5-8H2z", x: "M3 1l4 3 4-3 1 1-4 3 4 3-1 1-4-3-4 3-1-1 4-3-4-3z" };

/** Return the keys of a legend for marks. */
export function markKeys(marks, palette) {
  const kinds = new Map(marks.map((one) => [one.word, one]));
  return [...kinds.values()].map((one) => ({ name: one.word, kind: "mark", colour: palette[one.colour], shape: PATHS[one.symbol] }));
}

/** Return a trace of marks at (x, y) of each; `x(mark)` says where. */
export function markTrace(marks, palette, x, y, more = {}) {
  return {
    type: "scatter", mode: "markers", hoverinfo: "none", showlegend: false,
    x: marks.map(x), y: marks.map(() => y), customdata: marks.map((_, at) => at),
    marker: { size: 10, symbol: marks.map((one) => one.symbol), color: marks.map((one) => palette[one.colour]), line: { width: 1, color: palette.surface } },
    ...more,
  };
}

/** Return vertical lines at the promotions and roll-backs. */
export function markLines(marks, palette, x, more = {}) {
  return marks
    .filter((one) => one.state === "promoted" || one.state === "rolled_back")
    .map((one) => ({ type: "line", x0: x(one), x1: x(one), y0: 0, y1: 1, yref: "paper", line: { color: palette[one.colour], width: 1, dash: "dot" }, layer: "above", ...more }));
}
