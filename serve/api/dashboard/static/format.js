// Numbers, times and words as people read them. Times are UTC everywhere.

const WHOLE = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const NONE = "–";

export const whole = (value) => (known(value) ? WHOLE.format(value) : NONE);
export const percent = (value, digits = 1) => (known(value) ? `${(value * 100).toFixed(digits)} %` : NONE);

/** Return a number with as many digits as say something. */
export function number(value, digits = 3) {
  if (!known(value)) return NONE;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-4) return value.toExponential(2).replace("e+", "e");
  if (size >= 1000) return WHOLE.format(value);
  return String(Number(value.toPrecision(digits)));
}

/** Return a large count in few characters. */
export function short(value) {
  if (!known(value)) return NONE;
  for (const [limit, sign] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (Math.abs(value) >= limit) return `${Number((value / (sign === "k" ? 1e3 : limit)).toPrecision(3))} ${sign}`;
  }
  return Math.abs(value) < 10 && value % 1 ? value.toFixed(1) : WHOLE.format(value);
}

export function bytes(value) {
  if (!known(value)) return NONE;
  for (const [size, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (value >= size) return `${Number((value / size).toPrecision(3))} ${unit}`;
  }
  return `${WHOLE.format(value)} B`;
}

/** Return a length of time. */
export function span(seconds) {
  if (!known(seconds)) return NONE;
  if (seconds < 1e-3) return `${Number((seconds * 1e6).toPrecision(2))} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(2))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** Return a time, as a Date, of ISO text, seconds or a Date; null where there is none. */
export function moment(value) {
  if (value === null || value === undefined) return null;
  const found = value instanceof Date ? value : new Date(typeof value === "number" ? value * 1000 : value);
  return Number.isNaN(found.getTime()) ? null : found;
}

/** Return a time as 2013-05-03 14:05. */
export function time(value, seconds = false) {
  const found = moment(value);
  return found ? found.toISOString().slice(0, seconds ? 19 : 16).replace("T", " ") : NONE;
}

/** Return only as much of a time as a person needs: the clock where it is today, else the day too. */
export function since(value, newest) {
  const found = moment(value);
  if (!found) return NONE;
  const near = moment(newest) ?? new Date();
  const day_ = (one) => one.toISOString().slice(0, 10);
  if (day_(found) === day_(near) && day_(found) === day_(new Date())) return found.toISOString().slice(11, 16);
  const year = found.getUTCFullYear() === near.getUTCFullYear() ? undefined : "numeric";
  const day = found.toLocaleDateString("en-GB", { day: "numeric", month: "short", year, timeZone: "UTC" });
  return `${day}, ${found.toISOString().slice(11, 16)}`;
}

export const known = (value) => typeof value === "number" && Number.isFinite(value);
export const many = (count, one, more = `${one}s`) => `${whole(count)} ${count === 1 ? one : more}`;
export const words = (text) => String(text).replaceAll("_", " ");

/** Return a name as one line that is not too long: names are whatever people sent. */
export function name(text, most = 80) {
  const line = String(text).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  const shown = line.length > most ? `${line.slice(0, most - 1)}…` : line;
  return shown.trim() === "" ? `"${shown}"` : shown;
}

/** Return a value of an event or a setting as text. */
export function plain(value) {
  if (value === null || value === undefined) return NONE;
  if (typeof value === "number") return number(value, 6);
  if (typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return value.length ? value.map(plain).join(", ") : "none";
  if (typeof value === "object") {
    const pairs = Object.entries(value);
    return pairs.length ? pairs.map(([key, one]) => `${key}: ${plain(one)}`).join(", ") : "none";
  }
  return String(value);
}
