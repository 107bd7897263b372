// The live numbers of the code at the cursor. The rows are always there, so that nothing moves when a value is missing.

import { h, later, latest, number } from "explorer/dom";
import { logStandardNormal, nearestPicture, typicalOfStandardNormal } from "explorer/measures";

/** A list of numbers about world `index` of a session: { element, moved(), pictured() } are called as the cursor moves. */
export function liveNumbers(session, shown, index) {
  const world = session.worlds[index], rows = {};
  const row = (name, text, title, unit = " nats") => {
    const value = h("b", { text: "–" }), aside = h("span", { class: "muted" });
    rows[name] = { value, aside, unit };
    return [h("dt", { title }, text), h("dd", { title, "data-number": name }, value, aside)];
  };
  const prior = world.standard ? "N(0, I)" : "the prior", source = () => shown.source ?? world.recommended;
  const element = h("dl", { class: "numbers" },
    ...row("distortion", "distortion", "−log p(image | code), at the posterior's mean"),
    ...(world.variational ? row("rate", "rate", "KL divergence of the posterior from the prior") : []),
    ...(world.variational ? row("elbo", "ELBO", "−(distortion + rate), with the distortion at the posterior's mean") : []),
    ...(world.variational ? row("prior", "log p(z)", `log density of the code under ${prior}, in nats; beside it, mean and standard deviation of that of its own samples`, "") : []),
    ...row("fitted", "log q(z)", "log density of the code under the fitted sampler, in nats; beside it, mean and standard deviation of that of its own samples", ""),
    ...row("nearest", "nearest pixels", `root mean square difference of pixels, from 0 to 1, between the decoded image and the nearest of ${world.count.toLocaleString("en")} held-out images`, ""));

  function put(name, value, aside = "") {
    const known = value !== null && value !== undefined && Number.isFinite(value), { unit } = rows[name];
    rows[name].value.textContent = known ? short(value, name === "nearest" ? 3 : 1) : "–";
    rows[name].aside.textContent = known ? `${unit}${aside}` : aside;
  }
  const typical = (name, density) => (density ? ` (${name}: ${short(density[0])} ± ${short(density[1])})` : "");

  function moved() {
    const { code, encoded } = session.current[index], { distortion = null, rate = null } = encoded ?? {};
    put("distortion", distortion, encoded ? "" : " pick or draw an image");
    if (world.variational) {
      put("rate", rate);
      put("elbo", distortion === null || rate === null ? null : -distortion - rate);
      if (world.standard) put("prior", logStandardNormal(code), typical(prior, typicalOfStandardNormal(world.dims)));
    }
    densities();
  }

  const densities = later(latest(async () => {
    if (world.variational && !world.standard) await ask("prior", "prior", prior);
    if (source()) await ask("fitted", source(), source().replaceAll("_", " "));
  }), 40);
  async function ask(name, sampler, words) {
    const density = world.overlays?.[sampler]?.density;
    put(name, density && world.engine.density ? await world.engine.density(sampler, session.current[index].code) : null, typical(words, density) || ` ${words}`);
  }

  function pictured() {
    const { picture } = session.current[index];
    if (!picture) return;
    const { row: nearest, distance } = nearestPicture(world, picture), label = world.labelOf(nearest);
    put("nearest", distance, ` (image ${nearest}${label ? `, ${label}` : ""})`);
  }
  session.on("layers choice", densities);
  return { element, moved, pictured };
}

/** A number with few digits; thousands are grouped. */
const short = (value, digits = 1) =>
  (Math.abs(value) < 1000 ? number(value, digits) : Math.round(value).toLocaleString("en").replace("-", "−"));
