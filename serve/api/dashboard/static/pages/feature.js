// Feature: has it drifted, how far past the threshold, and what does it look like.

import { get, ROOT } from "../api.js";
import { onReturn, param, setParams } from "../address.js";
import { faint, label } from "../charts.js";
import { chartPanel } from "../chartpanel.js";
import { h, icon, put } from "../dom.js";
import { many, name, number, percent, since, time, whole } from "../format.js";
import { featureFacts } from "../featurefacts.js";
import { emptyState, noData, panel } from "../panel.js";
import { Source } from "../source.js";

const SERIES = 200;
const BARS = 36;
const SPANS = ["1", "4", "16", "64", "256"];

export function build() {
  const names = new Source(() => get(`${ROOT}/drift`, { limit: 1 }), ["pane", "run"]);
  const source = new Source(load, ["pane", "run"]);
  onReturn(() => source.refresh({ anew: true }));
  return [picker(names, source), verdict(source), distribution(source), h("div", { class: "two" }, ratios(source), missing(source)), h("div", { class: "two" }, facts(source), categories(source))];
}

async function load() {
  const drift = await get(`${ROOT}/drift`, { limit: 1 });
  const asked = param("name") ?? worst(drift);
  if (asked === null) return { drift, name: null };
  const role = param("role", "feature");
  const [from, to] = [param("from"), param("to")];
  const path = `${ROOT}/drift/${encodeURIComponent(asked)}`;
  const against = param("against");
  const span = from ? { from, to: just(to) } : { panes: param("panes") };
  const [shown, past, anomalies] = await Promise.all([
    get(path, { role, against, limit: 1, ...span }),
    get(path, { role, against, limit: SERIES }),
    role === "feature" ? get(`${ROOT}/anomalies`, { feature: asked, kind: "out_of_domain" }) : null,
  ]);
  return { drift, name: asked, role, from, to, shown, series: past.series.toReversed(), groups: anomalies?.groups ?? [] };
}

/** Ranges end before `to`; a window's last event belongs to it. */
const just = (to) => (to ? String(Date.parse(to) + 1) : null);

function worst(drift) {
  const [newest] = drift.panes;
  const layout = drift.layouts[newest?.layout] ?? Object.values(drift.layouts)[0];
  if (!layout) return null;
  const rows = layout.map((column, at) => ({ ...column, ratio: newest?.ratios[at] ?? -1 })).filter((one) => one.role === "feature");
  return rows.sort((a, b) => b.ratio - a.ratio)[0]?.name ?? null;
}

const lacking = (data) => (data.name === null ? { why: data.drift.note ?? "There is no reference yet.", command: "riverrun up" } : null);

function picker(names, source) {
  const list = h("datalist", { id: "names" });
  const input = h("input", { type: "search", list: "names", size: 24, placeholder: "name of a feature", autocomplete: "off" });
  const span = h("select", {}, h("option", { value: "" }, "default"), SPANS.map((one) => h("option", { value: one, selected: one === param("panes") }, `last ${one}`)));
  const against = h("select", {}, h("option", { value: "" }, "the present one"));
  const go = (values) => { setParams(values, { push: true }); source.refresh({ anew: "name" in values }); };
  const role = () => (names.state.data ? roleOf(names.state.data, input.value) : null);
  input.addEventListener("change", () => input.value && go({ name: input.value, role: role(), from: null, to: null }));
  span.addEventListener("change", () => go({ panes: span.value, from: null, to: null }));
  against.addEventListener("change", () => go({ against: against.value }));
  names.listen(({ data }) => {
    if (!data) return;
    const columns = Object.values(data.layouts)[0] ?? [];
    put(list, columns.map((one) => h("option", { value: one.name }, one.role === "feature" ? null : one.role)));
    put(against, h("option", { value: "" }, "the present one"), data.versions.map((one) => h("option", { value: one, selected: one === param("against") }, one)));
  });
  source.listen(({ data }) => {
    if (data?.name && document.activeElement !== input) input.value = data.name;
    span.value = data?.from ? "" : param("panes", "");
  });
  const field = (text, element) => h("label", { class: "field" }, text, element);
  return h("form", { class: "controls", on: { submit: (event) => event.preventDefault() } }, list, field("Feature", input), field("Windows", span), field("Reference", against));
}

function roleOf(drift, wanted) {
  const found = Object.values(drift.layouts)[0]?.find((one) => one.name === wanted);
  return !found || found.role === "feature" ? null : found.role;
}

