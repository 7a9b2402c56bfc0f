// What changes something: says what will happen, asks why, and tells what came of it.

import { get, send } from "./api.js";
import { h, put, toast } from "./dom.js";
import { mayOperate, whyNot } from "./session.js";

const TRIES = 40;
const PAUSE_MS = 500;

/**
 * Return a button that asks before it does something.
 *
 * label; title of the dialog; consequence: what will happen, in a sentence or two; path to post
 * {reason} to, which is done at once or left for the worker; done(): called when it is answered.
 */
export function actionButton({ label, title, consequence, path, kind = "", symbol, done }) {
  const click = () => ask({ label, title, consequence, path, kind, done });
  return h("button", { type: "button", class: kind, title: mayOperate() ? null : whyNot(), on: { click } }, symbol, label);
}

function ask({ label, title, consequence, path, kind, done }) {
  const reason = h("textarea", { rows: 3, required: true, maxlength: 2000, name: "reason", "aria-describedby": "consequence" });
  const problem = h("p", { class: "problem refused", role: "alert" });
  const confirm = h("button", { type: "submit", class: kind || "main" }, label);
  const cancel = h("button", { type: "button", on: { click: () => dialog.close() } }, "Do nothing");
  const form = h("form", { method: "dialog" },
    h("h2", { id: "dialog-title" }, title),
    h("p", { class: "consequence", id: "consequence" }, consequence),
    mayOperate() ? null : h("p", { class: "problem" }, whyNot()),
    h("label", {}, "Why? It is written down with what comes of it.", reason),
    problem, h("div", { class: "buttons" }, cancel, confirm));
  const dialog = h("dialog", { "aria-labelledby": "dialog-title" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!reason.value.trim()) {
      put(problem, "Say why: whoever looks at this later wants to know.");
      reason.focus();
      return;
    }
    confirm.disabled = true;
    put(problem);
    try {
      const asked = await send(path, { reason: reason.value.trim() });
      dialog.close();
      if (asked.state === "waiting") toast("act", `${title.replace(/\?$/, "")}: asked for. The worker answers with its next checkpoint.`);
      await follow(asked, label, done);
    } catch (error) {
      confirm.disabled = false;
      put(problem, refused(error));
    }
  });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  reason.focus();
}

function refused(error) {
  const request = error.requestId ? ` (request ${error.requestId})` : "";
  if (error.status === 403) return `Refused: this needs the operator role. ${error.message}${request}`;
  if (error.status === 401) return `Refused: sign in as an operator first. ${error.message}${request}`;
  return `${error.message}${request}`;
}

/** Wait for the worker's answer, and say it. */
async function follow(asked, label, done) {
  let request = asked;
  for (let tries = 0; tries < TRIES && request.state === "waiting"; tries += 1) {
    await new Promise((go) => setTimeout(go, PAUSE_MS));
    request = await get(asked.url);
  }
  if (request.state === "waiting") toast("bad", `${label}: request ${asked.request} still waits. Is a worker running?`);
  else toast(request.state === "done" ? "ok" : "bad", `${label}: ${request.outcome}`);
  done?.();
}
