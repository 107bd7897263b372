// The two plots: a metric against a swept setting, and distortion against rate.

import { choice, h, hue, toggle } from "explorer/dom";
import { chart } from "sweep/chart";
import { BEST, data, grouped, isRecommended, lines, metric, ruler, settingAxes, statistics, words } from "sweep/data";
import { short, suffix, withError } from "sweep/numbers";

const RATE = "rate_distortion.rate", DISTORTION = "rate_distortion.distortion";
const WIDE = 30; // times the smallest value; wider ranges get a logarithmic axis

/** The card with a plot of a chosen metric against a chosen axis. */
export function against() {
  const field = (settingAxes.find((axis) => axis.field === "latent") || settingAxes[0]).field;
  const state = { key: metric.has(BEST) ? BEST : data.metrics[0].key, field, logX: ruler(field).log, logY: null, hidden: new Set() };
  const place = h("div"), about = h("p", { class: "muted small" }), tools = h("div", { class: "toolbar" });

  function refresh() {
    const { key, field } = state, found = metric.get(key), along = ruler(field), all = lines(field);
    const drawn = all.map(({ label, runs }, index) => ({ label, colour: hue(index, all.length), joined: true, points: pointsAlong(runs, field, key, along) }));
    const values = drawn.flatMap((line) => line.points.map((point) => point.y));
    const positive = values.length > 0 && Math.min(...values) > 0;
    const logY = positive && (state.logY === null ? Math.max(...values) / Math.min(...values) > WIDE : state.logY);
    const best = key === BEST && data.recommendations.length === 1 ? data.recommendations[0] : null, threshold = best && best.threshold;
    tools.replaceChildren(
      labelled("Metric", choice("Metric", data.metrics.map((one) => [one.key, one.title]), key, (next) => { state.key = next; state.logY = null; refresh(); })),
      ...(settingAxes.length > 1 ? [labelled("against", choice("Axis", settingAxes.map((axis) => [axis.field, axis.field]), field, (next) => { state.field = next; state.logX = ruler(next).log; state.hidden.clear(); refresh(); }))] : []),
      ...(along.numeric && Math.min(...along.places.values()) > 0 ? [toggle("log x", state.logX, (on) => { state.logX = on; refresh(); })] : []),
      ...(positive ? [toggle("log y", logY, (on) => { state.logY = on; refresh(); })] : []));
    place.replaceChildren(
      legend(drawn, state.hidden, refresh),
      chart({
        label: `${found.title} against ${field}. Use the arrow keys to move from point to point.`,
        empty: "No run has this metric.",
        x: { label: field === "latent" ? "numbers in a code (latent)" : field, log: state.logX, ticks: along.ticks },
        y: { label: found.title + (suffix(found.unit) && `,${suffix(found.unit)}`), log: logY, unit: found.unit, include: threshold === null ? [] : [threshold] },
        lines: drawn.filter((line) => !state.hidden.has(line.label)),
        behind: threshold === null ? null : (scales, add, box) => limit(best, scales, add, box),
      }));
    about.textContent = `${found.meaning}${found.healthy ? ` Healthy: ${found.healthy}.` : ""} Bars show one standard error, over seeds if there are several.`;
  }
  refresh();
  return h("div", { class: "card" }, tools, place, about);
}

function pointsAlong(runs, field, key, along) {
  const unit = metric.get(key).unit;
  return [...grouped(runs, (run) => run.settings[field])]
    .map(([text, here]) => ({ text, here, found: statistics(here, key) }))
    .filter(({ found }) => found)
    .map(({ text, here, found }) => ({
      x: along.places.get(text), y: found.mean, yError: found.error,
      mark: isRecommended(here[0]),
      tip: [words(here[0]) || here[0].name, withError(found, unit) + suffix(unit), ...(isRecommended(here[0]) ? ["recommended"] : [])],
    }))
    .sort((one, other) => one.x - other.x);
}

/** The line at the best value plus its standard error. */
function limit(best, scales, add, box) {
  const at = scales.y.place(best.threshold);
  add("line", { x1: box.left, x2: box.width - box.right, y1: at, y2: at, class: "limit" });
  add("text", { x: box.left + 4, y: at - 5, class: "limit-name" }, best.best_error ? "best + 1 standard error" : "best");
}

