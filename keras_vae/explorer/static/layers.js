// The networks with one bar per layer, whose height shows the size of its output. A click shows its feature maps.

import { bars } from "explorer/bars";
import { h, later, latest } from "explorer/dom";
import { imageOf } from "explorer/session";

const times = (shape) => shape.join(" × ");
const amount = (shape) => shape.reduce((product, size) => product * size, 1);

export function layersPanel(session, shown) {
  const { world } = session, about = h("p", { class: "about", role: "status" }), maps = h("div", { class: "maps" });
  const all = Object.entries(world.layers).flatMap(([part, layers]) => layers.map((layer) => ({ ...layer, part })));
  const most = Math.max(...all.map(({ shape }) => Math.log2(amount(shape) + 1)));
  const describe = ({ part, name, kind, shape, weights }) =>
    `${part}: ${name}, ${kind}, ${shape.length > 1 ? `${times(shape)} = ` : ""}${amount(shape).toLocaleString("en")} numbers${weights ? `, ${weights.toLocaleString("en")} weights` : ""}`;
  let chosen = null;
  const bars = all.map((layer) => {
    const height = 8 + 92 * (Math.log2(amount(layer.shape) + 1) / most), code = layer.name === "mean" || layer.name === "latent";
    const bar = h("button", { type: "button", class: `bar ${layer.part} ${code ? "code" : ""}`, "aria-label": describe(layer), "aria-pressed": "false",
      onmouseenter: () => tell(layer), onfocus: () => tell(layer), onmouseleave: () => tell(chosen), onclick: () => choose(layer) }, h("span", { style: `height: ${height}%` }));
    return bar;
  });
  const tell = (layer) => { about.textContent = layer ? describe(layer) : "Each bar is a layer; its height is the logarithm of the number of its outputs. Click a bar to show the feature maps."; };

  function choose(layer) {
    chosen = layer;
    bars.forEach((bar, index) => bar.setAttribute("aria-pressed", String(all[index] === layer)));
    shown.layer = layer ? `${layer.part}/${layer.name}` : null;
    session.tell("choice");
    tell(layer);
    fill();
  }

  const fill = later(latest(async () => {
    if (shown.tab !== "layers" || !chosen) return;
    if (!world.engine.layer) { maps.replaceChildren(h("p", { class: "muted", text: "This page contains no network: feature maps are shown in the live explorer." })); return; }
    const decoding = chosen.part === "decoder", label = world.told(session.label);
    const { shape, data } = await world.engine.layer(chosen.part, chosen.name, decoding ? session.code : imageToShow(),
      decoding ? label : session.current[session.focus].encoded?.label ?? label);
    draw(maps, shape, data, chosen);
  }), 60);

  /** The encoder's input: the image that was encoded, or else the decoded image. */
  function imageToShow() {
    const { picture } = session.current[session.focus];
    if (session.origin.image?.length === world.size) return session.origin.image;
    return picture ? Float32Array.from(picture, (byte) => byte / 255) : imageOf(world, session.neighbours(session.focus, 1)[0]?.row ?? 0);
  }

  session.on("picture view", () => {
    if (shown.tab !== "layers") return;
    if (!chosen && shown.layer) return choose(all.find((layer) => `${layer.part}/${layer.name}` === shown.layer) ?? null);
    fill();
  });
  tell(null);
  return h("div", { class: "layers" },
    h("div", { class: "hourglass", role: "group", "aria-label": "Layers of the encoder and the decoder" }, ...bars),
    h("div", { class: "ends muted small" }, ...[`image ${times(world.image_shape)}`, "encoder →", `code ${times(world.latent_shape)}`, "decoder →", `image ${times(world.image_shape)}`].map((text) => h("span", { text }))),
    about, maps);
}

/** Shows each map from its lowest value (dark) to its highest, and a vector as bars around zero. */
function draw(place, [count, rows, columns], data, { name, shape }) {
  if (count === 1 && rows === 1) return place.replaceChildren(bars(data, { title: name }));
  const all = shape[shape.length - 1];
  place.replaceChildren(h("p", { class: "muted small", text: `${count < all ? `${count} of ${all.toLocaleString("en")}` : count} feature map${all > 1 ? "s" : ""}, each from its lowest value (dark) to its highest (bright)` }), ...Array.from({ length: count }, (_, map) => {
    const values = data.subarray(map * rows * columns, (map + 1) * rows * columns);
    let low = Infinity, high = -Infinity;
    for (const value of values) { low = Math.min(low, value); high = Math.max(high, value); }
    const canvas = h("canvas", { class: `thumb ${rows <= 64 ? "crisp" : ""}`, width: columns, height: rows, role: "img", title: `map ${map}: ${low.toPrecision(3)} to ${high.toPrecision(3)}`, "aria-label": `feature map ${map}` });
    const picture = new ImageData(columns, rows);
    values.forEach((value, at) => picture.data.set(heat(high > low ? (value - low) / (high - low) : 0), at * 4));
    canvas.getContext("2d").putImageData(picture, 0, 0);
    return canvas;
  }));
}

/** A colour map with rising lightness: black, violet, orange, pale yellow. */
function heat(share) {
  const stops = [[8, 6, 30], [88, 28, 120], [205, 68, 78], [250, 170, 70], [252, 250, 205]], at = share * (stops.length - 1);
  const low = Math.min(Math.floor(at), stops.length - 2), mix = at - low;
  return [0, 1, 2].map((c) => stops[low][c] + (stops[low + 1][c] - stops[low][c]) * mix).concat(255);
}
