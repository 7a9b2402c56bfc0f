// Performance: is the model better than the baselines, for whom is it bad, when do labels come.

import { get, ROOT } from "../api.js";
import { onReturn, param, setParams } from "../address.js";
import { chartPanel } from "../chartpanel.js";
import { badge, fact, h, icon, put } from "../dom.js";
import { many, name, number, percent, time, whole, words } from "../format.js";
import { loadMarks, markKeys, markLines, markTrace } from "../marks.js";
import { panel } from "../panel.js";
import { Source } from "../source.js";

const WINDOWS = [60, 200, 1000];
const STYLES = { model: ["series_1", "solid", 2.4], no_change: ["series_2", "dot", 1.4], majority: ["series_3", "dash", 1.4], mean: ["series_3", "dash", 1.4], frozen: ["series_5", "longdashdot", 1.4] };
const OTHER = ["series_4", "longdash", 1.4];
const styleOf = (of) => STYLES[of] ?? OTHER;
const CHALLENGER = "challenger";
const NAMES = { model: "model", frozen: "the model as it was promoted", no_change: "no change (the last label)", majority: "majority", mean: "running mean", [CHALLENGER]: "challenger in the shadow" };

export function build() {
  const source = new Source(load, ["pane", "run"]);
  onReturn(() => source.refresh({ anew: true }));
  return [verdict(source), losses(source), h("div", { class: "two wide-left" }, segments(source), h("div", { class: "stack" }, scores(source), delay(source), outlook(source)))];
}

async function load() {
  const limit = Number(param("n", "200"));
  const asked = { limit: WINDOWS.includes(limit) ? limit : 200, cursor: param("before") };
  const [found, drift, marks, status] = await Promise.all([get(`${ROOT}/performance`, asked), get(`${ROOT}/drift`, asked), loadMarks(), get(ROOT)]);
  const series = found.series.toReversed();
  const drifts = drift.panes.flatMap((pane) => pane.drifts.map((one) => ({ ...one, pane: pane.index }))).filter((one) => one.found_at);
  const first = Date.parse(series[0]?.first);
  return { found, series, drifts, marks: marks.filter((one) => one.time >= first), run: param("before") ? null : status.status?.retrain?.run };
}

const lacking = ({ found }) => (found.labels ? null : { why: found.note ?? "No label has come since the warm-up.", command: "riverrun produce --labels labels.csv" });
const noWindow = (data) => lacking(data) ?? (data.series.length ? null : { why: "No window has closed since the warm-up.", command: "riverrun produce events.csv" });
const lossOf = (found, of) => found.models.find((one) => one.model === of)?.mean_loss ?? null;
const gain = (one, other) => (one === null || !other ? null : 1 - one / other);

function verdict(source) {
  const box = h("div", {});
  source.listen(({ data }) => {
    if (!data || lacking(data)) return put(box);
    const recent = recentLosses(data);
    const model = recent.model;
    const [best, loss] = Object.entries(recent).filter(([of]) => of !== "model").sort((a, b) => a[1] - b[1])[0] ?? [];
    if (model === undefined || loss === undefined) return put(box);
    const better = gain(model, loss);
    const fine = better > 0;
    const text = fine ? `${percent(better, 0)} better than the best baseline` : `${percent(-better, 0)} worse than the best baseline`;
    return put(box, h("div", { class: `verdict ${fine ? "ok" : "bad"}` }, icon(fine ? "ok" : "warn"), text,
      h("small", {}, `Mean loss ${number(model)} against ${number(loss)} of ${NAMES[best] ?? best}, over the last ${many(Math.min(16, data.series.length), "window")}; ${percent(gain(lossOf(data.found, "model"), lossOf(data.found, best)), 0)} better since the warm-up. A loss is ${data.found.loss}.`)));
  });
  return box;
}

/** Return the mean losses of the last 16 windows by model, weighted by labels. */
function recentLosses({ series }) {
  const sums = {};
  for (const one of series.slice(-16)) {
    for (const [of, loss] of Object.entries(one.mean_loss)) {
      if (loss === null) continue;
      const held = (sums[of] ??= { loss: 0, labels: 0 });
      held.loss += loss * one.scored;
      held.labels += one.scored;
    }
  }
  return Object.fromEntries(Object.entries(sums).filter(([, one]) => one.labels).map(([of, one]) => [of, one.loss / one.labels]));
}

function shadowsOf(run) {
  return (run?.shadows ?? []).filter((one) => !one.failed && one.role === CHALLENGER && one.gate.challenger_loss !== null);
}

