// On a narrow screen the channel list and the demo's controls fold away behind buttons.

const at = (id) => document.getElementById(id);
const NAMES = ["sidebar", "controls"];
const narrow = matchMedia("(max-width: 1099px)");

export const isNarrow = () => narrow.matches;

let shown = null;

function show(name) {
  shown = name;
  for (const each of NAMES) {
    at(each).classList.toggle("open", each === name);
    at(`show-${each}`).setAttribute("aria-expanded", String(each === name));
  }
  at("veil").hidden = at("main").inert = false;
  at("veil").hidden = name === null;
  at("main").inert = name !== null;
  at(name ?? "main").querySelector("[data-shut]")?.focus();
}

/** Fold away what is open; the focus goes back to the button that opened it. */
export function fold() {
  if (shown === null) return;
  const button = at(`show-${shown}`);
  show(null);
  button.focus();
}

export function startDrawers() {
  for (const name of NAMES) at(`show-${name}`).addEventListener("click", () => show(name));
  for (const node of document.querySelectorAll("[data-shut]")) node.addEventListener("click", fold);
  at("veil").addEventListener("click", fold);
  narrow.addEventListener("change", () => shown && show(null));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog")) fold();
  });
}
