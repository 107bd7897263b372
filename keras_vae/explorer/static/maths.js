// Codes, their coordinates along a world's axes, and paths between them. Codes are Float32Arrays of d numbers.

const projected = new WeakMap(); // by code, which nothing changes once it is shown: every part of the page asks again
const origins = new WeakMap(); // by world

/** Coordinates of a code along the axes, k numbers. */
export function project(world, code) {
  const known = projected.get(code);
  if (known?.world === world) return known.found;
  const { center, directions, dims, axes } = world;
  const found = new Float64Array(axes);
  for (let axis = 0; axis < axes; axis++) {
    let sum = 0;
    const row = axis * dims;
    for (let i = 0; i < dims; i++) sum += (code[i] - center[i]) * directions[row + i];
    found[axis] = sum;
  }
  projected.set(code, { world, found });
  return found;
}

/** Coordinates of the code 0, the prior's centre. */
export function originOf(world) {
  if (!origins.has(world)) origins.set(world, project(world, new Float32Array(world.dims)));
  return origins.get(world);
}

/** The code moved to the given coordinates; missing coordinates and the part off the axes stay unchanged. */
export function moved(world, code, coordinates) {
  const now = project(world, code), result = Float32Array.from(code);
  coordinates.forEach((value, axis) => {
    const step = value - now[axis], row = axis * world.dims;
    if (!Number.isFinite(step) || step === 0) return;
    for (let i = 0; i < world.dims; i++) result[i] += step * world.directions[row + i];
  });
  return result;
}

/** The ellipse of one standard deviation of N(code, exp(log_var)) on the map: half axes and angle. */
export function ellipse(world, logVar) {
  let xx = 0, xy = 0, yy = 0;
  for (let i = 0; i < world.dims; i++) {
    const variance = Math.exp(logVar[i]), across = world.directions[i];
    const up = world.axes > 1 ? world.directions[world.dims + i] : 0;
    xx += variance * across * across; xy += variance * across * up; yy += variance * up * up;
  }
  const middle = (xx + yy) / 2, spread = Math.hypot((xx - yy) / 2, xy);
  return {
    long: Math.sqrt(Math.max(middle + spread, 0)), short: Math.sqrt(Math.max(middle - spread, 0)),
    angle: 0.5 * Math.atan2(2 * xy, xx - yy),
  };
}

const weigh = (start, end, first, second) => start.map((value, i) => first * value + second * end[i]);

function slerp(start, end, t) {
  let product = 0, a = 0, b = 0;
  for (let i = 0; i < start.length; i++) {
    product += start[i] * end[i]; a += start[i] * start[i]; b += end[i] * end[i];
  }
  const cosine = a * b > 0 ? product / Math.sqrt(a * b) : 1;
  const angle = Math.acos(Math.min(1, Math.max(-1, cosine))), sine = Math.sin(angle);
  if (sine < 1e-6) return weigh(start, end, 1 - t, t);
  return weigh(start, end, Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine);
}

/** Paths by name, as in keras_vae.evaluation.metrics.paths: (start, end, t) -> code. */
export const PATHS = {
  linear: (start, end, t) => weigh(start, end, 1 - t, t),
  slerp,
  "variance preserving": (start, end, t) => weigh(start, end, (1 - t) / Math.hypot(1 - t, t), t / Math.hypot(1 - t, t)),
};

/** A sample at a temperature: its distance from the mean of its distribution is multiplied by the temperature. */
export const cooled = (code, mean, temperature) => code.map((value, i) => mean[i] + temperature * (value - mean[i]));

/** Rows of `rows` (a flat array of `width` numbers each) nearest to `point`, among those with `counts(row)`.
 *  @param {(row: number) => boolean} counts */
export function nearest(rows, width, point, count, counts = (row) => true) {
  const best = [];
  for (let row = 0; row * width < rows.length; row++) {
    if (!counts(row)) continue;
    let distance = 0;
    for (let i = 0; i < width; i++) distance += (rows[row * width + i] - point[i]) ** 2;
    if (best.length < count || distance < best[best.length - 1].distance) {
      best.push({ row, distance });
      best.sort((a, b) => a.distance - b.distance);
      best.length = Math.min(best.length, count);
    }
  }
  return best;
}

/** All codes concatenated into one array. */
export function stacked(codes, dims) {
  const all = new Float32Array(codes.length * dims);
  codes.forEach((code, i) => all.set(code, i * dims));
  return all;
}
