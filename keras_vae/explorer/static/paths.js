// Interpolation between two codes along a chosen path, beside a plain blend of the two images.

import { choice, h, later, latest } from "explorer/dom";
import { PATHS, stacked } from "explorer/maths";
import { thumbnail } from "explorer/pictures";
import { imageOf } from "explorer/session";

const STEPS = 11, FINE = 48;

export function pathsPanel(session, shown) {
  const { world } = session;
  const ends = { A: null, B: null };
  const slots = Object.fromEntries(Object.keys(ends).map((name) => [name, h("span", { class: "slot" })]));
  const strip = h("div", { class: "strip wide" }), blend = h("div", { class: "strip wide" });
  const fraction = h("input", { type: "range", min: 0, max: 1, step: 0.005, value: shown.fraction, "aria-label": "Position between A and B", oninput: () => { shown.fraction = Number(fraction.value); go(); } });
  const at = (t) => PATHS[shown.pathKind](ends.A, ends.B, t);

  function go() {
    if (ends.A && ends.B) session.setCode(Float32Array.from(at(shown.fraction)));
    session.tell("choice");
  }

  function drawPath() {
    shown.path = shown.tab === "paths" && ends.A && ends.B ? Array.from({ length: FINE + 1 }, (_, i) => at(i / FINE)) : null;
    session.tell("code");
  }

  const fill = later(latest(async () => {
    if (shown.tab !== "paths" || !ends.A || !ends.B) return;
    const codes = Array.from({ length: STEPS }, (_, i) => at(i / (STEPS - 1)));
    const images = await world.engine.decode(stacked(codes, world.dims), STEPS, world.told(session.label)), { size, image_shape: shape } = world;
    strip.replaceChildren(...Array.from({ length: STEPS }, (_, i) => thumbnail(images, i, shape)));
    blend.replaceChildren(...Array.from({ length: STEPS }, (_, i) => {
      const t = i / (STEPS - 1), last = (STEPS - 1) * size;
      return thumbnail(Uint8Array.from({ length: size }, (_, k) => Math.round((1 - t) * images[k] + t * images[last + k])), 0, shape);
    }));
    slots.A.replaceChildren(thumbnail(images, 0, shape));
    slots.B.replaceChildren(thumbnail(images, STEPS - 1, shape));
  }), 60);

  const changed = () => { drawPath(); fill(); };
  const set = (name, code) => { ends[name] = Float32Array.from(code); shown.ends = ends; changed(); };

  async function begin() {  // two images of different labels, until the user chooses others
    if (!ends.A) set("A", await codeOf(0));
    if (!ends.B) {
      const other = world.classes ? world.classes.findIndex((label) => label !== world.classes[0]) : 1;
      set("B", await codeOf(Math.max(other, Math.min(1, world.count - 1))));
    }
  }

  async function codeOf(index) {
    if (world.engine.encode) return (await world.engine.encode(imageOf(world, index), world.told(world.classes?.[index]))).mean;
    const code = Float32Array.from(world.center);
    for (let axis = 0; axis < world.axes; axis++)
      for (let i = 0; i < world.dims; i++) code[i] += (world.coordinates[index * world.axes + axis] - 0) * world.directions[axis * world.dims + i];
    return code;
  }

  let playing = null;
  const play = h("button", { type: "button", text: "Play", onclick: () => {
    if (playing) return stop();
    let direction = 1, before = performance.now();
    play.textContent = "Stop";
    const step = (now) => {
      shown.fraction += (direction * Math.min(now - before, 100)) / 2500;
      before = now;
      if (shown.fraction >= 1 || shown.fraction <= 0) { shown.fraction = Math.min(1, Math.max(0, shown.fraction)); direction = -direction; }
      fraction.value = shown.fraction;
      go();
      playing = requestAnimationFrame(step);
    };
    playing = requestAnimationFrame(step);
  } });
  function stop() {
    cancelAnimationFrame(playing);
    playing = null;
    play.textContent = "Play";
  }

  session.on("view", async () => {
    if (shown.tab === "paths") { if (shown.ends) Object.assign(ends, shown.ends); await begin(); changed(); }
    else { stop(); if (shown.path) { shown.path = null; session.tell("code"); } }
  });
  const end = (name) => h("div", { class: "end" }, slots[name],
    h("button", { type: "button", text: `Set ${name}`, title: `Uses the current code as ${name}`, onclick: () => set(name, session.code) }));
  const kind = choice("Path", Object.keys(PATHS).map((name) => [name, name]), shown.pathKind, (name) => { shown.pathKind = name; changed(); go(); });
  session.on("restored", () => { kind.value = shown.pathKind; fraction.value = shown.fraction; });
  return h("div", { class: "paths" },
    h("div", { class: "tools" }, end("A"), end("B"), h("label", { class: "inline" }, "along ", kind), play),
    h("div", { class: "along" }, strip, fraction),
    h("p", { class: "muted small", text: "For comparison, a blend of the two images:" }), blend,
    h("p", { class: "muted small", text: "Select an image on the map, or draw or upload one, and set it as A or B. Linear paths suit posterior means, whose norms differ; slerp and variance preserving paths suit samples." }),
    world.conditional && h("p", { class: "muted small", text: "The path joins the two codes regardless of their images' labels; all of it is decoded as the class chosen above." }));
}
