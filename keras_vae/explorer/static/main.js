// Builds the page: worlds, session, maps and panels.

import { choice, h, hue, later, say, toggle } from "explorer/dom";
import { askJson } from "explorer/engines";
import { unpacked } from "explorer/packing";
import { prepared, Session } from "explorer/session";
import { restore, runsOf, written } from "explorer/links";
import { LatentMap } from "explorer/map";
import { currentCard } from "explorer/current";
import { slidersPanel } from "explorer/sliders";
import { drawingPanel } from "explorer/drawing";
import { pathsPanel } from "explorer/paths";
import { samplesPanel } from "explorer/samples";
import { layersPanel } from "explorer/layers";

const PANELS = [
  ["sliders", "Sliders", slidersPanel], ["draw", "Draw", drawingPanel], ["paths", "Paths", pathsPanel],
  ["samples", "Samples", samplesPanel], ["layers", "Network", layersPanel],
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
    const asked = location.hash ? runsOf(location.hash.slice(1), names.length) : { run: 0, beside: names.length > 1 ? 1 : null };
    const numbers = [asked.run, ...(asked.beside === null ? [] : [asked.beside])];
    app.setAttribute("aria-busy", "true");
    page.hash = location.hash;
    await build(names, asked, await Promise.all(numbers.map(load)));
    app.setAttribute("aria-busy", "false");
  }
  window.addEventListener("hashchange", () => { if (location.hash !== page.hash) guarded(open); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.redraw?.());
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
  const session = new Session(worlds), [world] = worlds;
  const shown = {
    ...asked, tab: "sliders", tabs: PANELS.map(([key]) => key), overlays: new Set(), dead: true, tiles: false, names: true, colours: true, only: null,
    layout: "axes", path: null, pathKind: "linear", fraction: 0.5, ends: null, seed: 0, temperature: 1, source: null, sampled: null, layer: null,
  };
  const maps = worlds.map((_, number) => new LatentMap(session, number, shown));
  const panels = PANELS.map(([key, title, make]) => [key, title, h("div", { role: "tabpanel", id: `panel-${key}`, "aria-labelledby": `tab-${key}`, class: "panel" }, make(session, shown))]);
  const tabs = panels.map(([key, title]) => h("button", { type: "button", role: "tab", id: `tab-${key}`, "aria-controls": `panel-${key}`, text: title, onclick: () => { shown.tab = key; changed(); } }));
  const tabList = h("div", { role: "tablist", "aria-label": "Tools", class: "tabs", onkeydown: (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = (shown.tabs.indexOf(shown.tab) + step + tabs.length) % tabs.length;
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
    session.tell("view");
    remember();
  }
  let restored = false;  // until then the address is not overwritten with half of its own state
  const remember = later(() => {
    if (!restored || !app.contains(tabList) || location.hash !== page.hash) return;  // another state is requested or shown
    history.replaceState(null, "", `#${written(session, shown, maps[0])}`);
    page.hash = location.hash;
  }, 200);
  session.on("code choice", remember);
  maps.forEach((map) => { map.moved = remember; });

  fillToolbar(toolbar, shown, world, maps, changed);
  app.replaceChildren(
    header(names, asked, worlds),
    h("main", { class: worlds.length > 1 ? "two" : "" },
      h("section", { class: "maps-area", "aria-label": "Map of the codes" },
        toolbar,
        h("div", { class: "maps-row" }, ...maps.map((map) => h("figure", { class: "card map-card" },
          worlds.length > 1 ? h("figcaption", { class: "map-title" }, h("strong", { text: map.world.name }), h("span", { class: "muted", text: deadShare(map.world) })) : null, map.element))),
        legend(session, shown, changed)),
      h("div", { class: "side" }, currentCard(session),
        h("section", { class: "card tools-card" }, tabList, ...panels.map(([, , panel]) => panel)))),
    h("footer", { class: "muted small" }, "Drag on the map to decode. Scroll or pinch to zoom, drag with shift to move the map, click a point to select its image. Keys on the focused map: arrows, +, − and 0."));
  page.redraw = () => session.tell("view");
  const restoring = restore(location.hash.slice(1), session, shown, maps[0]);
  fillToolbar(toolbar, shown, world, maps, changed);
  session.tell("restored");
  changed();
  await restoring;
  restored = true;
  remember();
}

const deadShare = (world) => world.verdict?.blind ? "The features behind the dead zones cannot tell fog from real images here: judge by the images" : `${Math.round(100 * world.dead_zones.share)}% of the samples from ${world.variational ? "the prior" : "N(0, I)"} fall into dead zones${world.conditional ? ", over all classes" : ""}`;

function header(names, asked, worlds) {
  const [world] = worlds, theme = h("button", { type: "button", class: "quiet", text: "Light or dark", onclick: () => {
    const dark = getComputedStyle(document.documentElement).colorScheme === "dark" || (!document.documentElement.style.colorScheme && matchMedia("(prefers-color-scheme: dark)").matches);
    document.documentElement.style.colorScheme = dark ? "light" : "dark";
    page.redraw();
  } });
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
      h("p", { class: "muted", text: `${world.dataset}, latent ${world.latent}, ${world.objective.replaceAll("_", " ")}` }), chooser, theme),
    ...worlds.map((one) => verdict(one, worlds.length > 1)));
}

