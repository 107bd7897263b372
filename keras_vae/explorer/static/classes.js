// The label that codes are decoded with, chosen for the whole page if a model is conditional.

import { choice, h, hue } from "explorer/dom";

const MOST_BUTTONS = 20;

export function classControl(session) {
  const { labelNames: names } = session;
  if (!names) return null;
  if (names.length > MOST_BUTTONS) {
    const select = choice("Class", names.map((name, label) => [String(label), name]), String(session.label), (label) => session.setLabel(Number(label)));
    session.on("restored", () => { select.value = session.label; });
    return h("label", { class: "inline classes" }, "decoded as ", select);
  }
  const buttons = names.map((name, label) => h("input", { type: "radio", name: "class", "aria-label": name, onchange: () => session.setLabel(label) }));
  session.on("restored", () => { buttons[session.label].checked = true; });
  return h("fieldset", { class: "classes" }, h("legend", { text: "decoded as" }), ...buttons.map((button, label) =>
    h("label", { class: "chip" }, button, h("i", { style: `background: ${hue(label, names.length)}` }), names[label])));
}
