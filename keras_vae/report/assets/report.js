// Adds a button that copies a command. Without scripts, the command can still be selected.
for (const box of document.querySelectorAll(".command")) {
  if (!navigator.clipboard) break;
  const button = document.createElement("button");
  button.type = "button"; button.textContent = "Copy";
  button.onclick = () => navigator.clipboard.writeText(box.querySelector("code").textContent).then(() => {
    button.textContent = "Copied"; setTimeout(() => button.textContent = "Copy", 1500); });
  box.append(button);
}
