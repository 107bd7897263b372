// A slider for each of the first principal directions, in front of images that show its effect.

import { h, later, latest, number } from "explorer/dom";
import { moved, stacked } from "explorer/maths";
import { normal } from "explorer/measures";
import { still } from "explorer/pictures";

const REACH = 3;  // standard deviations in each direction
const STEPS = 7;

export function slidersPanel(session, shown) {
  const { world } = session;
  const rows = Array.from({ length: world.axes }, (_, axis) => row(session, axis));
  const random = () => {
    const coordinates = Array.from({ length: world.axes }, (_, axis) => world.means[axis] + world.scales[axis] * normal());
    session.setCoordinates(coordinates);
  };
  const reset = () => session.setCode(world.mean);
  const strips = later(latest(async () => {
    if (shown.tab !== "sliders") return;
    const codes = rows.flatMap(({ axis, low, high }) => Array.from({ length: STEPS }, (_, i) => {
      const coordinates = [];
      coordinates[axis] = low + ((high - low) * i) / (STEPS - 1);
      return moved(world, session.code, coordinates);
    }));
    const images = await world.engine.decode(stacked(codes, world.dims), codes.length, world.told(session.label));
    rows.forEach(({ strip }, at) => strip.replaceChildren(...Array.from({ length: STEPS }, (_, i) => still(images, at * STEPS + i, world.image_shape))));
  }), 180);
  session.on("code", () => { rows.forEach((one) => one.update()); strips(); });
  session.on("view", strips);
  const what = world.dims <= 2 ? "The numbers of the code." : `The ${world.axes} directions in which the codes of ${world.dims.toLocaleString("en")} numbers vary most, up to ${REACH} standard deviations in each direction.`;
  return h("div", {},
    h("div", { class: "tools" },
      h("button", { type: "button", text: "Reset", onclick: reset, title: "Goes to the mean of the codes; locked sliders stay" }),
      h("button", { type: "button", text: "Random", onclick: random, title: "Sets all unlocked sliders at random" })),
    h("p", { class: "muted small", text: what }),
    h("div", { class: "sliders" }, ...rows.map((one) => one.element)));
}

function row(session, axis) {
  const { world } = session, name = world.axisName(axis), share = `${Math.round(100 * world.shares[axis])}% of the variance of the codes`;
  const low = world.means[axis] - REACH * world.scales[axis], high = world.means[axis] + REACH * world.scales[axis];
  const value = h("output", { class: "value" }), strip = h("div", { class: "strip", "aria-hidden": "true" });
  const slider = h("input", { type: "range", min: low, max: high, step: (high - low) / 400, "aria-label": name, oninput: () => {
    const coordinates = [];
    coordinates[axis] = Number(slider.value);
    if (session.locks.has(axis)) session.locks.set(axis, coordinates[axis]);
    session.setCoordinates(coordinates);
  } });
  const lock = h("button", { type: "button", class: "toggle lock", "aria-pressed": "false", "aria-label": `Lock ${name}`, title: "Keeps this value fixed", text: "lock",
    onclick: () => {
      if (session.locks.has(axis)) session.locks.delete(axis);
      else session.locks.set(axis, session.coordinates()[axis]);
      update();
    } });
  function update() {
    const now = session.coordinates()[axis];
    slider.value = now;
    value.textContent = number(now);
    const locked = String(session.locks.has(axis));
    if (lock.getAttribute("aria-pressed") !== locked) lock.setAttribute("aria-pressed", locked);
  }
  return { axis, low, high, strip, update, element: h("div", { class: "slider" }, h("label", { text: name, title: share }), h("div", { class: "track" }, strip, slider), value, lock) };
}
