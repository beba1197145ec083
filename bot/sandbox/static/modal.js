// The topmost modal of the person, as a dialog. What was typed survives an update of the view.

import { el, plainText } from "./mrkdwn.js";
import { readFields, renderBlocks } from "./blocks.js";
import { explain } from "./said.js";

export class Modal {
  constructor(post) {
    this.post = post;
    this.dialog = null;
    this.shown = "";
    this.opener = null;
  }

  show(view, context) {
    const key = view ? `${view.id} ${view.hash} ${JSON.stringify(view.errors)}` : "";
    if (key === this.shown) return;
    const typed = this.dialog && this.view?.id === view?.id ? readFields(this.dialog) : {};
    this.shown = key;
    const same = this.view?.id === view?.id && this.dialog?.contains(document.activeElement);
    const focus = same ? document.activeElement.dataset.key ?? document.activeElement.dataset.field : null;
    if (!this.dialog) this.opener = opener();
    this.view = view;
    this.remove();
    if (view) this.open(view, context, typed, focus);
    else this.back();
  }

  remove() {
    this.dialog?.remove();
    this.dialog = null;
  }

  // what opened it may have been drawn again meanwhile
  back() {
    const { node, id, key } = this.opener ?? {};
    this.opener = null;
    const message = id && document.getElementById(id);
    if (node?.isConnected) node.focus();
    else (message?.querySelector(`[data-key="${CSS.escape(key ?? "")}"]`) ?? message ?? document.getElementById("say")).focus({ preventScroll: true });
  }

  open(view, context, typed, focus) {
    const ctx = {
      ...context,
      errors: view.errors,
      act: (part, block, value, node) => this.act(part, value, node),
    };
    const submit = view.submit ? el("button", { type: "submit", class: "button primary" }, plainText(view.submit.text)) : null;
    const close = el("button", { type: "button", class: "button", onclick: () => this.close() }, plainText(view.close?.text ?? "Cancel"));
    const form = el("form", { noValidate: true, onsubmit: (event) => { event.preventDefault(); this.submit(submit); } },
      el("h2", { id: "modal-title" }, plainText(view.title.text)),
      el("div", { class: "content" }, renderBlocks(view.blocks, ctx)),
      el("p", { class: "told bad", role: "alert", hidden: true }),
      el("div", { class: "foot" }, close, submit));
    this.dialog = el("dialog", { class: "dialog", "aria-labelledby": "modal-title", oncancel: (event) => { event.preventDefault(); this.close(); } }, form);
    for (const [field, value] of Object.entries(typed)) restore(this.dialog, field, value);
    document.body.append(this.dialog);
    this.dialog.showModal();
    const again = focus && (this.dialog.querySelector(`[data-key="${CSS.escape(focus)}"]`) ?? this.dialog.querySelector(`[data-field="${CSS.escape(focus)}"]`));
    const wrong = this.dialog.querySelector(".wrong input, .wrong textarea, .wrong select");
    (wrong ?? again ?? this.dialog.querySelector(".content input, .content textarea, .content select, .content button") ?? submit ?? close).focus();
  }

  async submit(button) {
    const values = readFields(this.dialog);
    if (!this.complete(values)) return;
    if (button?.getAttribute("aria-busy")) return;
    button?.setAttribute("aria-busy", "true");
    this.tell(await this.post("submit", { view: this.view.id, values }));
    button?.removeAttribute("aria-busy");
  }

  /** Say in the dialog itself what went wrong with it. */
  tell(answer) {
    const node = this.dialog?.querySelector(".told");
    if (!node) return;
    node.hidden = answer.ok;
    node.textContent = answer.ok ? "" : explain(answer.error);
  }

  // Slack's client asks for required fields itself, before the app hears of a submission
  complete(values) {
    const missing = {};
    for (const block of this.view.blocks) {
      if (block.type !== "input" || block.optional) continue;
      const value = values[`${block.block_id}.${block.element.action_id}`];
      if (value === null || value.length === 0) missing[block.block_id] = "Please complete this required field.";
    }
    for (const field of this.dialog.querySelectorAll(".field")) {
      field.querySelector(".error")?.remove();
      const error = missing[field.dataset.block];
      field.classList.toggle("wrong", Boolean(error));
      if (error) field.append(el("p", { class: "error", role: "alert" }, error));
    }
    this.dialog.querySelector(".wrong input, .wrong textarea, .wrong select")?.focus();
    return Object.keys(missing).length === 0;
  }

  async act(part, value, node) {
    if (node.getAttribute("aria-busy")) return;
    node.setAttribute("aria-busy", "true");
    this.tell(await this.post("view-action", { view: this.view.id, action: part.action_id, value, values: readFields(this.dialog) }));
    node.removeAttribute("aria-busy");
  }

  async close() {
    this.tell(await this.post("close", { view: this.view.id }));
  }
}

function opener() {
  const node = document.activeElement;
  return { node: node === document.body ? null : node, id: node?.closest?.(".message")?.id, key: node?.dataset?.key };
}

function restore(root, field, value) {
  const node = root.querySelector(`[data-field="${CSS.escape(field)}"]`);
  if (!node || value === null) return;
  if (node.dataset.kind === "many" || node.dataset.kind === "one") {
    for (const box of node.querySelectorAll("input")) box.checked = [value].flat().includes(box.value);
  } else if (node.dataset.kind === "moment") node.value = new Date(value * 1000).toISOString().slice(0, 16);
  else node.value = value;
}
