// The state of the page: one current code for each world, its origin, and the label that it is decoded with. The tools
// work on one of the worlds, the one in focus.
// Everything else listens to events, session.on(name, listener):
//   code    the current code has changed (the images follow, see `picture`)
//   picture the decoded image is available
//   view    the display has changed
//   layers  a slow layer of a map is being computed or has arrived, see `background.js`

import { missing } from "explorer/background";
import { latest } from "explorer/dom";
import { engineOf } from "explorer/engines";
import { moved, nearest, project } from "explorer/maths";

/** Completes a world's facts: flat arrays, sizes and the engine. */
export function prepared(facts) {
  const world = { ...facts };
  for (const key of ["center", "directions", "scales", "coordinates", "shares"]) world[key] = facts[key].data;
  world.dims = facts.center.shape[0];
  world.axes = facts.directions.shape[0];
  world.count = facts.images.shape[0];
  world.size = world.image_shape.reduce((product, side) => product * side, 1);
  world.pictures = facts.images.data;
  world.classes = facts.labels ? facts.labels.data : null;
  world.means = Float64Array.from({ length: world.axes }, (_, axis) => {
    let sum = 0;
    for (let i = 0; i < world.count; i++) sum += world.coordinates[i * world.axes + axis];
    return sum / world.count;
  });
  world.mean = moved(world, world.center, world.dims <= 2 ? world.means : []);  // with more numbers, the center is the mean
  world.axisName = (axis) => (world.dims <= 2 ? `z${"₁₂"[axis]}` : `axis ${axis + 1}`);
  world.told = (label) => (world.conditional ? Math.min(label, world.label_names.length - 1) : null);  // the label for the engine's functions
  world.labelOf = (index) => (world.classes ? world.label_names[world.classes[index]] ?? "" : "");
  world.missing = missing(world);
  world.engine = engineOf(world);
  return world;
}

/** An image of a world in the encoder's input format. */
export const imageOf = (world, index) =>
  Float32Array.from(world.pictures.subarray(index * world.size, (index + 1) * world.size), (value) => value / 255);

export class Session {
  constructor(worlds, focus = 0) {
    this.worlds = worlds;
    this.focus = focus;
    this.listeners = {};
    this.current = worlds.map((world) => ({ code: world.mean, picture: null, encoded: null }));
    this.origin = { kind: "place" };  // or the encoded image: { kind: "image", index } or { kind: "given", image, name }
    this.labelNames = worlds.find((world) => world.conditional)?.label_names ?? null;
    this.label = this.labelNames ? 0 : null;  // the label that codes are decoded with in every conditional world
    this.locks = new Map();  // axis -> its locked coordinate in the world in focus
    this.milliseconds = null;
    this.decodeAll = latest(() => this.#decode());
    this.giving = latest((image, origin) => this.#give(image, origin));
  }

  on(names, listener) {
    for (const name of names.split(" ")) (this.listeners[name] ??= []).push(listener);
  }

  tell(name) {
    for (const listener of this.listeners[name] ?? []) listener();
  }

  get world() { return this.worlds[this.focus]; }
  get code() { return this.current[this.focus].code; }
  get other() { return this.worlds.length > 1 ? 1 - this.focus : null; }
  coordinates(number = this.focus) { return project(this.worlds[number], this.current[number].code); }

  /** Sets the code of the world in focus. The other one's cursor moves to the corresponding place on its map, or to `beside`. */
  setCode(code, { encoded = null, beside = null, origin = { kind: "place" } } = {}) {
    const kept = this.#locked(code), asked = kept === code;
    this.origin = asked ? origin : { kind: "place" };
    this.current[this.focus] = { ...this.current[this.focus], code: kept, encoded: asked ? encoded : null };
    if (asked && beside) this.current[this.other] = { ...this.current[this.other], ...beside };
    else if (this.worlds.length > 1) this.#follow();
    this.tell("code");
    this.decodeAll();
  }

  /** Decodes everything with another label. Drawn and uploaded images have no label of their own and are encoded again. */
  setLabel(label) {
    this.label = label;
    if (this.origin.kind === "given") this.give(this.origin.image, this.origin);
    else this.decodeAll();
    this.tell("code");
    this.tell("view");
  }

  #locked(code) {
    if (!this.locks.size) return code;
    const coordinates = [];
    for (const [axis, value] of this.locks) coordinates[axis] = value;
    return moved(this.world, code, coordinates);
  }

  /** Moves the current code to coordinates along the axes; missing coordinates stay unchanged. */
  setCoordinates(coordinates) {
    this.setCode(moved(this.world, this.code, coordinates));
  }

  /** Moves the cursor of world `number` to coordinates, and the other cursor along with it. */
  place(number, coordinates) {
    if (number === this.focus) return this.setCoordinates(coordinates);
    this.setCoordinates(this.#carried(coordinates, this.worlds[number], this.world));
  }

  #follow() {
    const { other } = this, second = this.worlds[other];
    const coordinates = this.#carried(this.coordinates(), this.world, second);
    this.current[other] = { ...this.current[other], code: moved(second, second.mean, coordinates), encoded: null };
  }

  /** The same number of standard deviations from the mean of the codes, axis by axis. */
  #carried(coordinates, from, to) {
    return Array.from({ length: Math.min(from.axes, to.axes) }, (_, axis) =>
      to.means[axis] + ((coordinates[axis] - from.means[axis]) / from.scales[axis]) * to.scales[axis]);
  }

