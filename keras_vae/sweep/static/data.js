// The data of the page: runs, axes and metrics, and groups of runs that differ only in their seed.

export const data = JSON.parse(document.getElementById("comparison").textContent);
export const BEST = "generation_gap.best.frechet";
export const done = data.runs.filter((run) => run.state === "done");
export const metric = new Map(data.metrics.map((metric) => [metric.key, metric]));
export const settingAxes = data.axes.filter((axis) => !axis.replicates);
export const seeds = data.axes.find((axis) => axis.replicates);

/** A run's settings as text, without the seed, the field `but` and redundant axes. */
export const words = (run, but = null) => telling(but)
  .filter((axis) => run.settings[axis.field] !== undefined)
  .map((axis) => `${axis.field} ${run.settings[axis.field]}`).join(", ");

const told = new Map();

/** The axes that distinguish runs besides the seed and `but`; an axis is left out if the others suffice. */
function telling(but) {
  if (told.has(but)) return told.get(but);
  const apart = (axes) => new Set(data.runs.map((run) => JSON.stringify(axes.map((axis) => run.settings[axis.field])))).size;
  const all = settingAxes.filter((axis) => axis.field !== but), number = apart(all);
  const isLatent = (axis) => axis.field === "latent";
  let kept = all;
  for (const axis of [...all].reverse().sort((one, other) => isLatent(one) - isLatent(other))) { // the latent is left out last
    const fewer = kept.filter((other) => other !== axis);
    const names = fewer.some((other) => other.field.startsWith(`${axis.field}.`)); // a component with a field of its own among the axes
    if (fewer.length && !names && apart(fewer) === number) kept = fewer;
  }
  told.set(but, kept);
  return kept;
}

const recommended = new Set(data.recommendations.flatMap((found) => found.runs));
export const isRecommended = (run) => recommended.has(run.name);

/** Mean and standard error of a metric over runs; for a single run, the error of its own measurement. */
export function statistics(runs, key) {
  const values = runs.map((run) => run.values[key]).filter((value) => value !== undefined);
  if (!values.length) return null;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) {
    const own = runs.find((run) => run.values[key] !== undefined).errors[key];
    return { mean, error: own === undefined ? null : own, n: 1 };
  }
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, error: Math.sqrt(variance / values.length), n: values.length };
}

/** Runs grouped by `name(run)`, in the order of their first occurrence. */
export function grouped(runs, name) {
  const groups = new Map();
  for (const run of runs) {
    const key = name(run);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(run);
  }
  return groups;
}

/** The lines of a plot along the axis `field`, one for each combination of the other settings. */
export function lines(field) {
  const axis = data.axes.find((axis) => axis.field === field);
  const shapes = new Set(axis ? axis.values.map(shapeOf) : []);
  const name = (run) => {
    const shape = field === "latent" && shapes.size > 1 ? shapeOf({ text: run.settings[field] }) : "";
    return [words(run, field), shape].filter(Boolean).join(", ");
  };
  const groups = grouped(done.filter((run) => !axis || run.settings[field] !== undefined), name);
  const unnamed = groups.size > 1 ? "the other runs" : "all runs";
  return [...groups].map(([label, runs]) => ({ label: label || unnamed, runs }));
}

const shapeOf = (value) => (/x/i.test(value.text) ? "spatial" : "vector");

/** The positions of an axis' values: on a numeric scale if all are numbers, else evenly spaced. */
export function ruler(field) {
  const axis = data.axes.find((axis) => axis.field === field);
  const numeric = axis.values.every((value) => value.place !== null);
  const places = new Map(axis.values.map((value, index) => [value.text, numeric ? value.place : index]));
  const ticks = new Map();
  for (const [text, place] of places) ticks.set(place, ticks.has(place) ? `${ticks.get(place)}, ${text}` : text);
  const numbers = [...places.values()];
  const low = Math.min(...numbers), high = Math.max(...numbers);
  return { places, ticks, numeric, log: numeric && low > 0 && high / low >= 8 };
}
