// Numbers as bars around zero, with names, a scale, and how many of them are shown.

import { h, number } from "explorer/dom";

export const MOST_BARS = 64;
const SVG = "http://www.w3.org/2000/svg";

/** A figure of the numbers `values`, at the positions `shown` only. A number as large as `most` has a full bar. */
export function bars(values, { title, name = "", shown = first(values.length), most = null, positive = false }) {
  const each = shown.map((i) => values[i]), top = most ?? Math.max(1e-9, ...each.map(Math.abs)), width = 100 / each.length;
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", positive ? "0 -1 100 1" : "0 -1 100 2");
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  drawing.append(...each.map((value, i) => {
    const bar = document.createElementNS(SVG, "rect"), words = document.createElementNS(SVG, "title"), size = Math.min(Math.abs(value) / top, 1);
    for (const [key, one] of Object.entries({ x: i * width, y: value > 0 ? -size : 0, width: width * 0.86, height: size, class: value > 0 ? "above" : "under" })) bar.setAttribute(key, String(one));
    words.textContent = `${name}${shown[i] + 1} = ${number(value, 3)}`;
    bar.append(words);
    return bar;
  }));
  const all = values.length.toLocaleString("en"), some = each.length < values.length ? `${each.length} of ${all} numbers` : `${all} number${values.length > 1 ? "s" : ""}`;
  const bound = number(top, top < 0.1 ? 3 : top < 10 ? 2 : 0);
  return h("div", { class: "bars", role: "img", "aria-label": `${title}: ${some} between ${positive ? 0 : `−${bound}`} and ${bound}` },
    h("p", { class: "heading" }, h("b", { text: title }), ` ${some}`),
    h("div", { class: "scale" }, h("span", { text: bound }), h("span", { text: "0" }), positive ? null : h("span", { text: `−${bound}` })), drawing,
    h("div", { class: "names" }, h("span", { text: `${name}${shown[0] + 1}` }), each.length > 1 ? h("span", { text: `${name}${shown[each.length - 1] + 1}` }) : null));
}

const first = (count) => Array.from({ length: Math.min(count, MOST_BARS) }, (_, i) => i);

/** The positions of the `MOST_BARS` largest weights, in order. */
export const largest = (weights) =>
  [...weights.keys()].sort((a, b) => weights[b] - weights[a]).slice(0, MOST_BARS).sort((a, b) => a - b);