function verdict(source) {
  const box = h("div", {});
  source.listen(({ data, error }) => {
    if (error) return put(box, noData(error, "The feature", () => source.refresh()));
    if (!data) return put(box);
    if (lacking(data)) return put(box, emptyState(lacking(data)));
    return put(box, sentence(data));
  });
  return box;
}

function sentence(data) {
  const { name: asked, shown, from, series } = data;
  const { report, span, reference } = shown;
  const whom = name(asked, 60);
  const newest = series.at(-1);
  // What nobody has chosen is as the worker says: of the spans that it tests, the worst.
  if (!from && !param("panes") && !param("against") && newest && newest.recorded_ratio !== null) {
    const ratio = newest.recorded_ratio;
    let at = series.length;
    while (at > 0 && series[at - 1].recorded_ratio >= 1) at -= 1;
    const since_ = at < series.length ? ` since ${since(series[at].first, newest.last)}` : "";
    const text = ratio >= 1 ? `${whom} has drifted${since_}: ${number(ratio)}× its threshold` : `${whom} has not drifted: ${number(ratio)}× its threshold`;
    const merged = report && span ? ` The last ${many(span.panes, "window")} as one are at ${report.status === "INSUFFICIENT" ? "too few samples" : `${number(report.ratio)}×`}.` : "";
    return h("div", { class: `verdict ${ratio >= 1 ? "bad" : "ok"}` }, icon(ratio >= 1 ? "warn" : "ok"), h("span", { class: "break" }, text),
      h("small", {}, `The worst of the spans that the worker tests, when window ${whole(newest.index)} closed (${time(newest.last)}), against the reference of ${reference.version} (${whole(reference.events)} events).${merged}`));
  }
  if (!report || report.status === "INSUFFICIENT") {
    const why = span ? `${whole(report?.values_current ?? 0)} values in ${many(span.panes, "window")} are too few to tell (monitor.min_values).` : shown.note ?? "No window has closed in this range.";
    return h("div", { class: "verdict unknown" }, icon("none"), h("span", { class: "break" }, `${whom}: not enough samples`), h("small", {}, why));
  }
  const alarm = report.status === "ALARM";
  const text = alarm ? `${whom} has drifted: ${number(report.ratio)}× its threshold` : `${whom} has not drifted: ${number(report.ratio)}× its threshold`;
  const when = span ? `${many(span.panes, "window")} with ${whole(span.events)} events, ${time(span.first)} to ${time(span.last)}` : "";
  return h("div", { class: `verdict ${alarm ? "bad" : "ok"}` }, icon(alarm ? "warn" : "ok"), h("span", { class: "break" }, text),
    h("small", {}, `${when}${from ? ", chosen by you," : ","} against the reference of ${reference.version} (${whole(reference.events)} events).`));
}

function distribution(source) {
  return chartPanel({
    title: "Distribution",
    sub: ({ shown }) => (shown?.span ? `of ${many(shown.span.panes, "window")}, beside the reference` : ""),
    source, height: 300, file: "distribution",
    empty: lacking,
    text: ({ name: asked, shown }) => `Shares of ${name(asked)} by bin, reference and current. The bin that changed most: ${name(shown.report?.culprit ?? "?")}.`,
    keys: (_, c) => [{ name: "reference", kind: "bar", colour: c.series_2 }, { name: "these windows", kind: "bar", colour: c.series_1 }],
    rows: ({ shown }) => ({ caption: "Shares by bin", columns: BINS, rows: allBins(shown) }),
    make: (data, c, width) => bars(data, c, width),
    hover: (data, [point]) => {
      const bin = shownBins(data.shown)[point.pointNumber];
      return bin && [h("b", {}, name(bin.label)), `reference ${percent(bin.reference)}, now ${percent(bin.current)}`];
    },
    foot: ({ shown }) => (allBins(shown).length > BARS ? `The ${BARS} largest of ${whole(allBins(shown).length)} bins are drawn; the table has all.` : null),
  });
}

const BINS = [
  { key: "label", label: "Bin", show: (row) => name(row.label) },
  { key: "reference", label: "Reference", num: true, show: (row) => percent(row.reference, 2) },
  { key: "current", label: "Now", num: true, show: (row) => percent(row.current, 2) },
  { key: "change", label: "Change, points", num: true, value: (row) => (row.current === null ? null : (row.current - row.reference) * 100) },
];

function allBins({ distribution: found }) {
  const missing = { label: "(missing)", reference: found.missing.reference, current: found.missing.current };
  return missing.reference || missing.current ? [...found.bins, missing] : found.bins;
}