  /** Goes to the code of test image `index` of world `number`. */
  pick(index, number = this.focus) {
    const world = this.worlds[number], image = imageOf(world, index);
    return this.give(image, { kind: "image", index, number, name: `held-out image ${index}`, label: world.labelOf(index), own: world.classes?.[index] });
  }

  /** Encodes an image in every world that accepts it, with its own label if it has one, and goes to its code. */
  give(image, origin) {
    return this.giving(image, origin);
  }

  async #give(image, origin) {
    const found = await Promise.all(this.worlds.map((world, number) => this.#placed(world, number, image, origin)));
    const first = found[this.focus], beside = found[this.other];
    if (first) this.setCode(first.code, { encoded: first.encoded, beside, origin: { ...origin, image } });
    else if (beside) {
      const to = this.world, from = this.worlds[this.other];
      this.setCode(moved(to, this.code, this.#carried(project(from, beside.code), from, to)), { beside, origin: { ...origin, image } });
    }
  }

  /** The code of an image in a world, from the encoder or else from the image's place on the map; null if there is neither. */
  async #placed(world, number, image, origin) {
    if (world.engine.encode && world.size === image.length) {
      const label = world.told(origin.own ?? this.label), encoded = { ...(await world.engine.encode(image, label)), label };
      return { code: encoded.mean, encoded };
    }
    if (world.engine.encode || origin.kind !== "image" || origin.number !== number) return null;
    const { axes, coordinates, center } = world, at = origin.index * axes;
    return { code: moved(world, center, [...coordinates.subarray(at, at + axes)]), encoded: null };
  }

  async #decode() {
    const begun = performance.now();
    await Promise.all(this.worlds.map(async (world, number) => {
      const { code } = this.current[number];
      const picture = await world.engine.decode(code, 1, world.told(this.label));
      this.current[number].picture = picture;
      this.current[number].pictured = code;
    }));
    this.milliseconds = performance.now() - begun;
    this.tell("picture");
  }

  /** The held-out images with the nearest codes along the axes, [{ row, distance }]; in a conditional world, only those of the label. */
  neighbours(number, count) {
    const world = this.worlds[number], label = world.told(this.label);
    return nearest(world.coordinates, world.axes, this.coordinates(number), count, label === null ? undefined : (row) => world.classes[row] === label);
  }
}
