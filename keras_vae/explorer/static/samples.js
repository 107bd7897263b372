// Samples from the prior beside samples from a fitted density, with the same seeds and temperature.

import { choice, h, later, latest, number } from "explorer/dom";
import { cooled, stacked } from "explorer/maths";
import { thumbnail } from "explorer/pictures";

const COUNT = 16;

export function samplesPanel(session, shown) {
  const { world } = session, fitted = world.samplers.filter((name) => name !== "prior");
  if (!fitted.includes(shown.source)) shown.source = world.recommended;
  const boards = Object.fromEntries(["prior", "fitted"].map((side) => [side, h("div", { class: "board" }, h("span", { class: "muted small", text: "being drawn…" }))]));
  const cool = h("output", { class: "value" });
  const temperature = h("input", { type: "range", min: 0, max: 1.5, step: 0.05, "aria-label": "Temperature", oninput: () => { shown.temperature = Number(temperature.value); refresh(); } });
  const seed = h("input", { type: "number", min: 0, max: 1e9, step: 1, "aria-label": "First seed", onchange: () => { shown.seed = Math.max(0, Math.floor(Number(seed.value)) || 0); refresh(); } });

  const fill = later(latest(async () => {
    if (shown.tab !== "samples") return;
    const sampled = {};
    for (const [side, source] of [["prior", "prior"], ["fitted", shown.source]]) {
      if (!source) continue;
      const mean = world.overlays?.[source].mean.data;
      if (!mean && shown.temperature !== 1) { boards[side].replaceChildren(h("p", { class: "muted small", text: "The mean of this distribution is being computed." })); continue; }
      const drawn = await world.engine.sample(source, shown.seed, COUNT), each = Array.from({ length: COUNT }, (_, i) => drawn.slice(i * world.dims, (i + 1) * world.dims));
      const codes = mean ? each.map((code) => cooled(code, mean, shown.temperature)) : each;
      const images = await world.engine.decode(stacked(codes, world.dims), COUNT, world.told(session.label));
      sampled[source] = codes;
      boards[side].replaceChildren(...codes.map((code, i) => h("button", { type: "button", class: "bare", "aria-label": `Go to sample ${shown.seed + i}`, title: `seed ${shown.seed + i}`,
        onclick: () => session.setCode(Float32Array.from(code)) }, thumbnail(images, i, world.image_shape))));
    }
    shown.sampled = sampled;
    session.tell("code");
  }), 40);

  function refresh() {
    temperature.value = shown.temperature;
    seed.value = shown.seed;
    cool.textContent = number(shown.temperature);
    fill();
    session.tell("choice");
  }

  const source = choice("Fitted density", fitted.map((name) => [name, name.replaceAll("_", " ")]), shown.source, (name) => { shown.source = name; refresh(); });
  session.on("view restored layers", () => {
    if (shown.tab === "samples") { if (shown.source) source.value = shown.source; refresh(); }
    else if (shown.sampled) { shown.sampled = null; session.tell("code"); }
  });
  const step = (by) => () => { shown.seed = Math.max(0, shown.seed + by); refresh(); };
  return h("div", { class: "samples" },
    h("div", { class: "tools" }, h("label", { class: "inline" }, "seeds from ", seed),
      h("button", { type: "button", text: "‹", "aria-label": "Previous seeds", onclick: step(-COUNT) }), h("button", { type: "button", text: "›", "aria-label": "Next seeds", onclick: step(COUNT) }),
      h("label", { class: "inline" }, "temperature ", temperature), cool),
    h("div", { class: "sides" },
      h("div", {}, h("h2", {}, h("span", { class: "mark prior", text: "●" }), world.variational ? " the prior" : " N(0, I), not used in training"), boards.prior),
      h("div", {}, h("h2", {}, h("span", { class: "mark", text: "●" }), " ", fitted.length > 1 ? source : shown.source ? `${shown.source.replaceAll("_", " ")}, fitted to the codes` : "no density was fitted"), boards.fitted)),
    h("p", { class: "muted small", text: "The dots on the map are these samples. At temperature T, the distance of each sample from the mean of its distribution is multiplied by T." }));
}
