// A retraining run: its five stages, and inside, the evidence, the data, the gate and the parameters.

import { get, ROOT } from "./api.js";
import { badge, fact, h, icon } from "./dom.js";
import { many, name, number, plain, since, span, time, whole, words } from "./format.js";
import { table } from "./table.js";

/** By state: the colour, the symbol and a word. */
export const STATES = {
  training: ["act", "cycle", "training"],
  racing: ["act", "cycle", "racing"],
  shadow: ["other", "wait", "in the shadow"],
  promoted: ["ok", "up", "promoted"],
  probation: ["ok", "wait", "on probation"],
  kept: ["ok", "ok", "promoted and kept"],
  rejected: ["unknown", "close", "rejected"],
  rolled_back: ["warn", "undo", "rolled back"],
  failed: ["bad", "bad", "failed"],
  cancelled: ["unknown", "close", "cancelled"],
};

const STAGES = [
  ["Trigger", []],
  ["Training", ["training", "racing"]],
  ["Shadow", ["shadow"]],
  ["Decision", ["promoted", "rejected", "cancelled", "failed"]],
  ["Probation", ["probation", "kept", "rolled_back"]],
];
const STOPS = new Set(["rejected", "cancelled", "failed", "rolled_back"]);

/** Return the stages of a run: which are done, where it is, where it stopped. */
export function stages(run) {
  const states = run.changes.map((one) => one.state);
  const reached = STAGES.map(([, those]) => run.changes.findLast((one) => those.includes(one.state)) ?? null);
  const promoted = states.includes("promoted");
  const now = run.is_under_way ? STAGES.findIndex(([, those]) => those.includes(run.state)) : -1;
  return h("ol", { class: "stages", "aria-label": `Stages of run ${run.run}` }, STAGES.map(([title], at) => {
    const change = at === 0 ? { sentence: `${words(run.trigger)}: ${run.reason || "asked for"}`, time: run.changes[0].time } : reached[at];
    const stopped = change && STOPS.has(change.state);
    const kind = at === now ? "now" : stopped ? "stopped" : change ? "done" : "";
    const symbol = at === now ? "wait" : stopped ? "close" : change ? "ok" : "none";
    const word = at === now ? "now" : change ? (STATES[change.state]?.[2] ?? "done") : at > 3 && !promoted ? "not reached" : "not yet";
    return h("li", { class: `stage ${kind}`, "aria-current": at === now ? "step" : null }, h("b", {}, icon(symbol), title), h("span", {}, at === 0 ? change.sentence : word), change?.time && h("span", {}, since(change.time)));
  }));
}

/** Return what is inside a run. Its version's details are asked for when it is opened. */
export function runInside(run, version) {
  const details = h("div", {});
  get(`${ROOT}/models/${encodeURIComponent(run.version)}`).then((found) => details.append(...parameters(found)), () => details.append(h("p", { class: "muted" }, "Nothing more is kept of this version.")));
  return [stages(run), timeline(run), gateOf(run, version), evidence(run, version), training(run), details];
}

function timeline(run) {
  return h("ol", { class: "happenings" }, run.changes.map((one) => {
    const [kind, symbol, word] = STATES[one.state] ?? ["unknown", "none", words(one.state)];
    return h("li", {}, h("time", { datetime: one.time }, time(one.time)), badge(kind, word, symbol), h("p", {}, one.sentence));
  }));
}

function gateOf(run, version) {
  const live = run.shadows.filter((one) => one.gate.labels !== undefined).map((one) => ({ name: one.name, role: one.role, ...one.gate }));
  const decided = version && version.gate.labels !== undefined ? [{ name: run.version, role: "challenger", ...version.gate }] : [];
  const rows = live.length ? live : decided;
  if (!rows.length) return null;
  return h("div", {}, h("h3", {}, live.length ? "The gate, so far" : "The gate"), table({ caption: "The gate's numbers", columns: GATE, rows }));
}

