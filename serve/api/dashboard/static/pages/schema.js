// Schema: what was wrong with the events, by kind, newest first; what went to the dead letters.

import { actionButton } from "../actions.js";
import { get, ROOT } from "../api.js";
import { onReturn, pageUrl, param, setParams } from "../address.js";
import { chartPanel } from "../chartpanel.js";
import { badge, fact, h, icon, put } from "../dom.js";
import { many, name, percent, since, time, whole, words } from "../format.js";
import { panel } from "../panel.js";
import { Source } from "../source.js";

const WINDOWS = 120;
const COLOURS = { missing_feature: "series_6", wrong_type: "series_4", not_finite: "series_5", out_of_range: "series_3", out_of_domain: "series_1", unexpected_feature: "series_2", missing_rate: "heat_4", cardinality: "warn", volume: "unknown" };
const PATTERNS = { missing_feature: "", wrong_type: "/", not_finite: "x", out_of_range: "", out_of_domain: "\\", unexpected_feature: ".", missing_rate: "-", cardinality: "+", volume: "|" };

export function build() {
  const series = new Source(async () => get(`${ROOT}/anomaly-series`, { limit: WINDOWS, cursor: param("before") }), ["pane"]);
  const groups = new Source(loadGroups, ["anomaly", "pane"]);
  const status = new Source(() => get(ROOT), ["status"]);
  onReturn(() => { series.refresh({ anew: true }); groups.refresh({ anew: true }); });
  return [verdict(groups, status), overTime(series), table(groups), h("div", { class: "two" }, letters(status), quarantine(status))];
}

async function loadGroups() {
  const first = await get(`${ROOT}/anomalies`, { limit: 1000, kind: param("kind"), severity: param("severity"), feature: param("feature") });
  const all = param("kind") || param("severity") || param("feature") ? await get(`${ROOT}/anomalies`, { limit: 1 }) : first;
  return { ...first, all };
}

function verdict(groups, status) {
  const box = h("div", {});
  const draw = () => {
    const [found, state] = [groups.state.data, status.state.data];
    if (!found || !state) return;
    const halted = state.monitor?.state === "HALTED";
    const kinds = Object.entries(found.all.counts).filter(([, count]) => count);
    const total = kinds.reduce((sum, [, count]) => sum + count, 0);
    const dead = state.status?.counts?.dead_lettered ?? 0;
    const [kind, symbol, text] = halted ? ["bad", "bad", "Learning is paused: too many events break the schema"]
      : total === 0 && dead === 0 ? [found.note ? "unknown" : "ok", found.note ? "wait" : "ok", found.note ? "Not checked yet" : "Every event fits the schema"]
      : ["warn", "warn", `${whole(total)} anomalies of ${many(kinds.length, "kind")}${dead ? `, ${many(dead, "dead letter")}` : ""}`];
    const counts = kinds.sort((a, b) => b[1] - a[1]).map(([one, count]) => h("a", { href: pageUrl("schema", { kind: one }), class: "badge act" }, `${words(one)} ${whole(count)}`));
    put(box, h("div", { class: `verdict ${kind}` }, icon(symbol), text, h("small", {}, found.note ?? "Since the stream began; warnings are counted, and learned from all the same.")), h("div", { class: "controls" }, counts));
  };
  groups.listen(draw);
  status.listen(draw);
  return box;
}

