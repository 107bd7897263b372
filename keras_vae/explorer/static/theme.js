// The light or dark theme: that of the system, until the user chooses one, which is remembered.

import { h } from "explorer/dom";

const KEY = "keras_vae theme", system = matchMedia("(prefers-color-scheme: dark)");

/** Reads what an earlier visit has stored; null in browsers that refuse storage. */
export function recall(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}

export function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* the choice holds for this visit */ }
}

const root = document.documentElement.style;
const stored = recall(KEY);
if (stored === "dark" || stored === "light") root.colorScheme = stored;
const isDark = () => (root.colorScheme ? root.colorScheme === "dark" : system.matches);

/** A button that switches the theme; `redraw` is called after each change, also of the system's theme. */
export function themeButton(redraw) {
  const name = () => `${isDark() ? "Light" : "Dark"} theme`;
  const button = h("button", { type: "button", class: "quiet", text: name(), onclick: () => {
    root.colorScheme = isDark() ? "light" : "dark";
    remember(KEY, root.colorScheme);
    button.textContent = name();
    redraw();
  } });
  system.onchange = () => { button.textContent = name(); redraw(); };
  return button;
}
