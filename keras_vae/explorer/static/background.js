// The slow layers of the maps: requested one after another once the page is open, and named while they are computed.

import { h } from "explorer/dom";

const LAYERS = { overlays: "samplers", dead_zones: "dead zones", embedding: "t-SNE" };

/** Which layers of a world are not there yet, with the reason: "waiting", "being computed" or an error's message. */
export function missing(facts) {
  const wanted = Object.keys(LAYERS).filter((name) => name !== "embedding" || facts.has_embedding);
  return new Map(wanted.filter((name) => !facts[name]).map((name) => [name, "waiting"]));
}

/** Requests what the worlds lack, and calls `arrived` after each change. */
export async function complete(worlds, arrived) {
  for (const name of Object.keys(LAYERS)) for (const world of worlds) {
    if (world.missing.get(name) !== "waiting") continue;
    world.missing.set(name, "being computed");
    arrived();
    try {
      world[name] = await world.engine.mapLayer(name);
      world.missing.delete(name);
    } catch (problem) {
      world.missing.set(name, problem.message);
    }
    arrived();
  }
}

/** A line that names the missing layers. */
export function missingLine(session) {
  const line = h("p", { class: "muted small missing", role: "status" });
  const several = session.worlds.length > 1;
  const update = () => {
    const named = session.worlds.flatMap((world) => [...world.missing].map(([name, state]) =>
      `${several ? `${world.name}, ` : ""}${LAYERS[name]}: ${state === "waiting" ? "to be computed" : state}`));
    line.textContent = named.join("; ");
    line.hidden = !named.length;
  };
  session.on("layers", update);
  update();
  return line;
}
