// Live events: one tab holds the stream from the server and shares it with the other tabs.
//
// Browsers allow few connections to a server, and every tab with a stream of its own would use one up
// for good. So tabs ask for a lock (Web Locks); who has it is connected and tells the others over a
// BroadcastChannel. When that tab closes, the lock goes to the next one by itself.

import { ROOT, STREAM } from "./api.js";

const KINDS = ["status", "pane", "run", "anomaly", "prediction", "reload"];
const WAITS = [1, 2, 4, 8, 15, 30];
// Without news the server says every five seconds how the stream is.
const SILENCE_MS = 20000;

const listeners = new Set();
const linkListeners = new Set();
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(`riverrun-live-${STREAM}`) : null;

let link = { state: "connecting", at: 0 };
let leads = false;
let stream = null;
let attempt = 0;
let retryTimer = 0;
let quietTimer = 0;
let wasLost = false;
let lastId = "";

/** Call something with every live event: (kind, data). */
export function listen(call) {
  listeners.add(call);
  return () => listeners.delete(call);
}

/** Call something now and whenever the connection changes: {state: connecting|live|lost, at}. */
export function onLink(call) {
  linkListeners.add(call);
  call(link);
}

/** Whether this tab is the one that is connected. */
export const isLeader = () => leads;

/** Try to connect at once, whichever tab it is that does. */
export function retryNow() {
  if (leads) connect();
  else channel?.postMessage({ what: "retry" });
}

/** Begin. */
export function start() {
  channel?.addEventListener("message", ({ data }) => heard(data));
  channel?.postMessage({ what: "hello" });
  if (channel && navigator.locks) {
    // Held until the tab goes: the promise never ends.
    navigator.locks.request(`riverrun-live-${STREAM}`, () => new Promise(() => lead()));
  } else lead(); // without a secure context there are no locks: each tab is on its own
  addEventListener("online", retryNow);
  addEventListener("pagehide", () => stream?.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

function heard(message) {
  if (message.what === "event" && !leads) tell(message.kind, message.data);
  else if (message.what === "link" && !leads) setLink(message.link);
  else if (message.what === "hello" && leads) channel.postMessage({ what: "link", link });
  else if (message.what === "retry" && leads) connect();
}

function lead() {
  leads = true;
  connect();
}

function connect() {
  clearTimeout(retryTimer);
  stream?.close();
  if (link.state !== "lost") share({ state: "connecting", at: 0 });
  // After one failed try the id is left out: it may be what the server does not take.
  const after = lastId && attempt < 2 ? `?after=${encodeURIComponent(lastId)}` : "";
  const opened = new EventSource(`${ROOT}/live${after}`);
  stream = opened;
  opened.addEventListener("open", () => {
    attempt = 0;
    share({ state: "live", at: 0 });
    // What happened meanwhile was missed: everything is asked for once more.
    if (wasLost) spread("reload", null);
    wasLost = false;
    listenForSilence();
  });
  for (const kind of KINDS) {
    opened.addEventListener(kind, (event) => {
      listenForSilence();
      lastId = event.lastEventId || lastId;
      spread(kind, parsed(event.data));
    });
  }
  opened.addEventListener("error", () => {
    if (stream === opened) lost();
  });
}

function lost() {
  stream?.close();
  stream = null;
  wasLost = true;
  clearTimeout(quietTimer);
  const seconds = WAITS[Math.min(attempt, WAITS.length - 1)];
  attempt += 1;
  retryTimer = setTimeout(connect, seconds * 1000);
  if (attempt > 1) askWho();
  share({ state: "lost", at: Date.now() + seconds * 1000 });
}

/** A stream that is refused does not say why: it may be that the session is over. */
async function askWho() {
  const answer = await fetch("/v1/session", { cache: "no-store" }).catch(() => null);
  if (answer?.status === 401) dispatchEvent(new CustomEvent("riverrun:unauthorized"));
}

/** A connection that died without a word is found out by its silence. */
function listenForSilence() {
  clearTimeout(quietTimer);
  quietTimer = setTimeout(() => {
    if (leads) lost();
  }, SILENCE_MS);
}

function spread(kind, data) {
  tell(kind, data);
  channel?.postMessage({ what: "event", kind, data });
}

function share(next) {
  setLink(next);
  channel?.postMessage({ what: "link", link: next });
}

function setLink(next) {
  link = next;
  for (const call of linkListeners) call(link);
}

function tell(kind, data) {
  for (const call of listeners) call(kind, data);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
