// Overview: one sentence, five numbers with their past, what drifts, what happened.

import { get, ROOT } from "../api.js";
import { pageUrl } from "../address.js";
import { spark } from "../charts.js";
import { saveCsv } from "../csv.js";
import { badge, h, icon, put } from "../dom.js";
import { name, number, percent, short, since, span, time, whole, words } from "../format.js";
import { headline } from "../headline.js";
import { loadImpact } from "../impact.js";
import { loadLosses } from "../losses.js";
import { panel, troubleState } from "../panel.js";
import { shardsPanel } from "../shards.js";
import { stateStrip } from "../strip.js";
import { ratioMeter } from "../ratio.js";
import { Source } from "../source.js";
import { table } from "../table.js";

export function build() {
  const windows_ = byWindow();
  const now = new Source(async () => {
    const [status, history, system] = await Promise.all([get(ROOT), get(`${ROOT}/history`), get(`${ROOT}/system`)]);
    return { status, history, system, ...await windows_(status) };
  });
  const news = new Source(() => get(`${ROOT}/happenings`, { limit: 8 }), ["run", "pane", "status"]);
  return [hero(now), tiles(now), shardsPanel(now), h("div", { class: "two wide-left" }, h("div", { class: "stack" }, features(now), windows(now)), happenings(news))];
}

/** Return what loads that which changes with windows only: it is much, and need not be asked for every second. */
function byWindow() {
  let known = { key: null };
  return async ({ monitor, checkpoint }) => {
    const key = `${monitor?.pane} ${monitor?.state} ${monitor?.pane === null ? checkpoint?.number : ""}`;
    if (known.key === key) return known.data;
    const drift = monitor ? await get(`${ROOT}/drift`, { limit: 100 }) : null;
    const [losses, impact] = await Promise.all([loadLosses(drift), drift?.panes.length ? loadImpact() : null]);
    known = { key, data: { drift, losses, impact } };
    return known.data;
  };
}

function hero(source) {
  const mark = h("span", { class: "hero-icon" });
  const text = h("h2", {});
  const detail = h("p", { class: "break" });
  const side = h("div", { class: "hero-side" });
  const box = h("section", { class: "hero", "aria-label": "How it is" }, mark, text, detail, side);
  const trouble = h("div", {});
  source.listen(({ data, error }) => {
    put(trouble, error && troubleState(error, "The overview", () => source.refresh()));
    if (!data) {
      if (!error) put(text, "Looking …");
      return;
    }
    const found = headline(data.status, data.drift, data.system.parts);
    box.className = `hero ${found.kind}`;
    put(mark, icon(found.symbol));
    put(text, found.text);
    put(detail, found.detail);
    const state = data.status.monitor?.state;
    put(side, state && badge(STATES[state]?.[0] ?? "unknown", words(state.toLowerCase()), STATES[state]?.[1]));
  });
  return h("div", {}, trouble, box);
}

const STATES = { OK: ["ok"], WARNING: ["warn"], DRIFT: ["warn"], RETRAINING: ["act"], COOLDOWN: ["act", "wait"], HALTED: ["bad"] };

function tiles(source) {
  const grid = h("div", { class: "tiles" }, Array.from({ length: 5 }, () => h("div", { class: "skeleton tile-skeleton" })));
  const behind = h("div", { class: "panel panel-body", hidden: true });
  let shown = null;
  const draw = () => {
    if (!shown) return;
    const rows = shown.history.samples.toReversed();
    put(behind, table({ columns: SAMPLES, rows, caption: "The last quarter of an hour, newest first", page: 15, shownCaption: true }));
  };
  const show = h("button", { type: "button", class: "quiet", "aria-expanded": "false", on: { click: () => {
    behind.hidden = !behind.hidden;
    show.setAttribute("aria-expanded", String(!behind.hidden));
    if (!behind.hidden) draw();
  } } }, "Lines as a table");
  const save = h("button", { type: "button", class: "quiet", on: { click: () => shown && saveCsv("recent-past", SAMPLES, shown.history.samples) } }, "CSV");
  source.listen(({ data }) => {
    if (!data) return;
    shown = data;
    put(grid, rate(data), lag(data), model(data), metric(data), coverage(data));
    if (!behind.hidden) draw();
  });
  return h("section", { "aria-label": "Numbers", class: "numbers" }, grid, h("div", { class: "controls" }, show, save), behind);
}

