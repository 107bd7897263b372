// A plot of points with error bars, optionally joined: scales, ticks, and a tooltip for the nearest point.

import { h } from "explorer/dom";
import { alike, round } from "sweep/numbers";

const MARGIN = { left: 62, right: 18, top: 14, bottom: 46 };
const NEAR = 36; // pixels within which a point is selected

function svg(kind, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** The map from values to pixels. */
function scale(values, log, from, to) {
  const forward = log ? Math.log : (value) => value;
  let low = forward(Math.min(...values)), high = forward(Math.max(...values));
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  if (high - low < 1e-12 * (Math.abs(high) || 1)) [low, high] = [low - (log ? 0.5 : room * 8), high + (log ? 0.5 : room * 8)];
  low -= room; high += room;
  const place = (value) => from + ((forward(value) - low) / (high - low)) * (to - from);
  return { place, low: log ? Math.exp(low) : low, high: log ? Math.exp(high) : high, log };
}

/** Round numbers within a scale, three to nine. */
export function ticks({ low, high, log }) {
  if (log && high / low > 4) {
    const all = [], sparse = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const digit of [1, 2, 5]) {
        const value = Number(`${digit}e${power}`);
        if (value >= low && value <= high) { all.push(value); if (digit === 1) sparse.push(value); }
      }
    return all.length > 8 && sparse.length > 2 ? sparse : all;
  }
  const rough = (high - low) / 8, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((digit) => digit * power >= rough) * power;
  const found = [];
  for (let index = Math.ceil(low / step); index * step <= high; index++) found.push(Number((index * step).toPrecision(12)));
  return found;
}

/**
 * Returns an element with the plot, which is redrawn whenever its width changes.
 *
 * `plot` has x and y, each { label, log, ticks: Map or null, unit }; lines of { label, colour, joined, points }, with points
 * { x, y, xError, yError, tip: [title, ...lines], mark, name (shown beside it) }; and behind(scales, svg), which draws the background, or null.
 */