function losses(source) {
  const size = h("select", { "aria-label": "Windows" }, WINDOWS.map((one) => h("option", { value: one, selected: String(one) === param("n", "200") }, `${one} windows`)));
  const older = h("button", { type: "button" }, "Older");
  const newest = h("button", { type: "button" }, "Newest");
  const go = (values) => { setParams(values, { push: true }); source.refresh({ anew: true }); };
  size.addEventListener("change", () => go({ n: size.value, before: null }));
  older.addEventListener("click", () => go({ before: source.state.data.found.next }));
  newest.addEventListener("click", () => go({ before: null }));
  source.listen(({ data }) => { older.disabled = !data?.found.next; newest.disabled = !param("before"); });
  return chartPanel({
    title: "Mean loss by window", sub: () => "lower is better", source, height: 320, file: "losses", tools: [size, older, newest],
    empty: noWindow,
    text: (data) => `Mean loss in ${many(data.series.length, "window")}: ${Object.entries(recentLosses(data)).map(([of, loss]) => `${NAMES[of] ?? of} ${number(loss)} lately`).join(", ")}.`,
    keys: (data, c) => [
      ...modelsOf(data).map((of) => ({ name: NAMES[of] ?? words(of), colour: c[styleOf(of)[0]], dash: { dot: "2 2", dash: "5 3", longdashdot: "6 2 1 2", longdash: "6 3" }[styleOf(of)[1]] })),
      ...(shadowsOf(data.run).length ? [{ name: NAMES[CHALLENGER], colour: c.other, dash: "6 2" }] : []),
      ...(data.drifts.length ? [{ name: "the concept drifted", kind: "mark", colour: c.warn, shape: "M7 0l5 5-5 5-5-5z" }] : []),
      ...markKeys(data.marks, c),
    ],
    rows: (data) => ({ caption: "Mean loss by window, newest first", columns: [...WINDOW, ...modelsOf(data).map((of) => ({ key: of, label: NAMES[of] ?? words(of), num: true, value: (row) => row.mean_loss[of] ?? null, show: (row) => number(row.mean_loss[of]) }))], rows: data.series.toReversed() }),
    hover: words_,
    make: figure,
    foot: ({ found }) => `Progressive: each prediction is scored as it was given. ${found.range ? "" : "Windows are of the labels that came while they were open."}`,
  });
}

/** Return who was scored, the model first: it is drawn last, above the others. */
function modelsOf({ series }) {
  const order = (of) => (of === "model" ? "" : of);
  return [...new Set(series.flatMap((one) => Object.keys(one.mean_loss)))].sort((a, b) => order(a).localeCompare(order(b)));
}

function figure(data, c) {
  const x = data.series.map((one) => one.last);
  const all = data.series.flatMap((one) => Object.values(one.mean_loss)).filter((one) => one !== null);
  const top = Math.max(...all, 0.001) * 1.1;
  const lines = modelsOf(data).toReversed().map((of) => {
    const [colour, dash, width] = styleOf(of);
    return { type: "scatter", mode: "lines", name: of, x, y: data.series.map((one) => one.mean_loss[of] ?? null), line: { color: c[colour], dash, width }, hoverinfo: "none", meta: "line" };
  });
  const began = data.run ? new Date(data.run.began).toISOString() : null;
  const shadows = shadowsOf(data.run).map((one) => ({ type: "scatter", mode: "lines", x: [began > x[0] ? began : x[0], x.at(-1)], y: [one.gate.challenger_loss, one.gate.challenger_loss], line: { color: c.other, dash: "longdash", width: 2 }, hoverinfo: "none", meta: "shadow", customdata: [one, one] }));
  const drifts = { type: "scatter", mode: "markers", meta: "drift", x: data.drifts.map((one) => one.found_at), y: data.drifts.map(() => top * 0.95), marker: { symbol: "diamond", size: 9, color: c.warn }, hoverinfo: "none", cliponaxis: false };
  const marks = markTrace(data.marks, c, (one) => new Date(one.time).toISOString(), top * 1.03, { meta: "mark", cliponaxis: false });
  return {
    data: [...lines, ...shadows, drifts, marks],
    layout: { hovermode: "closest", margin: { l: 52, r: 12, t: 18, b: 46 }, yaxis: { range: [0, top] }, xaxis: { type: "date", showgrid: false }, shapes: markLines(data.marks, c, (one) => new Date(one.time).toISOString()) },
  };
}

function words_(data, [point]) {
  const kind = point.data.meta;
  if (kind === "mark") {
    const mark = data.marks[point.customdata];
    return [h("b", {}, `Run ${mark.run}: ${mark.word}`), mark.sentence, h("div", { class: "muted" }, time(mark.time / 1000))];
  }
  if (kind === "drift") {
    const one = data.drifts[point.pointNumber];
    return [h("b", {}, "The concept drifted"), `by ${one.by}, since ${time(one.since)}`, h("div", { class: "muted" }, `found ${time(one.found_at)} after ${many(one.losses, "loss", "losses")}`)];
  }
  if (kind === "shadow") return [h("b", {}, name(point.customdata.name)), `mean loss ${number(point.customdata.gate.challenger_loss)} on ${whole(point.customdata.gate.labels)} labels`];
  const one = data.series[point.pointNumber];
  return one && [h("b", {}, `Window ${one.index}, ${one.version}`), Object.entries(one.mean_loss).map(([of, loss]) => h("div", {}, `${words(of)} ${number(loss)}`)), h("div", { class: "muted" }, `${time(one.first)} to ${time(one.last)}, ${many(one.scored, "label")}`)];
}

