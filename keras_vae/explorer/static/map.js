// The map: codes of held-out images in the plane, the space between them, and the cursor, whose position is decoded.
// It has two canvases: the lower one changes with the view, the upper one with the cursor.

import { colour, h, hue, later, latest, number as written } from "explorer/dom";
import { ellipse, nearest, originOf, project } from "explorer/maths";
import { thumbnail } from "explorer/pictures";

const NEAR = 11;  // pixels within which a point is selected
const MOST_TILES = 400, FEWER_TILES = 100, LARGE_IMAGE = 64 * 64 * 3;

export class LatentMap {
  session; number; shown; world;
  moved = null;  // called when the view has changed
  ink = null; tiles = null; shade = {}; middles = {};
  view = { x: 0, y: 0, span: 1 }; framed = ""; width = 0; height = 0; ratio = 1;
  gesture = null; hovered = -1;

  /** A map of world `number` of a session; `shown` contains the choices of the page, which all maps share. */
  constructor(session, number, shown) {
    Object.assign(this, { session, number, shown, world: session.worlds[number] });
    this.below = h("canvas", { class: "below" });
    this.above = h("canvas", { class: "above", tabindex: "0", role: "application",
      "aria-label": `Map of the codes of ${this.world.name}. Arrow keys move the cursor, plus and minus zoom, 0 shows all codes.` });
    this.tip = h("div", { class: "tip", hidden: true });
    const button = (text, label, work) => h("button", { type: "button", text, "aria-label": `${label} of ${this.world.name}`, onclick: work });
    const zoom = h("div", { class: "zoom" }, button("−", "Zoom out", () => this.zoom(0.7)), button("+", "Zoom in", () => this.zoom(1.4)), button("all", "Show all", () => this.showAll()));
    this.element = h("div", { class: "map" }, this.below, this.above, zoom, this.tip);
    this.pointers = new Map();
    this.home();
    this.#listen();
    this.retile = later(latest(() => this.#makeTiles()), 160);
    session.on("code", () => this.drawAbove());
    session.on("view", () => this.draw());
    session.on("layers", () => {
      if (this.embedded && this.framed !== "tsne") this.home();
      this.draw();
    });
    new ResizeObserver(() => this.#resize()).observe(this.element);
  }

  // Coordinates.

  get points() { return this.embedded ? this.world.embedding.points.data : this.world.coordinates; }
  get stride() { return this.embedded ? 2 : this.world.axes; }
  get embedded() { return this.shown.layout === "tsne" && Boolean(this.world.embedding); }

  home() {
    let [left, right, bottom, top] = this.world.bounds;
    if (this.embedded) {
      left = bottom = Infinity; right = top = -Infinity;
      const { points } = this;
      for (let i = 0; i < points.length; i += 2) {
        left = Math.min(left, points[i]); right = Math.max(right, points[i]);
        bottom = Math.min(bottom, points[i + 1]); top = Math.max(top, points[i + 1]);
      }
      const room = 0.06 * Math.max(right - left, top - bottom);
      left -= room; right += room; bottom -= room; top += room;
    }
    this.view = { x: (left + right) / 2, y: (bottom + top) / 2, span: Math.max(right - left, top - bottom) };
    this.framed = this.embedded ? "tsne" : "axes";
  }

  get scale() { return Math.min(this.width, this.height) / this.view.span; }
  toScreen(x, y) { return [this.width / 2 + (x - this.view.x) * this.scale, this.height / 2 - (y - this.view.y) * this.scale]; }
  toPlane(left, top) { return [this.view.x + (left - this.width / 2) / this.scale, this.view.y - (top - this.height / 2) / this.scale]; }

  point(index) {
    const at = index * this.stride;
    return [this.points[at], this.stride > 1 ? this.points[at + 1] : 0];
  }

  /** The position of a code on the map; an embedding is not a function, so there it is the average of the nearest images. */
  placeOf(code) {
    const coordinates = project(this.world, code);
    if (!this.embedded) return [coordinates[0], coordinates[1] ?? 0];
    const close = nearest(this.world.coordinates, this.world.axes, coordinates, 3);
    return averaged(close, (row) => this.point(row), 2);
  }

  /** Moves the cursor to a point of the plane. On an embedding, it gets the average code of the nearest images. */
  go(x, y) {
    if (!this.embedded) return this.session.place(this.number, this.world.axes > 1 ? [x, y] : [x]);
    const { codes } = this.world.embedding, { dims, axes } = this.world;
    const close = nearest(this.points, 2, [x, y], 5);
    const code = averaged(close, (row) => codes.data.subarray(row * dims, (row + 1) * dims), dims);
    if (this.number === this.session.focus) this.session.setCode(Float32Array.from(code));
    else this.session.place(this.number, [...project(this.world, code)].slice(0, axes));
  }

  // Drawing.

  #resize() {
    const box = this.element.getBoundingClientRect();
    if (!box.width) return;
    this.width = box.width; this.height = box.height;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    for (const canvas of [this.below, this.above]) {
      canvas.width = Math.round(box.width * this.ratio);
      canvas.height = Math.round(box.height * this.ratio);
    }
    this.draw();
  }

  #clear(canvas) {
    const context = canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    return context;
  }

  draw() {
    if (!this.width) return;
    const context = this.#clear(this.below);
    const ink = this.ink = { text: colour("ink"), muted: colour("muted"), line: colour("line"), paper: colour("card"), dead: colour("dead"), mark: colour("accent") };
    if (!this.embedded) {
      if (this.shown.tiles) this.#drawTiles(context);
      if (this.shown.dead && !this.shown.tiles && this.world.dead_zones) this.#drawDead(context, ink);
      this.#drawGrid(context, ink);
    }
    this.#drawPoints(context);
    if (!this.embedded) for (const source of this.shown.overlays) this.#drawOverlay(context, source);
    if (this.shown.names) this.#drawNames(context, ink);
    this.drawAbove();
  }

  #drawDead(context, ink) {
    const label = this.world.told(this.session.label) ?? 0;
    const shade = (this.shade[`${label} ${ink.dead}`] ??= shadeOf(this.world.dead_zones.distances, label, ink.dead));
    const [left, right, bottom, top] = this.world.bounds;
    const [x, y] = this.toScreen(left, top), [endX, endY] = this.toScreen(right, bottom);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(shade, x, y, endX - x, endY - y);
  }

