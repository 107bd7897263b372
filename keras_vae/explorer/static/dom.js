// Helpers for elements, messages and colours. Texts are set as text content, so names cannot become markup.

/** An element with attributes (functions become listeners, `text` its content) and children. */
export function h(kind, attributes = {}, ...children) {
  const element = document.createElement(kind);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (key === "text") element.textContent = value;
    else if (key === "value") element.value = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A select; options are [value, text] pairs. */
export function choice(label, options, value, change) {
  const select = h("select", { "aria-label": label, onchange: () => change(select.value) },
    ...options.map(([key, text]) => h("option", { value: key, text, selected: key === value })));
  return select;
}

/** A toggle button. */
export function toggle(text, on, change, title = null) {
  const button = h("button", { type: "button", class: "toggle", "aria-pressed": String(on), text, title, onclick: () => {
    const next = button.getAttribute("aria-pressed") !== "true";
    button.setAttribute("aria-pressed", String(next));
    change(next);
  } });
  return button;
}

let hiding;
/** Shows a message to the user for nine seconds. */
export function say(text) {
  const place = document.getElementById("messages");
  place.replaceChildren(h("p", { text }, h("button", { type: "button", "aria-label": "Close", text: "×", onclick: () => place.replaceChildren() })));
  clearTimeout(hiding);
  hiding = setTimeout(() => place.replaceChildren(), 9000);
}

/** Runs `work` on the newest arguments only: of the calls that come while it runs, all but the last are skipped. */
export function latest(work) {
  let busy = false, waiting = null;
  return async function run(...given) {
    if (busy) { waiting = given; return; }
    busy = true;
    try {
      await work(...given);
    } catch (problem) {
      say(problem.message);
    }
    busy = false;
    if (waiting) { const next = waiting; waiting = null; run(...next); }
  };
}

/** Runs `work` when it has not been called for some milliseconds. */
export function later(work, milliseconds) {
  let timer;
  return (...given) => { clearTimeout(timer); timer = setTimeout(() => work(...given), milliseconds); };
}

/** A colour of the style sheet in a form that a canvas accepts; `--name` may depend on the theme. */
export function colour(name) {
  const probe = h("span", { style: `color: var(--${name}); display: none; forced-color-adjust: none` });
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const HUES = ["#4e79c7", "#e8743b", "#19a979", "#945ecf", "#d4406e", "#13a4b4", "#b8962e", "#8a8d91", "#6a9a2d", "#c06bb8"];
/** The colour of a label. */
export const hue = (label, count) =>
  count <= HUES.length ? HUES[label % HUES.length] : `hsl(${(label * 137.508) % 360} 55% 55%)`;

/** A number with few digits and a real minus sign. */
export const number = (value, digits = 2) => (value === null ? "–" : value.toFixed(digits).replace("-", "−").replace(/^−(0(\.0+)?)$/, "$1"));