const SAMPLES = [
  { key: "at", label: "Time", show: (row) => time(row.at, true) },
  { key: "per_second", label: "Records/s", num: true },
  { key: "lag", label: "Lag", num: true },
  { key: "score", label: "Score", num: true },
  { key: "coverage", label: "Coverage", num: true, show: (row) => percent(row.coverage) },
  { key: "staleness", label: "Model's age, s", num: true },
  { key: "memory", label: "Memory, bytes", num: true },
];

function tile(label, value, more, line, href) {
  const head = h("span", { class: "tile-label" }, h("span", {}, label), href && h("a", { href, "aria-label": `${label}: more` }, "more"));
  return h("div", { class: "tile" }, head, h("span", { class: "tile-value" }, value), h("span", { class: "tile-more" }, more), line);
}

const past = (data, key) => data.history.samples.map((one) => one[key]);

function rate({ status, history }) {
  const counts = status.status?.counts;
  const last = history.samples.at(-1)?.per_second ?? null;
  const value = last === null ? "–" : [short(last), h("small", {}, " /s")];
  const more = counts ? `${short(counts.events)} events, ${short(counts.label_messages)} labels so far` : "nothing read yet";
  return tile("Records read", value, more, spark(past({ history }, "per_second"), "Records a second, last 15 minutes"));
}

function lag({ history, system }) {
  const last = history.samples.at(-1)?.lag ?? null;
  const more = system.partitions_trouble ?? (last === 0 ? "all is read" : last === null ? "not known" : "records not read yet");
  return tile("Lag", last === null ? "–" : short(last), more, spark(past({ history }, "lag"), "Lag, last 15 minutes"), pageUrl("system"));
}

function model({ status, history }) {
  const serving = status.serving;
  const value = serving.model_version ?? "none yet";
  const age = serving.staleness_seconds;
  const more = age === null ? "start a worker" : `learned up to ${span(age)} ago`;
  return tile("Model", value, more, spark(past({ history }, "staleness"), "Age of the model, last 15 minutes"), pageUrl("retraining"));
}

function metric({ status, losses, history }) {
  const scores = status.status?.rolling?.scores ?? null;
  const [of] = Object.keys(scores?.model ?? {});
  if (!of) return tile("Score", "–", status.status?.shards ? "of each shard: below" : "no label has come yet", spark([], ""), pageUrl("performance"));
  const baselines = Object.entries(scores).filter(([one]) => one !== "model");
  const beside = baselines.map(([one, found]) => `${words(one)} ${number(found[of])}`).join(", ");
  const more = [h("span", {}, `of the last ${whole(status.status.rolling.window)} labels; ${beside}`), losses && h("span", {}, h("br"), lossChange(losses))];
  return tile(of, number(scores.model[of]), more, spark(past({ history }, "score"), `${of}, last 15 minutes`), pageUrl("performance"));
}

function lossChange({ now, before }) {
  if (now === null || before === null) return "loss a day ago: not known";
  const change = (now - before) / (before || 1);
  const better = change < 0;
  if (Math.abs(change) < 0.005) return `loss ${number(now)}, as a day ago`;
  return [`loss ${number(now)}, `, h("span", { class: better ? "better" : "worse" }, `${better ? "▼" : "▲"} ${percent(Math.abs(change), 0)} ${better ? "better" : "worse"}`), " than a day ago"];
}

function coverage({ status, history }) {
  const found = status.status?.monitor?.performance;
  const value = found?.coverage ?? null;
  const more = found ? `labels come within ${found.delay?.p90 ?? "?"} (90 %)` : "no label yet";
  return tile("Label coverage", value === null ? "–" : percent(value), more, spark(past({ history }, "coverage"), "Coverage, last 15 minutes"), pageUrl("performance"));
}