export function chart(plot) {
  const tip = h("div", { class: "tip", hidden: true });
  const live = h("p", { class: "skip", "aria-live": "polite" });
  const place = h("div", { class: "chart" });
  let points = [], current = -1, drawing = null;

  function show(index) {
    current = index;
    drawing.querySelectorAll(".current").forEach((element) => element.classList.remove("current"));
    tip.hidden = index < 0;
    if (index < 0) return;
    const { point, left, top, element, line } = points[index];
    element.classList.add("current");
    tip.replaceChildren(
      h("b", {}, h("i", { class: "dot", style: `background:${line.colour}` }), h("span", { text: point.tip[0] })),
      ...point.tip.slice(1).map((text) => h("span", { text })));
    live.textContent = point.tip.join("; ");
    const wide = place.clientWidth, mine = tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(left + 14, wide - mine))}px`;
    tip.style.top = `${top - tip.offsetHeight - 12 < 0 ? top + 16 : top - tip.offsetHeight - 12}px`;
  }

  function nearest(event) {
    const box = drawing.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = NEAR;
    points.forEach(({ left, top }, index) => {
      const distance = Math.hypot(left - x, top - y);
      if (distance < least) [best, least] = [index, distance];
    });
    show(best);
  }

  function key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Escape") show(-1);
    else if (event.key === "Home") show(points.length ? 0 : -1);
    else if (event.key === "End") show(points.length - 1);
    else if (step && points.length) show(current < 0 ? (step > 0 ? 0 : points.length - 1) : (current + step + points.length) % points.length);
    else return;
    event.preventDefault();
  }

  function draw() {
    const width = place.clientWidth;
    if (!width) return;
    const height = Math.round(Math.min(Math.max(width * 0.5, 260), 430));
    drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}`, tabindex: 0, role: "group", "aria-label": plot.label });
    points = [];
    const given = plot.lines.flatMap((line) => line.points);
    if (!given.length) {
      place.replaceChildren(h("p", { class: "muted", text: plot.empty }));
      return;
    }
    const reach = (name, error) => given.flatMap((point) =>
      [point[name], point[name] - (point[error] || 0), point[name] + (point[error] || 0)].filter((value) => !plot[name].log || value > 0));
    const scales = {
      x: scale(reach("x", "xError"), plot.x.log, MARGIN.left, width - MARGIN.right),
      y: scale([...reach("y", "yError"), ...(plot.y.include || [])], plot.y.log, height - MARGIN.bottom, MARGIN.top),
    };
    axes(drawing, plot, scales, width, height);
    if (plot.behind) plot.behind(scales, (kind, attributes, ...children) => { const made = svg(kind, attributes, ...children); drawing.append(made); return made; }, { width, height, ...MARGIN });
    for (const line of plot.lines) drawLine(line, scales);
    points.sort((one, other) => one.left - other.left || one.top - other.top);
    drawing.addEventListener("pointermove", nearest);
    drawing.addEventListener("pointerdown", nearest);
    drawing.addEventListener("pointerleave", () => show(-1));
    drawing.addEventListener("keydown", key);
    drawing.addEventListener("blur", () => show(-1));
    place.replaceChildren(drawing, tip, live);
  }

  function drawLine(line, { x, y }) {
    const placed = line.points.map((point) => ({ point, line, left: x.place(point.x), top: y.place(point.y) }));
    if (line.joined && placed.length > 1) {
      const path = placed.map(({ left, top }, index) => `${index ? "L" : "M"}${left.toFixed(1)},${top.toFixed(1)}`).join("");
      drawing.append(svg("path", { d: path, fill: "none", stroke: line.colour, "stroke-width": 2, "stroke-linejoin": "round" }));
    }
    for (const one of placed) {
      const bars = [...bar(one, y, "y", "yError"), ...bar(one, x, "x", "xError")];
      const mark = one.point.mark ? [svg("circle", { cx: one.left, cy: one.top, r: 9, fill: "none", stroke: "var(--ink)", "stroke-width": 2 })] : [];
      const dot = svg("circle", { cx: one.left, cy: one.top, r: 4.5, fill: line.colour, stroke: "var(--card)", "stroke-width": 1.5 });
      const name = one.point.name ? [svg("text", { x: one.left + 9, y: one.top - 9, class: "point-name" }, one.point.name)] : [];
      one.element = svg("g", { class: "point" }, ...bars, ...mark, ...name, dot);
      one.element.style.setProperty("--colour", line.colour);
      drawing.append(one.element);
      points.push(one);
    }
  }

  function bar({ point, left, top, line }, { place: at, low, log }, name, error) {
    if (!point[error]) return [];
    const lower = Math.max(point[name] - point[error], log ? low : -Infinity), upper = point[name] + point[error];
    const ends = name === "y" ? { x1: left, x2: left, y1: at(lower), y2: at(upper) } : { x1: at(lower), x2: at(upper), y1: top, y2: top };
    return [svg("line", { ...ends, stroke: line.colour, "stroke-width": 1.5, opacity: 0.75 })];
  }

  new ResizeObserver(draw).observe(place);
  return place;
}

function axes(drawing, plot, scales, width, height) {
  const bottom = height - MARGIN.bottom, right = width - MARGIN.right;
  const levels = ticks(scales.y), written = alike(levels, plot.y.unit);
  for (const [index, value] of levels.entries()) {
    const at = scales.y.place(value);
    drawing.append(
      svg("line", { x1: MARGIN.left, x2: right, y1: at, y2: at, class: "grid" }),
      svg("text", { x: MARGIN.left - 8, y: at + 4, "text-anchor": "end" }, written[index]));
  }
  let free = -Infinity;
  const named = plot.x.ticks || new Map(ticks(scales.x).map((value) => [value, round(value, plot.x.unit)]));
  for (const [value, text] of [...named].sort(([one], [other]) => one - other)) {
    const at = scales.x.place(value), half = Math.min(String(text).length, 18) * 3.6;
    if (at - half < free || at < MARGIN.left || at > right) continue; // outside the plot, for example because its runs failed
    free = at + half + 6;
    drawing.append(svg("line", { x1: at, x2: at, y1: bottom, y2: bottom + 4, class: "tick" }));
    const shown = String(text).length > 18 ? `${String(text).slice(0, 17)}…` : text;
    drawing.append(svg("text", { x: Math.min(at, right - half + 12), y: bottom + 18, "text-anchor": "middle" }, shown));
  }
  drawing.append(
    svg("line", { x1: MARGIN.left, x2: right, y1: bottom, y2: bottom, class: "tick" }),
    svg("text", { x: (MARGIN.left + right) / 2, y: height - 8, "text-anchor": "middle", class: "name" }, plot.x.label),
    svg("text", { x: 14, y: (MARGIN.top + bottom) / 2, "text-anchor": "middle", class: "name", transform: `rotate(-90 14 ${(MARGIN.top + bottom) / 2})` }, plot.y.label));
}
