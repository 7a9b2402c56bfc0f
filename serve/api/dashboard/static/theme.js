// Sets the colours before anything is drawn, so that nothing flashes. Not a module: it must block.
(() => {
  const stored = () => {
    try { return localStorage.getItem("riverrun.theme"); } catch { return null; }
  };
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = stored();
    const theme = chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = theme;
    dispatchEvent(new CustomEvent("riverrun:theme", { detail: theme }));
  };
  dark.addEventListener("change", apply);
  addEventListener("storage", (event) => { if (event.key === "riverrun.theme") apply(); });
  globalThis.riverrunTheme = {
    chosen: () => stored() ?? "auto",
    choose(theme) {
      try {
        if (theme === "auto") localStorage.removeItem("riverrun.theme");
        else localStorage.setItem("riverrun.theme", theme);
      } catch { /* storage is off: the choice holds for this page alone */ }
      document.documentElement.dataset.theme = theme;
      apply();
      if (theme !== "auto" && stored() !== theme) {
        document.documentElement.dataset.theme = theme;
        dispatchEvent(new CustomEvent("riverrun:theme", { detail: theme }));
      }
    },
  };
  apply();
})();
