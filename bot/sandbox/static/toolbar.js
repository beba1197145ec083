// The side panel: alerts, storms, drills, an outage, time. What comes of a press is said beside its button.

import { el } from "./mrkdwn.js";

const at = (id) => document.getElementById(id);

export class Toolbar {
  /** `post` sends a request; `here` gives the id of the channel in which a drill is begun. */
  constructor(post, here) {
    this.post = post;
    this.here = here;
    this.notes = new Map();
    this.shown = "";
    for (const button of document.querySelectorAll("[data-control]")) {
      button.addEventListener("click", () => {
        const body = JSON.parse(button.dataset.body);
        this.press(button, button.dataset.control, button.dataset.verb, button.dataset.verb === "drill" ? { channel: this.here() } : body);
      });
    }
  }

  async press(button, note, verb, body) {
    if (button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    this.say(note, "");
    const answer = await this.post(verb, body);
    button.removeAttribute("aria-busy");
    this.say(note, answer.ok ? answer.note ?? "" : answer.error, !answer.ok);
  }

  say(note, text, bad = false) {
    this.notes.set(note, { text, bad });
    const node = document.querySelector(`[data-note="${CSS.escape(note)}"]`);
    if (!node) return;
    node.textContent = text;
    node.hidden = !text;
    node.classList.toggle("bad", bad);
  }

  draw(toolbar) {
    const shown = JSON.stringify(toolbar);
    document.querySelector(".layout").classList.toggle("plain", !toolbar);
    at("controls").hidden = at("show-controls").hidden = !toolbar;
    if (!toolbar || this.shown === shown) return;
    this.shown = shown;
    const outage = at("outage");
    outage.textContent = toolbar.outage ? "Bring Slack back" : "Take Slack down";
    outage.setAttribute("aria-pressed", String(toolbar.outage));
    outage.dataset.body = JSON.stringify({ on: !toolbar.outage });
    at("calm").disabled = !toolbar.storm;
    const focus = document.activeElement?.dataset?.key;
    at("samples").replaceChildren(...toolbar.samples.map((sample) => this.sample(sample)));
    if (focus) document.querySelector(`.toolbar [data-key="${CSS.escape(focus)}"]`)?.focus();
    for (const [note, { text, bad }] of this.notes) this.say(note, text, bad);
  }

  sample(sample) {
    const button = (label, verb, resolved, disabled) => {
      const node = el("button", {
        type: "button", class: "button", "data-key": `${verb} ${sample.name}`, "aria-label": `${verb} ${sample.name}`, disabled,
        onclick: () => this.press(node, sample.name, "alert", { name: sample.name, resolved }),
      }, label);
      return node;
    };
    return el("li", { title: sample.summary, class: sample.firing ? "firing" : null },
      el("b", {}, sample.name),
      el("div", { class: "row" },
        el("span", { class: `severity ${sample.severity}` }, sample.severity, sample.firing ? el("span", { class: "hidden" }, ", firing") : null),
        button(sample.firing ? "Repeat" : "Fire", "Fire", false, false),
        button("Resolve", "Resolve", true, !sample.firing)),
      el("p", { class: "told", "data-note": sample.name, role: "status", hidden: true }));
  }
}