  #drawGrid(context, ink) {
    const step = niceStep(this.view.span / 6), [left, top] = this.toPlane(0, 0), [right, bottom] = this.toPlane(this.width, this.height);
    context.lineWidth = 1;
    context.strokeStyle = ink.line;
    context.fillStyle = ink.muted;
    context.font = "11px system-ui, sans-serif";
    const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
    for (let x = Math.ceil(left / step) * step; x <= right; x += step) {
      const [at] = this.toScreen(x, 0);
      line(context, at, 0, at, this.height, Math.abs(x) < step / 2 ? 0.9 : 0.35);
      if (at > 30 && at < this.width - 30) { context.textAlign = "center"; this.#write(context, written(x, digits), at, this.height - 6); }
    }
    for (let y = Math.ceil(bottom / step) * step; y <= top; y += step) {
      const [, at] = this.toScreen(0, y);
      line(context, 0, at, this.width, at, Math.abs(y) < step / 2 ? 0.9 : 0.35);
      if (at > 12 && at < this.height - 22) { context.textAlign = "left"; this.#write(context, written(y, digits), 6, at - 3); }
    }
    this.#titleAxes(context);
    if (this.world.variational && this.world.standard) {  // 1, 2 and 3 standard deviations of N(0, I)
      const [x, y] = this.#origin(), [atX, atY] = this.toScreen(x, y);
      for (const radius of [1, 2, 3]) {
        context.globalAlpha = this.shown.tiles ? 1 : 0.75;
        context.beginPath();
        context.arc(atX, atY, radius * this.scale, 0, 2 * Math.PI);
        this.#onPictures(context);
        context.strokeStyle = this.shown.tiles ? ink.text : ink.muted;
        context.setLineDash([2, 4]);
        context.stroke();
        context.setLineDash([]);
      }
      context.globalAlpha = 1;
    }
  }

  /** Text that is readable on pictures too. */
  #write(context, text, x, y) {
    context.strokeStyle = this.ink.paper;
    context.lineWidth = this.shown.tiles ? 4 : 2;
    context.lineJoin = "round";
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
    context.strokeStyle = this.ink.line;
    context.lineWidth = 1;
  }

