// The keyboard among the messages: each is one tab stop, arrows lead to the others and to what can be pressed in it.

const CONTROLS = "a[href], button, select, input, textarea, pre[data-key]";

/** Make a message one tab stop; what can be pressed in it is reached by arrows. */
export function oneStop(message) {
  message.tabIndex = 0;
  message.querySelectorAll(CONTROLS).forEach((node, index) => {
    node.tabIndex = -1;
    node.dataset.key ??= `nth ${index}`;
  });
}

const pressable = (message) => [...message.querySelectorAll(CONTROLS)].filter((node) => (
  !node.disabled && node.checkVisibility({ visibilityProperty: true })));

/** `leave` is called when Escape is pressed upon a message itself. */
export function arrows(root, leave) {
  root.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
    const message = event.target.closest(".message");
    if (!message) return;
    const all = [...root.querySelectorAll(".message")];
    const inside = event.target !== message;
    const inner = pressable(message);
    const at = inner.indexOf(event.target);
    // these have a use for up and down of their own
    const keeps = inside && event.target.matches("select, textarea, input");
    const go = {
      ArrowDown: () => !keeps && all[all.indexOf(message) + 1],
      ArrowUp: () => !keeps && all[all.indexOf(message) - 1],
      Home: () => !inside && all[0],
      End: () => !inside && all.at(-1),
      ArrowRight: () => inner[at + 1],
      ArrowLeft: () => (at > 0 ? inner[at - 1] : inside && message),
      Enter: () => !inside && inner[0],
      Escape: () => (inside ? message : leave()),
    }[event.key]?.();
    if (!go) return;
    event.preventDefault();
    go.focus();
    go.scrollIntoView({ block: "nearest" });
  });
}

/** Where the focus is among the messages, to be found again after they have been drawn anew. */
export function focused(root) {
  const message = root.contains(document.activeElement) ? document.activeElement.closest(".message") : null;
  if (!message) return null;
  const index = [...root.children].indexOf(message);
  return { id: message.id, key: document.activeElement === message ? null : document.activeElement.dataset.key, index };
}

export function refocus(root, was) {
  if (!was || root.contains(document.activeElement)) return;
  const message = document.getElementById(was.id) ?? root.children[Math.min(was.index, root.children.length - 1)];
  // first the message: what stands at its edge can take the focus only while it is shown
  message?.focus({ preventScroll: true });
  if (message?.id === was.id && was.key) message.querySelector(`[data-key="${CSS.escape(was.key)}"]`)?.focus({ preventScroll: true });
}
