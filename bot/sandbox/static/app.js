// The page as a whole: polls the state, draws the frame, sends what the person does.

import { el, mrkdwn } from "./mrkdwn.js";
import { readFields, renderBlocks } from "./blocks.js";
import { MessageList } from "./messages.js";
import { Modal } from "./modal.js";

const POLL_MS = 500;
const HOME = "home";
const at = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);

let state = null;
let me = query.get("user") ?? "alice";
let current = query.get("channel");
let chosen = current !== null;
let thread = null;
let target = location.hash.startsWith("#m") ? location.hash.slice(2) : null;
let skew = 0;
const read = new Map();
const looked = new Set();

const modal = new Modal(post);
const list = new MessageList(at("messages"), post);

async function post(verb, body) {
  let answer;
  try {
    const response = await fetch(`/sandbox/${verb}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ user: me, ...body }),
    });
    answer = await response.json();
  } catch {
    answer = { ok: false, error: "the sandbox does not answer" };
  }
  if (!answer.ok) toast(`That did not work: ${answer.error}`, true);
  else if (answer.note) toast(answer.note);
  await poll();
  return answer;
}

function toast(text, bad = false) {
  const node = at("toast");
  node.textContent = text;
  node.classList.toggle("bad", bad);
  node.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { node.hidden = true; }, bad ? 6000 : 3000);
}

// -- state ----------------------------------------------------------------------------------------------------

async function poll() {
  const since = state?.me && state.asked === me ? state.version : 0;
  const asked = me;
  const response = await fetch(`/sandbox/state?since=${since}&user=${encodeURIComponent(me)}`);
  if (response.status === 404 && me !== "alice") {
    me = "alice";
    return;
  }
  const fresh = await response.json();
  skew = fresh.now * 1000 - Date.now();
  if (asked !== me) return;
  if (fresh.channels) {
    const before = state;
    state = { ...fresh, asked };
    draw(before);
  }
  drawToolbar(fresh.toolbar);
}

async function loop() {
  try {
    await poll();
  } catch {
    toast("The sandbox does not answer; it may have ended.", true);
  }
  setTimeout(loop, POLL_MS);
}

const incidents = (channels) => channels.filter((c) => c.name.startsWith("incident-")).sort((a, b) => a.created - b.created);

function pick(before) {
  const newest = incidents(state.channels).at(-1);
  const isNew = newest && before && !before.channels.some((c) => c.id === newest.id);
  if (!chosen && newest && (isNew || current === null || !before)) current = newest.name;
  const found = state.channels.find((c) => c.name === current || c.id === current);
  return found ?? newest ?? state.channels[0];
}

function go(name) {
  current = name;
  chosen = true;
  thread = null;
  const params = new URLSearchParams({ channel: name, user: me });
  history.replaceState(null, "", `/?${params}`);
  draw(state);
  at("say").focus();
}

// -- drawing --------------------------------------------------------------------------------------------------

function context() {
  const users = Object.fromEntries(state.users.map((u) => [u.id, u.name]));
  const channels = Object.fromEntries(state.channels.map((c) => [c.id, c.name]));
  return {
    names: { users, channels, groups: state.usergroups, me: state.me },
    byId: Object.fromEntries(state.users.map((u) => [u.id, u])),
    users: state.users.filter((u) => !u.bot),
    channels: state.channels.filter((c) => !c.direct),
    shortcuts: state.shortcuts,
    me: state.me,
  };
}

function draw(before) {
  const ctx = context();
  at("team").textContent = state.team;
  drawPeople();
  if (current === HOME) drawHome(ctx);
  else drawChannel(pick(before), ctx);
  drawChannels();
  modal.show(state.views.at(-1) ?? null, ctx);
}

function drawPeople() {
  const select = at("me");
  const people = state.users.filter((u) => !u.bot);
  if (select.options.length !== people.length) {
    select.replaceChildren(...people.map((u) => el("option", { value: u.name }, u.real_name)));
  }
  select.value = state.users.find((u) => u.id === state.me).name;
}

const spoken = (channel) => channel.messages.filter((m) => !m.subtype && m.user !== state.me);

function drawChannels() {
  const shown = state.channels.filter((c) => !c.direct).sort((a, b) => a.name.localeCompare(b.name));
  at("channels").replaceChildren(...shown.map((c) => entry(c, c.private ? "🔒" : "#", c.name)));
  const direct = state.channels.filter((c) => c.direct).map((c) => entry(c, "✉", "Messages from Sitrep", c.id));
  const home = el("li", {}, el("button", { type: "button", "data-name": HOME, "aria-current": current === HOME ? "page" : null, onclick: openHome },
    el("span", {}, "⌂"), el("span", { class: "name" }, "Sitrep home")));
  at("apps").replaceChildren(home, ...direct);
  looked.add(state.me);
}

function entry(channel, mark, label, name = channel.name) {
  const key = `${state.me} ${channel.id}`;
  const last = spoken(channel).at(-1)?.ts ?? "0";
  const here = current === channel.name || current === channel.id;
  // what was there before this person looked counts as read; what appears later does not
  if (here) read.set(key, last);
  else if (!read.has(key)) read.set(key, looked.has(state.me) ? "0" : last);
  const unread = spoken(channel).filter((m) => Number(m.ts) > Number(read.get(key))).length;
  const classes = [unread && "unread", channel.archived && "archived"].filter(Boolean).join(" ");
  return el("li", { class: classes },
    el("button", { type: "button", "aria-current": here ? "page" : null, onclick: () => go(name) },
      el("span", { "aria-hidden": "true" }, mark),
      el("span", { class: "name", title: label }, label),
      unread ? el("span", { class: "badge", "aria-label": `${unread} unread` }, String(unread)) : null));
}

function drawChannel(channel, ctx) {
  current = channel.direct ? channel.id : channel.name;
  const joined = channel.members.includes(state.me);
  at("channel-name").textContent = channel.direct ? "Sitrep" : `${channel.private ? "🔒" : "#"} ${channel.name}`;
  document.title = `${channel.name} – Sitrep sandbox`;
  at("topic").replaceChildren(...mrkdwn(channel.topic || "No topic", ctx.names).childNodes);
  at("topic").title = channel.topic;
  at("pinned").hidden = channel.pins.length === 0;
  at("pinned").textContent = `📌 ${channel.pins.length} pinned`;
  at("pinned").onclick = () => list.reveal(channel.pins[0]);
  at("members").hidden = false;
  at("members").textContent = `👥 ${channel.members.length}`;
  at("members").title = channel.members.map((id) => ctx.names.users[id] ?? id).join(", ");
  at("bookmarks").replaceChildren(...channel.bookmarks.map((b) => el("a", { class: "chip", href: b.link, target: "_blank", rel: "noopener" }, b.title)));
  composer(channel, joined);
  list.show(channel, ctx, { joined, reply: (ts) => { thread = ts; composer(channel, joined); at("say").focus(); } });
  if (target && list.reveal(target)) target = null;
}

function composer(channel, joined) {
  at("composer").hidden = false;
  const place = channel.direct ? "Sitrep" : `#${channel.name}`;
  const hint = thread ? "Reply in the thread (Esc: no reply)" : `Message ${place}, or /incident …`;
  at("say").placeholder = channel.archived ? "This channel is archived" : joined ? hint : `Writing here makes you join ${place}`;
  at("say").disabled = channel.archived;
}

function drawHome(ctx) {
  at("channel-name").textContent = "Sitrep home";
  at("topic").textContent = "The bot's Home tab, for you alone";
  at("pinned").hidden = at("members").hidden = at("composer").hidden = true;
  at("bookmarks").replaceChildren();
  const view = state.home;
  const key = view ? `${view.id} ${view.hash}` : "none";
  const root = at("messages");
  if (list.channel === `home ${key}`) return;
  list.channel = `home ${key}`;
  list.nodes.clear();
  const act = async (part, block, value, node) => {
    node.disabled = true;
    await post("view-action", { view: view.id, action: part.action_id, value, values: readFields(root) });
    node.disabled = false;
  };
  root.replaceChildren(view
    ? el("div", { style: "padding: 0 20px" }, renderBlocks(view.blocks, { ...ctx, act }))
    : el("p", { class: "empty" }, "The bot has not published a Home tab."));
}

function openHome() {
  go(HOME);
  post("home", {});
}

function drawToolbar(toolbar) {
  const shown = JSON.stringify(toolbar);
  document.querySelector(".toolbar").hidden = !toolbar;
  document.querySelector(".layout").style.gridTemplateColumns = toolbar ? "" : "232px minmax(0, 1fr)";
  if (!toolbar || drawToolbar.shown === shown) return;
  const focus = document.activeElement?.dataset?.key;
  drawToolbar.shown = shown;
  at("samples").replaceChildren(...toolbar.samples.map((sample) => {
    const send = (resolved) => async (event) => {
      event.target.disabled = true;
      await post("alert", { name: sample.name, resolved });
      event.target.disabled = false;
    };
    return el("li", { title: sample.summary },
      el("b", {}, sample.name),
      el("div", { class: `severity ${sample.severity}` }, sample.severity + (sample.firing ? ", firing" : "")),
      el("div", { class: "row" },
        el("button", { type: "button", class: "button", "data-key": `fire ${sample.name}`, "aria-label": `Fire ${sample.name}`, onclick: send(false) }, sample.firing ? "Fire again" : "Fire"),
        el("button", { type: "button", class: "button", "data-key": `resolve ${sample.name}`, "aria-label": `Resolve ${sample.name}`, disabled: !sample.firing, onclick: send(true) }, "Resolve")));
  }));
  if (focus) document.querySelector(`.toolbar [data-key="${CSS.escape(focus)}"]`)?.focus();
}

// -- the person's input ---------------------------------------------------------------------------------------

at("me").addEventListener("change", (event) => {
  me = event.target.value;
  if (current) history.replaceState(null, "", `/?${new URLSearchParams({ ...(chosen ? { channel: current } : {}), user: me })}`);
  modal.show(null);
  poll();
});

at("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const box = at("say");
  const text = box.value.trim();
  const channel = state.channels.find((c) => c.name === current || c.id === current);
  if (!text || !channel) return;
  box.value = "";
  const answer = await post("say", { channel: channel.id, text, thread });
  if (answer.ok) thread = null;
  else if (!box.value) box.value = text;
  at("messages").scrollTop = at("messages").scrollHeight;
});

at("say").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at("composer").requestSubmit();
  } else if (event.key === "Escape" && thread) {
    thread = null;
    draw(state);
  }
});

at("advance").addEventListener("click", async (event) => {
  event.target.disabled = true;
  await post("advance", { seconds: 300 });
  event.target.disabled = false;
  event.target.focus();
});

setInterval(() => {
  const now = new Date(Date.now() + skew).toISOString();
  at("now").dateTime = now;
  at("now").textContent = `${now.slice(0, 10)} ${now.slice(11, 19)}`;
}, 200);

loop();
