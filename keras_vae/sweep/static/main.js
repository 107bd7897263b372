// Builds the page from top to bottom.

import { h } from "explorer/dom";
import { data, done, settingAxes } from "sweep/data";
import { counted } from "sweep/numbers";
import { against, plane } from "sweep/plots";
import { runs } from "sweep/table";

const section = (title, lead, ...content) => h("section", {}, h("h2", { text: title }), h("p", { text: lead }), ...content);
const of = (state) => data.runs.filter((run) => run.state === state);

function header() {
  const facts = [...data.datasets, counted(data.runs.length), ...data.axes.map((axis) => `${axis.field}: ${axis.values.map((value) => value.text).join(", ")}`)];
  return h("header", {}, h("h1", { text: data.title }), h("ul", { class: "facts" }, ...facts.map((text) => h("li", { text }))));
}

function recommendation(found) {
  const of = data.recommendations.length > 1 ? `Recommendation for ${found.dataset} (${found.metric}, n = ${found.n})` : "Recommendation";
  return h("div", { class: `card verdict tone-${found.tone}` }, h("p", { class: "kind", text: of }),
    h("h2", { text: found.title }), h("p", { class: "cause", text: found.reason.replaceAll(" ± ", "\u00a0±\u00a0") }));
}

function incomplete() {
  const failed = of("failed"), left = of("unfinished");
  if (!failed.length && !left.length) return null;
  const counted = [failed.length && `${failed.length} failed`, left.length && `${left.length} not done yet`];
  return h("div", { class: `card verdict tone-${failed.length ? "bad" : "fair"}` },
    h("p", { class: "kind", text: `${done.length} of ${data.runs.length} runs are done: ${counted.filter(Boolean).join(", ")}` }),
    h("ul", { class: "troubles" },
      ...failed.map((run) => h("li", {}, h("b", { text: run.name }), h("span", { text: `: ${run.error}` }))),
      ...(left.length ? [h("li", { class: "muted", text: `Not done yet: ${left.map((run) => run.name).join(", ")}` })] : [])));
}

const several = data.recommendations.length > 1
  ? h("p", { class: "muted", text: "The runs were measured in different ways (images, features or number of images): distances are comparable only within one recommendation." }) : null;
const planeCard = plane();
document.getElementById("content").append(...[
  header(),
  ...data.recommendations.map(recommendation),
  several,
  incomplete(),
  done.length && settingAxes.length && data.metrics.length ? section("What was swept", "One line for each combination of the other settings. A ring marks the recommendation.", against()) : null,
  planeCard && section("Rate and distortion", "How much information a code has about its image, and how much is lost.", planeCard),
  section("The runs", "Click a column title to sort by it, or a name to open the report of that run.", ...runs()),
  h("footer", { text: "Made by keras_vae. All numbers are in comparison.csv and comparison.json beside this page." }),
].filter(Boolean));
document.getElementById("content").setAttribute("aria-busy", "false");
