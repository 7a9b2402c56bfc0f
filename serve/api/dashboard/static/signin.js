// Signs a browser in with a key, and goes back to where somebody wanted to go.

const form = document.getElementById("sign-in");
const problem = document.getElementById("problem");
const key = document.getElementById("key");

/** Return where to go: a page of this dashboard, and nothing else. */
function wanted() {
  const asked = new URLSearchParams(location.search).get("to") ?? "/ui";
  try {
    const url = new URL(asked, location.origin);
    if (url.origin === location.origin && (url.pathname === "/ui" || url.pathname.startsWith("/ui/"))) return url.pathname + url.search;
  } catch { /* no address at all */ }
  return "/ui";
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  problem.textContent = "";
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await fetch("/v1/session", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Requested-With": "riverrun" },
      body: JSON.stringify({ key: key.value }),
    });
    if (answer.ok) {
      location.replace(wanted());
      return;
    }
    const found = await answer.json().catch(() => ({}));
    problem.textContent = found.detail ?? `The server answered ${answer.status}.`;
  } catch {
    problem.textContent = "The server does not answer.";
  }
  button.disabled = false;
  key.select();
});

key.focus();