function verdict(world, named) {
  const lead = named ? h("strong", { text: `${world.name} ` }) : null;
  if (!world.verdict) return h("p", { class: "verdict tone-none" }, lead, h("span", { class: "muted", text: `Not measured yet: ${world.evaluate} writes a report with a verdict. Here, ${deadShare(world)}.` }));
  const { title, tone, cause, remedy, confidence } = world.verdict;
  return h("div", { class: `verdict tone-${["good", "fair", "bad"].includes(tone) ? tone : "none"}` },
    h("p", {}, lead, h("b", { text: title }), confidence ? h("span", { class: "muted", text: ` (confidence: ${confidence})` }) : null, " ",
      world.report ? h("a", { href: world.report, target: "_blank", rel: "noopener", text: "the report" }) : null),
    cause || remedy ? h("p", { class: "muted small", text: [cause, remedy].filter(Boolean).join(" ") }) : null);
}

function fillToolbar(bar, shown, world, maps, changed) {
  const flip = (name) => (on) => { shown[name] = on; changed(); };
  const overlay = (name) => (on) => { shown.overlays[on ? "add" : "delete"](name); changed(); };
  bar.replaceChildren(...[
    h("div", { class: "group" },
      toggle("dead zones", shown.dead, flip("dead"), "Shades the parts of the map whose decoded images are farther from every held-out image than 95% of the reconstructions"),
      toggle("pictures", shown.tiles, flip("tiles"), "Shows decoded images all over the map"),
      world.classes && toggle("labels", shown.names, flip("names")),
      world.classes && toggle("colours", shown.colours, flip("colours"))),
    h("div", { class: "group" }, ...Object.keys(world.overlays).map((name) =>
      toggle(`${name === "prior" ? "×" : "+"} ${name.replaceAll("_", " ")}`, shown.overlays.has(name), overlay(name), name === "prior" ? `400 samples from ${world.standard ? "N(0, I)" : "the model's own prior"}` : "400 samples from the density fitted to the codes"))),
    world.embedding && choice("Layout of the map", [["axes", "axes"], ["tsne", "t-SNE"]], shown.layout, (name) => { shown.layout = name; maps.forEach((map) => map.home()); changed(); }),
  ].filter(Boolean));

}

/** The labels with their colours; a click on one shows only its images. */
function legend(session, shown, changed) {
  const { world } = session;
  if (!world.classes || world.label_names.length > 40) return h("div");
  const buttons = world.label_names.map((name, label) => h("button", { type: "button", class: "chip", "aria-pressed": "false", title: `Show only ${name}`, onclick: () => {
    shown.only = shown.only === label ? null : label;
    mark();
    changed();
  } }, h("i", { style: `background: ${hue(label, world.label_names.length)}` }), name));
  const mark = () => buttons.forEach((button, label) => button.setAttribute("aria-pressed", String(shown.only === label)));
  session.on("restored", mark);
  return h("div", { class: "legend", "aria-label": "Labels" }, ...buttons);
}

guarded(start);
