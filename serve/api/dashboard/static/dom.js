// Makes elements. Text only ever becomes text: there is no way from a name to markup.

const SVG = "http://www.w3.org/2000/svg";

/** Return an element; props are attributes, but for `on` (listeners) and `text`. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [kind, listener] of Object.entries(value)) element.addEventListener(kind, listener);
    } else if (name === "text") element.textContent = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

/** Return one of the shell's symbols. */
export function icon(name, label) {
  const use = s("use", { href: `#i-${name}` });
  const props = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return s("svg", { class: "icon", ...props }, use);
}

const BADGE_ICONS = { ok: "ok", warn: "warn", bad: "bad", act: "cycle", other: "cycle", unknown: "none" };

/** Return a short state: a colour, a symbol and a word, so that none of them stands alone. */
export function badge(kind, text, symbol) {
  return h("span", { class: `badge ${kind}` }, icon(symbol ?? BADGE_ICONS[kind] ?? "none"), text);
}

/** Put other children into an element. */
export function put(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false));
  return element;
}

/** Return a pair of a definition list. */
export function fact(term, ...value) {
  return h("div", {}, h("dt", {}, term), h("dd", {}, ...value));
}

/** Say something that a screen reader reads too, for some seconds. */
export function toast(kind, text) {
  const symbol = kind === "bad" ? "bad" : kind === "ok" ? "ok" : "wait";
  const shown = h("div", { class: `toast ${kind}` }, icon(symbol), h("span", { class: "break" }, text));
  document.getElementById("toasts").append(shown);
  setTimeout(() => shown.remove(), kind === "bad" ? 15000 : 9000);
}
