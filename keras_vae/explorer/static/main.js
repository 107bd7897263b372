// Builds the page: worlds, session, maps and panels.

import { complete, missingLine } from "explorer/background";
import { choice, h, later, say, toggle } from "explorer/dom";
import { askJson } from "explorer/engines";
import { unpacked } from "explorer/packing";
import { prepared, Session } from "explorer/session";
import { restore, runsOf, written } from "explorer/links";
import { labelsLegend, marksLegend, nameOf } from "explorer/legend";
import { LatentMap } from "explorer/map";
import { currentCard } from "explorer/current";
import { slidersPanel } from "explorer/sliders";
import { stagePanel } from "explorer/stage";
import { drawingPanel } from "explorer/drawing";
import { pathsPanel } from "explorer/paths";
import { samplesPanel } from "explorer/samples";
import { layersPanel } from "explorer/layers";
import { replayPanel } from "explorer/replay";
import { themeButton } from "explorer/theme";
import { tour } from "explorer/tour";

/** @type {[string, string, (session: Session, shown: any) => HTMLElement][]} */
const PANELS = [
  ["sliders", "Sliders", slidersPanel], ["stage", "One pass", stagePanel], ["draw", "Draw", drawingPanel], ["paths", "Paths", pathsPanel],
  ["samples", "Samples", samplesPanel], ["layers", "Network", layersPanel], ["replay", "Training", replayPanel],
];

const held = unpacked(JSON.parse(document.getElementById("worlds").textContent));
const app = document.getElementById("app");

/** The runs' names, and a function that returns the facts of one. */
async function source() {
  if (held) return { names: held.map((facts) => facts.name), facts: async (number) => held[number] };
  return { names: await askJson("explorer/api/runs"), facts: async (number) => ({ ...(await askJson(`explorer/api/${number}/world`)), number }) };
}

async function start() {
  const { names, facts } = await source();
  const loaded = new Map();
  const load = async (number) => { if (!loaded.has(number)) loaded.set(number, prepared(await facts(number))); return loaded.get(number); };
  async function open() {
    const asked = location.hash ? runsOf(location.hash.slice(1), names.length) : { run: 0, beside: names.length > 1 ? 1 : null, focus: 0 };
    const numbers = [asked.run, ...(asked.beside === null ? [] : [asked.beside])];
    app.setAttribute("aria-busy", "true");
    page.hash = location.hash;
    await build(names, asked, await Promise.all(numbers.map(load)));
    app.setAttribute("aria-busy", "false");
  }
  window.addEventListener("hashchange", () => { if (location.hash !== page.hash) guarded(open); });
  page.reopen = (hash) => { location.hash = hash; };
  await open();
}

const page = { hash: null };  // the last address that the page has read or written
async function guarded(work) {
  try { await work(); } catch (problem) {
    const loading = app.querySelector(".loading");  // if there is no page yet, the message stays
    if (loading) loading.textContent = problem.message;
    else say(problem.message);
    app.setAttribute("aria-busy", "false");
  }
}