function shownBins(shown) {
  const all = allBins(shown);
  if (all.length <= BARS) return all;
  const size = (one) => Math.max(one.reference, one.current ?? 0);
  const kept = new Set([...all].sort((a, b) => size(b) - size(a)).slice(0, BARS));
  return all.filter((one) => kept.has(one));
}

function bars({ shown }, c, width) {
  const bins = shownBins(shown);
  const at = bins.map((_, index) => index);
  const every = Math.max(1, Math.ceil(bins.length / Math.max(4, width / 34)));
  const side = (key, colour) => ({ type: "bar", x: at, y: bins.map((one) => one[key]), marker: { color: colour }, hoverinfo: "none" });
  const ticks = at.filter((one) => one % every === 0);
  return {
    data: [side("reference", faint(c.series_2, 0.75)), side("current", c.series_1)],
    layout: {
      barmode: "group", bargap: 0.2, hovermode: "x", margin: { l: 48, r: 8, t: 6, b: 84 },
      xaxis: { tickvals: ticks, ticktext: ticks.map((one) => label(bins[one].label, 14)), tickangle: -40, showgrid: false },
      yaxis: { tickformat: ".0%", rangemode: "tozero" },
    },
  };
}

const ends = (series) => series.map((one) => one.last);
const pick = (source) => (data, [point]) => {
  const found = data.series[point.pointNumber];
  if (!found) return;
  setParams({ from: found.first, to: found.last, panes: null }, { push: true });
  source.refresh();
};

function window_({ from, to }, c) {
  return from ? [{ type: "rect", xref: "x", yref: "paper", x0: from, x1: to, y0: 0, y1: 1, fillcolor: faint(c.series_1, 0.16), line: { width: 0 }, layer: "below" }] : [];
}

function ratios(source) {
  return chartPanel({
    title: "Distance over time",
    sub: () => "over its threshold; 1 is an alarm",
    source, height: 260, file: "distance",
    empty: (data) => lacking(data) ?? (data.series.length ? null : { why: "No window has closed since the warm-up." }),
    text: ({ name: asked, series }) => `Distance of ${name(asked)} over its threshold in ${whole(series.length)} windows, the newest ${number(series.at(-1)?.recorded_ratio)}.`,
    keys: (_, c) => [{ name: "as the worker tested it (spans)", colour: c.series_1 }, { name: "each window alone", colour: c.series_2, dash: "2 2" }, { name: "threshold", colour: c.bad, dash: "5 3" }],
    rows: ({ series }) => ({ caption: "Distance by window", columns: SERIES_COLUMNS, rows: series.toReversed() }),
    click: pick(source),
    hover: (data, [point]) => windowWords(data.series[point.pointNumber]),
    make: (data, c) => {
      const x = ends(data.series);
      const line = (key, more) => ({ type: "scatter", mode: data.series.length > 80 ? "lines" : "lines+markers", x, y: data.series.map((one) => one[key]), hoverinfo: "none", connectgaps: false, ...more });
      return {
        data: [line("ratio", { line: { color: c.series_2, width: 1, dash: "dot" }, marker: { size: 4 } }), line("recorded_ratio", { line: { color: c.series_1, width: 2 }, marker: { size: 5 } })],
        layout: {
          hovermode: "x", yaxis: { rangemode: "tozero", range: [0, Math.max(1.3, ...data.series.map((one) => Math.max(one.recorded_ratio ?? 0, one.ratio ?? 0))) * 1.08] },
          xaxis: { type: "date", showgrid: false },
          shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: c.bad, width: 1.5, dash: "dash" } }, ...window_(data, c)],
        },
      };
    },
    foot: () => "A click on a window shows its distribution above.",
  });
}

const windowWords = (one) => one && [h("b", {}, `Window ${one.index}`), one.ratio === null ? (one.comparable ? "not enough samples" : "counted with other bins") : `alone ${number(one.ratio)}×`, h("br"), `as tested ${number(one.recorded_ratio)}×`, h("div", { class: "muted" }, `${time(one.first)} to ${time(one.last)}`)];

const SERIES_COLUMNS = [
  { key: "index", label: "Window", num: true },
  { key: "first", label: "From", show: (row) => time(row.first) },
  { key: "last", label: "To", show: (row) => time(row.last) },
  { key: "recorded_ratio", label: "As tested", num: true, show: (row) => number(row.recorded_ratio) },
  { key: "ratio", label: "Alone", num: true, show: (row) => (row.ratio === null ? (row.comparable ? "not enough samples" : "other bins") : number(row.ratio)) },
  { key: "test", label: "Test", show: (row) => TESTS[row.test] ?? "–" },
  { key: "wasserstein", label: "Wasserstein, σ", num: true, show: (row) => number(row.wasserstein) },
  { key: "js", label: "Jensen-Shannon", num: true, show: (row) => number(row.js) },
  { key: "values", label: "Values", num: true },
  { key: "missing", label: "Missing", num: true, show: (row) => percent(row.missing) },
];

