// What is below the map: the labels with their colours, and the meaning of its marks.

import { h, hue } from "explorer/dom";

/** The labels with their colours; a click on one shows only its images. */
export function labelsLegend(session, shown, changed) {
  const { world } = session;
  if (!world.classes || world.label_names.length > 40) return h("div");
  const buttons = world.label_names.map((name, label) => h("button", { type: "button", class: "chip", "aria-pressed": "false", title: `Show only ${name}`, onclick: () => {
    shown.only = shown.only === label ? null : label;
    mark();
    changed();
  } }, h("i", { style: `background: ${hue(label, world.label_names.length)}` }), name));
  const mark = () => buttons.forEach((button, label) => button.setAttribute("aria-pressed", String(shown.only === label)));
  session.on("restored", mark);
  return h("div", { class: "legend", role: "group", "aria-label": "Labels" }, ...buttons);
}

/** The marks that are on the map now, in words. */
export function marksLegend(session, shown) {
  const list = h("ul", { class: "marks muted small", "aria-label": "Marks on the map" });
  const update = () => list.replaceChildren(...marks(session, shown).map(([kind, sign, text]) =>
    h("li", {}, h("i", { class: `mark-${kind}`, "aria-hidden": "true", text: sign }), text)));
  session.on("view layers code", later(update));
  return list;
}

/** Runs `work` once for all calls within a frame. */
function later(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; work(); });
  };
}

function marks({ world, worlds, current }, shown) {
  const axes = shown.layout !== "tsne" || !world.embedding;
  const found = [["point", "", "codes of held-out images"]];
  if (axes && shown.dead && !shown.tiles && world.dead_zones) found.push(["shade", "", "dead zones: they decode to unrealistic images"]);
  if (axes && worlds.some((one) => one.variational && one.standard)) found.push(["circle", "", "1, 2 and 3 standard deviations of N(0, I)"]);
  if (axes) for (const name of shown.overlays) found.push([name === "prior" ? "prior" : "fitted", name === "prior" ? "×" : "+", `samples of ${nameOf(world, name)}`]);
  if (axes && world.variational && current.some(({ encoded }) => encoded)) found.push(["ellipse", "", "posterior of the image: 1 and 2 standard deviations"]);
  return found;
}

/** A sampler in words. */
export const nameOf = (world, name) => (name === "prior" ? (world.standard ? "N(0, I)" : "the prior") : `the fitted ${name.replaceAll("_", " ")}`);
