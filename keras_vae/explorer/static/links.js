// Stores the state of the page in its address, so that a link restores it.

import { moved, project } from "explorer/maths";

const DIGITS = 4;
const round = (value) => Number(value.toPrecision(DIGITS));

const MOST_NUMBERS = 256;  // of a code in an address

/** A code as text: its coordinates, or all its numbers if there are more than axes but not too many. */
const spelled = (world, code) => [...(world.dims > world.axes && world.dims <= MOST_NUMBERS ? code : project(world, code))].map(round).join(" ");

/** The code of a text that `spelled` wrote. */
function coded(world, text) {
  const values = numbers(text);
  return values.length === world.dims && world.dims > world.axes ? Float32Array.from(values) : moved(world, world.mean, values);
}

/** The part of the address after `#`. */
export function written(session, shown, map) {
  const query = new URLSearchParams();
  if (shown.run !== 0) query.set("run", shown.run);
  if (shown.beside !== null) query.set("beside", shown.beside);
  query.set("tab", shown.tab);
  if (session.focus !== 0) query.set("focus", session.focus);
  if (session.origin.kind === "image" && session.origin.number === session.focus) query.set("image", session.origin.index);
  else query.set("at", spelled(session.world, session.code));
  if (session.label !== null) query.set("class", session.label);
  if (session.locks.size) query.set("locks", [...session.locks.keys()].join(" "));
  query.set("show", ["dead", "tiles", "names", "colours"].filter((name) => shown[name]).concat([...shown.overlays]).join(" "));
  if (shown.only !== null) query.set("only", shown.only);
  if (shown.layout !== "axes") query.set("layout", shown.layout);
  query.set("view", [map.view.x, map.view.y, map.view.span].map(round).join(" "));
  if (shown.tab === "paths") {
    query.set("path", shown.pathKind);
    query.set("fraction", String(round(shown.fraction)));
    for (const [name, code] of Object.entries(shown.ends ?? {})) if (code) query.set(name, spelled(session.world, code));
  }
  if (shown.tab === "samples") { query.set("seed", shown.seed); query.set("temperature", shown.temperature); if (shown.source) query.set("source", shown.source); }
  if (shown.tab === "layers" && shown.layer) query.set("layer", shown.layer);
  if (shown.tab === "replay" && shown.epoch !== null) query.set("epoch", shown.epoch);
  return query.toString();
}

const numbers = (text) => (text ?? "").split(" ").filter(Boolean).map(Number).filter(Number.isFinite);

/** The runs that an address selects, needed before there is a session. */
export function runsOf(hash, count) {
  const query = new URLSearchParams(hash);
  const known = (value) => value !== null && Number.isInteger(Number(value)) && Number(value) >= 0 && Number(value) < count;
  const run = known(query.get("run")) ? Number(query.get("run")) : 0;
  const beside = known(query.get("beside")) && Number(query.get("beside")) !== run ? Number(query.get("beside")) : null;
  return { run, beside, focus: beside !== null && query.get("focus") === "1" ? 1 : 0 };
}

/** Restores the state of an address; missing or invalid parts are left unchanged. Resolves when an image in it is encoded. */
export async function restore(hash, session, shown, map) {
  const query = new URLSearchParams(hash), { world } = session, has = (name) => query.has(name);
  if (has("tab") && shown.tabs.includes(query.get("tab"))) shown.tab = query.get("tab");
  if (has("show")) {
    const words = new Set(query.get("show").split(" "));
    for (const name of ["dead", "tiles", "names", "colours"]) shown[name] = words.has(name);
    shown.dead &&= !shown.tiles;  // one background at a time
    shown.overlays = new Set(world.samplers.filter((name) => words.has(name)));
  }
  const only = numbers(query.get("only"))[0];
  if (world.classes && only in world.label_names) shown.only = only;
  if (query.get("layout") === "tsne" && world.has_embedding) shown.layout = "tsne";
  if (has("path")) shown.pathKind = ["linear", "slerp", "variance preserving"].includes(query.get("path")) ? query.get("path") : shown.pathKind;
  if (has("fraction")) shown.fraction = Math.min(1, Math.max(0, numbers(query.get("fraction"))[0] ?? 0.5));
  const ends = ["A", "B"].filter(has).map((name) => [name, coded(world, query.get(name))]);
  if (ends.length) shown.ends = { A: null, B: null, ...Object.fromEntries(ends) };
  if (has("seed")) shown.seed = Math.max(0, Math.floor(numbers(query.get("seed"))[0] ?? 0));
  if (has("temperature")) shown.temperature = Math.min(1.5, Math.max(0, numbers(query.get("temperature"))[0] ?? 1));
  if (has("source") && world.samplers.includes(query.get("source"))) shown.source = query.get("source");
  if (has("layer")) shown.layer = query.get("layer");
  if (has("epoch")) shown.epoch = numbers(query.get("epoch"))[0] ?? null;
  map.home();
  const [x, y, span] = numbers(query.get("view"));
  if (span > 0) Object.assign(map, { view: { x, y, span }, framed: shown.layout });
  const image = numbers(query.get("image"))[0];
  if (session.labelNames) {  // the label in the link, or else that of the image
    const known = (label) => Number.isInteger(label) && label >= 0 && label < session.labelNames.length;
    session.label = [numbers(query.get("class"))[0], world.classes?.[image]].find(known) ?? session.label;
  }
  session.locks.clear();
  const lock = () => numbers(query.get("locks")).filter((axis) => Number.isInteger(axis) && axis >= 0 && axis < world.axes)
    .forEach((axis) => session.locks.set(axis, session.coordinates()[axis]));
  if (has("image") && Number.isInteger(image) && image >= 0 && image < world.count) await session.pick(image);
  else session.setCode(coded(world, query.get("at")));
  lock();
  session.tell("code");
}
