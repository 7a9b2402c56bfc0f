// Drift: which rows are red, and since when.

import { get, ROOT } from "../api.js";
import { onReturn, pageUrl, param, setParams } from "../address.js";
import { badge, h, icon, put } from "../dom.js";
import { many, name, number, percent, since, time, whole } from "../format.js";
import { Heat, matrixOf } from "../heat.js";
import { loadImpact } from "../impact.js";
import { loadMarks } from "../marks.js";
import { panel } from "../panel.js";
import { ratioMeter } from "../ratio.js";
import { Source } from "../source.js";

const ROWS = 50;
const WINDOWS = [50, 100, 200, 500];
const SORTS = {
  severity: ["severity", (a, b) => (b.now ?? -1) - (a.now ?? -1) || b.worst - a.worst],
  impact: ["impact × drift", (a, b) => (b.impact ?? 0) * (b.now ?? 0) - (a.impact ?? 0) * (a.now ?? 0) || b.worst - a.worst],
  worst: ["worst ever", (a, b) => b.worst - a.worst],
  often: ["windows in alarm", (a, b) => b.alarms - a.alarms || b.worst - a.worst],
  name: ["name", (a, b) => a.name.localeCompare(b.name)],
};

export function build() {
  const source = new Source(load, ["pane", "run"]);
  onReturn(() => source.refresh({ anew: true }));
  return [verdict(source), heat(source), alarms(source)];
}

async function load() {
  const limit = Number(param("n", "100"));
  const asked = { limit: WINDOWS.includes(limit) ? limit : 100, cursor: param("before"), from: param("from"), to: param("to") };
  const [drift, marks, impact] = await Promise.all([get(`${ROOT}/drift`, asked), loadMarks(), loadImpact()]);
  const matrix = matrixOf(drift);
  for (const row of matrix.rows) row.impact = row.role === "feature" ? impact.shares[row.name] ?? null : null;
  return { drift, marks, ...matrix };
}

const lacking = ({ drift }) => (drift.panes.length ? null : { why: drift.note ?? "No window in this range.", command: drift.checkpoint === null ? "riverrun up" : "riverrun produce events.csv" });

function verdict(source) {
  const box = h("div", { class: "verdict" });
  source.listen(({ data }) => {
    if (!data || lacking(data)) {
      put(box);
      return;
    }
    const red = data.rows.filter((row) => row.now >= 1);
    const thin = data.rows.filter((row) => row.now === null).length;
    const last = data.windows.at(-1);
    const text = red.length ? `${many(red.length, "row")} of ${whole(data.rows.length)} in alarm` : thin === data.rows.length ? "Not enough samples to tell" : "No row is in alarm";
    box.className = `verdict ${red.length ? "bad" : thin === data.rows.length ? "unknown" : "ok"}`;
    const more = thin && thin < data.rows.length ? ` ${many(thin, "row has", "rows have")} too few samples to tell.` : "";
    put(box, icon(red.length ? "warn" : thin === data.rows.length ? "none" : "ok"), text,
      h("small", {}, `Window ${whole(last.index)}, up to ${time(last.last)}, against the reference of ${data.drift.reference?.version ?? "?"} (${whole(data.drift.reference?.events)} events).${more}`));
  });
  return box;
}

