// All runs as a sortable table, and their images, with one filter for both.

import { choice, h, toggle } from "explorer/dom";
import { BEST, data, isRecommended, metric, seeds, words } from "sweep/data";
import { counted, short, suffix } from "sweep/numbers";

const SHOWN = [BEST, "generation_gap.prior.frechet", "generation_gap.reconstruction.frechet", "rate_distortion.rate",
  "rate_distortion.distortion", "rate_distortion.elbo", "reconstruction.test.mse", "completeness.dead_zone"];
const STATES = { failed: "failed", unfinished: "not done yet" };
const RUNGS = { reconstruction: "Reconstructions", prior: "Samples from the prior", best: "Best sampler" };

const verdictOf = (run) => (data.verdicts[run.verdict] || { words: run.verdict || STATES[run.state] || "–", tone: run.state === "failed" ? "bad" : "none" });

/** The section of the runs: filter, table, CSV, ladders. */
export function runs() {
  const state = { filter: "", all: false, sort: null, down: false, seed: seeds ? seeds.values[0].text : null };
  const table = h("div", { class: "scroll", role: "region", tabindex: 0, "aria-label": "All runs" });
  const count = h("span", { class: "muted small", role: "status" });
  const strips = h("div");

  const matches = (run) => {
    const text = [run.name, words(run), run.state, verdictOf(run).words, run.best_sampler, run.error].join(" ").toLowerCase();
    return state.filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
  };

  function refresh() {
    const found = data.runs.filter(matches), columns = columnsOf(state.all);
    const sorted = columns.find((column) => column.key === state.sort);
    if (sorted) found.sort((one, other) => compare(sorted.value(one), sorted.value(other), state.down));
    count.textContent = found.length === data.runs.length ? counted(found.length) : `${found.length} of ${counted(data.runs.length)}`;
    table.replaceChildren(h("table", { class: "runs" },
      h("thead", {}, h("tr", {}, ...columns.map((column) => head(column, state, refresh)))),
      h("tbody", {}, ...found.map((run) => h("tr", { class: isRecommended(run) ? "recommended" : null }, ...columns.map((column) => column.cell(run)))))));
    strips.replaceChildren(ladders(found.filter((run) => !seeds || state.seed === "" || run.settings[seeds.field] === state.seed)));
  }

  const filter = h("input", { type: "search", placeholder: "latent 8 vae", "aria-label": "Filter the runs", oninput: () => { state.filter = filter.value; refresh(); } });
  refresh();
  return [
    h("div", { class: "card" },
      h("div", { class: "toolbar" },
        h("label", { class: "inline" }, h("span", { text: "Filter" }), filter),
        toggle("all numbers", false, (on) => { state.all = on; refresh(); }),
        h("a", { class: "button", href: URL.createObjectURL(new Blob([data.csv], { type: "text/csv" })), download: "comparison.csv", text: "Download CSV" }),
        count),
      table),
    h("h3", { text: "Images of the runs", class: "above" }),
    seeds && seeds.values.length > 1
      ? h("label", { class: "inline" }, h("span", { text: "Seed" }), choice("Seed", [...seeds.values.map((value) => [value.text, value.text]), ["", "all"]], state.seed, (next) => { state.seed = next; refresh(); }))
      : null,
    strips,
  ].filter(Boolean);
}

function columnsOf(all) {
  const run = {
    key: "run", title: "Run", value: (run) => run.name,
    cell: (run) => h("th", { scope: "row" }, data.reports[run.name] ? h("a", { href: data.reports[run.name], text: run.name }) : h("span", { text: run.name })),
  };
  const verdict = {
    key: "verdict", title: "Verdict", value: (run) => verdictOf(run).words,
    cell: (run) => h("td", { title: run.error }, h("span", { class: `state tone-${verdictOf(run).tone}`, text: verdictOf(run).words })),
  };
  const axes = data.axes.map((axis) => {
    const place = new Map(axis.values.map((value, index) => [value.text, value.place === null ? index : value.place]));
    return {
      key: `over.${axis.field}`, title: axis.field, value: (run) => place.get(run.settings[axis.field]),
      cell: (run) => h("td", { text: run.settings[axis.field] === undefined ? "–" : run.settings[axis.field] }),
    };
  });
  const shown = all ? data.metrics : SHOWN.map((key) => metric.get(key)).filter(Boolean);
  const metrics = shown.map(({ key, title, unit, meaning }) => ({
    key, title: title + (suffix(unit) && `,${suffix(unit)}`), meaning, number: true, value: (run) => run.values[key],
    cell: (run) => h("td", { class: "num", title: run.errors[key] === undefined ? null : `± ${short(run.errors[key], unit, 2)}`, text: short(run.values[key], unit) }),
  }));
  return [run, ...axes, verdict, ...metrics];
}

function head(column, state, refresh) {
  const direction = state.sort !== column.key ? "none" : state.down ? "descending" : "ascending";
  return h("th", { scope: "col", class: column.number ? "num" : null, "aria-sort": direction, title: column.meaning },
    h("button", { type: "button", class: "sort", text: column.title, onclick: () => {
      state.down = state.sort === column.key && !state.down;
      state.sort = column.key;
      refresh();
      [...document.querySelectorAll(".sort")].find((button) => button.textContent === column.title).focus();
    } }));
}

/** Compares numbers or texts; missing values come last in both directions. */
function compare(one, other, down) {
  if (one === undefined || other === undefined) return (one === undefined) - (other === undefined);
  const order = typeof one === "string" ? one.localeCompare(other, "en", { numeric: true }) : one - other;
  return down ? -order : order;
}

function ladders(found) {
  const shown = found.filter((run) => Object.keys(data.ladders[run.name] || {}).length);
  if (!shown.length) return h("p", { class: "muted", text: "The reports of these runs contain no images." });
  const real = data.datasets.length === 1 && data.ladders[shown[0].name].real;
  return h("div", { class: "card ladders" },
    h("div", { class: "row head" }, h("span", {}), ...Object.values(RUNGS).map((title) => h("b", { text: title }))),
    real ? h("div", { class: "row" }, h("b", { class: "name", text: "Real images" }), picture(real, "Real images")) : null,
    ...shown.map((run) => h("div", { class: "row" },
      h("b", { class: "name", text: words(run) || run.name }),
      ...Object.entries(RUNGS).map(([rung, title]) => rungOf(run, rung, title)))));
}

function rungOf(run, rung, title) {
  const strip = data.ladders[run.name][rung], distance = run.values[`generation_gap.${rung}.frechet`];
  const name = rung === "best" ? `${title}: ${run.best_sampler}` : title;
  const under = [rung === "best" ? run.best_sampler : null, distance === undefined ? null : `Fréchet ${short(distance)}`].filter(Boolean).join(", ");
  return h("figure", {}, strip ? picture(strip, `${run.name}: ${name}`) : h("span", { class: "muted", text: "–" }),
    h("figcaption", {}, h("span", { class: "phone", text: `${title} ` }), h("span", { text: under })));
}

const picture = (strip, alt) => h("img", { class: strip.class_, src: strip.src, width: strip.width, height: strip.height, alt, decoding: "async" });
