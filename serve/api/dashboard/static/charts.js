// Charts by Plotly, in the page's colours. Names become text that Plotly cannot take for markup.

import { h, put, s } from "./dom.js";
import { name } from "./format.js";

const drawn = new Set();
let loading = null;

/** Load Plotly once. */
export function plotly() {
  loading ??= new Promise((done, failed) => {
    const script = h("script", { src: document.documentElement.dataset.plotly });
    script.addEventListener("load", () => done(globalThis.Plotly));
    script.addEventListener("error", () => {
      loading = null;
      failed(new Error("the chart library could not be loaded; the tables show the same"));
    });
    document.head.append(script);
  });
  return loading;
}

/** Return a name as Plotly shows it: it reads some tags and entities, so none may be left. */
export function label(text, most = 40) {
  return name(text, most).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("$", "&#36;");
}

/** Return the colours of the present theme. */
export function colours() {
  const style = getComputedStyle(document.documentElement);
  return new Proxy({}, { get: (_, key) => style.getPropertyValue(`--${String(key).replaceAll("_", "-")}`).trim() });
}

/** Return a colour, made see-through. */
export function faint(colour, share) {
  const digits = colour.replace("#", "");
  const parts = [0, 2, 4].map((at) => Number.parseInt(digits.slice(at, at + 2), 16));
  return `rgba(${parts.join(",")},${share})`;
}

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: false, scrollZoom: false, showTips: false };

/**
 * A chart in an element. `make(colours, width)` returns {data, layout}; it is asked again when the
 * theme or the width changes. `click(event)` hears clicks on points.
 */
export class Chart {
  constructor(host, { text, height, click, after, hover }) {
    this.plot = h("div", { class: "chart", role: "img", "aria-label": text });
    this.plot.style.height = `${height}px`;
    this.height = height;
    this.click = click;
    this.after = after;
    this.hover = hover;
    this.tip = h("div", { class: "tip", hidden: true });
    this.frame = h("div", { class: "chart-frame" }, this.plot, this.tip);
    host.append(this.frame);
    this.width = 0;
    new ResizeObserver(() => {
      if (Math.abs(this.plot.clientWidth - this.width) > 4) this.draw();
    }).observe(this.plot);
    drawn.add(this);
  }

  /** Draw, or draw again with something else. */
  show(make, { text, height } = {}) {
    this.make = make;
    if (text) this.plot.setAttribute("aria-label", text);
    if (height) {
      this.height = height;
      this.plot.style.height = `${height}px`;
    }
    return this.draw();
  }

  async draw() {
    if (!this.make || !this.plot.isConnected) return;
    const library = await plotly();
    this.width = this.plot.clientWidth;
    if (!this.width) return;
    const palette = colours();
    const { data, layout } = this.make(palette, this.width);
    const full = { ...base(palette), ...layout, width: this.width, height: this.height };
    for (const axis of Object.keys(full).filter((key) => /^[xy]axis\d*$/.test(key))) full[axis] = { ...axisBase(palette), ...full[axis] };
    if (full.hovermode === "x") full.hoverdistance = -1; // the nearest, however far: there may be gaps
    const first = !this.plot.classList.contains("js-plotly-plot");
    const started = performance.now();
    await library.react(this.plot, data, full, CONFIG);
    this.plot.dataset.drawMs = (performance.now() - started).toFixed(1);
    this.plot.dataset.drawn = String(Number(this.plot.dataset.drawn ?? 0) + 1);
    if (first) this.listen();
    this.after?.(this.plot, palette);
  }
}

/** Show the words for a point beside it: as text, which Plotly's own labels are not. */
Chart.prototype.listen = function listen() {
  if (this.click) this.plot.on("plotly_click", (event) => this.click(event));
  if (!this.hover) return;
  this.plot.on("plotly_hover", ({ points, event }) => {
    const said = this.hover(points);
    this.tip.hidden = !said;
    if (!said) return;
    put(this.tip, said);
    const box = this.frame.getBoundingClientRect();
    const left = Math.min(event.clientX - box.left + 14, box.width - this.tip.offsetWidth - 4);
    this.tip.style.left = `${Math.max(0, left)}px`;
    this.tip.style.top = `${Math.max(0, event.clientY - box.top + 16)}px`;
  });
  this.plot.on("plotly_unhover", () => { this.tip.hidden = true; });
};

addEventListener("riverrun:theme", () => {
  for (const chart of drawn) {
    if (chart.plot.isConnected) chart.draw();
    else drawn.delete(chart);
  }
});

function base(palette) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: palette.ink_2 },
    margin: { l: 52, r: 12, t: 8, b: 46 },
    showlegend: false,
    hovermode: "x unified",
    hoverlabel: { bgcolor: palette.surface, bordercolor: palette.line_strong, font: { color: palette.ink, size: 12 }, align: "left" },
    dragmode: false,
    xaxis: {},
    yaxis: {},
  };
}

const axisBase = (palette) => ({
  gridcolor: palette.line,
  linecolor: palette.line_strong,
  zeroline: false,
  tickcolor: palette.line_strong,
  fixedrange: true,
  automargin: false,
  tickfont: { color: palette.ink_2, size: 12 },
});

/** Return a legend: each key is {name, colour, dash, kind} with kind line, bar or mark. */
export function legend(keys) {
  return h("div", { class: "chart-legend" }, keys.map((key) => h("span", { class: "key" }, swatch(key), key.name)));
}

function swatch({ colour, kind = "line", dash, shape }) {
  const root = s("svg", { class: "swatch", viewBox: "0 0 14 10", "aria-hidden": "true" });
  if (kind === "bar") root.append(s("rect", { width: 14, height: 10, rx: 2, fill: colour }));
  else if (kind === "mark") root.append(s("path", { d: shape ?? "M7 1l5 8H2z", fill: colour }));
  else root.append(s("path", { d: "M0 5h14", stroke: colour, fill: "none", "stroke-dasharray": dash ?? "none" }));
  return root;
}

/** Return a line without axes, for a tile; its numbers stand in the tile's table. */
export function spark(values, text) {
  const known = values.filter((one) => Number.isFinite(one));
  if (known.length < 2) return h("div", { class: "spark-none" }, "no history yet");
  const low = Math.min(...known, 0 <= Math.min(...known) && Math.min(...known) < Math.max(...known) / 3 ? 0 : Infinity);
  const high = Math.max(...known);
  const size = high - low || 1;
  const points = values.map((one, at) => (Number.isFinite(one) ? [at / (values.length - 1) * 100, 28 - (one - low) / size * 26] : null)).filter(Boolean);
  const line = points.map(([x, y], at) => `${at ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
  const area = `${line}L${points.at(-1)[0].toFixed(2)} 30L${points[0][0].toFixed(2)} 30Z`;
  return s("svg", { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img", "aria-label": text },
    s("path", { class: "spark-area", d: area }), s("path", { class: "spark-line", d: line }));
}