export const TESTS = { wasserstein: "Wasserstein-1", js: "Jensen-Shannon" };

function missing(source) {
  return chartPanel({
    title: "Missing and unusable",
    sub: () => "share of values in each window",
    source, height: 260, file: "missing",
    empty: (data) => lacking(data) ?? (data.series.some((one) => one.missing !== null) ? null : { why: "No window can be compared with this reference." }),
    text: ({ series }) => `Share of missing values in ${whole(series.length)} windows, the newest ${percent(series.at(-1)?.missing)}.`,
    keys: (_, c) => [{ name: "missing", colour: c.series_3 }, { name: "wrong type or not finite", colour: c.series_6, dash: "4 2" }, { name: "missing in the reference", colour: c.unknown, dash: "5 3" }],
    rows: ({ series }) => ({ caption: "Missing and unusable by window", columns: MISSING, rows: series.toReversed() }),
    click: pick(source),
    hover: (data, [point]) => {
      const one = data.series[point.pointNumber];
      return one && [h("b", {}, `Window ${one.index}`), `missing ${percent(one.missing)}, unusable ${percent(one.unusable)}`, h("div", { class: "muted" }, since(one.last))];
    },
    make: (data, c) => {
      const x = ends(data.series);
      const line = (key, colour, dash) => ({ type: "scatter", mode: "lines", x, y: data.series.map((one) => one[key]), line: { color: colour, width: 2, dash, shape: "hv" }, hoverinfo: "none" });
      const usual = data.shown.distribution.missing.reference;
      const most = Math.max(0.02, usual, ...data.series.map((one) => Math.max(one.missing ?? 0, one.unusable ?? 0)));
      return {
        data: [line("missing", c.series_3, "solid"), line("unusable", c.series_6, "dash")],
        layout: { hovermode: "x", yaxis: { tickformat: most < 0.05 ? ".1%" : ".0%", range: [0, most * 1.15] }, xaxis: { type: "date", showgrid: false }, shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: usual, y1: usual, line: { color: c.unknown, width: 1, dash: "dash" } }, ...window_(data, c)] },
      };
    },
  });
}

const MISSING = SERIES_COLUMNS.filter((one) => ["index", "first", "last", "missing"].includes(one.key)).concat({ key: "unusable", label: "Unusable", num: true, show: (row) => percent(row.unusable) });

function facts(source) {
  return panel({ title: "How it was tested", source, height: 260, empty: lacking, render: (data, body) => put(body, featureFacts(data)) });
}

function categories(source) {
  return panel({
    title: "New and changed values",
    source, isTable: true, height: 200, file: "new-values",
    empty: (data) => lacking(data) ?? (changes(data).length ? null : { title: "Nothing new", why: "No value outside of the schema's domain, and no bin whose share changed." }),
    rows: (data) => ({ caption: "New categories, and the bins that changed most", columns: CHANGES, rows: changes(data) }),
    render: () => {},
  });
}

const CHANGES = [
  { key: "label", label: "Value or bin", show: (row) => name(row.label) },
  { key: "what", label: "What" },
  { key: "reference", label: "Reference", num: true, show: (row) => percent(row.reference) },
  { key: "current", label: "Now", num: true, show: (row) => percent(row.current) },
  { key: "count", label: "Count", num: true, show: (row) => (row.count ? whole(row.count) : "–") },
];

function changes({ shown, groups }) {
  const by = new Map(shown.distribution.bins.map((one) => [one.label, one]));
  const fresh = groups.map((one) => ({ label: one.sample ?? "(several)", what: `outside of the domain, first ${time(one.first_seen)}`, count: one.count, reference: 0, current: null }));
  const unseen = shown.distribution.bins.filter((one) => one.label === "(unseen)" && one.current).map((one) => ({ ...one, what: "categories that the reference did not have" }));
  const moved = shown.distribution.changed_most.map((one) => by.get(one)).filter((one) => one && one.current !== null && one.label !== "(unseen)").map((one) => ({ ...one, what: one.current > one.reference ? "more often" : "less often" }));
  return [...fresh, ...unseen, ...moved];
}

