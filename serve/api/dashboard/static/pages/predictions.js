// Predictions: what came out lately; a row opens the features, the contributions and the label.

import { get, ROOT, TASK } from "../api.js";
import { onReturn, param, setParams } from "../address.js";
import { badge, fact, h, put } from "../dom.js";
import { name, number, percent, plain, time, whole, words } from "../format.js";
import { panel, troubleState } from "../panel.js";
import { contributions } from "../explaining.js";
import { Source } from "../source.js";

const PAGE = 25;
const CAN_BE_WRONG = TASK === "binary" || TASK === "multiclass";

export function build() {
  const source = new Source(load, param("before") ? [] : ["prediction", "status"]);
  onReturn(() => { source.refresh({ anew: true }); openWanted(); });
  setTimeout(openWanted);
  return [list(source)];
}

function load() {
  return get(`${ROOT}/predictions`, {
    limit: PAGE, cursor: param("before"), from: param("from"), to: param("to"), version: param("version"), source: param("source"),
    labelled: { labelled: "true", waiting: "false" }[param("label")], wrong: param("label") === "wrong" ? "true" : null,
  });
}

function list(source) {
  const choices = [["", "all"], ["labelled", "with a label"], ["waiting", "without a label"], ...(CAN_BE_WRONG ? [["wrong", "wrong ones"]] : [])];
  const label = h("select", {}, choices.map(([value, text]) => h("option", { value, selected: value === param("label", "") }, text)));
  const from = h("select", {}, [["", "anywhere"], ["worker", "worker"], ["api", "API"]].map(([value, text]) => h("option", { value, selected: value === param("source", "") }, text)));
  const id = h("input", { type: "search", placeholder: "event id", size: 16 });
  const older = h("button", { type: "button" }, "Older");
  const newest = h("button", { type: "button" }, "Newest");
  const go = (values) => { setParams(values, { push: true }); source.events = new Set(param("before") ? [] : ["prediction", "status"]); source.refresh({ anew: true }); };
  label.addEventListener("change", () => go({ label: label.value, before: null }));
  from.addEventListener("change", () => go({ source: from.value, before: null }));
  older.addEventListener("click", () => go({ before: source.state.data.next }));
  newest.addEventListener("click", () => go({ before: null }));
  source.listen(({ data }) => { older.disabled = !data?.next; newest.disabled = !param("before"); });
  const find = h("form", { class: "controls", on: { submit: (event) => { event.preventDefault(); if (id.value) show(id.value); } } }, h("label", { class: "field" }, "Find", id), h("button", { type: "submit" }, "Open"));
  const field = (text, element) => h("label", { class: "field" }, text, element);
  const shown = panel({
    title: "Latest predictions", sub: ({ made, kept }) => `${whole(made)} made, the last ${whole(kept)} kept`, source, isTable: true, height: 620, file: "predictions", tools: [older, newest],
    empty: ({ predictions, keep, made }) => (predictions.length ? null : { why: keep === 0 ? "None are kept: predictions.keep is 0." : made ? "None fits these filters." : "No prediction has been made yet.", command: made ? null : "riverrun produce events.csv" }),
    rows: ({ predictions }) => ({ caption: "Predictions, newest first", columns: COLUMNS, rows: predictions }),
    options: { page: PAGE, open: (row) => show(row.id), rowClass: (row) => (row.correct === false ? "bad" : null) },
    render: () => {},
    foot: ({ matching, reaches_back_to: back }) => [matching === null ? null : `${whole(matching)} fit the filters. `, back && `What is kept reaches back to ${time(back)}.`].filter(Boolean).join(""),
  });
  return h("div", { class: "stack" }, h("div", { class: "controls" }, field("Label", label), field("Made by", from), find), shown);
}

const COLUMNS = [
  { key: "id", label: "Event", show: (row) => h("button", { type: "button", class: "quiet as-link", "aria-haspopup": "dialog", on: { click: () => show(row.id) } }, name(row.id, 40)) },
  { key: "time", label: "Event time", show: (row) => time(row.time, true) },
  { key: "prediction", label: "Prediction", value: (row) => row.prediction, show: said },
  { key: "label", label: "Label", value: (row) => row.label, show: truth },
  { key: "loss", label: "Loss", num: true },
  { key: "model_version", label: "Model" },
  { key: "source", label: "Made by" },
  { key: "latency_ms", label: "Latency, ms", num: true },
];

function said(row) {
  const sure = row.probabilities?.[String(row.prediction)] ?? (row.probabilities ? Math.max(...Object.values(row.probabilities)) : null);
  const text = typeof row.prediction === "number" ? number(row.prediction, 5) : name(plain(row.prediction), 40);
  return [h("b", {}, text), sure === null ? null : h("span", { class: "muted" }, ` ${percent(sure, 0)}`)];
}

function truth(row) {
  if (row.label_state === "waiting") return badge("unknown", "waiting", "wait");
  if (row.label_state === "given_up") return badge("unknown", "never came", "close");
  if (row.label_state !== "labelled") return badge("unknown", "none");
  const text = typeof row.label === "number" ? number(row.label, 5) : name(plain(row.label), 40);
  return row.correct === null ? text : badge(row.correct ? "ok" : "bad", text, row.correct ? "ok" : "close");
}

function openWanted() {
  const wanted = param("id");
  if (wanted !== null) show(wanted);
}

async function show(id) {
  document.querySelector("dialog[open]")?.close();
  setParams({ id });
  const body = h("div", { class: "stack" }, h("div", { class: "wait", role: "img", "aria-label": "loading" }));
  const close = h("button", { type: "button", on: { click: () => dialog.close() } }, "Close");
  const dialog = h("dialog", { class: "wide", "aria-labelledby": "prediction-title" }, h("h2", { id: "prediction-title", class: "break" }, `Prediction for ${name(id, 120)}`), body, h("div", { class: "buttons" }, close));
  dialog.addEventListener("close", () => { dialog.remove(); setParams({ id: null }); });
  document.body.append(dialog);
  dialog.showModal();
  try {
    const one = await get(`${ROOT}/predictions/${encodeURIComponent(id)}`);
    put(body, inside(one));
  } catch (error) {
    put(body, troubleState(error, "The prediction", () => show(id)));
  }
}

function inside(one) {
  const probabilities = Object.entries(one.probabilities ?? {}).map(([key, share]) => `${name(key, 40)} ${percent(share)}`).join(", ");
  return [
    h("dl", { class: "facts" },
      fact("Prediction", said(one)), fact("Label", truth(one)), one.loss !== null && fact("Loss", number(one.loss)),
      probabilities && fact("Probabilities", probabilities),
      fact("Event time", time(one.time, true)), fact("Predicted at", time(one.predicted_at, true)), one.labelled_at && fact("Label came", time(one.labelled_at, true)),
      fact("Model", one.model_version), one.learned_offset !== null && fact("Had read", whole(one.learned_offset)),
      fact("Made by", words(one.source)), one.latency_ms !== null && fact("Latency", `${whole(one.latency_ms)} ms`),
      one.place && fact("Place on the log", `${one.place.topic}-${one.place.partition} @ ${one.place.offset}`)),
    contributions(one),
  ];
}