  /** A rim in the colour of the paper below the current path, if pictures are behind it. */
  #onPictures(context) {
    if (!this.shown.tiles) return;
    const { lineWidth } = context;
    context.strokeStyle = this.ink.paper;
    context.lineWidth = lineWidth + 2;
    context.stroke();
    context.lineWidth = lineWidth;
  }

  #titleAxes(context) {
    const title = (axis) => `${this.world.axisName(axis)}: ${Math.round(100 * this.world.shares[axis])}% of the variance`;
    context.textAlign = "right";
    this.#write(context, title(0), this.width - 8, this.height - 20);
    if (this.world.axes < 2) return;
    context.save();
    context.translate(this.width > 520 ? 40 : 34, 10);
    context.rotate(-Math.PI / 2);
    this.#write(context, title(1), 0, 0);
    context.restore();
  }

  #origin() {
    const found = originOf(this.world);
    return [found[0], found[1] ?? 0];
  }

  #drawPoints(context) {
    const room = (Math.min(this.width, this.height) / 660) * (this.shown.tiles ? 0.75 : 1);
    const radius = Math.min(5.5, Math.max(1.8, (128 / Math.sqrt(this.world.count)) * room));
    const { classes, label_names: names } = this.world;
    context.globalAlpha = this.shown.tiles ? 0.9 : 0.8;
    context.lineWidth = 0.8;
    context.strokeStyle = this.ink.paper;
    for (let i = 0; i < this.world.count; i++) {
      const [x, y] = this.toScreen(...this.point(i));
      if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) continue;
      const faded = classes && this.shown.only !== null && this.shown.only !== classes[i];
      if (faded) context.globalAlpha = 0.07;
      context.fillStyle = classes && this.shown.colours ? hue(classes[i], names.length) : this.ink.muted;
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
      if (!faded && radius > 2.4) context.stroke();
      context.globalAlpha = this.shown.tiles ? 0.9 : 0.8;
    }
    context.globalAlpha = 1;
  }

  #drawOverlay(context, source) {
    const overlay = this.world.overlays?.[source]?.places;
    if (!overlay) return;
    context.lineWidth = 1.4;
    context.globalAlpha = 0.8;
    context.beginPath();
    const arm = this.width > 520 ? 3 : 2;
    for (let i = 0; i < overlay.data.length; i += 2) {
      const [x, y] = this.toScreen(overlay.data[i], overlay.data[i + 1]);
      if (source === "prior") { context.moveTo(x - arm, y - arm); context.lineTo(x + arm, y + arm); context.moveTo(x + arm, y - arm); context.lineTo(x - arm, y + arm); }
      else { context.moveTo(x - arm - 1, y); context.lineTo(x + arm + 1, y); context.moveTo(x, y - arm - 1); context.lineTo(x, y + arm + 1); }
    }
    this.#onPictures(context);
    context.strokeStyle = source === "prior" ? this.ink.text : this.ink.mark;
    context.stroke();
    context.globalAlpha = 1;
  }

  /** The labels' names, each at the image that is closest to the mean of its class. */
  #drawNames(context, ink) {
    const { classes, label_names: names } = this.world;
    if (!classes || names.length > 20) return;
    const middles = (this.middles[this.embedded] ??= names.map((_, label) => middle(this, classes, label)));
    context.font = "600 14px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    middles.forEach((place, label) => {
      if (!place || (this.shown.only !== null && this.shown.only !== label)) return;
      const [x, y] = this.toScreen(...place), name = names[label].slice(0, 14);
      context.strokeStyle = ink.paper;
      context.lineWidth = 5;
      context.strokeText(name, x, y);
      context.fillStyle = ink.text;
      context.fillText(name, x, y);
    });
    context.textBaseline = "alphabetic";
  }

  // Decoded images as the background of the map.

  #drawTiles(context) {
    const tiles = this.tiles;
    if (!tiles) return this.retile();
    context.imageSmoothingEnabled = this.world.image_shape[0] > 32;
    const side = tiles.step * this.scale;
    tiles.places.forEach(([x, y], i) => {
      const [left, top] = this.toScreen(x - tiles.step / 2, y + tiles.step / 2);
      context.drawImage(tiles.pictures[i], left, top, side + 0.5, side + 0.5);
    });
    if (tiles.key !== this.#tileKey()) this.retile();
  }

  #tileKey() { return `${this.view.x} ${this.view.y} ${this.view.span} ${this.width} ${this.height} ${this.world.told(this.session.label)}`; }

  async #makeTiles() {
    if (!this.shown.tiles || this.embedded || !this.width) return;
    const key = this.#tileKey(), label = this.world.told(this.session.label), [left, top] = this.toPlane(0, 0), [right, bottom] = this.toPlane(this.width, this.height);
    const most = this.world.size > LARGE_IMAGE ? FEWER_TILES : MOST_TILES;
    const step = Math.max(Math.sqrt(((right - left) * (top - bottom)) / most), 1e-9), places = [];
    for (let y = (Math.floor(bottom / step) + 0.5) * step; y - step / 2 < top; y += step)
      for (let x = (Math.floor(left / step) + 0.5) * step; x - step / 2 < right; x += step) places.push([x, y]);
    const { dims, axes, center, directions } = this.world, pictures = [];
    for (let from = 0; from < places.length; from += 128) {
      const part = places.slice(from, from + 128), codes = new Float32Array(part.length * dims);
      part.forEach(([x, y], row) => {
        for (let i = 0; i < dims; i++)
          codes[row * dims + i] = center[i] + x * directions[i] + (axes > 1 ? y * directions[dims + i] : 0);
      });
      const images = await this.world.engine.decode(codes, part.length, label);
      part.forEach((_, row) => pictures.push(thumbnail(images, row, this.world.image_shape)));
    }
    this.tiles = { key, step, places, pictures };
    this.draw();
  }

  /** Draws everything that moves with the cursor: ellipses, path, samples and the cursor itself. */
  drawAbove() {
    if (!this.width || !this.ink) return;
    const context = this.#clear(this.above), { code, encoded } = this.session.current[this.number], { ink } = this;
    const [x, y] = this.toScreen(...this.placeOf(code));
    if (this.shown.path && this.number === this.session.focus) this.#drawPath(context, this.shown.path);
    for (const [source, codes] of Object.entries(this.number === this.session.focus ? this.shown.sampled ?? {} : {})) {
      context.fillStyle = source === "prior" ? ink.text : ink.mark;
      for (const one of codes) disc(context, ...this.toScreen(...this.placeOf(one)), 4, ink.paper);
    }
    if (encoded && this.world.variational && !this.embedded) {
      const shape = ellipse(this.world, encoded.log_var);
      for (const deviations of [1, 2]) {
        context.beginPath();
        context.ellipse(x, y, Math.max(deviations * shape.long * this.scale, 1), Math.max(deviations * shape.short * this.scale, 1), -shape.angle, 0, 2 * Math.PI);
        context.fillStyle = ink.mark;
        context.globalAlpha = 0.16;
        context.fill();
        context.globalAlpha = 0.9;
        context.strokeStyle = ink.mark;
        context.lineWidth = 1.5;
        if (deviations === 1) context.stroke();
      }
      context.globalAlpha = 1;
    }
    context.lineWidth = 2;
    for (const [color, width] of [[ink.paper, 6], [ink.mark, 2.5]]) {
      context.strokeStyle = color;
      context.lineWidth = width;
      context.beginPath();
      context.arc(x, y, 9, 0, 2 * Math.PI);
      for (const [ax, ay] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { context.moveTo(x + 9 * ax, y + 9 * ay); context.lineTo(x + 17 * ax, y + 17 * ay); }
      context.stroke();
    }
  }

  #drawPath(context, codes) {
    context.strokeStyle = this.ink.text;
    context.lineWidth = 2;
    context.beginPath();
    codes.forEach((code, i) => context[i ? "lineTo" : "moveTo"](...this.toScreen(...this.placeOf(code))));
    context.stroke();
    context.fillStyle = this.ink.text;
    for (const code of [codes[0], codes[codes.length - 1]]) disc(context, ...this.toScreen(...this.placeOf(code)), 5, this.ink.paper);
  }

  // Mouse, touch and keyboard.

  zoom(factor, left = this.width / 2, top = this.height / 2) {
    const [x, y] = this.toPlane(left, top), span = Math.min(Math.max(this.view.span / factor, 1e-4), 1e5);
    const change = span / this.view.span;
    this.view = { x: x + (this.view.x - x) * change, y: y + (this.view.y - y) * change, span };
    this.#viewed();
  }

  showAll() { this.home(); this.#viewed(); }
  #viewed() { this.draw(); this.moved?.(); }

  #near(left, top) {
    let best = -1, least = NEAR ** 2;
    for (let i = 0; i < this.world.count; i++) {
      const [x, y] = this.toScreen(...this.point(i)), distance = (x - left) ** 2 + (y - top) ** 2;
      if (distance < least) { least = distance; best = i; }
    }
    return best;
  }

  #listen() {
    const { above } = this;
    /** @type {(event: MouseEvent, box?: DOMRect) => [number, number]} */
    const at = (event, box = above.getBoundingClientRect()) => [event.clientX - box.left, event.clientY - box.top];
    let held;  // the map's place when a drag began: measuring it at each move would need two page layouts per frame
    above.addEventListener("pointerdown", (event) => {
      above.setPointerCapture(event.pointerId);
      held = above.getBoundingClientRect();
      const place = at(event, held);
      this.pointers.set(event.pointerId, place);
      this.tip.hidden = true;
      const pans = this.pointers.size > 1 || event.button === 1 || event.button === 2 || event.shiftKey;
      this.gesture = { start: place, dragged: false, pans, hit: this.#near(...place) };
      if (!pans && this.gesture.hit < 0) this.go(...this.toPlane(...place));
    });
    above.addEventListener("pointermove", (event) => {
      const before = this.pointers.get(event.pointerId);
      if (!before) return this.#hover(at(event));
      const place = at(event, held);
      const { gesture } = this;
      gesture.dragged ||= Math.hypot(place[0] - gesture.start[0], place[1] - gesture.start[1]) > 4;
      if (this.pointers.size === 2) this.#pinch(event.pointerId, place);
      else if (gesture.pans) this.#pan(place[0] - before[0], place[1] - before[1]);
      else if (gesture.dragged) this.go(...this.toPlane(...place));
      this.pointers.set(event.pointerId, place);
    });
    const up = (event) => {
      this.pointers.delete(event.pointerId);
      const { gesture } = this;
      if (gesture && !gesture.dragged && !gesture.pans && gesture.hit >= 0 && event.type === "pointerup") this.session.pick(gesture.hit, this.number);
      if (gesture && this.pointers.size) gesture.pans = true;  // one of two fingers was lifted
    };
    above.addEventListener("pointerup", up);
    above.addEventListener("pointercancel", up);
    above.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    above.addEventListener("contextmenu", (event) => event.preventDefault());
    above.addEventListener("dblclick", (event) => this.zoom(1.8, ...at(event)));
    above.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0018)), ...at(event));
    }, { passive: false });
    above.addEventListener("keydown", (event) => this.#key(event));
  }

  #pan(dx, dy) {
    this.view = { ...this.view, x: this.view.x - dx / this.scale, y: this.view.y + dy / this.scale };
    this.#viewed();
  }

  #pinch(id, place) {
    const [other] = [...this.pointers].filter(([key]) => key !== id).map(([, value]) => value);
    const before = this.pointers.get(id);
    const middle = (a) => [(a[0] + other[0]) / 2, (a[1] + other[1]) / 2], apart = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]);
    const [was, is] = [middle(before), middle(place)];
    this.#pan(is[0] - was[0], is[1] - was[1]);
    this.zoom(Math.max(apart(place), 1) / Math.max(apart(before), 1), ...is);
  }

  #hover([left, top]) {
    const index = this.#near(left, top);
    this.above.style.cursor = index < 0 ? "crosshair" : "pointer";
    this.tip.hidden = index < 0;
    if (index < 0 || index === this.hovered && this.tip.childElementCount) return this.#putTip(left, top);
    this.hovered = index;
    const label = this.world.labelOf(index);
    this.tip.replaceChildren(thumbnail(this.world.pictures, index, this.world.image_shape), h("span", { text: label ? `${label} · image ${index}` : `image ${index}` }));
    this.#putTip(left, top);
  }

  #putTip(left, top) {
    const flipX = left > this.width - 130, flipY = top > this.height - 150;
    this.tip.style.transform = `translate(${left + (flipX ? -14 : 14)}px, ${top + (flipY ? -14 : 14)}px) translate(${flipX ? -100 : 0}%, ${flipY ? -100 : 0}%)`;
  }

  #key(event) {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const step = this.view.span / (event.shiftKey ? 20 : 100);
    if (event.key in arrows) {
      const [dx, dy] = arrows[event.key], [x, y] = this.placeOf(this.session.current[this.number].code);
      this.go(x + dx * step, y + dy * step);
    } else if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    else if (event.key === "0") this.showAll();
    else return;
    event.preventDefault();
  }
}