function heat(source) {
  const state = { page: Number(param("page", "0")) || 0 };
  const count = h("span", { class: "muted", role: "status" });
  const sort = h("select", {}, Object.entries(SORTS).map(([key, [text]]) => h("option", { value: key, selected: key === param("sort", "severity") }, text)));
  const filter = h("input", { type: "search", value: param("q", ""), placeholder: "part of a name", size: 14 });
  const only = h("input", { type: "checkbox", checked: param("only") === "alarms" });
  const size = h("select", {}, WINDOWS.map((one) => h("option", { value: one, selected: String(one) === param("n", "100") }, `${one}`)));
  const older = h("button", { type: "button" }, "Older");
  const newest = h("button", { type: "button" }, "Newest");
  const back = h("button", { type: "button" }, "Previous rows");
  const on = h("button", { type: "button" }, "Next rows");
  const pager = h("div", { class: "pager" }, back, on, count);
  let drawn = null;
  let data = null;
  const visible = () => {
    const wanted = filter.value.toLowerCase();
    return data.rows.filter((row) => row.name.toLowerCase().includes(wanted) && (!only.checked || row.now >= 1)).sort((SORTS[sort.value] ?? SORTS.severity)[1]);
  };
  const draw = () => {
    if (!drawn || !data) return;
    const rows = visible();
    const pages = Math.max(1, Math.ceil(rows.length / ROWS));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const shown = rows.slice(state.page * ROWS, (state.page + 1) * ROWS);
    back.disabled = state.page === 0;
    on.disabled = state.page >= pages - 1;
    back.hidden = on.hidden = pages === 1;
    newest.disabled = !param("before");
    older.disabled = !data.drift.next;
    put(count, rows.length === 0 ? "No name fits the filter." : pages === 1 ? many(rows.length, "row") : `rows ${whole(state.page * ROWS + 1)} to ${whole(state.page * ROWS + shown.length)} of ${whole(rows.length)}`);
    setParams({ sort: sort.value === "severity" ? null : sort.value, q: filter.value, only: only.checked ? "alarms" : null, page: state.page || null });
    drawn.chart.frame.hidden = shown.length === 0;
    if (shown.length) drawn.show(shown, data.windows, data.marks);
  };
  const again = () => { state.page = 0; draw(); };
  for (const one of [sort, only]) one.addEventListener("change", again);
  filter.addEventListener("input", again);
  back.addEventListener("click", () => { state.page -= 1; draw(); });
  on.addEventListener("click", () => { state.page += 1; draw(); });
  const goTo = (values) => { setParams(values, { push: true }); source.refresh({ anew: true }); };
  size.addEventListener("change", () => goTo({ n: size.value, before: null }));
  older.addEventListener("click", () => goTo({ before: data.drift.next }));
  newest.addEventListener("click", () => goTo({ before: null }));
  const field = (text, input) => h("label", { class: "field" }, text, input);
  return panel({
    title: "Features over windows",
    sub: () => "distance from the reference over its threshold",
    source,
    height: 380,
    file: "drift",
    empty: lacking,
    rows: () => ({ caption: "Distance over threshold, by column and window", columns: CELLS, rows: cells(visible(), data.windows) }),
    render: (found, body) => {
      data = found;
      if (!body.firstChild) {
        const controls = h("div", { class: "controls" }, field("Sort by", sort), field("Filter", filter), field(only, "only in alarm"), field("Windows", size), h("span", { class: "controls" }, older, newest));
        const host = h("div", {});
        put(body, controls, host, pager);
        drawn = new Heat(host, (row, window) => location.assign(featureUrl(row, window)));
      }
      draw();
    },
    foot: () => "A cell opens the feature at that window. ▲ is in alarm now.",
  });
}

export const featureUrl = (row, window) => pageUrl("feature", { name: row.name, role: row.role === "feature" ? null : row.role, from: window?.first, to: window?.last });

const CELLS = [
  { key: "name", label: "Column", show: (row) => name(row.name) },
  { key: "role", label: "Role" },
  { key: "index", label: "Window", num: true },
  { key: "first", label: "From", show: (row) => time(row.first) },
  { key: "last", label: "To", show: (row) => time(row.last) },
  { key: "ratio", label: "Distance / threshold", num: true, show: (row) => (row.ratio === null ? "not enough samples" : number(row.ratio)) },
];

const cells = (rows, windows) => rows.flatMap((row) => row.values.map((ratio, at) => ({ name: row.name, role: row.role, index: windows[at].index, first: windows[at].first, last: windows[at].last, ratio })).reverse());

function alarms(source) {
  return panel({
    title: "Columns",
    sub: ({ windows }) => `now, and over the last ${many(windows.length, "window")}`,
    source,
    isTable: true,
    file: "columns",
    empty: lacking,
    rows: ({ rows, windows }) => ({ caption: "Columns, the most severe first", columns: columnsOf(windows), rows: [...rows].sort(SORTS.severity[1]) }),
    options: { rowClass: (row) => (row.now >= 1 ? "bad" : null), page: 15 },
    render: () => {},
  });
}

const columnsOf = (windows) => [
  { key: "name", label: "Column", show: (row) => h("a", { href: featureUrl(row) }, name(row.name)) },
  { key: "role", label: "Role" },
  { key: "now", label: "Now: distance / threshold", show: (row) => ratioMeter(row.now) },
  { key: "from", label: "In alarm since", show: (row) => (row.from ? badge("bad", since(row.from, windows.at(-1).last)) : "–") },
  { key: "impact", label: "Impact", num: true, show: (row) => percent(row.impact) },
  { key: "worst", label: "Worst", num: true, show: (row) => (row.worst < 0 ? "–" : `${number(row.worst)}×`) },
  { key: "alarms", label: "Windows in alarm", num: true, show: (row) => `${whole(row.alarms)} of ${whole(windows.length)}` },
];
