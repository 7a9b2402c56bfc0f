// Asks the server. Whatever goes wrong becomes a Trouble that says what, and by which request.

import { csrfHeader } from "./session.js";

export const STREAM = document.documentElement.dataset.stream;
export const TASK = document.documentElement.dataset.task;
export const ROOT = `/v1/streams/${encodeURIComponent(STREAM)}`;

/** An answer that is none: a problem document, or no answer at all. */
export class Trouble extends Error {
  constructor(detail, { status = 0, kind = "", requestId = "" } = {}) {
    super(detail);
    this.status = status;
    this.kind = kind;
    this.requestId = requestId;
  }
}

/** Return what a path answers with; `query` leaves out what is null. */
export async function get(path, query = {}, signal = undefined) {
  const asked = new URLSearchParams(
    Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== ""),
  ).toString();
  return request(asked ? `${path}?${asked}` : path, { signal });
}

/** Send something, and return the answer. */
export async function send(path, body, method = "POST") {
  return request(path, {
    method,
    headers: { "Content-Type": "application/json", ...csrfHeader() },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

async function request(url, options) {
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble("the server does not answer; is 'riverrun api' (or 'riverrun up') running?");
  }
  const requestId = answer.headers.get("X-Request-ID") ?? "";
  const found = answer.status === 204 ? null : await read(answer, requestId);
  if (answer.ok) return found;
  const kind = String(found?.type ?? "").replace("urn:riverrun:problem:", "");
  if (answer.status === 401) dispatchEvent(new CustomEvent("riverrun:unauthorized"));
  throw new Trouble(found?.detail ?? `the server answered ${answer.status}`, { status: answer.status, kind, requestId });
}

async function read(answer, requestId) {
  try {
    return await answer.json();
  } catch {
    throw new Trouble(`the answer (${answer.status}) is not JSON`, { status: answer.status, requestId });
  }
}