function features(source) {
  return panel({
    title: "Features to look at first",
    sub: ({ impact }) => (Object.keys(impact.shares).length ? "the highest impact on predictions × drift" : "the highest drift; the impact is not known"),
    source,
    height: 220,
    isTable: true,
    file: "features",
    empty: ({ drift }) => (drift?.panes.length ? null : { why: drift?.note ?? "The monitor is switched off.", command: drift ? "riverrun produce events.csv && riverrun worker" : "riverrun check" }),
    rows: ({ drift, impact }) => ({ caption: "Features to look at first", columns: FEATURES, rows: topFeatures(drift, impact.shares) }),
    options: { rowClass: (row) => (row.ratio >= 1 ? "bad" : null) },
    render: () => {},
    foot: () => h("a", { href: pageUrl("drift") }, "All features over time"),
  });
}

const FEATURES = [
  { key: "name", label: "Feature", show: (row) => h("a", { href: pageUrl("feature", { name: row.name }) }, name(row.name)) },
  { key: "ratio", label: "Distance / threshold", show: (row) => ratioMeter(row.ratio) },
  { key: "impact", label: "Impact", num: true, show: (row) => (row.impact === null ? "–" : percent(row.impact)) },
  { key: "since", label: "In alarm since", show: (row) => (row.since ? since(row.since, row.newest) : "–") },
];

/** Return the five features with the highest impact x drift, where impact is known; else by drift. */
export function topFeatures(drift, impacts = {}, most = 5) {
  const [newest] = drift.panes;
  const layout = drift.layouts[newest.layout] ?? [];
  const rows = layout.map((column, at) => ({ ...column, at, ratio: newest.ratios[at] ?? null, impact: impacts[column.name] ?? null, newest: newest.last }));
  const weight = (row) => (row.ratio ?? 0) * (row.impact ?? 1);
  const taken = rows.filter((row) => row.role === "feature").sort((a, b) => weight(b) - weight(a)).slice(0, most);
  for (const row of taken) {
    let at = 0;
    while (at < drift.panes.length && drift.panes[at].layout === newest.layout && drift.panes[at].ratios[row.at] >= 1) at += 1;
    row.since = at ? drift.panes[at - 1].first : null;
  }
  return taken;
}

function windows(source) {
  return panel({
    title: "The last windows",
    sub: ({ drift }) => `state of the monitor after each of ${drift.panes.length} windows, oldest first`,
    source, height: 120, file: "windows",
    empty: ({ drift }) => (drift?.panes.length ? null : { why: drift?.note ?? "The monitor is switched off." }),
    rows: ({ drift }) => ({ caption: "Windows, newest first", columns: WINDOWS, rows: drift.panes }),
    render: ({ drift }, body) => put(body, stateStrip(drift.panes.toReversed())),
  });
}

const WINDOWS = [
  { key: "index", label: "Window", num: true },
  { key: "state", label: "State", show: (row) => words(row.state.toLowerCase()) },
  { key: "first", label: "From", show: (row) => time(row.first) },
  { key: "last", label: "To", show: (row) => time(row.last) },
  { key: "alarms", label: "In alarm", num: true, value: (row) => row.alarms.length },
  { key: "errors", label: "Errors", num: true },
];

function happenings(source) {
  return panel({
    title: "Latest happenings",
    shownAs: "List",
    source,
    height: 220,
    file: "happenings",
    empty: ({ happenings: found }) => (found.length ? null : { why: "Nothing worth telling has happened yet: no drift, no retraining, nothing mended." }),
    rows: ({ happenings: found }) => ({ caption: "Latest happenings, newest first", columns: HAPPENINGS, rows: found }),
    render: ({ happenings: found }, body) => put(body, h("ol", { class: "happenings" }, found.map(happening))),
  });
}

const HAPPENINGS = [
  { key: "at", label: "Written down", show: (row) => time(row.at) },
  { key: "time", label: "Event time", show: (row) => time(row.time) },
  { key: "kind", label: "Kind", show: (row) => words(row.kind) },
  { key: "sentence", label: "What", long: true },
  { key: "run", label: "Run", num: true },
];

const KINDS = { bad: "bad", warn: "warn", ok: "ok", info: "unknown" };

function happening(row) {
  const to = row.run ? pageUrl("retraining", { run: row.run }) : null;
  return h("li", {}, h("time", { datetime: row.time ?? row.at }, time(row.time ?? row.at)),
    badge(KINDS[row.severity], row.kind === "pane" ? "window" : words(row.kind)),
    h("p", {}, to ? h("a", { href: to }, row.sentence) : row.sentence));
}