function overTime(source) {
  const older = h("button", { type: "button", on: { click: () => move(source.state.data.next) } }, "Older");
  const newest = h("button", { type: "button", on: { click: () => move(null) } }, "Newest");
  const move = (before) => { setParams({ before }, { push: true }); source.refresh({ anew: true }); };
  source.listen(({ data }) => { older.disabled = !data?.next; newest.disabled = !param("before"); });
  const kindsOf = (data) => Object.keys(COLOURS).filter((kind) => data.panes.some((one) => one.counts[kind]));
  return chartPanel({
    title: "Anomalies over time",
    sub: ({ panes }) => `by window, ${many(panes.length, "window")}`,
    source, height: 260, file: "anomalies-over-time", tools: [older, newest],
    empty: ({ panes, note }) => (panes.length ? null : { why: note ?? "No window has closed.", command: "riverrun produce events.csv" }),
    text: (data) => `Anomalies by kind in ${many(data.panes.length, "window")}: ${kindsOf(data).map(words).join(", ") || "none"}.`,
    keys: (data, c) => [...kindsOf(data).map((kind) => ({ name: words(kind), kind: "bar", colour: c[COLOURS[kind]] })), { name: "learning paused", kind: "bar", colour: c.bad_soft }],
    rows: (data) => ({ caption: "Anomalies by window, newest first", columns: [...WINDOW, ...kindsOf(data).map((kind) => ({ key: kind, label: words(kind), num: true, value: (row) => row.counts[kind] ?? 0 }))], rows: data.panes }),
    hover: (data, [point]) => {
      const one = data.panes.toReversed()[point.pointNumber];
      return one && [h("b", {}, `Window ${one.index}`), Object.entries(one.counts).map(([kind, count]) => h("div", {}, `${words(kind)}: ${whole(count)}`)), h("div", { class: "muted" }, `${time(one.first)} to ${time(one.last)}; ${whole(one.errors)} of ${whole(one.events)} events in error`)];
    },
    make: (data, c) => {
      const panes = data.panes.toReversed();
      const x = panes.map((_, at) => at);
      const every = Math.max(1, Math.ceil(panes.length / 8));
      const ticks = x.filter((at) => at % every === 0);
      const halted = panes.map((one, at) => (one.state === "HALTED" ? { type: "rect", xref: "x", yref: "paper", x0: at - 0.5, x1: at + 0.5, y0: 0, y1: 1, fillcolor: c.bad_soft, line: { width: 0 }, layer: "below" } : null)).filter(Boolean);
      return {
        data: kindsOf(data).map((kind) => ({ type: "bar", x, y: panes.map((one) => one.counts[kind] ?? 0), hoverinfo: "none", marker: { color: c[COLOURS[kind]], pattern: { shape: PATTERNS[kind], size: 5, solidity: 0.25, fgcolor: c.surface } } })),
        layout: { barmode: "stack", hovermode: "x", bargap: panes.length > 60 ? 0.05 : 0.2, xaxis: { tickvals: ticks, ticktext: ticks.map((at) => since(panes[at].last, panes.at(-1).last)), showgrid: false, range: [-0.5, Math.max(0.5, panes.length - 0.5)], tickangle: 0 }, yaxis: { rangemode: "tozero" }, shapes: halted },
      };
    },
  });
}

const WINDOW = [
  { key: "index", label: "Window", num: true },
  { key: "first", label: "From", show: (row) => time(row.first) },
  { key: "last", label: "To", show: (row) => time(row.last) },
  { key: "errors", label: "Events in error", num: true },
];

function table(source) {
  const kind = h("select", {}, h("option", { value: "" }, "all kinds"), Object.keys(COLOURS).map((one) => h("option", { value: one, selected: one === param("kind") }, words(one))));
  const severity = h("select", {}, ["", "error", "warning"].map((one) => h("option", { value: one, selected: one === (param("severity") ?? "") }, one || "errors and warnings")));
  const choose = () => { setParams({ kind: kind.value, severity: severity.value }, { push: true }); source.refresh({ anew: true }); };
  kind.addEventListener("change", choose);
  severity.addEventListener("change", choose);
  kind.setAttribute("aria-label", "Kind");
  severity.setAttribute("aria-label", "Severity");
  return panel({
    title: "What was wrong", sub: () => "what began last first", source, isTable: true, height: 300, file: "anomalies", tools: [kind, severity],
    empty: (data) => (data.groups.length ? null : { title: "Nothing was wrong", why: data.note ?? "No anomaly fits these filters.", after: h("a", { href: pageUrl("schema") }, "Take the filters out") }),
    rows: ({ groups }) => ({ caption: "Anomalies in groups", columns: GROUPS, rows: groups }),
    options: { rowClass: (row) => (row.severity === "error" ? "bad" : "warn"), page: 12 },
    render: () => {},
    foot: ({ beyond, next }) => [beyond ? `${whole(beyond)} anomalies found no room in these groups. ` : null, next ? "Only the first 1,000 groups are shown." : null].filter(Boolean).join("") || null,
  });
}

