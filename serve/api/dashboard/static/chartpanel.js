// A panel whose body is one chart, with its legend.

import { Chart, colours, legend } from "./charts.js";
import { h, put } from "./dom.js";
import { panel } from "./panel.js";

/**
 * As `panel`, and: text(data) says what the chart shows; keys(data, colours) is its legend;
 * make(data, colours, width) returns {data, layout}; hover(data, points) the words for points, and
 * click(data, points) hears clicks.
 */
export function chartPanel({ text, keys, make, hover, click, height = 260, controls, ...rest }) {
  let chart = null;
  let shown = null;
  const key = h("div", {});
  return panel({
    ...rest,
    height: height + 24,
    render: (data, body) => {
      shown = data;
      if (!body.firstChild) {
        put(body, controls, key);
        chart = new Chart(body, {
          text: "", height,
          click: click && (({ points }) => click(shown, points)),
          hover: hover && ((points) => hover(shown, points)),
        });
      }
      const draw = (palette, width) => {
        put(key, keys && legend(keys(shown, palette)));
        return make(shown, palette, width);
      };
      chart.show(draw, { text: text(data) });
      put(key, keys && legend(keys(data, colours())));
    },
  });
}
