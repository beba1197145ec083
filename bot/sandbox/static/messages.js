// The message list: each message is drawn again only when it has changed, so focus and selections stay.

import { renderBlocks } from "./blocks.js";
import { arrows, focused, oneStop, refocus } from "./keys.js";
import { menuButton } from "./menu.js";
import { el, emoji, mrkdwn } from "./mrkdwn.js";
import { explain } from "./said.js";
import { hhmm } from "./zones.js";

export class MessageList {
  /** `leave` gives where the focus goes when Escape is pressed upon a message. */
  constructor(root, post, leave) {
    this.root = root;
    this.post = post;
    this.nodes = new Map();
    this.channel = null;
    this.opened = new Set();
    this.last = "";
    this.errors = new Map();
    arrows(root, leave);
    this.newer = document.getElementById("newer");
    this.newer.addEventListener("click", () => { root.scrollTop = root.scrollHeight; root.lastElementChild?.focus({ preventScroll: true }); });
    root.addEventListener("scroll", () => {
      if (root.scrollHeight - root.scrollTop - root.clientHeight < 60) this.newer.hidden = true;
    });
  }

  show(channel, context, extras) {
    this.drawn = [channel, context, extras];
    const fresh = this.channel !== channel.id;
    const atEnd = this.root.scrollHeight - this.root.scrollTop - this.root.clientHeight < 60;
    if (fresh) {
      this.newer.hidden = true;
      this.nodes.clear();
      this.channel = channel.id;
    }
    const focus = focused(this.root);
    const seen = new Map();
    const nodes = ordered(channel.messages).map((message) => {
      const pinned = channel.pins.includes(message.ts);
      const key = JSON.stringify([message, pinned, context.me, extras.joined, this.errors.get(message.ts)]);
      const old = this.nodes.get(message.ts);
      const entry = old?.key === key ? old : { key, node: this.draw(message, pinned, channel, context, extras) };
      seen.set(message.ts, entry);
      return entry.node;
    });
    this.nodes = seen;
    if (!nodes.length) nodes.push(el("p", { class: "empty" }, "Nothing has been said here yet."));
    if (nodes.some((node, index) => this.root.childNodes[index] !== node) || this.root.childNodes.length !== nodes.length) {
      this.root.replaceChildren(...nodes);
    }
    refocus(this.root, focus);
    const card = channel.name.startsWith("incident-") && !this.opened.has(channel.id) && channel.pins[0];
    if (fresh) this.opened.add(channel.id);
    // who opens an incident for the first time wants its card, later on what was said last
    if (fresh && card) document.getElementById(anchor(card))?.scrollIntoView({ block: "start" });
    else if (fresh || atEnd) this.root.scrollTop = this.root.scrollHeight;
    else if (channel.messages.at(-1)?.ts > this.last) this.newer.hidden = false;
    this.last = channel.messages.at(-1)?.ts ?? "";
  }

  draw(message, pinned, channel, context, extras) {
    const user = context.byId[message.user] ?? { name: message.user, real_name: message.user };
    const system = Boolean(message.subtype);
    const answers = answered(message, channel.messages);
    const classes = ["message", (message.thread || answers) && "reply", system && "system", pinned && "pinned", message.ephemeral && "ephemeral"];
    const body = el("div", { class: "content" });
    if (!system) body.append(meta(message, user, pinned, context.names.zone));
    if (message.blocks) {
      body.append(renderBlocks(message.blocks, {
        ...context,
        chosen: (block, action) => message.selections?.[block]?.[action],
        act: (part, block, value, node) => this.act(message, part, value, node),
      }));
    } else if (message.text) {
      const said = system ? `${hhmm(Number(message.ts) * 1000, context.names.zone)}  ${message.text}` : message.text;
      body.append(mrkdwn(said, context.names));
    }
    for (const file of message.files ?? []) body.append(fileNode(file));
    if (message.reactions) {
      body.append(el("div", { class: "reactions" }, ...Object.entries(message.reactions).map(([name, users]) => (
        el("button", { type: "button", title: users.map((id) => context.names.users[id]).join(", "), "aria-pressed": String(users.includes(context.me)),
          onclick: () => this.post("react", { channel: this.channel, ts: message.ts, name }) }, `${emoji(name)} ${users.length}`)))));
    }
    const error = this.errors.get(message.ts);
    if (error) body.append(el("p", { class: "told bad", role: "alert" }, error));
    const node = el("article", { class: classes.filter(Boolean).join(" "), id: anchor(message.ts) },
      avatar(user), body);
    if (!system && !message.ephemeral && extras.joined && !channel.archived) node.append(this.tools(message, context, extras));
    oneStop(node);
    return node;
  }

