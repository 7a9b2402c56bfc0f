// How much features move predictions; without it features are ordered by their drift alone.

import { get, ROOT } from "./api.js";

/** Return {shares, note}: by feature its share of the impact, or why none is known. */
export async function loadImpact() {
  try {
    const found = await get(`${ROOT}/impact`);
    return { shares: Object.fromEntries(found.features.map((one) => [one.feature, one.share])), note: found.note };
  } catch (error) {
    return { shares: {}, note: error.message };
  }
}
