// A prediction's features, and what each of them contributed, where the server explains.

import { ROOT, send } from "./api.js";
import { h, put, s } from "./dom.js";
import { name, number, plain } from "./format.js";
import { table } from "./table.js";

/** Return the features of a prediction; contributions are added when they have come. */
export function contributions(one) {
  if (!one.features) return h("p", { class: "note" }, one.features_note ?? "The features are not kept any more.");
  const box = h("div", {});
  const draw = (by, note) => put(box, features(one.features, by), note && h("p", { class: "muted" }, note));
  draw(null, "Asking for the contributions …");
  explain(one).then((found) => draw(found.by, found.note), (error) => draw(null, error.message));
  return box;
}

const METHODS = { linear: "weights times features", tree: "steps on the path through the tree", sampling: "Shapley values, estimated" };

async function explain(one) {
  const found = await send(`${ROOT}/explain`, { event: one.features });
  const by = Object.fromEntries(found.contributions.map((each) => [each.feature, each.contribution]));
  const sum = `They add up to ${number(found.explained)} from ${number(found.base_value)}, in ${found.space.replace("_", " ")}${found.of_class === null ? "" : ` of ${name(found.of_class, 40)}`}`;
  const now = found.model_version === one.model_version ? "" : `; by ${found.model_version}, which serves now`;
  return { by, note: `${sum}; ${METHODS[found.method] ?? found.method}${now}.` };
}

function features(values, by) {
  const rows = Object.entries(values).map(([feature, value]) => ({ feature, value, share: by?.[feature] ?? null }));
  if (by) rows.sort((a, b) => Math.abs(b.share ?? 0) - Math.abs(a.share ?? 0));
  const most = Math.max(...rows.map((row) => Math.abs(row.share ?? 0)), 1e-12);
  const columns = [
    { key: "feature", label: "Feature", long: true, show: (row) => name(row.feature, 60) },
    { key: "value", label: "Value", long: true, show: (row) => name(plain(row.value), 80) },
    ...(by ? [{ key: "share", label: "Contribution", num: true, show: (row) => (row.share === null ? "–" : [bar(row.share / most), ` ${row.share > 0 ? "+" : ""}${number(row.share)}`]) }] : []),
  ];
  return table({ caption: "Features", columns, rows, page: 20 });
}

function bar(share) {
  const width = Math.abs(share) * 50;
  return h("span", { class: "meter" }, s("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" }, s("rect", { x: share < 0 ? 50 - width : 50, width, height: 8, class: share < 0 ? "minus" : "plus" })));
}