const GATE = [
  { key: "name", label: "Model", show: (row) => name(row.name, 60) },
  { key: "labels", label: "Labels", num: true },
  { key: "challenger_loss", label: "Its loss", num: true },
  { key: "champion_loss", label: "Loss of who serves", num: true },
  { key: "log_evidence_better", label: "Better (log)", num: true },
  { key: "log_evidence_worse", label: "Worse (log)", num: true },
  { key: "log_evidence_not_worse", label: "Not worse (log)", num: true },
  { key: "verdict", label: "Says", show: (row) => badge(row.verdict === "better" || row.verdict === "not_worse" ? "ok" : row.verdict === "worse" ? "bad" : "unknown", words(row.verdict ?? "not yet")) },
];

function evidence(run, version) {
  const found = version?.evidence ?? {};
  const pairs = Object.entries(found);
  if (!pairs.length) return null;
  return h("div", {}, h("h3", {}, "Evidence"), h("dl", { class: "facts" }, fact("Trigger", words(run.trigger)), run.by && fact("Asked by", run.by), pairs.flatMap(([key, value]) => evidenceFacts(key, value))));
}

function evidenceFacts(key, value) {
  if (key === "alarms" && Array.isArray(value)) return [fact("In alarm", value.map((one) => name(Array.isArray(one) ? one[1] : one, 40)).join(", ") || "none")];
  if (key === "pane") return [fact("Window", plain(value))];
  if (value && typeof value === "object" && !Array.isArray(value)) return Object.entries(value).map(([one, held]) => fact(words(one), plain(held)));
  return [fact(words(key), plain(value))];
}

function training(run) {
  if (!run.training) return null;
  const { state, events, records_left: left, events_per_second: rate } = run.training;
  return h("div", {}, h("h3", {}, "Training now"), h("dl", { class: "facts" }, fact("State", words(state ?? "begun")), fact("Events", whole(events)), left !== undefined && fact("Records left", whole(left)), rate !== undefined && fact("Events a second", whole(rate))));
}

function parameters(found) {
  const range = found.trained_on;
  const facts = [
    fact("Why", found.why || found.reason),
    range?.events !== undefined && fact("Trained on", many(range.events, "event"), range.seconds ? h("small", {}, ` in ${span(range.seconds)}`) : null),
    range?.range?.from && fact("Offsets", offsets(range.range), range.range.found_by ? h("small", {}, ` ${range.range.found_by}`) : null),
    found.seed !== null && fact("Seed", plain(found.seed)),
    fact("Libraries", Object.entries(found.libraries).map(([key, value]) => `${key} ${value}`).join(", ")),
    found.former && fact("Served before it", found.former),
  ];
  const metrics = [...new Set([...Object.keys(found.scores), ...Object.keys(found.champion_scores)])];
  const rows = metrics.map((metric) => ({ metric, own: found.scores[metric] ?? null, champion: found.champion_scores[metric] ?? null }));
  const segments = Object.entries(found.segments).map(([segment, one]) => ({ segment, ...one }));
  return [
    h("h3", {}, "Data and parameters"), h("dl", { class: "facts" }, facts),
    rows.length ? table({ caption: "Scores: of its training, and of the champion when it was decided", columns: SCORES, rows }) : null,
    segments.length ? table({ caption: "The gate by segment", columns: [{ key: "segment", label: "Segment", show: (row) => name(row.segment, 60) }, { key: "labels", label: "Labels", num: true }, ...Object.keys(segments[0]).filter((key) => typeof segments[0][key] === "number" && key !== "labels").map((key) => ({ key, label: words(key), num: true }))], rows: segments, page: 8 }) : null,
    h("pre", { class: "text", tabindex: "0", "aria-label": "Pipeline" }, found.pipeline),
  ].filter(Boolean);
}

const offsets = ({ from, to }) => Object.keys(to ?? {}).map((place) => `${place}: ${number(from?.[place] ?? 0, 9)} to ${number(to[place], 9)}`).join("; ");

const SCORES = [
  { key: "metric", label: "Metric" },
  { key: "own", label: "In its training", num: true },
  { key: "champion", label: "Champion, last labels", num: true },
];
