// System: is any part red; where records wait, where time goes, what it costs, how it is set.

import { get, ROOT } from "../api.js";
import { chartPanel } from "../chartpanel.js";
import { badge, fact, h, icon, put } from "../dom.js";
import { bytes, many, name, percent, plain, short, span, time, whole } from "../format.js";
import { panel } from "../panel.js";
import { Source } from "../source.js";

const WORDS = { ok: "fine", warn: "look", bad: "red", unknown: "not known" };

export function build() {
  const source = new Source(() => get(`${ROOT}/system`), ["status"]);
  const past = new Source(() => get(`${ROOT}/history`), ["status"]);
  return [verdict(source), parts(source), h("div", { class: "two" }, partitions(source), lagOver(past)), h("div", { class: "two" }, stages(source), queues(source)), h("div", { class: "two" }, processes(source), checkpoint(source)), settings(source)];
}

function verdict(source) {
  const box = h("div", {});
  source.listen(({ data }) => {
    if (!data) return;
    const bad = data.parts.filter((one) => one.state === "bad");
    const warn = data.parts.filter((one) => one.state === "warn");
    const [kind, symbol, text] = bad.length ? ["bad", "bad", `${many(bad.length, "part is", "parts are")} red: ${bad.map((one) => one.part).join(", ")}`]
      : warn.length ? ["warn", "warn", `${warn.map((one) => one.part).join(", ")}: worth a look`] : ["ok", "ok", "No part is red"];
    put(box, h("div", { class: `verdict ${kind}` }, icon(symbol), text, h("small", {}, bad[0]?.advice ?? warn[0]?.advice ?? "Log, store, worker, model and what is given out are as they should be.")));
  });
  return box;
}

function parts(source) {
  return panel({
    title: "Parts", sub: () => "in the order that an event passes them", source, isTable: true, height: 260, file: "parts",
    rows: ({ parts: found }) => ({ caption: "Parts", columns: PARTS, rows: found }),
    options: { rowClass: (row) => (row.state === "bad" ? "bad" : row.state === "warn" ? "warn" : null) },
    render: () => {},
  });
}

const PARTS = [
  { key: "part", label: "Part" },
  { key: "state", label: "State", show: (row) => badge(row.state, WORDS[row.state]) },
  { key: "detail", label: "What is known", long: true },
  { key: "advice", label: "What to do", long: true, show: (row) => row.advice ?? "–" },
];

function partitions(source) {
  return panel({
    title: "Lag by partition", source, isTable: true, height: 220, file: "partitions",
    sub: ({ partitions: found }) => (found ? `${short(found.reduce((sum, one) => sum + one.lag, 0))} records are not read yet` : ""),
    empty: ({ partitions: found, partitions_trouble: why }) => (found ? null : { title: "Not known", why: why ?? "The log was not asked yet." }),
    rows: ({ partitions: found }) => ({ caption: "Lag by partition", columns: PARTITIONS, rows: [...found].sort((a, b) => b.lag - a.lag) }),
    options: { page: 12, rowClass: (row) => (row.lag > 10000 ? "warn" : null) },
    render: () => {},
  });
}

const PARTITIONS = [
  { key: "partition", label: "Partition", long: true },
  { key: "next", label: "Next to read", num: true },
  { key: "end", label: "End", num: true },
  { key: "lag", label: "Lag", num: true },
];

function lagOver(source) {
  return chartPanel({
    title: "Records a second, and lag", sub: () => "the last quarter of an hour, as this API saw it", source, height: 220, file: "recent-past",
    empty: ({ samples }) => (samples.length > 1 ? null : { why: "This API has just started; in a few seconds there is a line." }),
    text: ({ samples }) => `Records a second now ${short(samples.at(-1).per_second)}, lag ${short(samples.at(-1).lag)}.`,
    keys: (_, c) => [{ name: "records a second", colour: c.series_1 }, { name: "lag, records (right)", colour: c.series_3, dash: "5 3" }],
    rows: ({ samples }) => ({ caption: "The recent past, newest first", columns: SAMPLES, rows: samples.toReversed() }),
    hover: ({ samples }, [point]) => { const one = samples[point.pointNumber]; return one && [h("b", {}, time(one.at, true)), `${short(one.per_second)} records/s, lag ${short(one.lag)}, memory ${bytes(one.memory)}`]; },
    make: ({ samples }, c) => ({
      data: [
        { type: "scatter", mode: "lines", x: samples.map((one) => one.at), y: samples.map((one) => one.per_second), line: { color: c.series_1, width: 2 }, hoverinfo: "none" },
        { type: "scatter", mode: "lines", x: samples.map((one) => one.at), y: samples.map((one) => one.lag), yaxis: "y2", line: { color: c.series_3, width: 2, dash: "dash" }, hoverinfo: "none" },
      ],
      layout: { hovermode: "x", margin: { l: 52, r: 52, t: 8, b: 46 }, xaxis: { type: "date", showgrid: false }, yaxis: { rangemode: "tozero" }, yaxis2: { overlaying: "y", side: "right", rangemode: "tozero", showgrid: false } },
    }),
  });
}

