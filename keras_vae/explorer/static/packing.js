// Reads arrays in the format of keras_vae.explorer.packing.

const TYPES = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array };

/** The value with packed arrays as { shape, data }, where data is a typed array. */
export function unpacked(value) {
  if (Array.isArray(value)) return value.map(unpacked);
  if (value === null || typeof value !== "object") return value;
  if ("dtype" in value) {
    const bytes = Uint8Array.from(atob(value.data), (character) => character.charCodeAt(0));
    return { shape: value.shape, data: new TYPES[value.dtype](bytes.buffer) };
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unpacked(part)]));
}