const GROUPS = [
  { key: "kind", label: "Kind", show: (row) => words(row.kind) },
  { key: "feature", label: "Feature", long: true, show: (row) => (row.feature ? h("a", { href: pageUrl("feature", { name: row.feature }) }, name(row.feature)) : "the event or window") },
  { key: "severity", label: "Severity", show: (row) => badge(row.severity === "error" ? "bad" : "warn", row.severity) },
  { key: "count", label: "Count", num: true },
  { key: "first_seen", label: "First seen", show: (row) => time(row.first_seen) },
  { key: "last_seen", label: "Last seen", show: (row) => time(row.last_seen) },
  { key: "sample", label: "Sample, redacted", long: true, show: (row) => h("code", {}, name(row.sample ?? "–", 60)) },
  { key: "expected", label: "Expected", long: true, show: (row) => name(row.expected ?? "–", 60) },
];

function letters(source) {
  return panel({
    title: "Dead letters", sub: () => "what could not be used, bytes untouched", source, isTable: true, height: 160, file: "dead-letters",
    empty: ({ status }) => (Object.keys(status?.dead_letter_reasons ?? {}).length ? null : { title: "No dead letters", why: "Every record could be read as an event or a label." }),
    rows: ({ status }) => ({ caption: "Dead letters by reason", columns: REASONS, rows: Object.entries(status.dead_letter_reasons).map(([reason, count]) => ({ reason, count })).sort((a, b) => b.count - a.count) }),
    render: () => {},
    foot: () => [
      h("p", {}, "When the schema, or what reads an event, was mended, they can be used after all:"),
      actionButton({ label: "Replay", title: "Replay the dead letters?", symbol: icon("cycle"), path: `${ROOT}/dead-letters/replay`, done: () => source.refresh(),
        consequence: "Those that can be used now are appended to the log once more, with their first id and time; each is learned at most once, however often this is done. What would be refused again stays where it is." }),
      h("p", {}, "Or one by one: ", h("code", { class: "command" }, "riverrun dead-letters list")),
    ],
  });
}

const REASONS = [{ key: "reason", label: "Reason", show: (row) => words(name(row.reason)) }, { key: "count", label: "Records", num: true }];

function quarantine(source) {
  return panel({
    title: "Quarantine", source, height: 160,
    empty: ({ status }) => (status?.monitor ? null : { why: "Nothing is watched yet.", command: "riverrun up" }),
    render: ({ status, monitor }, body) => {
      const halted = monitor?.state === "HALTED";
      const pane = status.monitor.last_pane;
      put(body,
        h("div", { class: `verdict ${halted ? "bad" : "ok"}` }, icon(halted ? "bad" : "ok"), halted ? "Learning is paused" : "Learning goes on"),
        h("dl", { class: "facts" },
          fact("Events in error, last window", pane ? percent(pane.signals.error_fraction) : "–"),
          fact("Events checked", whole(status.monitor.totals.events)),
          fact("With an error", whole(status.monitor.totals.errors)),
          fact("Labelled, not learned from", whole(status.counts.unlearned))),
        h("p", { class: "muted" }, halted ? "It goes on by itself when a window is clean again, or when schema.toml is corrected." : "An event with an error goes to the dead letters, and is never learned from."));
    },
  });
}