const SAMPLES = [
  { key: "at", label: "Time", show: (row) => time(row.at, true) },
  { key: "per_second", label: "Records/s", num: true },
  { key: "lag", label: "Lag", num: true },
  { key: "staleness", label: "Model's age, s", num: true },
  { key: "memory", label: "Memory", num: true, show: (row) => bytes(row.memory) },
];

function stages(source) {
  return panel({
    title: "Where time goes", sub: () => "worker: a record; API: a request", source, isTable: true, height: 240, file: "stages",
    empty: ({ stages: found }) => (found.length ? null : { why: "The worker tells with its next checkpoint; the API, when it is asked to predict." }),
    rows: ({ stages: found }) => ({ caption: "Time by stage", columns: STAGES, rows: found }),
    render: () => {},
  });
}

const STAGES = [
  { key: "stage", label: "Stage", long: true, value: (row) => `${row.process}: ${row.stage.replace("/v1/streams/{stream}", "")}` },
  { key: "per_record", label: "Mean", num: true, show: (row) => span(row.per_record) },
  { key: "p50", label: "Half below", num: true, show: (row) => span(row.p50) },
  { key: "p99", label: "99 % below", num: true, show: (row) => span(row.p99) },
  { key: "share", label: "Share", num: true, show: (row) => percent(row.share) },
];

function queues(source) {
  return panel({
    title: "Queues, and what they dropped", source, isTable: true, height: 240, file: "queues",
    rows: ({ queues: found }) => ({ caption: "Queues", columns: QUEUES, rows: found }),
    options: { rowClass: (row) => (row.dropped ? "warn" : null) },
    render: () => {},
  });
}

const QUEUES = [
  { key: "queue", label: "What waits", long: true },
  { key: "waiting", label: "Waiting", num: true },
  { key: "limit", label: "At most", num: true },
  { key: "dropped", label: "Dropped", num: true, show: (row) => (row.dropped ? badge("warn", whole(row.dropped)) : "0") },
  { key: "about", label: "Set by", long: true },
];

function processes(source) {
  return panel({
    title: "Processes", source, isTable: true, height: 180, file: "processes",
    rows: ({ processes: found }) => ({ caption: "Processes", columns: PROCESSES, rows: found }),
    render: () => {},
    foot: ({ versions }) => Object.entries(versions).map(([key, value]) => `${key} ${value}`).join(" · "),
  });
}

const PROCESSES = [
  { key: "process", label: "Process" },
  { key: "memory_bytes", label: "Memory", num: true, show: (row) => bytes(row.memory_bytes) },
  { key: "processor_seconds", label: "Processor", num: true, show: (row) => (row.processor_seconds === null ? "–" : span(row.processor_seconds)) },
  { key: "pid", label: "Number", num: true, show: (row) => plain(row.pid) },
  { key: "started_at", label: "Since", show: (row) => time(row.started_at) },
  { key: "transport", label: "Event log by", show: (row) => row.transport ?? "–" },
];

function checkpoint(source) {
  return panel({
    title: "Checkpoints", source, height: 180,
    empty: ({ checkpoint: found }) => (found ? null : { why: "None yet.", command: "riverrun worker" }),
    render: ({ checkpoint: one }, body) => put(body, h("dl", { class: "facts" },
      fact("Newest", whole(one.number)), fact("Written", `${span(one.age_seconds)} ago`), fact("Took", span(one.seconds)),
      fact("Share of the worker's time", one.share === null ? "–" : percent(one.share, 2), h("small", {}, ` ${percent(one.allowed, 1)} allowed`)),
      fact("Epoch", plain(one.epoch)))),
  });
}

function settings(source) {
  return panel({
    title: "Configuration", sub: () => "secrets are hidden, durations are milliseconds; what differs from the default is marked", source, isTable: true, height: 320, file: "configuration",
    rows: ({ settings: found }) => ({ caption: "Configuration", columns: SETTINGS, rows: found }),
    options: { page: 20 },
    render: () => {},
  });
}

const SETTINGS = [
  { key: "key", label: "Key", show: (row) => h("code", {}, row.key) },
  { key: "value", label: "Value", long: true, sort: false, show: (row) => (row.value === null ? h("span", { class: "muted" }, "not set") : name(typeof row.value === "number" ? String(row.value) : plain(row.value), 400)) },
  { key: "is_default", label: "Origin", value: (row) => (row.is_default ? "default" : "set"), show: (row) => [row.is_default ? "default" : badge("act", "set", "right"), row.hidden ? badge("unknown", "hidden") : null] },
];
