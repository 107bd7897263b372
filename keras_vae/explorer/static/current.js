// The code at the cursor: the decoded image, the input image and the nearest neighbours.

import { classControl } from "explorer/classes";
import { h, number } from "explorer/dom";
import { liveNumbers } from "explorer/numbers";
import { paint } from "explorer/pictures";

const NEIGHBOURS = 6;

export function currentCard(session, shown) {
  const views = session.worlds.map((_, index) => new View(session, shown, index));
  const speed = h("span", { class: "muted speed" });
  const card = h("section", { class: "card current", "aria-label": "The code at the cursor" }, classControl(session), ...views.map((view) => view.element), speed);
  session.on("code", () => views.forEach((view) => view.moved()));
  session.on("picture", () => {
    views.forEach((view) => view.pictured());
    speed.textContent = `decoded in ${session.milliseconds.toFixed(session.milliseconds < 10 ? 1 : 0)} ms`;
  });
  return card;
}

class View {
  session; index; world;

  constructor(session, shown, index) {
    Object.assign(this, { session, index, world: session.worlds[index] });
    const crisp = this.world.image_shape[0] <= 64 ? "crisp" : "";
    const [height, width] = this.world.image_shape;
    this.canvas = h("canvas", { class: `big ${crisp}`, width, height, role: "img", "aria-label": "The decoded image" });
    this.input = h("canvas", { class: `big ${crisp}`, role: "img", "aria-label": "The image that was encoded" });
    this.given = h("figure", { class: "given", hidden: true }, this.input, h("figcaption", {}, "input"));
    this.caption = h("figcaption", {}, "decoded");
    this.place = h("p", { class: "place", role: "status" });
    this.origin = h("p", { class: "origin" });
    this.numbers = liveNumbers(session, shown, index);
    this.neighbours = Array.from({ length: NEIGHBOURS }, () => new Neighbour(session, index));
    this.element = h("div", { class: "view" },
      session.worlds.length > 1 ? h("h2", { text: this.world.name }) : null,
      h("div", { class: "pair" }, this.given, h("figure", {}, this.canvas, this.caption),
        h("div", { class: "facts" }, this.origin, this.place, this.numbers.element, h("p", { class: "muted small" }, `held-out images with the nearest codes${this.world.conditional ? ", of the class" : ""}`),
          h("div", { class: "neighbours" }, ...this.neighbours.map((one) => one.element)))));
  }

  moved() {
    const { session, index, world } = this, { encoded } = session.current[index], { origin } = session;
    this.given.hidden = !origin.image || origin.image.length !== world.size || (!encoded && Boolean(world.engine.encode));
    if (!this.given.hidden) paint(this.input, Uint8Array.from(origin.image, (value) => Math.round(255 * value)), world.image_shape);
    this.caption.textContent = this.#what(encoded);
    const shown = [...session.coordinates(index)].slice(0, 3).map((value) => number(value));
    this.place.textContent = `at (${shown.join(", ")}${world.axes > 3 ? ", …" : ""})`;
    this.origin.textContent = origin.kind === "place" || this.given.hidden ? "a place on the map" : `${origin.name}${origin.label ? `, label ${origin.label}` : ""}`;
    this.numbers.moved();
    const close = session.neighbours(index, NEIGHBOURS);
    this.neighbours.forEach((one, place) => one.show(close[place]?.row));
  }

  /** The caption: it is a reconstruction only if the code is decoded with the label that the image was encoded with. */
  #what(encoded) {
    const { session, world } = this, label = world.told(session.label), as = label === null ? "" : ` as ${world.label_names[label]}`;
    if (this.given.hidden) return `decoded${as}`;
    const own = encoded ? encoded.label : session.origin.own ?? label;
    return `${label === null || own === label ? "reconstruction" : "its code decoded"}${as}`;
  }

  pictured() {
    const { picture } = this.session.current[this.index];
    if (picture) paint(this.canvas, picture, this.world.image_shape);
    this.numbers.pictured();
  }
}

/** A button that goes to one of the nearest images; it is reused when the cursor moves. */
class Neighbour {
  world; row;

  constructor(session, number) {
    Object.assign(this, { world: session.worlds[number], row: undefined });
    this.canvas = h("canvas", { class: "thumb", "aria-hidden": "true" });
    this.name = h("small");
    this.element = h("button", { type: "button", class: "bare", hidden: true, onclick: () => session.pick(this.row, number) }, this.canvas, this.name);
  }

  show(row) {
    if (row === this.row) return;
    this.row = row;
    this.element.hidden = row === undefined;
    if (this.element.hidden) return;
    const { pictures, image_shape: shape, size } = this.world, label = this.world.labelOf(row), text = `image ${row}${label ? `, ${label}` : ""}`;
    paint(this.canvas, pictures, shape, row * size);
    this.name.textContent = label;
    this.element.title = text;
    this.element.setAttribute("aria-label", `Go to ${text}`);
  }
}
