// The message list: each message is drawn again only when it has changed, so focus and selections stay.

import { el, emoji, mrkdwn } from "./mrkdwn.js";
import { renderBlocks } from "./blocks.js";

export class MessageList {
  constructor(root, post) {
    this.root = root;
    this.post = post;
    this.nodes = new Map();
    this.channel = null;
    this.opened = new Set();
    this.last = "";
    this.newer = document.getElementById("newer");
    this.newer.addEventListener("click", () => { root.scrollTop = root.scrollHeight; root.focus(); });
    root.addEventListener("scroll", () => {
      if (root.scrollHeight - root.scrollTop - root.clientHeight < 60) this.newer.hidden = true;
    });
  }

  show(channel, context, extras) {
    const fresh = this.channel !== channel.id;
    const atEnd = this.root.scrollHeight - this.root.scrollTop - this.root.clientHeight < 60;
    if (fresh) {
      this.newer.hidden = true;
      this.nodes.clear();
      this.channel = channel.id;
    }
    const focus = document.activeElement?.dataset?.key;
    const focusIn = document.activeElement?.closest?.(".message")?.id;
    const seen = new Map();
    const nodes = ordered(channel.messages).map((message) => {
      const pinned = channel.pins.includes(message.ts);
      const key = JSON.stringify([message, pinned, context.me, extras.joined]);
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
    if (focus && focusIn) document.getElementById(focusIn)?.querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
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
    const classes = ["message", message.thread && "reply", system && "system", pinned && "pinned", message.ephemeral && "ephemeral"];
    const body = el("div", { class: "content" });
    if (!system) body.append(meta(message, user, pinned));
    if (message.blocks) {
      body.append(renderBlocks(message.blocks, {
        ...context,
        chosen: (block, action) => message.selections?.[block]?.[action],
        act: (part, block, value, node) => this.act(message, part, value, node),
      }));
    } else if (message.text) {
      const said = system ? `${clock(message.ts)}  ${message.text}` : message.text;
      body.append(mrkdwn(said, context.names));
    }
    for (const file of message.files ?? []) body.append(fileNode(file));
    if (message.reactions) {
      body.append(el("div", { class: "reactions" }, ...Object.entries(message.reactions).map(([name, users]) => (
        el("button", { type: "button", title: users.map((id) => context.names.users[id]).join(", "), "aria-pressed": String(users.includes(context.me)),
          onclick: () => this.post("react", { channel: this.channel, ts: message.ts, name }) }, `${emoji(name)} ${users.length}`)))));
    }
    const node = el("article", { class: classes.filter(Boolean).join(" "), id: anchor(message.ts) },
      avatar(user, message.thread), body);
    if (!system && !message.ephemeral && extras.joined && !channel.archived) node.append(this.tools(message, context, extras));
    return node;
  }

  tools(message, context, extras) {
    const parent = message.thread ?? message.ts;
    const where = { channel: this.channel, ts: message.ts };
    return el("div", { class: "tools" },
      el("button", { type: "button", title: "Reply in the thread", onclick: () => extras.reply(parent) }, "Reply"),
      el("button", { type: "button", "aria-label": "React with eyes", onclick: () => this.post("react", { ...where, name: "eyes" }) }, "👀"),
      el("button", { type: "button", "aria-label": "React with a pushpin", onclick: () => this.post("react", { ...where, name: "pushpin" }) }, "📌"),
      el("button", { type: "button", title: "Pin or unpin", onclick: () => this.post("pin", where) }, "Pin"),
      ...context.shortcuts.filter((s) => s.type === "message").map((s) => (
        el("button", { type: "button", onclick: () => this.post("shortcut", { ...where, callback: s.callback_id }) }, s.name))));
  }

  async act(message, part, value, node) {
    node.disabled = true;
    const verb = part.type === "button" ? "press" : "select";
    await this.post(verb, { channel: this.channel, ts: message.ts, action: part.action_id, value });
    node.disabled = false;
  }

  reveal(ts) {
    const node = document.getElementById(anchor(ts));
    if (!node) return false;
    node.scrollIntoView({ block: "center" });
    node.classList.remove("target");
    void node.offsetWidth;
    node.classList.add("target");
    return true;
  }
}

// replies stand under their parent, in the order in which they came
function ordered(messages) {
  const replies = Map.groupBy ? Map.groupBy(messages.filter((m) => m.thread), (m) => m.thread) : group(messages);
  const known = new Set(messages.map((m) => m.ts));
  return messages.flatMap((m) => {
    if (!m.thread) return [m, ...(replies.get(m.ts) ?? [])];
    return known.has(m.thread) ? [] : [m];
  });
}

function group(messages) {
  const map = new Map();
  for (const message of messages.filter((m) => m.thread)) map.set(message.thread, [...(map.get(message.thread) ?? []), message]);
  return map;
}

const anchor = (ts) => `m${ts.replace(".", "")}`;
const clock = (ts) => new Date(Number(ts) * 1000).toISOString().slice(11, 16);

function meta(message, user, pinned) {
  const when = new Date(Number(message.ts) * 1000).toISOString();
  return el("div", { class: "meta" },
    el("b", {}, user.real_name),
    user.bot ? el("span", { class: "app" }, "APP") : null,
    el("time", { dateTime: when, title: when }, when.slice(11, 16)),
    message.edited ? el("span", { class: "note" }, "(edited)") : null,
    pinned ? el("span", { class: "note" }, "📌 Pinned") : null,
    message.ephemeral ? el("span", { class: "note" }, "👁 Only visible to you") : null);
}

function avatar(user, reply) {
  const colour = user.bot ? "bot" : `c${[...user.name].reduce((sum, c) => sum + c.charCodeAt(0), 0) % 5}`;
  return el("div", { class: `avatar ${colour}`, "aria-hidden": "true", title: reply ? "reply" : undefined }, user.bot ? "🚨" : user.real_name[0]);
}

const fileNode = (file) => el("div", { class: "file" },
  el("a", { href: file.url, download: file.name }, `📄 ${file.title}`),
  file.preview ? el("pre", { tabIndex: 0 }, file.preview) : null);
