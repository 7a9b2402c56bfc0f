// The heatmap of features by windows: distance over threshold, and what cannot be said is hatched.

import { Chart, label, legend } from "./charts.js";
import { h, put } from "./dom.js";
import { name, number, since, time, whole } from "./format.js";
import { markKeys, markLines, markTrace } from "./marks.js";
import { ratioWord } from "./ratio.js";

const MOST = 3;
const ROW_PX = 22;
const LABEL_PX = { wide: 190, narrow: 112 };
const FOOT_PX = 40;
const HEAD_PX = 26;
const TICK_PX = 110;

/** Return rows over windows of a drift answer: {rows, windows}, windows oldest first. */
export function matrixOf(drift) {
  const panes = drift.panes.toReversed();
  const newest = drift.panes[0];
  const columns = drift.layouts[newest?.layout] ?? [];
  const places = new Map(Object.entries(drift.layouts).map(([key, layout]) => [key, new Map(layout.map((one, at) => [`${one.role} ${one.name}`, at]))]));
  const rows = columns.map((column) => {
    const key = `${column.role} ${column.name}`;
    const values = panes.map((pane) => pane.ratios[places.get(pane.layout)?.get(key)] ?? null);
    return { ...column, values, now: values.at(-1) ?? null, worst: Math.max(-1, ...values.map((one) => one ?? -1)), alarms: values.filter((one) => one >= 1).length, from: alarmStart(values, panes) };
  });
  return { rows, windows: panes };
}

function alarmStart(values, panes) {
  let at = values.length;
  while (at > 0 && values[at - 1] >= 1) at -= 1;
  return at < values.length ? panes[at].first : null;
}

/** A heatmap in an element; `open(row, window)` is called for a cell that is clicked. */
export class Heat {
  constructor(host, open) {
    this.keys = h("div", {});
    host.append(this.keys);
    this.hatch = h("div", { class: "hatch" });
    this.chart = new Chart(host, {
      text: "", height: 200,
      click: ({ points: [point] }) => point.data.type === "heatmap" && open(this.rows[point.y], this.windows[point.x]),
      hover: ([point]) => this.words(point),
      after: (plot) => this.hatched(plot),
    });
    this.chart.frame.prepend(this.hatch);
  }

  show(rows, windows, marks) {
    Object.assign(this, { rows, windows, marks: within(marks, windows) });
    const red = rows.filter((row) => row.now >= 1).length;
    const text = `Distance over threshold of ${whole(rows.length)} columns in ${whole(windows.length)} windows; ${whole(red)} of them in alarm now. The table says the same.`;
    return this.chart.show((palette, width) => this.figure(palette, width), { text, height: rows.length * ROW_PX + HEAD_PX + FOOT_PX });
  }

  figure(palette, width) {
    const { rows, windows, marks } = this;
    const left = width < 600 ? LABEL_PX.narrow : LABEL_PX.wide;
    put(this.keys, legend(markKeys(marks, palette)));
    this.keys.firstChild.prepend(scaleKey());
    const step = Math.max(1, Math.ceil(windows.length / Math.max(2, (width - left) / TICK_PX)));
    const ticks = windows.map((_, at) => at).filter((at) => (windows.length - 1 - at) % step === 0);
    const text = (row) => label(row.role === "feature" ? row.name : `${row.role}: ${row.name}`, width < 600 ? 13 : 24);
    const trace = {
      type: "heatmap", z: rows.map((row) => row.values.map((one) => (one === null ? null : Math.min(one, MOST)))),
      zmin: 0, zmax: MOST, showscale: false, hoverongaps: true, hoverinfo: "none", xgap: (width - left) / windows.length > 6 ? 1 : 0, ygap: 1,
      colorscale: [[0, palette.heat_0], [0.7 / MOST, palette.heat_1], [0.999 / MOST, palette.heat_2], [1 / MOST, palette.heat_3], [1, palette.heat_4]],
    };
    return {
      data: [trace, markTrace(marks, palette, (one) => one.at, -0.95)],
      layout: {
        margin: { l: left, r: 22, t: 4, b: FOOT_PX }, hovermode: "closest",
        xaxis: { tickvals: ticks, ticktext: ticks.map((at) => since(windows[at].last, windows.at(-1).last)), showgrid: false, range: [-0.5, windows.length - 0.5], tickangle: 0 },
        yaxis: { tickvals: rows.map((_, at) => at), ticktext: rows.map((row) => `${row.now >= 1 ? "▲ " : ""}${text(row)}`), range: [rows.length - 0.5, -1.6], showgrid: false, ticks: "" },
        shapes: markLines(marks, palette, (one) => one.at),
      },
    };
  }

  words(point) {
    if (point.data.type !== "heatmap") {
      const mark = this.marks[point.customdata];
      return mark && [h("b", {}, `Run ${mark.run}: ${mark.word}`), mark.sentence, h("div", { class: "muted" }, time(mark.time / 1000))];
    }
    const [row, window] = [this.rows[point.y], this.windows[point.x]];
    const value = row?.values[point.x];
    if (!row || !window) return null;
    const said = value === null ? "not enough samples" : `${number(value)}× its threshold, ${ratioWord(value)}`;
    return [h("b", {}, name(row.name)), said, h("div", { class: "muted" }, `window ${window.index}, ${time(window.first)} to ${time(window.last)}, ${whole(window.events)} events`)];
  }

  /** Lay the hatching behind the cells: it shows where there is no value. */
  hatched(plot) {
    const { l, t, w, h: high } = plot._fullLayout._size;
    this.hatch.hidden = !this.rows.some((row) => row.values.includes(null));
    const head = (high * 1.1) / (this.rows.length + 1.1);
    Object.assign(this.hatch.style, { left: `${l}px`, top: `${t + head}px`, width: `${w}px`, height: `${high - head}px` });
  }
}

function within(marks, windows) {
  const ends = windows.map((one) => Date.parse(one.last));
  return marks
    .filter((one) => ends.length && one.time >= Date.parse(windows[0].first))
    .map((one) => ({ ...one, at: ends.findIndex((end) => end >= one.time) }))
    .filter((one) => one.at >= 0);
}

function scaleKey() {
  const step = (kind, text) => h("span", { class: "scale" }, h("i", { class: kind, "aria-hidden": "true" }), text);
  return h("span", { class: "chart-legend" }, step("s0", "0"), step("s1", "0.7"), step("s2", "close"), step("s3", "1× alarm"), step("s4", "3× and more"), step("hatched", "not enough samples"));
}

