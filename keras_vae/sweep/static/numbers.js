// Numbers as people write them.

const minus = (text) => text.replace("-", "−");

/** A number in three significant digits, in the unit's own way; on a ruler without zeros at its end. */
export function short(value, unit = null, ruler = false) {
  if (value === null || value === undefined) return "–";
  if (unit === "share") return minus(`${digits(100 * value, ruler, 1)}%`);
  if (unit === "bytes") return value >= 2 ** 30 ? `${digits(value / 2 ** 30, ruler)} GiB` : `${digits(value / 2 ** 20, ruler)} MiB`;
  return minus(digits(value, ruler));
}

function digits(value, ruler, most = 20) {
  const size = Math.abs(value);
  if (size && (size < 1e-4 || size >= 1e7)) return value.toExponential(ruler ? 0 : 2);
  if (ruler || Number.isInteger(value)) return value.toLocaleString("en", { maximumSignificantDigits: 7 });
  const decimals = Math.max(2 - Math.floor(Math.log10(Number(size.toPrecision(3)))), 0);
  const shown = Math.min(decimals, most);
  return value.toLocaleString("en", { minimumFractionDigits: shown, maximumFractionDigits: shown });
}

/** A mean with its standard error. */
export function withError({ mean, error, n }, unit = null) {
  const uncertain = error === null ? "" : ` ± ${short(error, unit)}`;
  return `${short(mean, unit)}${uncertain}${n > 1 ? ` (${n} seeds)` : ""}`;
}

/** What is written behind a number that does not have its unit in it. */
export const suffix = (unit) => (unit && unit !== "share" && unit !== "bytes" ? ` ${unit}` : "");
