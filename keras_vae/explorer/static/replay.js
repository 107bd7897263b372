// The training, epoch by epoch: how the codes of some held-out images and some samples changed, and the losses.

import { colour, h, hue, later, latest, number } from "explorer/dom";
import { paint } from "explorer/pictures";
import { originOf } from "explorer/maths";

const STEP = 450;  // milliseconds from one kept epoch to the next, during which the codes move in straight lines
const SIDE = 300, CHART = [300, 70];  // of the canvases, in their own units
const TERMS = ["loss", "distortion", "rate"];

export function replayPanel(session, shown) {
  const { world } = session, panel = h("div", { class: "replay" }, h("p", { class: "muted", text: "The replay is being loaded." }));
  let player = null;
  const open = latest(async () => {
    if (shown.tab !== "replay") return player?.stop();
    if (player) return player.show();
    const replay = await world.engine.replay();
    if (!replay || replay.why) return panel.replaceChildren(h("p", { class: "muted", text: replay?.why ?? "This page contains no replay." }));
    player = new Player(session, shown, replay);
    panel.replaceChildren(player.element);
    player.show();
  });
  session.on("view", open);
  return panel;
}

class Player {
  session; shown; replay; epochs; count; last; at = 0; playing = null;

  constructor(session, shown, replay) {
    Object.assign(this, { session, shown, replay, epochs: replay.epochs.data, count: replay.places.shape[1], last: replay.epochs.data.length - 1 });
    const { shape } = replay.samples, each = shape[0] / this.epochs.length;
    this.at = this.#frameOf(shown.epoch);
    this.plane = h("canvas", { class: "plane", role: "img" });
    this.chart = h("canvas", { class: "curve", role: "img" });
    this.boards = Array.from({ length: each }, () => h("canvas", { class: "thumb", "aria-hidden": "true" }));
    this.slider = h("input", { type: "range", min: 0, max: this.last, step: 1, "aria-label": "Epoch", oninput: () => { this.stop(); this.go(Number(this.slider.value)); } });
    this.epoch = h("output", { class: "value" });
    this.play = h("button", { type: "button", text: "Play", onclick: () => (this.playing ? this.stop() : this.#start()) });
    this.losses = h("dl", { class: "numbers losses" });
    this.element = h("div", {},
      h("div", { class: "tools" }, this.play, this.slider, this.epoch),
      h("div", { class: "replayed" }, this.plane, h("div", {}, this.losses, this.chart, h("p", { class: "muted small" }, ...this.#legend()),
        h("div", { class: "board", role: "img", "aria-label": "Samples at this epoch" }, ...this.boards),
        h("p", { class: "muted small", text: `samples of ${this.session.world.standard ? "N(0, I)" : "the prior"}, with the same noise at each epoch` }))),
      h("p", { class: "muted small", text: this.#about() }));
    this.remember = later(() => this.session.tell("choice"), 200);
  }

  /** The kept epoch that is nearest to a number; the last one for null. */
  #frameOf(epoch) {
    if (epoch === null) return this.last;
    return this.epochs.reduce((best, one, i) => (Math.abs(one - epoch) < Math.abs(this.epochs[best] - epoch) ? i : best), 0);
  }

  #about() {
    const { replay: { is_exact: exact }, session: { world } } = this;
    const where = exact ? "in the plane of the map" : `in the plane of the map, as far as ${this.replay.kept} kept projections of each code tell`;
    return `The codes of ${this.count} held-out images, ${where}${world.variational && world.standard ? ", with 1, 2 and 3 standard deviations of N(0, I)" : ""}. The training kept ${this.last + 1} of its epochs; between two of them Play moves the codes in straight lines.`;
  }

  #legend() {
    const line = (name, text) => [h("i", { class: `stroke ${name}`, "aria-hidden": "true" }), ` ${text} `];
    return [...line("trained", "loss of training images"), ...("val_loss" in this.replay.curves ? line("held", "of held-out images") : [])];
  }

  go(at) {
    this.at = Math.min(this.last, Math.max(0, at));
    this.shown.epoch = this.epochs[Math.round(this.at)];
    this.show();
    this.remember();
  }

  #start() {
    if (this.at >= this.last) this.go(0);
    let before = performance.now();
    this.play.textContent = "Pause";
    const step = (now) => {
      this.go(this.at + (now - before) / STEP);
      before = now;
      if (this.at >= this.last) return this.stop();
      this.playing = requestAnimationFrame(step);
    };
    this.playing = requestAnimationFrame(step);
  }

  stop() {
    if (this.playing) cancelAnimationFrame(this.playing);
    this.playing = null;
    this.play.textContent = "Play";
  }

  show() {
    const frame = Math.round(this.at), epoch = this.epochs[frame], { samples } = this.replay;
    this.slider.value = frame;
    const said = epoch ? `epoch ${epoch}` : "before training";
    this.epoch.textContent = said;
    this.slider.setAttribute("aria-valuetext", said);
    this.boards.forEach((canvas, i) => paint(canvas, samples.data, samples.shape.slice(1), (frame * this.boards.length + i) * canvasSize(samples.shape)));
    this.#tellLosses(epoch);
    this.#drawPlane(said);
    this.#drawChart(epoch);
  }

  /** The losses of an epoch, those of the training images beside those of the held-out images. */
  #tellLosses(epoch) {
    const { curves } = this.replay, row = curves.epoch.indexOf(epoch);
    const of = (name) => (row < 0 ? null : curves[name]?.[row] ?? null);
    this.losses.replaceChildren(...TERMS.filter((name) => name in curves).flatMap((name) => {
      const held = `val_${name}` in curves ? h("span", { class: "muted" }, " held out ", h("b", { text: number(of(`val_${name}`)) })) : null;
      return [h("dt", { text: name }), h("dd", { "data-loss": name }, h("b", { text: number(of(name)) }), held)];
    }));
  }

  #drawPlane(said) {
    const { replay: { places, bounds: [left, right, bottom, top], labels }, shown } = this, { world } = this.session;
    const context = scaled(this.plane, SIDE, SIDE), scale = SIDE / (right - left), classes = labels?.data;
    const screen = (x, y) => [(x - left) * scale, (top - y) * scale];
    if (world.variational && world.standard) {
      const centre = originOf(world), [x, y] = screen(centre[0], centre[1] ?? 0);
      context.strokeStyle = colour("muted");
      context.setLineDash([2, 4]);
      for (const radius of [1, 2, 3]) { context.beginPath(); context.arc(x, y, radius * scale, 0, 2 * Math.PI); context.stroke(); }
      context.setLineDash([]);
    }
    const low = Math.floor(this.at), high = Math.min(low + 1, this.last), mix = this.at - low, grey = colour("muted");
    for (let i = 0; i < this.count; i++) {
      const [from, to] = [(low * this.count + i) * 2, (high * this.count + i) * 2];
      const [x, y] = [0, 1].map((k) => (1 - mix) * places.data[from + k] + mix * places.data[to + k]);
      context.globalAlpha = classes && shown.only !== null && shown.only !== classes[i] ? 0.07 : 0.85;
      context.fillStyle = classes && shown.colours ? hue(classes[i], world.label_names.length) : grey;
      context.beginPath();
      context.arc(...screen(x, y), 3, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
    this.plane.setAttribute("aria-label", `Codes of ${this.count} held-out images, ${said}`);
  }

  /** The losses of all epochs, with a line at the current one. */
  #drawChart(now) {
    const [width, height] = CHART, context = scaled(this.chart, width, height), { curves } = this.replay;
    const lines = [["val_loss", "accent"], ["loss", "blue"]].filter(([name]) => name in curves), values = lines.flatMap(([name]) => curves[name]).filter(Number.isFinite);
    this.chart.hidden = values.length < 2;
    if (this.chart.hidden) return;
    const sorted = [...values].sort((a, b) => a - b), low = sorted[0], high = Math.max(sorted[Math.floor(0.95 * (sorted.length - 1))], low + 1e-9), end = Math.max(...curves.epoch, 1);
    const place = (epoch, value) => [4 + ((width - 8) * epoch) / end, 4 + ((height - 8) * (high - Math.min(value, high))) / (high - low)];
    context.lineWidth = 1.5;
    for (const [name, ink] of lines) {
      context.strokeStyle = colour(ink);
      context.beginPath();
      curves.epoch.forEach((epoch, i) => { if (Number.isFinite(curves[name][i])) context.lineTo(...place(epoch, curves[name][i])); });
      context.stroke();
    }
    const [x] = place(now, high);
    context.strokeStyle = colour("muted");
    context.strokeRect(x, 0, 0, height);
    this.chart.setAttribute("aria-label", `Loss by epoch, from ${number(high)} down to ${number(low)}; the line is at epoch ${now}`);
  }
}

const canvasSize = ([, height, width, channels]) => height * width * channels;

/** The context of an emptied canvas, in the canvas' own units. */
function scaled(canvas, width, height) {
  const ratio = 2;  // sharp on dense screens, and where the style sheet enlarges the canvas
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}
