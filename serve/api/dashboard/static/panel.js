// A panel and its four states: loading, empty, in trouble (what was known stays, marked stale), filled.

import { saveCsv } from "./csv.js";
import { h, icon, put } from "./dom.js";
import { table } from "./table.js";

let made = 0;

/**
 * Return a panel over a source.
 *
 * title, sub(data): the head. height: of the skeleton, so that nothing jumps. empty(data): null, or
 * {why, command}. render(data, body): draws into body; it is called again with new data and may keep
 * what it drew. rows(data): {columns, rows, caption} behind a chart, shown as a table and saved as CSV;
 * with `isTable` the table is the panel, else `shownAs` is what it is called beside the table. foot(data): a line below.
 */
export function panel({ title, sub, source, height = 240, empty, render, rows, isTable = false, foot, file, tools, shownAs = "Chart", options = {} }) {
  const id = `panel-${++made}`;
  const heading = h("h2", { id }, title);
  const subtitle = h("span", { class: "sub" });
  const stale = h("span", { class: "stale-mark", hidden: true }, icon("wait"), "stale");
  const tableButton = h("button", { type: "button", "aria-pressed": "false" }, "Table");
  const chartButton = h("button", { type: "button", "aria-pressed": "true" }, shownAs);
  const toggle = h("div", { class: "toggle", role: "group", "aria-label": `${title}: as` }, chartButton, tableButton);
  const csvButton = h("button", { type: "button", class: "quiet", "aria-label": `Save ${title} as CSV` }, "CSV");
  const trouble = h("div", {});
  const inside = h("div", {});
  const tabular = h("div", { hidden: true });
  const footer = h("div", { class: "panel-foot", hidden: true });
  const toolbox = h("div", { class: "panel-tools" }, tools, stale, rows && !isTable && toggle, rows && csvButton);
  const head = h("div", { class: "panel-head" }, h("div", {}, heading, " ", subtitle), toolbox);
  const body = h("div", { class: "panel-body" }, trouble, inside, tabular);
  const root = h("section", { class: "panel", "aria-labelledby": id }, head, body, footer);
  let data;
  let asTable = false;
  let filled = false;

  const wait = h("div", { class: "wait", "aria-label": "loading", role: "img" });
  wait.style.height = `${height}px`;

  const drawTable = () => put(tabular, table({ ...options, ...rows(data) }));
  const draw = () => {
    const lacking = data === undefined ? null : empty?.(data);
    for (const button of [tableButton, chartButton, csvButton]) button.disabled = Boolean(lacking) || data === undefined;
    if (lacking) {
      put(inside, emptyState(lacking));
      tabular.hidden = true;
      inside.hidden = false;
      filled = false;
      return;
    }
    if (!filled) put(inside);
    inside.hidden = asTable || isTable;
    tabular.hidden = !(asTable || isTable);
    if (asTable || isTable) drawTable();
    if (!isTable) render(data, inside);
    filled = true;
  };
  const choose = (as) => {
    asTable = as;
    tableButton.setAttribute("aria-pressed", String(as));
    chartButton.setAttribute("aria-pressed", String(!as));
    if (data !== undefined) draw();
  };
  tableButton.addEventListener("click", () => choose(true));
  chartButton.addEventListener("click", () => choose(false));
  csvButton.addEventListener("click", () => {
    const { columns, rows: lines } = rows(data);
    saveCsv(file ?? title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-"), columns, lines);
  });
  source.listen((state) => {
    root.setAttribute("aria-busy", String(state.loading && state.data === undefined));
    root.classList.toggle("stale", Boolean(state.error) && state.data !== undefined);
    stale.hidden = !(state.error && state.data !== undefined);
    put(trouble, state.error && noData(state.error, title, () => source.refresh()));
    if (state.data === undefined) {
      data = undefined;
      filled = false;
      tabular.hidden = true;
      inside.hidden = false;
      put(inside, state.error ? null : wait);
      for (const button of [tableButton, chartButton, csvButton]) button.disabled = true;
      return;
    }
    if (state.data === data) return;
    data = state.data;
    const lacking = empty?.(data);
    put(subtitle, (!lacking && sub?.(data)) || "");
    const below = lacking ? null : foot?.(data);
    footer.hidden = !below;
    put(footer, below);
    draw();
  });
  return root;
}

/** Return what is shown where there is nothing yet: why, and what to do. */
export function emptyState({ title = "Nothing here yet", why, command, after }) {
  return h("div", { class: "empty" }, h("h3", {}, icon("none"), title), h("p", { class: "break" }, why), command && h("pre", {}, h("code", {}, command)), after);
}

/** Return what an error means: something that is switched off is no trouble. */
export function noData(error, what, retry) {
  if (error.kind !== "monitor_disabled") return troubleState(error, what, retry);
  return emptyState({ title: "Switched off", why: error.message, command: "monitor.enabled = true   # riverrun.toml" });
}

/** Return what failed, by which request, and a way to try again. */
export function troubleState(error, what, retry) {
  return h("div", { class: "trouble", role: "alert" },
    h("h3", {}, icon("bad"), `${what} could not be loaded`),
    h("p", { class: "break" }, error.message),
    error.requestId && h("p", { class: "muted" }, "Request ", h("code", {}, error.requestId)),
    h("button", { type: "button", on: { click: retry } }, "Try again"));
}
