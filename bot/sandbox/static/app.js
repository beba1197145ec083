// The page as a whole: polls the state, draws the frame, sends what the person does.

import { readFields, renderBlocks } from "./blocks.js";
import { fold, isNarrow, startDrawers } from "./drawers.js";
import { MessageList } from "./messages.js";
import { Modal } from "./modal.js";
import { el, mrkdwn } from "./mrkdwn.js";
import { explain } from "./said.js";
import { Toolbar } from "./toolbar.js";
import { hhmm, offset, place } from "./zones.js";

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
let gone = false;
let outage = false;
let polling = Promise.resolve();
const read = new Map();
const looked = new Set();

const modal = new Modal(post);
const list = new MessageList(at("messages"), post, () => at("say"));
const toolbar = new Toolbar(post, () => shownChannel()?.id ?? "ops-alerts");

/** Do something as this person; the answer has `ok`, and `error` or `note` to be shown beside what was pressed. */
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
  await poll();
  return answer;
}

// -- state ----------------------------------------------------------------------------------------------------

/** Ask for news, one request after the other: an older answer must not undo a newer one. */
function poll() {
  polling = polling.then(ask).then(() => { gone = false; }, (error) => { gone = true; console.error(error); }).then(drawBanner);
  return polling;
}

async function ask() {
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
  outage = Boolean(fresh.toolbar?.outage);
  toolbar.draw(fresh.toolbar);
}

async function loop() {
  await poll();
  setTimeout(loop, POLL_MS);
}

function drawBanner() {
  const text = gone
    ? "The demo does not answer. It may have ended: start it again with make demo."
    : outage ? "Slack is down for the bot: its calls fail, and its messages wait. Bring Slack back in the demo's controls." : "";
  at("banner").hidden = !text;
  if (at("banner").textContent !== text) at("banner").textContent = text;
}

const shownChannel = () => state.channels.find((c) => c.name === current || c.id === current);

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
  if (isNarrow()) fold();
  else at("say").focus();
}

// -- drawing --------------------------------------------------------------------------------------------------

function context() {
  const users = Object.fromEntries(state.users.map((u) => [u.id, u.name]));
  const channels = Object.fromEntries(state.channels.map((c) => [c.id, c.name]));
  return {
    names: { users, channels, groups: state.usergroups, me: state.me, zone: zone() },
    byId: Object.fromEntries(state.users.map((u) => [u.id, u])),
    users: state.users.filter((u) => !u.bot),
    channels: state.channels.filter((c) => !c.direct),
    shortcuts: state.shortcuts,
    me: state.me,
  };
}

const zone = () => state.users.find((u) => u.id === state.me).zone;

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
    select.replaceChildren(...people.map((u) => el("option", { value: u.name }, `${u.real_name}, ${place(u.zone)}`)));
  }
  select.value = state.users.find((u) => u.id === state.me).name;
}

const spoken = (channel) => channel.messages.filter((m) => !m.subtype && m.user !== state.me);

function drawChannels() {
  const focus = document.activeElement?.closest(".sidebar ul") ? document.activeElement.dataset.name : null;
  const shown = state.channels.filter((c) => !c.direct).sort((a, b) => a.name.localeCompare(b.name));
  at("channels").replaceChildren(...shown.map((c) => entry(c, c.private ? "🔒" : "#", c.name)));
  const direct = state.channels.filter((c) => c.direct).map((c) => entry(c, "✉", "Messages from Sitrep", c.id));
  const home = el("li", {}, el("button", { type: "button", "data-name": HOME, "aria-current": current === HOME ? "page" : null, onclick: openHome },
    el("span", {}, "⌂"), el("span", { class: "name" }, "Sitrep home")));
  at("apps").replaceChildren(home, ...direct);
  looked.add(state.me);
  if (focus) document.querySelector(`.sidebar [data-name="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
  const unread = document.querySelectorAll(".sidebar .badge").length;
  at("unread").hidden = !unread;
  at("unread").textContent = String(unread);
  at("unread").title = `${unread} ${unread === 1 ? "channel has" : "channels have"} unread messages`;
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
    el("button", { type: "button", "data-name": name, "aria-current": here ? "page" : null, onclick: () => go(name) },
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
  const usual = isNarrow() ? "Message, or /incident …" : `Message ${place}, or /incident …`;
  const hint = thread ? "Reply in the thread (Esc: no reply)" : usual;
  at("say").placeholder = channel.archived ? "This channel is archived" : joined ? hint : isNarrow() ? "Writing makes you join" : `Writing here makes you join ${place}`;
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
    if (node.getAttribute("aria-busy")) return;
    node.setAttribute("aria-busy", "true");
    const answer = await post("view-action", { view: view.id, action: part.action_id, value, values: readFields(root) });
    node.removeAttribute("aria-busy");
    node.parentElement?.querySelector(".told")?.remove();
    if (!answer.ok) node.after(el("p", { class: "told bad", role: "alert" }, explain(answer.error)));
  };
  root.replaceChildren(view
    ? el("div", { class: "home" }, renderBlocks(view.blocks, { ...ctx, act }))
    : el("p", { class: "empty" }, "The bot has not published a Home tab."));
}

function openHome() {
  go(HOME);
  post("home", {});
}

// -- the person's input ---------------------------------------------------------------------------------------

at("me").addEventListener("change", (event) => {
  me = event.target.value;
  if (current) history.replaceState(null, "", `/?${new URLSearchParams({ ...(chosen ? { channel: current } : {}), user: me })}`);
  modal.show(null);
  poll();
});

function composerNote(text) {
  at("composer-note").textContent = text;
  at("composer-note").hidden = !text;
}

at("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const box = at("say");
  const text = box.value.trim();
  const channel = shownChannel();
  if (!text || !channel) return;
  box.value = "";
  composerNote("");
  const answer = await post("say", { channel: channel.id, text, thread });
  if (answer.ok) thread = null;
  else if (!box.value) box.value = text;
  // a command that failed has its answer in the channel
  if (!answer.ok && answer.ms === undefined) composerNote(explain(answer.error));
  at("messages").scrollTop = at("messages").scrollHeight;
});

at("say").addEventListener("input", () => composerNote(""));

at("say").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    at("composer").requestSubmit();
  } else if (event.key === "Escape" && thread) {
    thread = null;
    draw(state);
  } else if (event.key === "ArrowUp" && !event.target.value) {
    event.preventDefault();
    at("messages").lastElementChild?.focus();
  }
});

// arrows in the lists of the sidebar
document.querySelector(".sidebar").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.closest("ul")) return;
  const all = [...document.querySelectorAll(".sidebar li button")];
  event.preventDefault();
  all[all.indexOf(event.target) + step]?.focus();
});

function whereabouts(now) {
  const [name, ahead] = [place(zone()), offset(now, zone())];
  return name === ahead ? name : `${name} (${ahead})`;
}

setInterval(() => {
  const now = Date.now() + skew;
  const utc = new Date(now).toISOString();
  at("now").dateTime = utc;
  at("now").textContent = `${utc.slice(0, 10)} ${utc.slice(11, 19)}`;
  if (state) at("where").textContent = `${hhmm(now, zone())} in ${whereabouts(now)}`;
}, 200);

startDrawers();
loop();
