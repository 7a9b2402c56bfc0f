// The frame around every page: navigation, colours, the connection, the session; then the page's module.

import { h, icon, put } from "./dom.js";
import * as live from "./live.js";
import { startSession } from "./session.js";

const page = document.documentElement.dataset.page;
const content = document.getElementById("content");

function frame() {
  const menu = document.getElementById("menu");
  const nav = document.getElementById("nav");
  menu.addEventListener("click", () => menu.setAttribute("aria-expanded", String(nav.classList.toggle("open"))));
  nav.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !nav.classList.contains("open")) return;
    nav.classList.remove("open");
    menu.setAttribute("aria-expanded", "false");
    menu.focus();
  });
  document.getElementById("stream-pick")?.addEventListener("change", (event) => location.assign(event.target.value));
}

const THEMES = { auto: ["light", "Auto", "as the system has them"], light: ["dark", "Light", "light"], dark: ["auto", "Dark", "dark"] };

function themes() {
  const button = document.getElementById("theme");
  const show = () => {
    const [, word, said] = THEMES[globalThis.riverrunTheme.chosen()] ?? THEMES.auto;
    document.getElementById("theme-text").textContent = word;
    button.setAttribute("aria-label", `Colours: ${said}`);
  };
  button.addEventListener("click", () => {
    const [next] = THEMES[globalThis.riverrunTheme.chosen()] ?? THEMES.auto;
    globalThis.riverrunTheme.choose(next);
    show();
  });
  show();
}

const LINKS = { connecting: "connecting", live: "Live", lost: "Disconnected" };

function connection() {
  const banner = document.getElementById("banner");
  const shown = document.getElementById("link");
  const text = document.getElementById("link-text");
  let ticking = 0;
  live.onLink((link) => {
    shown.dataset.link = link.state;
    text.textContent = LINKS[link.state];
    clearInterval(ticking);
    banner.hidden = link.state !== "lost";
    if (link.state !== "lost") return;
    // The countdown is for eyes: a screen reader would read every second of it.
    const count = h("span", { "aria-hidden": "true" });
    const tick = () => {
      const left = Math.max(0, Math.ceil((link.at - Date.now()) / 1000));
      count.textContent = left ? `Next try in ${left} s.` : "Trying now.";
    };
    tick();
    ticking = setInterval(tick, 500);
    const retry = h("button", { type: "button", on: { click: live.retryNow } }, "Try now");
    put(banner, icon("warn"), h("span", {}, h("b", {}, "Disconnected. "), "What you see is from before; it is not updated."), count, retry);
  });
}

async function begin() {
  frame();
  themes();
  connection();
  await startSession();
  live.start();
  const { build } = await import(`./pages/${page}.js`);
  put(content, build());
  content.setAttribute("aria-busy", "false");
}

begin();
