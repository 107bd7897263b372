// What is at the cursor: the decoded picture, what it was made from, its neighbours.

import { h, number } from "explorer/dom";
import { paint, thumbnail } from "explorer/pictures";

const NEIGHBOURS = 6;

export function currentCard(session) {
  const views = session.worlds.map((_, index) => new View(session, index));
  const speed = h("span", { class: "muted speed" });
  const card = h("section", { class: "card current", "aria-label": "What is at the cursor" }, ...views.map((view) => view.element), speed);
  session.on("code", () => views.forEach((view) => view.moved()));
  session.on("picture", () => {
    views.forEach((view) => view.pictured());
    speed.textContent = `decoded in ${session.milliseconds.toFixed(session.milliseconds < 10 ? 1 : 0)} ms`;
  });
  return card;
}

class View {
  constructor(session, index) {
    Object.assign(this, { session, index, world: session.worlds[index] });
    const crisp = this.world.image_shape[0] <= 64 ? "crisp" : "";
    this.canvas = h("canvas", { class: `big ${crisp}`, role: "img", "aria-label": "The decoded picture" });
    this.input = h("canvas", { class: `big ${crisp}`, role: "img", "aria-label": "The image that was encoded" });
    this.given = h("figure", { class: "given", hidden: true }, this.input, h("figcaption", {}, "input"));
    this.caption = h("figcaption", {}, "decoded");
    this.place = h("p", { class: "place", role: "status" });
    this.numbers = h("dl", { class: "numbers" });
    this.neighbours = h("div", { class: "neighbours" });
    this.element = h("div", { class: "view" },
      session.worlds.length > 1 ? h("h3", { text: this.world.name }) : null,
      h("div", { class: "pair" }, this.given, h("figure", {}, this.canvas, this.caption),
        h("div", { class: "facts" }, this.place, this.numbers, h("p", { class: "muted small" }, "nearest held-out images"), this.neighbours)));
  }

  moved() {
    const { session, index, world } = this, { encoded } = session.current[index], { origin } = session;
    this.given.hidden = !origin.image || origin.image.length !== world.size || (!encoded && Boolean(world.engine.encode));
    if (!this.given.hidden) paint(this.input, Uint8Array.from(origin.image, (value) => Math.round(255 * value)), world.image_shape);
    this.caption.textContent = this.given.hidden ? "decoded" : "reconstruction";
    const shown = [...session.coordinates(index)].slice(0, 3).map((value) => number(value));
    const place = `(${shown.join(", ")}${world.axes > 3 ? ", …" : ""})`;
    this.place.textContent = origin.kind === "place" || this.given.hidden ? place : `${origin.name}${origin.label ? `, ${origin.label}` : ""} ${place}`;
    this.numbers.replaceChildren(...(encoded ? this.#measured(encoded) : []));
    const close = session.neighbours(index, NEIGHBOURS);
    const key = close.map(({ row }) => row).join();
    if (key === this.key) return;
    this.key = key;
    this.neighbours.replaceChildren(...close.map(({ row }) => {
      const label = world.labelOf(row);
      return h("button", { type: "button", class: "bare", title: `image ${row}${label ? `, ${label}` : ""}`, "aria-label": `Go to image ${row}${label ? `, ${label}` : ""}`,
        onclick: () => session.pick(row, index) }, thumbnail(world.pictures, row, world.image_shape), h("small", { text: label }));
    }));
  }

  #measured({ distortion, rate }) {
    const rows = [];
    if (distortion !== null) rows.push(["distortion", "−log p(image | code), at the posterior's mean", distortion]);
    if (rate !== null) rows.push(["rate", "KL of the posterior from N(0, I)", rate]);
    return rows.flatMap(([name, title, value]) => [h("dt", { text: name, title }), h("dd", { title }, number(value, 1), h("span", { class: "muted", text: " nats" }))]);
  }

  pictured() {
    const { picture } = this.session.current[this.index];
    if (picture) paint(this.canvas, picture, this.world.image_shape);
  }
}