function legend(drawn, hidden, refresh) {
  if (drawn.length < 2) return h("div");
  return h("div", { class: "legend", role: "group", "aria-label": "Lines" }, ...drawn.map((line) =>
    h("button", {
      type: "button", class: "chip", "aria-pressed": String(!hidden.has(line.label)),
      onclick: () => { if (!hidden.delete(line.label)) hidden.add(line.label); refresh(); },
    }, h("i", { class: "dot", style: `background:${line.colour}` }), h("span", { text: line.label }))));
}

const labelled = (text, control) => h("label", { class: "inline" }, h("span", { text }), control);

/** The card with distortion against rate, or null if no run has both. */
export function plane() {
  const field = settingAxes.some((axis) => axis.field === "latent") ? "latent" : settingAxes.length ? settingAxes[0].field : null;
  const all = field ? lines(field) : [{ label: "all runs", runs: data.runs }];
  const drawn = all.map(({ label, runs }, index) => ({
    label, colour: hue(index, all.length), joined: true,
    points: [...grouped(runs.filter((run) => run.state === "done"), (run) => words(run))]
      .map(([name, here]) => ({ name: name || here[0].name, here, rate: statistics(here, RATE), distortion: statistics(here, DISTORTION) }))
      .filter(({ rate, distortion }) => rate && distortion)
      .map(({ name, here, rate, distortion }) => ({
        x: rate.mean, xError: rate.error, y: distortion.mean, yError: distortion.error, mark: isRecommended(here[0]), name: field && here[0].settings[field],
        tip: [name, `rate ${withError(rate)} nats`, `distortion ${withError(distortion)} nats`, `ELBO ${short(-rate.mean - distortion.mean)} nats`],
      })),
  })).filter((line) => line.points.length);
  if (!drawn.length) return null;
  const without = all.filter(({ runs }) => !runs.some((run) => run.values[RATE] !== undefined)).map(({ label }) => label);
  return h("div", { class: "card" },
    all.length < 2 ? null : legendOf(drawn),
    chart({
      label: "Distortion against rate. Use the arrow keys to move from point to point.", empty: "",
      x: { label: "rate, nats per image", log: false, ticks: null }, y: { label: "distortion, nats per image", log: false },
      lines: drawn, behind: sameElbo,
    }),
    h("p", { class: "muted small", text: (field ? `Each point shows its ${field}. ` : "") + "Dashed lines have equal ELBO, which improves towards the lower left. Far left: codes without information. Lower right: good reconstructions at a high rate."
      + (without.length ? ` Not shown because there is no rate: ${without.join("; ")}.` : "") }));
}

const legendOf = (drawn) => h("p", { class: "legend" }, ...drawn.map((line) =>
  h("span", { class: "inline" }, h("i", { class: "dot", style: `background:${line.colour}` }), h("span", { text: line.label }))));

/** Lines along which the sum of rate and distortion is constant. */
function sameElbo({ x, y }, add, box) {
  const sums = [0.2, 0.4, 0.6, 0.8].map((part) => x.low + y.low + part * (x.high - x.low + y.high - y.low));
  for (const sum of sums) {
    const ends = [[x.low, sum - x.low], [x.high, sum - x.high], [sum - y.low, y.low], [sum - y.high, y.high]]
      .filter(([rate, distortion]) => rate >= x.low - 1e-9 && rate <= x.high + 1e-9 && distortion >= y.low - 1e-9 && distortion <= y.high + 1e-9)
      .sort(([one], [other]) => one - other);
    if (ends.length < 2) continue;
    const [first, last] = [ends[0], ends[ends.length - 1]];
    add("line", { x1: x.place(first[0]), y1: y.place(first[1]), x2: x.place(last[0]), y2: y.place(last[1]), class: "limit" });
    const right = Math.min(x.place(last[0]), box.width - box.right) - 4;
    add("text", { x: right, y: y.place(last[1]) - 6, "text-anchor": "end", class: "limit-name" }, short(-sum));
  }
}