async function build(names, asked, worlds) {
  const session = new Session(worlds, asked.focus), { world } = session;
  const shown = {
    ...asked, tabs: PANELS.map(([key]) => key), ...opening(world), dead: true, tiles: false, names: true, colours: true, only: null,
    layout: "axes", path: null, pathKind: "linear", fraction: 0.5, ends: null, seed: 0, temperature: 1, source: world.recommended, sampled: null, layer: null, epoch: null,
  };
  const maps = worlds.map((_, number) => new LatentMap(session, number, shown));
  const panels = PANELS.map(([key, title, make]) => [key, title, h("div", { role: "tabpanel", id: `panel-${key}`, "aria-labelledby": `tab-${key}`, class: "panel" }, make(session, shown))]);
  const tabs = panels.map(([key, title]) => h("button", { type: "button", role: "tab", id: `tab-${key}`, "aria-controls": `panel-${key}`, text: title, onclick: () => { shown.tab = key; changed(); if (matchMedia("(max-width: 56rem)").matches) document.getElementById(`panel-${key}`).scrollIntoView({ block: "nearest" }); } }));
  const tabList = h("div", { role: "tablist", "aria-label": "Tools", class: "tabs", onkeydown: (event) => {
    const now = shown.tabs.indexOf(shown.tab), last = tabs.length - 1;
    const at = { ArrowRight: now < last ? now + 1 : 0, ArrowLeft: now ? now - 1 : last, Home: 0, End: last }[event.key];
    if (at === undefined) return;
    event.preventDefault();
    shown.tab = shown.tabs[at];
    changed();
    tabs[at].focus();
  } }, ...tabs);
  const toolbar = h("div", { class: "toolbar", role: "toolbar", "aria-label": "Display of the map" });

  function changed() {
    panels.forEach(([key, , panel], index) => {
      panel.hidden = key !== shown.tab;
      tabs[index].setAttribute("aria-selected", String(key === shown.tab));
      tabs[index].tabIndex = key === shown.tab ? 0 : -1;
    });
    fillToolbar(toolbar, shown, worlds, maps, changed);
    session.tell("view");
    remember();
  }
  let restored = false;  // until then the address is not overwritten with half of its own state
  const remember = later(() => {
    if (!restored || !app.contains(tabList) || location.hash !== page.hash) return;  // another state is requested or shown
    history.replaceState(null, "", `#${written(session, shown, maps[session.focus])}`);
    page.hash = location.hash;
  }, 200);
  session.on("code choice", remember);
  maps.forEach((map) => { map.moved = remember; });

  fillToolbar(toolbar, shown, worlds, maps, changed);
  const guide = tour(), current = currentCard(session, shown);
  app.replaceChildren(
    header(names, asked, worlds, guide),
    guide.box,
    h("main", { class: worlds.length > 1 ? "two" : "" },
      h("section", { class: "maps-area", "aria-label": "Map of the codes" },
        toolbar,
        h("div", { class: "maps-row" }, ...maps.map((map) => h("figure", { class: "card map-card" },
          worlds.length > 1 ? h("figcaption", { class: "map-title" }, h("strong", { text: map.world.name }), shareLine(session, map.world)) : null, map.element))),
        worlds.length > 1 ? current : null, missingLine(session), marksLegend(session, shown), labelsLegend(session, shown, changed)),
      h("div", { class: "side" }, worlds.length > 1 ? null : current,
        h("section", { class: "card tools-card" }, focusControl(session, asked), tabList, ...panels.map(([, , panel]) => panel)))),
    h("footer", { class: "muted small" }, "Drag on the map to decode. Scroll or pinch to zoom, drag with shift to move the map, click a point to select its image. Keys on the focused map: arrows, +, − and 0."));
  page.redraw = () => session.tell("view");
  page.arrived = () => session.tell("layers");
  const restoring = restore(location.hash.slice(1), session, shown, maps[session.focus]);
  session.tell("restored");
  changed();
  await restoring;
  restored = true;
  remember();
  guide.begin();
  complete(worlds, () => page.arrived());
}

/** What is shown first: where the verdict is a prior hole, the hole. */
function opening(world) {
  if (world.verdict?.name !== "prior_hole" || !world.recommended) return { tab: "sliders", overlays: new Set() };
  return { tab: "samples", overlays: new Set(["prior", world.recommended]) };
}

/** Which of two runs the tools work on. */
function focusControl(session, asked) {
  if (session.worlds.length < 2) return null;
  const buttons = session.worlds.map((world, number) => toggle(world.name, number === session.focus, () => {
    const query = new URLSearchParams(location.hash.slice(1));
    for (const part of ["at", "image", "locks", "A", "B", "layer", "view", "source"]) query.delete(part);
    query.set("focus", number);
    query.set("run", asked.run);
    query.set("beside", asked.beside);
    page.reopen(query.toString());
  }));
  return h("div", { class: "focus", role: "group", "aria-label": "Run that the tools work on" }, h("span", { class: "small muted", text: "tools for" }), ...buttons);
}

function shareLine(session, world) {
  const line = h("span", { class: "muted" }), update = () => { line.textContent = deadShare(world); };
  session.on("layers", update);
  update();
  return line;
}

/** The dead zone of the prior's samples: the report's number if there is one, else the page's own. */
function deadShare(world) {
  if (world.verdict?.blind) return BLIND;
  const share = world.dead_share ?? world.dead_zones?.share;
  if (share === undefined || share === null) return "";
  return `${Math.round(100 * Math.max(share, 0))}% of the samples from ${world.variational ? "the prior" : "N(0, I)"} fall into dead zones${world.conditional ? ", over all classes" : ""}`;
}
const BLIND = "The features behind the dead zones cannot tell fog from real images here: judge by the images";

