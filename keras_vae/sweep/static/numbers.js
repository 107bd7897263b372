// Formats numbers.

const minus = (text) => text.replace("-", "−");

/** A number with three significant digits, or as many as requested, formatted for its unit. */
export function short(value, unit = null, significant = 3) {
  if (value === null || value === undefined) return "–";
  if (unit === "share") return minus(`${fixed(100 * value, significant, 1)}%`);
  if (unit === "bytes") return value >= 2 ** 30 ? `${fixed(value / 2 ** 30, significant)} GiB` : `${fixed(value / 2 ** 20, significant)} MiB`;
  return minus(fixed(value, significant));
}

const isFar = (value) => value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e7);

function fixed(value, significant, most = 20) {
  if (isFar(value)) return value.toExponential(significant - 1);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const power = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(significant)))));
  const decimals = Math.min(Math.max(significant - 1 - power, 0), most);
  return value.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A round number without trailing zeros. */
export function round(value, unit = null) {
  if (unit === "bytes") return short(value, unit, 2);
  const scaled = unit === "share" ? 100 * value : value;
  const text = isFar(scaled) ? scaled.toExponential(0) : scaled.toLocaleString("en", { maximumSignificantDigits: 7 });
  return minus(text) + (unit === "share" ? "%" : "");
}

/** The ticks of an axis: evenly spaced values have equal decimals. */
export function alike(values, unit = null) {
  const texts = values.map((value) => round(value, unit)), gaps = values.slice(1).map((value, index) => value - values[index]);
  const even = gaps.length > 0 && Math.max(...gaps) - Math.min(...gaps) < 1e-6 * Math.max(...gaps);
  if (!even || unit === "bytes" || texts.some((text) => text.includes("e"))) return texts;
  const decimals = Math.max(...texts.map((text) => (text.replace("%", "").split(".")[1] || "").length));
  const scale = unit === "share" ? 100 : 1, end = unit === "share" ? "%" : "";
  return values.map((value) => minus((scale * value).toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })) + end);
}

/** A mean with its standard error. */
export function withError({ mean, error, n }, unit = null) {
  const uncertain = error === null ? "" : ` ± ${short(error, unit, 2)}`;
  return `${short(mean, unit)}${uncertain}${n > 1 ? ` (${n} seeds)` : ""}`;
}

/** A number of runs, such as "1 run" or "12 runs". */
export const counted = (number) => `${number.toLocaleString("en")} run${number === 1 ? "" : "s"}`;

/** The unit as a suffix, if the formatted number does not include it. */
export const suffix = (unit) => (unit && unit !== "share" && unit !== "bytes" ? ` ${unit}` : "");
