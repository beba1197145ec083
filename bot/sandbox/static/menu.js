// A button that opens a menu: arrows move in it, Enter chooses, Escape closes it and goes back to the button.

import { el } from "./mrkdwn.js";

/** `items` gives [{text, label, act}] when the menu is opened. */
export function menuButton(text, props, items) {
  const node = el("button", { type: "button", "aria-haspopup": "menu", "aria-expanded": "false", ...props, onclick: () => open(node, items()) }, text);
  return node;
}

function open(button, items) {
  const root = button.closest("dialog") ?? document.body;
  const message = button.closest(".message")?.id;
  const entries = items.map((item) => el("button", {
    type: "button", role: "menuitem", tabIndex: -1, "aria-label": item.label,
    onclick: () => { popup.hidePopover(); item.act(); },
  }, item.text));
  const popup = el("div", { class: "menu", role: "menu", popover: "auto", "aria-label": button.ariaLabel ?? button.textContent }, ...entries);
  popup.addEventListener("keydown", (event) => {
    const at = entries.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to !== undefined) entries.at(to % entries.length).focus();
    else if (event.key === "Tab" || event.key === "Escape") popup.hidePopover();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  popup.addEventListener("toggle", (event) => {
    if (event.newState === "open") return;
    const had = popup.contains(document.activeElement);
    popup.remove();
    button.setAttribute("aria-expanded", "false");
    if (had || document.activeElement === document.body) backTo(button, message);
  });
  root.append(popup);
  popup.showPopover();
  button.setAttribute("aria-expanded", "true");
  put(popup, button.getBoundingClientRect());
  entries[0]?.focus();
}

// the message may have been drawn again meanwhile
function backTo(button, message) {
  const again = document.getElementById(message)?.querySelector(`[data-key="${CSS.escape(button.dataset.key ?? "")}"]`);
  document.getElementById(message)?.focus({ preventScroll: true });
  (button.isConnected ? button : again)?.focus();
}

function put(popup, near) {
  const { width, height } = popup.getBoundingClientRect();
  const below = near.bottom + height + 8 < innerHeight;
  popup.style.left = `${Math.max(8, Math.min(near.left, innerWidth - width - 8))}px`;
  popup.style.top = `${Math.max(8, below ? near.bottom + 4 : near.top - height - 4)}px`;
}