  tools(message, context, extras) {
    const parent = message.thread ?? message.ts;
    const where = { channel: this.channel, ts: message.ts };
    const react = (name, shown, label) => el("button", { type: "button", "data-key": `react ${name}`, "aria-label": label,
      onclick: () => this.send(message, "react", { ...where, name }) }, shown);
    return el("div", { class: "tools" },
      el("button", { type: "button", "data-key": "reply", title: "Reply in the thread", onclick: () => extras.reply(parent) }, "Reply"),
      react("eyes", "👀", "React with eyes"),
      react("pushpin", "📌", "React with a pushpin"),
      menuButton("⋯", { "aria-label": "More about this message", "data-key": `tools ${message.ts}` }, () => [
        { text: this.drawn[0].pins.includes(message.ts) ? "Unpin" : "Pin", act: () => this.send(message, "pin", where) },
        ...context.shortcuts.filter((s) => s.type === "message").map((s) => (
          { text: s.name, act: () => this.send(message, "shortcut", { ...where, callback: s.callback_id }) })),
      ]));
  }

  async act(message, part, value, node) {
    if (node.getAttribute("aria-busy")) return;
    node.setAttribute("aria-busy", "true");
    const verb = part.type === "button" ? "press" : "select";
    await this.send(message, verb, { channel: this.channel, ts: message.ts, action: part.action_id, value });
    node.removeAttribute("aria-busy");
  }

  /** Send what was done with a message; if it fails, the message says so. */
  async send(message, verb, body) {
    this.errors.delete(message.ts);
    const answer = await this.post(verb, body);
    if (!answer.ok) this.errors.set(message.ts, explain(answer.error));
    if (this.channel === body.channel) this.show(...this.drawn);
  }

  reveal(ts) {
    const node = document.getElementById(anchor(ts));
    if (!node) return false;
    node.scrollIntoView({ block: "center" });
    node.focus({ preventScroll: true });
    node.classList.remove("target");
    void node.offsetWidth;
    node.classList.add("target");
    return true;
  }
}

// replies, and what answers a press for one person alone, stand under their parent, in the order in which they came
function ordered(messages) {
  const known = new Set(messages.map((m) => m.ts));
  const under = new Map();
  const alone = [];
  for (const message of messages) {
    const parent = [answered(message, known), message.thread].find((ts) => known.has(ts));
    if (!parent) alone.push(message);
    else under.set(parent, [...(under.get(parent) ?? []), message]);
  }
  const withAnswers = (message) => {
    const below = under.get(message.ts) ?? [];
    return [message, ...below.filter((m) => m.answers), ...below.filter((m) => !m.answers)].flatMap((m) => (m === message ? m : withAnswers(m)));
  };
  return alone.flatMap(withAnswers);
}

/** The message that an ephemeral one answers, if it is there: an older one always. */
function answered(message, known) {
  const ts = message.answers?.ts;
  const has = ts && (known instanceof Set ? known.has(ts) : known.some((m) => m.ts === ts));
  return has && Number(ts) < Number(message.ts) ? ts : null;
}

const anchor = (ts) => `m${ts.replace(".", "")}`;

function meta(message, user, pinned, zone) {
  const when = new Date(Number(message.ts) * 1000);
  const utc = when.toISOString();
  return el("div", { class: "meta" },
    el("b", {}, user.real_name),
    user.bot ? el("span", { class: "app" }, "APP") : null,
    el("time", { dateTime: utc, title: `${utc.slice(0, 10)} ${utc.slice(11, 19)} UTC` }, hhmm(when, zone)),
    message.edited ? el("span", { class: "note" }, "(edited)") : null,
    pinned ? el("span", { class: "note" }, "📌 Pinned") : null,
    message.ephemeral ? el("span", { class: "note" }, "👁 Only visible to you") : null,
    message.answers?.said ? el("span", { class: "note" }, "in answer to ", el("code", {}, message.answers.said)) : null);
}

function avatar(user) {
  const colour = user.bot ? "bot" : `c${[...user.name].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 5}`;
  return el("div", { class: `avatar ${colour}`, "aria-hidden": "true" }, user.bot ? "🚨" : user.real_name[0]);
}

const fileNode = (file) => el("div", { class: "file" },
  el("a", { href: file.url, download: file.name }, `📄 ${file.title}`),
  file.preview ? el("pre", { "data-key": `file ${file.url}` }, file.preview) : null);
