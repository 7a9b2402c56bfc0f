// Who is looking. The cookie of the session is nothing that scripts can read; they only ask who it is.

import { h, icon, put } from "./dom.js";

let session = null;

/** Return the header that says that a request comes from a page of ours. */
export const csrfHeader = () => ({ "X-Requested-With": "riverrun" });

/** Whether this person may change something; the server has the last word. */
export const mayOperate = () => session?.role === "operator";

/** Return why not, for a button that would be refused. */
export const whyNot = () => `This needs the operator role; you are ${session ? `${session.name}, ${session.role}` : "not signed in"}.`;

/** Ask who is looking, and show it. Whoever is nobody is sent to sign in. */
export async function startSession() {
  addEventListener("riverrun:unauthorized", signIn);
  const place = document.getElementById("session");
  try {
    const answer = await fetch("/v1/session", { cache: "no-store" });
    if (answer.status === 401) return signIn();
    if (answer.ok) session = await answer.json();
  } catch {
    return undefined; // the banner says that the server is away
  }
  if (session && !session.is_open) put(place, who());
  return undefined;
}

function who() {
  const leave = h("button", { type: "button", class: "quiet", on: { click: signOut } }, "Sign out");
  return h("span", { class: "who" }, icon(session.role === "operator" ? "up" : "right"), h("span", {}, h("b", {}, session.name), `, ${session.role}`), session.via === "session" && leave);
}

async function signOut() {
  await fetch("/v1/session", { method: "DELETE", headers: csrfHeader() });
  signIn();
}

function signIn() {
  location.assign(`/ui/sign-in?${new URLSearchParams({ to: location.pathname + location.search })}`);
}
