// The loss now against that of a day before, in event time.

import { get, ROOT } from "./api.js";
import { moment } from "./format.js";

const DAY_MS = 86400000;
const LEAST_MS = 3600000;

/** Return {now, before}: mean losses of the model, or null where there is no window yet. */
export async function loadLosses(drift) {
  const [newest] = drift?.panes ?? [];
  if (!newest?.last) return null;
  const end = moment(newest.last).getTime();
  const width = Math.max(LEAST_MS, end - moment(newest.first).getTime());
  const [now, before] = await Promise.all([lossOf(end - width, end + 1), lossOf(end - DAY_MS - width, end - DAY_MS)]);
  return { now, before };
}

async function lossOf(from, to) {
  const found = await get(`${ROOT}/performance`, { from: String(from), to: String(to), limit: 1 });
  return found.models.find((one) => one.model === "model")?.mean_loss ?? null;
}
