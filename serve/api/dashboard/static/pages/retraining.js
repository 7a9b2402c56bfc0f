// Retraining: the last outcome, the present stage, every run with its evidence, every version.

import { actionButton } from "../actions.js";
import { get, ROOT } from "../api.js";
import { param, setParams } from "../address.js";
import { badge, h, icon, put } from "../dom.js";
import { time, words } from "../format.js";
import { emptyState, panel, troubleState } from "../panel.js";
import { runInside, stages, STATES } from "../runs.js";
import { Source } from "../source.js";

const RUNS = 12;
const MOST = 1000;
const SLOW_MS = 2000;

export function build() {
  const source = new Source(load, ["run", "status"], SLOW_MS);
  return [outcome(source), h("div", { class: "two wide-left" }, runs(source), versions(source))];
}

const shownRuns = () => Math.min(MOST, Math.max(1, Number(param("runs")) || RUNS));

async function load() {
  const [models, retrains, status] = await Promise.all([get(`${ROOT}/models`, { limit: 100 }), get(`${ROOT}/retrains`, { limit: shownRuns() }), get(ROOT)]);
  return { models, retrains: retrains.retrains, more: retrains.next, status };
}

function outcome(source) {
  const box = h("div", {});
  const actions = h("div", { class: "controls" });
  const strip = h("div", {});
  const trouble = h("div", {});
  const again = () => source.refresh();
  source.listen(({ data, error }) => {
    put(trouble, error && troubleState(error, "Retraining", again));
    if (!data) return;
    const [newest] = data.retrains;
    put(box, sentence(data, newest));
    put(strip, newest ? stages(newest) : null);
    put(actions, buttons(data, newest, again));
  });
  return h("section", { class: "panel", "aria-label": "Where it stands" }, h("div", { class: "panel-body" }, trouble, box, strip, actions));
}

function sentence({ models, status }, newest) {
  if (!newest) {
    const enabled = status.status?.retrain !== null && status.status?.retrain !== undefined;
    return emptyState({ title: "No retraining yet", why: enabled ? `${models.serving ?? "The first model"} serves. A run begins when the concept drifts, values shift, the lead is lost, by schedule, or when somebody asks.` : "Nothing is retrained: retrain.enabled or monitor.enabled is false, or no worker has started.", command: 'riverrun retrain --reason "prices were raised"' });
  }
  const [kind, symbol, word] = STATES[newest.state] ?? ["unknown", "none", words(newest.state)];
  const text = newest.is_under_way ? `Run ${newest.run} is under way: ${word}` : `Run ${newest.run} was ${word}`;
  return h("div", { class: `verdict ${kind === "other" ? "act" : kind}` }, icon(symbol), text, h("small", {}, `${newest.sentence} ${models.serving ?? "Nothing"} serves. Begun ${time(newest.began_at)}, because of ${newest.reason || newest.trigger}${newest.by ? `, by ${newest.by}` : ""}.`));
}

function buttons({ models, status }, newest, done) {
  const serving = models.models.find((one) => one.version === models.serving);
  const enabled = Boolean(status.status?.retrain);
  const found = [actionButton({ label: "Retrain", title: "Train a challenger now?", symbol: icon("cycle"), kind: "main", path: `${ROOT}/retrains`, done,
    consequence: "A fresh model is trained in another process on the newest events. It then runs in the shadow and takes over only where it proves to be better. A run that is under way is not stopped by this." })];
  if (newest?.is_under_way) found.push(actionButton({ label: "Cancel the run", title: `Cancel run ${newest.run}?`, symbol: icon("close"), kind: "danger", path: `${ROOT}/retrains/${newest.run}/cancel`, done,
    consequence: newest.state === "probation" ? `The probation ends: ${newest.version} stays, and the former model no longer may come back by itself.` : `${newest.version} is given up with what it has learned; ${models.serving} goes on serving.` }));
  if (serving && models.models.length > 1) found.push(actionButton({ label: "Roll back", title: "Put the former version back?", symbol: icon("undo"), kind: "danger", path: `${ROOT}/rollback`, done,
    consequence: `${models.serving} stops serving, and the version that served before it answers from the next checkpoint on, without asking the gate. Within the probation it is as it has learned on in the shadow; after that, as it was when it left.` }));
  return enabled ? found : [h("p", { class: "muted" }, "Nothing can be asked: no worker that retrains has written a checkpoint yet.")];
}

