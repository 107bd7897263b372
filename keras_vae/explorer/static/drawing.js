// Drawing an image with the mouse or a finger, or uploading one; it is encoded while it is drawn.

import { h, say } from "explorer/dom";
import { fromFile, paint } from "explorer/pictures";

const LARGEST_DRAWN = 64;  // pixels per side

export function drawingPanel(session) {
  const { world } = session, [height, width, channels] = world.image_shape;
  if (!world.engine.encode) return h("p", { class: "muted", text: `This page contains no encoder: ${world.why_grid ?? "the model is not included"}. Drawing works in the live explorer.` });
  const drawable = channels === 1 && Math.max(height, width) <= LARGEST_DRAWN;
  let image = new Float32Array(height * width * channels), source = "drawn image";
  const canvas = h("canvas", { class: `sketch ${height <= 64 ? "crisp" : ""}`, role: "img", "aria-label": drawable ? "Draw here with the mouse or a finger" : "The uploaded image" });
  const show = () => paint(canvas, Uint8Array.from(image, (value) => Math.round(255 * value)), world.image_shape);
  const give = () => { show(); return session.give(Float32Array.from(image), { kind: "given", name: source }); };
  const brush = h("input", { type: "range", min: 0.5, max: Math.max(2, width / 10), step: 0.1, value: Math.max(0.7, width / 22), "aria-label": "Width of the brush" });
  const erase = h("input", { type: "checkbox" });

  function dab(x, y) {
    const radius = Number(brush.value);
    for (let row = Math.max(0, Math.floor(y - radius - 1)); row <= Math.min(height - 1, y + radius + 1); row++)
      for (let column = Math.max(0, Math.floor(x - radius - 1)); column <= Math.min(width - 1, x + radius + 1); column++) {
        const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(column + 0.5 - x, row + 0.5 - y))), at = row * width + column;
        image[at] = erase.checked ? Math.min(image[at], 1 - cover) : Math.max(image[at], cover);
      }
  }

  let last = null;
  function stroke(event) {
    const box = canvas.getBoundingClientRect();
    const now = [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
    const from = last ?? now, steps = Math.max(1, Math.ceil(Math.hypot(now[0] - from[0], now[1] - from[1]) * 2));
    for (let i = 1; i <= steps; i++) dab(from[0] + ((now[0] - from[0]) * i) / steps, from[1] + ((now[1] - from[1]) * i) / steps);
    last = now;
    source = "drawn image";
    give();
  }

  if (drawable) {
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); last = null; stroke(event); });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) stroke(event); });
    canvas.addEventListener("pointerup", () => { last = null; });
  }

  async function take(file) {
    try {
      image = await fromFile(file, world.image_shape);
      source = file.name.slice(0, 60);
      await give();
    } catch (problem) {
      say(problem.message);
    }
  }

  const file = h("input", { type: "file", accept: "image/*", class: "hidden", "aria-label": "Upload an image", onchange: () => { if (file.files[0]) take(file.files[0]); file.value = ""; } });
  const panel = h("div", { class: "drawing",
    ondragover: (event) => event.preventDefault(),
    ondrop: (event) => { event.preventDefault(); if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]); } },
    h("div", { class: "tools" },
      h("button", { type: "button", text: "Upload…", onclick: () => file.click() }), file,
      h("button", { type: "button", text: "Invert", title: "Swaps black and white", onclick: () => { image = image.map((value) => 1 - value); give(); } }),
      drawable && h("button", { type: "button", text: "Clear", onclick: () => { image.fill(0); give(); } }),
      drawable && h("button", { type: "button", text: "From the decoded image", title: "Starts from the image that is decoded now", onclick: () => {
        const { picture } = session.current[session.focus];
        if (picture) { image = Float32Array.from(picture, (value) => value / 255); source = "drawn image"; give(); }
      } }),
      drawable && h("label", { class: "inline" }, "brush ", brush), drawable && h("label", { class: "inline" }, erase, " erase")),
    h("div", { class: "sketching" }, canvas, h("p", { class: "muted small", text: drawable
      ? "Draw, or drop an image file here. The ellipses on the map are one and two standard deviations of the posterior. The reconstruction, distortion and rate are shown above."
      : "Drop an image file here. The ellipses on the map are one and two standard deviations of its posterior. The reconstruction, distortion and rate are shown above." })));
  show();
  return panel;
}
