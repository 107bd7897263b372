// Paints images on canvases, and reads images from files.

import { h } from "explorer/dom";

/** Paints an image, a Uint8Array of height x width x channels, on a canvas and sets the canvas to its size. */
export function paint(canvas, image, [height, width, channels], offset = 0) {
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  canvas.getContext("2d").putImageData(toImageData(image, [height, width, channels], offset), 0, 0);
  return canvas;
}

export function toImageData(image, [height, width, channels], offset = 0) {
  const data = new ImageData(width, height), target = data.data, colour = channels >= 3;
  for (let at = 0; at < height * width; at++) {
    const from = offset + at * channels;
    target[at * 4] = image[from];
    target[at * 4 + 1] = image[colour ? from + 1 : from];
    target[at * 4 + 2] = image[colour ? from + 2 : from];
    target[at * 4 + 3] = 255;
  }
  return data;
}

/** A canvas that shows image number `index` of several. */
export function thumbnail(images, index, shape, attributes = {}) {
  const canvas = h("canvas", { class: "thumb", ...(attributes["aria-label"] ? { role: "img" } : { "aria-hidden": "true" }), ...attributes });
  return paint(canvas, images, shape, index * shape[0] * shape[1] * shape[2]);
}

/** The same as an img element, which the browser, unlike a canvas, need not redraw in each frame. */
export const still = (images, index, shape) =>
  h("img", { class: "thumb", alt: "", src: thumbnail(images, index, shape).toDataURL() });

const MOST_BYTES = 20 * 2 ** 20, MOST_SIDE = 12000;

/** An uploaded file as an image of the given shape, Float32Array in [0, 1], scaled and cropped at the centre.
 *  Grey is the luma of ITU-R BT.601, as in Pillow. Throws an Error with a message for the user. */
export async function fromFile(file, [height, width, channels]) {
  const name = `“${file.name.slice(0, 60)}”`;
  if (file.size > MOST_BYTES) throw new Error(`${name} is too large: ${Math.round(file.size / 2 ** 20)} MB (at most 20 MB).`);
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${name} is not an image that this browser can read: use a PNG, JPEG, WebP or GIF.`);
  }
  if (Math.max(bitmap.width, bitmap.height) > MOST_SIDE)
    throw new Error(`${name} is too large: ${bitmap.width} × ${bitmap.height} pixels (at most ${MOST_SIDE} per side).`);
  const scale = Math.max(width / bitmap.width, height / bitmap.height);
  const canvas = h("canvas", { width, height }), context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "#000";  // behind transparent pixels
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, (width - scale * bitmap.width) / 2, (height - scale * bitmap.height) / 2, scale * bitmap.width, scale * bitmap.height);
  const { data } = context.getImageData(0, 0, width, height), image = new Float32Array(height * width * channels);
  for (let at = 0; at < height * width; at++) {
    const [red, green, blue] = data.subarray(at * 4, at * 4 + 3);
    if (channels < 3) image[at * channels] = (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
    else image.set([red / 255, green / 255, blue / 255], at * channels);
  }
  return image;
}
