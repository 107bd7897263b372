// Comfort: a button that copies a command, notes beside their terms, and links that open what is folded. The page is
// complete without scripts.
for (const box of document.querySelectorAll(".command")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button"; button.textContent = "Copy";
  button.onclick = () => navigator.clipboard.writeText(box.querySelector("code").textContent).then(() => {
    button.textContent = "Copied"; setTimeout(() => button.textContent = "Copy", 1500); });
  box.append(button);
}

// A note opens below its term, or above it near the lower edge.
let term = null;
for (const button of document.querySelectorAll(".term")) button.addEventListener("click", () => { term = button; });
for (const note of document.querySelectorAll(".hint")) note.addEventListener("toggle", (event) => {
  if (event.newState !== "open" || !term) return;
  const at = term.getBoundingClientRect(), wide = document.documentElement.clientWidth;
  const below = at.bottom + 6 + note.offsetHeight <= innerHeight || at.top < note.offsetHeight;
  note.style.left = `${scrollX + Math.max(8, Math.min(at.left, wide - note.offsetWidth - 8))}px`;
  note.style.top = `${scrollY + (below ? at.bottom + 6 : at.top - 6 - note.offsetHeight)}px`;
});

// A link to a folded section, or into one, opens it.
function reveal() {
  let target = null;
  try { target = document.getElementById(decodeURIComponent(location.hash.slice(1))); } catch { return; }
  for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", reveal);
reveal();

// The server of the explorer shows this page too, and then has the explorer at its root.
const explorer = document.getElementById("explorer"), [root, served] = location.pathname.split("/explorer/report/");
if (explorer && served) { explorer.href = `${root}/`; explorer.hidden = false; }