const WINDOW = [
  { key: "index", label: "Window", num: true },
  { key: "version", label: "Model" },
  { key: "last", label: "To", show: (row) => time(row.last) },
  { key: "scored", label: "Labels", num: true },
];

function segments(source) {
  return panel({
    title: "Segments", sub: () => "the worst for the model first", source, isTable: true, height: 420, file: "segments",
    empty: (data) => lacking(data) ?? (data.found.segments.length ? null : { why: "No feature has so few categories that segments are kept of it; name some in monitor.segments." }),
    rows: ({ found }) => ({ caption: "Loss by segment", columns: SEGMENTS(found), rows: found.segments }),
    options: { page: 18, rowClass: (row) => (bestOf(row) !== null && row.mean_loss.model > bestOf(row) ? "bad" : null) },
    render: () => {},
    foot: () => "Since the warm-up. A red edge: a baseline is better there.",
  });
}

const bestOf = (row) => {
  const others = Object.entries(row.mean_loss).filter(([of, loss]) => of !== "model" && loss !== null).map(([, loss]) => loss);
  return others.length ? Math.min(...others) : null;
};

const SEGMENTS = (found) => [
  { key: "segment", label: "Segment", long: true, value: (row) => `${row.feature} = ${row.segment}`, show: (row) => `${name(row.feature, 40)} = ${name(row.segment, 40)}` },
  { key: "labels", label: "n", num: true, show: (row) => (row.labels < 100 ? [badge("unknown", "few"), ` ${whole(row.labels)}`] : whole(row.labels)) },
  { key: "loss", label: "Model", num: true, value: (row) => row.mean_loss.model, show: (row) => number(row.mean_loss.model) },
  { key: "best", label: "Best baseline", num: true, value: bestOf, show: (row) => number(bestOf(row)) },
  { key: "gain", label: "Against it", num: true, value: (row) => gain(row.mean_loss.model, bestOf(row)), show: (row) => against(gain(row.mean_loss.model, bestOf(row))) },
  { key: "share", label: "Share", num: true, value: (row) => row.labels / (lossTotal(found) || 1), show: (row) => percent(row.labels / (lossTotal(found) || 1)) },
];

const lossTotal = (found) => found.models.find((one) => one.model === "model")?.labels ?? 0;
const against = (share) => (share === null ? "–" : h("span", { class: share >= 0 ? "better" : "worse" }, `${share >= 0 ? "▼" : "▲"} ${percent(Math.abs(share), 0)} ${share >= 0 ? "better" : "worse"}`));

function scores(source) {
  return panel({
    title: "Scores", sub: ({ found }) => (found.rolling ? `of the last ${whole(found.rolling.window)} labels, and of all` : ""), source, isTable: true, height: 150, file: "scores",
    empty: ({ found }) => (found.scores ? null : { why: "No label has come yet." }),
    rows: ({ found }) => ({ caption: "Progressive scores", columns: scoreColumns(found), rows: scoreRows(found) }),
    render: () => {},
  });
}

const scoreColumns = (found) => [
  { key: "metric", label: "Metric" },
  ...Object.keys(found.scores).map((of) => ({ key: of, label: words(of), num: true })),
];

function scoreRows({ scores: all, rolling }) {
  const row = (metric, when, from) => ({ metric: `${metric}, ${when}`, ...Object.fromEntries(Object.keys(all).map((of) => [of, from?.[of]?.[metric] ?? null])) });
  return Object.keys(all.model ?? {}).flatMap((metric) => [row(metric, "last", rolling?.scores), row(metric, "all", all)]);
}

function delay(source) {
  return panel({
    title: "Labels", sub: ({ found }) => `${percent(found.coverage)} of predictions have one`, source, isTable: true, height: 200, file: "label-ages",
    empty: lacking,
    rows: ({ found }) => ({ caption: "How long labels took", columns: AGES, rows: found.ages }),
    render: () => {},
    foot: ({ found }) => found.fates && Object.entries(found.fates).filter(([, count]) => count).map(([fate, count]) => `${words(fate)} ${whole(count)}`).join(" · "),
  });
}

const AGES = [
  { key: "age", label: "Came within", value: (row) => row.age },
  { key: "labels", label: "Labels", num: true },
  { key: "loss", label: "Model's loss", num: true, value: (row) => row.mean_loss.model },
];

function outlook(source) {
  return panel({
    title: "What confidence promised", source, height: 120,
    empty: ({ found }) => (found.outlook ? null : { why: "Known for classifiers, once enough labels of the warm-up have come." }),
    render: ({ found: { outlook: one } }, body) => put(body, h("dl", { class: "facts" }, Object.entries(one.expected).map(([metric, band]) => {
      const real = one.realised[metric];
      const fits = real === null || real === undefined || band.low === null || (real >= band.low && real <= band.high);
      return fact(metric, `${number(real)} `, badge(fits ? "ok" : "warn", fits ? "as promised" : "not as promised"), h("small", {}, h("br"), `promised ${number(band.low)} to ${number(band.high)}`));
    })), h("p", { class: "muted" }, `The last ${many(one.panes, "window")}: ${whole(one.labels)} labels came, for ${whole(one.predictions)} predictions.`)),
  });
}