function header(names, asked, worlds, guide) {
  const world = worlds[asked.focus], theme = themeButton(() => page.redraw?.());
  const pick = (key) => (value) => {
    const query = new URLSearchParams({ run: asked.run, ...(asked.beside === null ? {} : { beside: asked.beside }), [key]: value });
    if (value === "none") query.delete("beside");
    page.reopen(query.toString());
  };
  const runs = names.map((name, index) => [String(index), name]);
  const chooser = names.length > 1 && h("div", { class: "chooser" },
    h("label", { class: "inline" }, "run ", choice("Run", runs, String(asked.run), pick("run"))),
    h("label", { class: "inline" }, "beside ", choice("Run beside it", [["none", "nothing"], ...runs.filter(([key]) => Number(key) !== asked.run)], asked.beside === null ? "none" : String(asked.beside), pick("beside"))));
  return h("header", {},
    h("div", { class: "title" }, h("h1", { text: names.length > 1 ? "Latent explorer" : world.name }),
      h("p", { class: "muted", text: `${world.dataset}, latent ${world.latent}, ${world.objective.replaceAll("_", " ")}` }), chooser, guide.start, theme),
    ...worlds.map((one) => verdict(one, worlds.length > 1)));
}

function verdict(world, named) {
  const lead = named ? h("strong", { text: `${world.name} ` }) : null;
  if (!world.verdict) return h("p", { class: "verdict tone-none" }, lead, h("span", { class: "muted", text: `Not measured yet: ${world.evaluate} writes a report with a verdict.` }));
  const { title, tone, cause, remedy, confidence } = world.verdict;
  return h("div", { class: `verdict tone-${["good", "fair", "bad"].includes(tone) ? tone : "none"}` },
    h("p", {}, lead, h("b", { text: title }), confidence ? h("span", { class: "muted", text: ` (confidence: ${confidence})` }) : null, " ",
      world.report ? h("a", { href: world.report, target: "_blank", rel: "noopener", text: "the report" }) : null),
    cause || remedy ? h("details", { class: "muted small" }, h("summary", { text: "why, and what to do" }), [cause, remedy].filter(Boolean).join(" ")) : null);
}

/** The buttons of the map's layers; those that the current display cannot show are disabled. */
function fillToolbar(bar, shown, worlds, maps, changed) {
  const at = [...bar.querySelectorAll("button, select")].indexOf(document.activeElement), [world] = worlds;
  const flat = shown.layout === "tsne" ? "not on t-SNE, whose places have no codes" : null;
  const flip = (name) => (on) => {
    shown[name] = on;
    if (on && name === "tiles") shown.dead = false;  // one background at a time
    if (on && name === "dead") shown.tiles = false;
    changed();
  };
  const overlay = (name) => (on) => { shown.overlays[on ? "add" : "delete"](name); changed(); };
  const button = (text, on, change, title, off = null) => {
    const made = toggle(text, on && !off, change, off ? `${title}; ${off}` : title);
    made.disabled = Boolean(off);
    return made;
  };
  const samplers = [...new Set(worlds.flatMap((one) => one.samplers))];
  bar.replaceChildren(...[
    h("div", { class: "group" },
      button("dead zones", shown.dead, flip("dead"), "Shades the parts of the map whose decoded images are farther from every held-out image than 95% of the reconstructions", flat),
      button("pictures", shown.tiles, flip("tiles"), "Shows decoded images all over the map", flat),
      world.classes && toggle("labels", shown.names, flip("names")),
      world.classes && toggle("colours", shown.colours, flip("colours"))),
    h("div", { class: "group" }, ...samplers.map((name) =>
      button(`${name === "prior" ? "×" : "+"} ${name.replaceAll("_", " ")}`, shown.overlays.has(name), overlay(name), `400 samples of ${nameOf(world, name)}`, flat))),
    worlds.some((one) => one.has_embedding) && choice("Layout of the map", [["axes", "axes"], ["tsne", "t-SNE"]], shown.layout, (name) => { shown.layout = name; maps.forEach((map) => map.home()); changed(); }),
  ].filter(Boolean));
  if (at >= 0) bar.querySelectorAll("button, select")[at]?.focus();
}

guarded(start);
