// How a column was tested: method, threshold, sample sizes, the period of the reference.

import { fact, h } from "./dom.js";
import { many, number, percent, time, whole, words } from "./format.js";

const TESTS = { wasserstein: "Wasserstein-1, in standard deviations of the reference", js: "Jensen-Shannon distance, base 2" };

/** Return the facts of a feature's answer. */
export function featureFacts({ shown }) {
  const { report, reference, span, declared } = shown;
  const fits = (value) => (value < 1e-12 ? "< 1e-12" : number(value));
  const rows = [
    fact("Reference", `${reference.version}, ${whole(reference.events)} events`, h("small", {}, " frozen when it was promoted")),
    fact("Current", span ? `${many(span.panes, "window")}, ${whole(span.events)} events` : "none", span?.skipped ? h("small", {}, ` ${whole(span.skipped)} left out: other bins`) : null),
    span && fact("Period", `${time(span.first)} to ${time(span.last)}`),
  ];
  if (report) {
    rows.push(
      fact("Method", TESTS[report.test] ?? report.test),
      fact("Distance", number(report[report.test]), h("small", {}, ` threshold ${number(report.threshold)}`)),
      fact("Values", `${whole(report.values_reference)} then, ${whole(report.values_current)} now`),
      fact("Chance without a change", fits(report.p), h("small", {}, ` of one test; ${fits(report.q)} over all columns`)),
      fact("Largest change", report.culprit, h("small", {}, ` by ${percent(report.l_infinity)}`)),
      fact("PSI", number(report.psi)),
      fact("Jensen-Shannon", number(report.js)),
      report.ks === null ? null : fact("Kolmogorov-Smirnov", number(report.ks)),
      fact("Missing", `${percent(report.missing_reference)} then, ${percent(report.missing_current)} now`),
    );
  }
  if (declared) rows.push(fact("Schema", `${declared.type}${declared.required ? ", required" : ""}`, h("small", {}, ` ${limits(declared)}`)));
  return h("dl", { class: "facts" }, rows);
}

function limits(declared) {
  if (declared.domain) return many(declared.domain.length, "category", "categories");
  if (declared.minimum === null && declared.maximum === null) return words("no_bounds");
  return `${number(declared.minimum, 6)} to ${number(declared.maximum, 6)}${declared.bounds_inferred ? ", inferred" : ""}`;
}
