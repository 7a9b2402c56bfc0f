// One sentence on how a stream is, and since when.

import { many, name, percent, since, whole, words } from "./format.js";

const PHASES = { training: "retraining", racing: "retraining", shadow: "a challenger is in the shadow", probation: "on probation" };

/** Return {kind, symbol, text, detail} of the status, the newest panes and the parts. */
export function headline(status, drift, parts = []) {
  const monitor = status.status?.monitor;
  const run = status.status?.retrain?.run;
  const broken = parts.filter((one) => one.state === "bad");
  if (broken.length) {
    const [first] = broken;
    return say("bad", "bad", `The ${first.part} is not well`, [first.detail, first.advice].filter(Boolean).join(". "));
  }
  const shards = status.status?.shards ?? [];
  if (!status.checkpoint && !shards.length) return say("unknown", "wait", "Waiting for the first checkpoint", "No worker has written one yet: start it with 'riverrun worker', or everything with 'riverrun up'.");
  if (!monitor && shards.length) return say("ok", "ok", `${many(shards.length, "shard")} at work`, "The stream is divided: each shard learns by itself, and no part is red.");
  if (!monitor) return say("unknown", "none", "Not watched", "The monitor is switched off (monitor.enabled = false).");
  if (monitor.warm_up) {
    const { events, wanted } = monitor.warm_up;
    return say("act", "wait", `Warming up: ${percent(events / wanted, 0)}`, `${whole(events)} of ${whole(wanted)} events; then schema and reference are made of them, and drift is tested.`);
  }
  if (monitor.state === "HALTED") {
    const share = monitor.last_pane?.signals?.error_fraction;
    return say("bad", "bad", `Learning is paused since ${sinceOf(drift, (pane) => pane.state === "HALTED")}`, `${percent(share)} of the events in the last window break the schema. The last good model goes on serving.`);
  }
  const next = run ? `; ${run.phase === "probation" ? `${run.version} is ` : ""}${PHASES[run.phase] ?? words(run.phase)}` : "";
  const alarms = (drift?.panes?.[0]?.alarms ?? []).filter((one) => one.role === "feature");
  const told = runSentence(run);
  const others = (drift?.panes?.[0]?.alarms ?? []).filter((one) => one.role !== "feature");
  const shifted = others.map((one) => one.role).join(" and the ");
  const quiet = `No feature is in alarm${others.length ? `; the ${shifted} shifted` : ""}.`;
  if (alarms.length) {
    const names = new Set(alarms.map((one) => one.name));
    const from = sinceOf(drift, (pane) => pane.alarms.some((one) => one.role === "feature" && names.has(one.name)));
    const some = [...names].slice(0, 4).map((one) => name(one, 30)).join(", ");
    return say("warn", "warn", `${many(names.size, "feature")} drifting since ${from}${next}`, `${some}${names.size > 4 ? " and others" : ""}. ${told}`);
  }
  if (monitor.state === "DRIFT" || monitor.last_pane?.signals?.concept >= 1) {
    return say("warn", "warn", `The concept drifted${next}`, `The loss has changed although no feature is in alarm. ${told}`);
  }
  if (monitor.state === "RETRAINING" && run?.trigger === "drift") {
    const from = sinceOf(drift, (pane) => pane.state === "RETRAINING" || pane.state === "DRIFT");
    return say("act", "cycle", `The concept drifted since ${from}; ${PHASES[run.phase] ?? words(run.phase)}`, `${quiet} ${told}`);
  }
  if (others.length) {
    const from = sinceOf(drift, (pane) => pane.alarms.length > 0);
    return say("warn", "warn", `The ${shifted} shifted since ${from}${next}`, `No feature is in alarm. ${told}`);
  }
  if (monitor.state === "WARNING") return say("warn", "warn", `Something is close to its threshold${next}`, told);
  if (!monitor.last_pane) return say("ok", "ok", `Healthy so far${next}`, "No window has closed since the warm-up: drift is tested when the first one does.");
  return say("ok", "ok", `Healthy${next}`, told || `No feature is in alarm, and the loss is as it was. Window ${whole(monitor.last_pane.index)} closed last.`);
}

const say = (kind, symbol, text, detail) => ({ kind, symbol, text, detail });

/** Return since when something holds without a break, of panes that stand newest first. */
export function sinceOf(drift, holds) {
  const panes = drift?.panes ?? [];
  let first = null;
  let at = 0;
  for (; at < panes.length && holds(panes[at]); at += 1) first = panes[at].first;
  if (!first) return "now";
  const text = since(first, panes[0].last);
  return at === panes.length && drift.next ? `before ${text}` : text;
}

function runSentence(run) {
  if (!run) return "";
  const labels = run.shadows?.[0]?.gate?.labels;
  if (run.phase === "probation") return `Run ${run.number}: ${run.version} serves; the former model may come back for ${whole(run.labels_at_most)} labels.`;
  const so = labels === undefined ? "" : `; ${whole(labels)} labels weighed so far`;
  return `Run ${run.number} (${run.reason || run.trigger}) is ${run.phase === "shadow" ? "in the shadow" : words(run.phase)}${so}.`;
}