function runs(source) {
  const open = new Set([Number(param("run"))]);
  const drawn = new Map();
  return panel({
    title: "Runs", sub: () => "newest first", shownAs: "List", source, height: 420, file: "runs",
    empty: ({ retrains }) => (retrains.length ? null : { why: "No run has begun.", command: 'riverrun retrain --reason "..."' }),
    rows: ({ retrains }) => ({ caption: "Runs, newest first", columns: RUN_COLUMNS, rows: retrains }),
    render: ({ retrains, more, models }, body) => {
      if (open.size && ![...open].some((one) => retrains.some((run) => run.run === one)) && retrains.length) open.add(retrains[0].run);
      put(body, retrains.map((run) => oneRun(run, open, drawn, models)), more && h("div", { class: "pager" }, h("button", { type: "button", on: { click: () => { setParams({ runs: shownRuns() + 2 * RUNS }); source.refresh(); } } }, "Older runs")));
    },
  });
}

function oneRun(run, open, drawn, models) {
  const [kind, symbol, word] = STATES[run.state] ?? ["unknown", "none", words(run.state)];
  const key = JSON.stringify(run);
  let inside = drawn.get(run.run);
  if (!inside || inside.key !== key) {
    inside = { key, node: h("div", { class: "run-inside" }), filled: false };
    drawn.set(run.run, inside);
  }
  const fillIt = () => {
    if (inside.filled) return;
    inside.filled = true;
    put(inside.node, runInside(run, models.models.find((one) => one.version === run.version)));
  };
  const element = h("details", { class: "run", open: open.has(run.run) }, h("summary", {}, h("b", {}, `Run ${run.run}`), badge(kind, word, symbol), h("span", {}, `${run.version}, ${words(run.trigger)}`), h("span", { class: "muted" }, time(eventTime(run)))), h("p", { class: "muted break" }, run.sentence), inside.node);
  element.addEventListener("toggle", () => {
    if (!element.open) return open.delete(run.run);
    open.add(run.run);
    setParams({ run: run.run });
    return fillIt();
  });
  if (open.has(run.run)) fillIt();
  return element;
}

const eventTime = (run) => run.changes.at(-1)?.time ?? run.began_at;

const RUN_COLUMNS = [
  { key: "run", label: "Run", num: true },
  { key: "version", label: "Version" },
  { key: "state", label: "State", show: (row) => words(row.state) },
  { key: "trigger", label: "Trigger", show: (row) => words(row.trigger) },
  { key: "reason", label: "Reason", long: true },
  { key: "by", label: "By" },
  { key: "began_at", label: "Begun", show: (row) => time(row.began_at) },
  { key: "sentence", label: "What happened last", long: true },
];

function versions(source) {
  return panel({
    title: "Versions", sub: ({ models }) => `${models.serving ?? "none"} serves`, source, isTable: true, height: 420, file: "versions",
    empty: ({ models }) => (models.models.length ? null : { why: "No version yet: the first checkpoint makes one.", command: "riverrun up" }),
    rows: ({ models }) => ({ caption: "Versions, newest first", columns: versionColumns(models, () => source.refresh()), rows: models.models }),
    options: { page: 15, rowClass: (row) => (row.state === "serving" || row.state === "probation" ? "now" : null) },
    render: () => {},
  });
}

const VERSION_STATES = { serving: "ok", probation: "ok", training: "act", racing: "act", shadow: "other", rejected: "unknown", cancelled: "unknown", gone: "unknown", kept: "unknown", failed: "bad", rolled_back: "warn" };

/** Return the first metric of the versions: all of a stream have the same. */
const metricOf = ({ models }) => models.flatMap((one) => Object.keys(one.scores))[0] ?? "Score";

const versionColumns = (models, done) => [
  { key: "version", label: "Version", show: (row) => h("span", { class: "nowrap" }, row.version) },
  { key: "state", label: "State", show: (row) => badge(VERSION_STATES[row.state] ?? "unknown", words(row.state)) },
  { key: "scores", label: metricOf(models), num: true, value: (row) => Object.values(row.scores)[0] ?? null },
  { key: "can", label: "Action", sort: false, value: (row) => row.can_be_promoted, show: (row) => (row.can_be_promoted ? actionButton({ label: "Promote", title: `Promote ${row.version}?`, path: `${ROOT}/models/${encodeURIComponent(row.version)}/promote`, done,
    consequence: `${row.version} serves from the next checkpoint on, without asking the gate. ${models.serving} goes on in its shadow for the probation and comes back by itself if ${row.version} turns out worse.` }) : h("span", { class: "sr" }, "cannot be promoted")) },
];