function averaged(close, valueOf, size) {
  const weights = close.map(({ distance }) => 1 / (distance + 1e-9)), total = weights.reduce((a, b) => a + b);
  const sum = new Float64Array(size);
  close.forEach(({ row }, i) => valueOf(row).forEach((value, k) => { sum[k] += (value * weights[i]) / total; }));
  return sum;
}

function middle(map, classes, label) {
  let x = 0, y = 0, count = 0;
  /** @type {[number, number][]} */
  const own = [];
  for (let i = 0; i < classes.length; i++) if (classes[i] === label) { const [px, py] = map.point(i); own.push([px, py]); x += px; y += py; count++; }
  if (!count) return null;
  const distance = ([px, py]) => (px - x / count) ** 2 + (py - y / count) ** 2;
  return own.reduce((best, place) => (distance(place) < distance(best) ? place : best));
}

/** The dead zones of a label as a picture, top row first: clear up to 0.95 times the threshold, opaque from 1.3 times on. */
function shadeOf({ shape: [, rows, columns], data }, label, color) {
  const canvas = h("canvas", { width: columns, height: rows }), context = canvas.getContext("2d");
  context.fillStyle = color;
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) {
    const beyond = Math.min(1, Math.max(0, (data[(label * rows + row) * columns + column] - 0.95) / 0.35));
    context.globalAlpha = beyond;
    context.fillRect(column, rows - 1 - row, 1, 1);
  }
  return canvas;
}

function niceStep(size) {
  const power = 10 ** Math.floor(Math.log10(size)), ratio = size / power;
  return power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
}

function line(context, x, y, endX, endY, alpha) {
  context.globalAlpha = alpha;
  context.beginPath();
  context.moveTo(Math.round(x) + 0.5, Math.round(y) + 0.5);
  context.lineTo(Math.round(endX) + 0.5, Math.round(endY) + 0.5);
  context.stroke();
  context.globalAlpha = 1;
}

function disc(context, x, y, radius, edge) {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
  context.strokeStyle = edge;
  context.lineWidth = 1.5;
  context.stroke();
}
