// Tables: sorted by a click, in pages, so that five thousand rows freeze nothing.

import { h, put } from "./dom.js";
import { number, plain, whole } from "./format.js";

/**
 * Return a table.
 *
 * columns: [{key, label, num, value(row), show(row), head, sort}], rows: any objects. `caption` says
 * what it is to people who do not see it. `page` rows stand on a page. `rowClass(row)` and `open(row)`
 * are asked for each row.
 */
export function table({ columns, rows, caption, page = 25, rowClass, open, shownCaption = false }) {
  const root = h("div", { class: "table" });
  let at = 0;
  let sorted = { key: null, up: false };
  const draw = () => {
    const pages = Math.max(1, Math.ceil(rows.length / page));
    at = Math.min(at, pages - 1);
    const part = ordered(rows, columns, sorted).slice(at * page, (at + 1) * page);
    const title = h("caption", { class: shownCaption ? null : "sr" }, caption);
    const body = h("tbody", {}, part.map((row) => bodyRow(row, columns, rowClass, open)));
    const grid = h("table", {}, title, h("thead", {}, headRow(columns, sorted, sort)), body);
    put(root, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, grid), pages > 1 && pager(rows.length, at, pages, page, go));
  };
  const sort = (key) => {
    sorted = { key, up: sorted.key === key ? !sorted.up : false };
    at = 0;
    draw();
    root.querySelector(`th[data-key="${CSS.escape(key)}"] button`)?.focus();
  };
  const go = (next) => { at = next; draw(); };
  draw();
  return root;
}

const valueOf = (column, row) => (column.value ? column.value(row) : row[column.key]);

function ordered(rows, columns, { key, up }) {
  const column = columns.find((one) => one.key === key);
  if (!column) return rows;
  const compare = (left, right) => {
    const [a, b] = [valueOf(column, left), valueOf(column, right)];
    if (a === b) return 0;
    if (a === null || a === undefined) return 1; // what is not known stands last, either way
    if (b === null || b === undefined) return -1;
    const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    return up ? order : -order;
  };
  return [...rows].sort(compare);
}

function headRow(columns, sorted, sort) {
  return h("tr", {}, columns.map((one) => {
    const can = one.sort !== false;
    const way = sorted.key === one.key ? (sorted.up ? "ascending" : "descending") : "none";
    const inside = can ? h("button", { type: "button", on: { click: () => sort(one.key) } }, one.label, " ") : one.label;
    return h("th", { scope: "col", class: one.num ? "num" : null, "data-key": one.key, "aria-sort": can ? way : null }, inside);
  }));
}

function bodyRow(row, columns, rowClass, open) {
  const cells = columns.map((one, index) => {
    const shown = one.show ? one.show(row) : one.num ? numeric(valueOf(one, row)) : plain(valueOf(one, row));
    const kind = [one.num && "num", one.long && "break"].filter(Boolean).join(" ") || null;
    return index === 0 && one.head !== false ? h("th", { scope: "row", class: kind }, shown) : h("td", { class: kind }, shown);
  });
  const classes = [rowClass?.(row), open && "link-row"].filter(Boolean).join(" ") || null;
  const click = open && ((event) => { if (!event.target.closest("a, button")) open(row); });
  return h("tr", { class: classes, on: click ? { click } : {} }, cells);
}

const numeric = (value) => (Number.isInteger(value) ? whole(value) : typeof value === "number" ? number(value) : plain(value));

function pager(count, at, pages, page, go) {
  const button = (text, to, off) => h("button", { type: "button", disabled: off, on: { click: () => go(to) } }, text);
  const text = `${whole(at * page + 1)} to ${whole(Math.min(count, (at + 1) * page))} of ${whole(count)}`;
  return h("div", { class: "pager" }, button("Previous", at - 1, at === 0), button("Next", at + 1, at === pages - 1), h("span", {}, text));
}
