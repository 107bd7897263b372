// One pass through the model: image -> mean and deviation of its posterior -> a code drawn from it -> image.

import { bars, largest } from "explorer/bars";
import { h, later, latest, number } from "explorer/dom";
import { drawn, normal } from "explorer/measures";
import { paint } from "explorer/pictures";
import { imageOf } from "explorer/session";

export function stagePanel(session, shown) {
  const { world } = session;
  if (!world.engine.encode) return h("p", { class: "muted", text: `This page contains no encoder: ${world.why_grid ?? "the model is not included"}. The pass is shown in the live explorer.` });
  const crisp = world.image_shape[0] <= 64 ? "crisp" : "";
  const canvas = (label) => h("canvas", { class: `big ${crisp}`, width: world.image_shape[1], height: world.image_shape[0], role: "img", "aria-label": label });
  const input = canvas("The image that is encoded"), output = canvas("The image that the drawn code decodes to");
  const name = h("figcaption"), places = ["mean", "deviation", "noise", "code"].map((key) => h("div", { class: key }));
  let noise = noiseOf(world.dims);

  const fill = later(latest(async () => {
    if (shown.tab !== "stage") return;
    const { image, said, label } = given();
    const encoded = session.current[session.focus].encoded ?? await world.engine.encode(image, label);
    const { mean, log_var: logVar } = encoded, deviation = logVar.map((value) => Math.exp(0.5 * value));
    const code = world.gaussian ? drawn(mean, logVar, noise) : mean;
    const picture = await world.engine.decode(Float32Array.from(code), 1, world.told(session.label));
    paint(input, Uint8Array.from(image, (value) => Math.round(255 * value)), world.image_shape);
    paint(output, picture, world.image_shape);
    name.textContent = said;
    show(mean, deviation, code);
  }), 60);

  /** The numbers of the code; of many, those that say most about the image. */
  function show(mean, deviation, code) {
    const rates = mean.map((m, i) => 0.5 * (m * m + deviation[i] ** 2 - 1) - Math.log(deviation[i])), rows = largest(rates);
    const most = Math.max(1e-9, ...rows.map((i) => Math.max(Math.abs(mean[i]), Math.abs(code[i]))));
    const kinds = world.gaussian ? [[mean, "mean μ", "μ", most], [deviation, "deviation σ", "σ", null], [noise, "noise ε", "ε", 3], [code, "z = μ + σ · ε", "z", most]] : [[mean, "code z", "z", most]];
    places.forEach((place, at) => place.replaceChildren(...(kinds[at] ? [bars(kinds[at][0], { title: kinds[at][1], name: kinds[at][2], shown: rows, most: kinds[at][3], positive: kinds[at][2] === "σ" })] : [])));
    more.textContent = rows.length < mean.length ? `The ${rows.length} numbers with the highest rate of ${mean.length.toLocaleString("en")} are shown.` : "";
    size.textContent = world.gaussian ? `|z − μ| = ${number(Math.hypot(...rows.map((i) => code[i] - mean[i])))}` : "";
  }

  /** The encoded image, or else the held-out image nearest to the cursor. */
  function given() {
    const { origin } = session;
    if (origin.image?.length === world.size) return { image: origin.image, said: `x: ${origin.name}`, label: world.told(origin.own ?? session.label) };
    const row = session.neighbours(session.focus, 1)[0]?.row ?? 0;
    return { image: imageOf(world, row), said: `x: image ${row}, nearest to the cursor`, label: world.told(world.classes?.[row]) };
  }

  const more = h("p", { class: "muted small" }), size = h("span", { class: "muted small" });
  const again = world.gaussian && h("button", { type: "button", text: "Draw again", title: "Draws new noise ε", onclick: () => { noise = noiseOf(world.dims); fill(); } });
  session.on("picture view", fill);
  const arrow = (text) => h("p", { class: "arrow", text });
  return h("div", { class: "stage" },
    h("figure", {}, input, name), arrow("encoder →"), places[0], places[1],
    h("figure", {}, output, h("figcaption", { text: "decoded from z" })), arrow("← decoder"), places[3], places[2],
    again && h("div", { class: "tools" }, again, size),
    more, world.gaussian ? null : h("p", { class: "muted small", text: world.variational ? "This model's codes are not drawn from a Gaussian with a mean and a deviation for each number." : "A plain autoencoder has no noise: its code is a point." }));
}

const noiseOf = (dims) => Float32Array.from({ length: dims }, normal);
