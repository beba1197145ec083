// The topmost modal of the person, as a dialog. What was typed survives an update of the view.

import { el, plainText } from "./mrkdwn.js";
import { readFields, renderBlocks } from "./blocks.js";

export class Modal {
  constructor(post) {
    this.post = post;
    this.dialog = null;
    this.shown = "";
  }

  show(view, context) {
    const key = view ? `${view.id} ${view.hash} ${JSON.stringify(view.errors)}` : "";
    if (key === this.shown) return;
    const typed = this.dialog && this.view?.id === view?.id ? readFields(this.dialog) : {};
    this.shown = key;
    this.view = view;
    this.remove();
    if (view) this.open(view, context, typed);
  }

  remove() {
    this.dialog?.remove();
    this.dialog = null;
  }

  open(view, context, typed) {
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
      el("div", { class: "foot" }, close, submit));
    this.dialog = el("dialog", { class: "dialog", "aria-labelledby": "modal-title", oncancel: (event) => { event.preventDefault(); this.close(); } }, form);
    for (const [field, value] of Object.entries(typed)) restore(this.dialog, field, value);
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.dialog.querySelector(".wrong input, .wrong textarea, .wrong select, .content input, .content textarea, .content select")?.focus();
  }

  async submit(button) {
    const values = readFields(this.dialog);
    if (!this.complete(values)) return;
    if (button) button.disabled = true;
    await this.post("submit", { view: this.view.id, values });
    if (button) button.disabled = false;
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
    node.disabled = true;
    await this.post("view-action", { view: this.view.id, action: part.action_id, value, values: readFields(this.dialog) });
    node.disabled = false;
  }

  close() {
    return this.post("close", { view: this.view.id });
  }
}

function restore(root, field, value) {
  const node = root.querySelector(`[data-field="${CSS.escape(field)}"]`);
  if (!node || value === null) return;
  if (node.dataset.kind === "many" || node.dataset.kind === "one") {
    for (const box of node.querySelectorAll("input")) box.checked = [value].flat().includes(box.value);
  } else if (node.dataset.kind === "moment") node.value = new Date(value * 1000).toISOString().slice(0, 16);
  else node.value = value;
}
