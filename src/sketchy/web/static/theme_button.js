// The button that switches between light and dark.

import { find } from "./dom.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Connect the button; call `repaint()` when the theme changes, since canvases do not follow it by themselves. */
export function connectTheme(repaint) {
  dark.addEventListener("change", repaint);
  find("#theme").addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = (root.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    repaint();
  });
}
