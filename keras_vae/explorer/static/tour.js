// A short tour of the page: one sentence at a time about a part of it, which is outlined. It can be closed for good.

import { h } from "explorer/dom";
import { recall, remember } from "explorer/theme";

const KEY = "keras_vae tour";
const STOPS = [
  [".maps-row", "Each dot is the code of a held-out image. Drag on the map: the place under the cursor is decoded. Click a dot to pick its image."],
  [".current", "What the cursor's code decodes to, how probable the code is, and which real images are nearest."],
  [".toolbar", "Layers of the map. Shaded places decode to unrealistic images; × marks where the prior's samples fall, + where those of a fitted density fall."],
  [".tools-card", "Tools: sliders along the main directions, one pass through the model, your own drawings, paths, samples, the layers of the networks, and a replay of the training."],
];

/** The tour, and the button that starts it; it starts by itself on the first visit. */
export function tour() {
  let at = -1;
  const words = h("p", { role: "status" });
  const next = h("button", { type: "button", onclick: () => show(at + 1) });
  const box = h("aside", { class: "tour card", hidden: true, "aria-label": "Tour" }, words,
    next, h("button", { type: "button", class: "quiet", text: "Close", onclick: () => show(STOPS.length) }));
  const start = h("button", { type: "button", class: "quiet", text: "Tour", onclick: () => show(0) });

  function show(stop) {
    if (at in STOPS) document.querySelector(STOPS[at][0])?.classList.remove("toured");
    at = stop;
    box.hidden = !(at in STOPS);
    if (box.hidden) { remember(KEY, "seen"); return; }
    document.querySelector(STOPS[at][0])?.classList.add("toured");
    words.textContent = `${at + 1} of ${STOPS.length}. ${STOPS[at][1]}`;
    next.textContent = at + 1 < STOPS.length ? "Next" : "Done";
  }
  return { box, start, begin: () => { if (!recall(KEY)) show(0); } };
}
