// Slack's mrkdwn to DOM nodes; nothing is ever parsed as HTML.

import { day, format as local } from "./zones.js";

const EMOJI = {
  rotating_light: "🚨", white_check_mark: "✅", heavy_check_mark: "✔️", warning: "⚠️", hourglass: "⌛",
  hourglass_flowing_sand: "⏳", book: "📖", books: "📚", bell: "🔔", no_bell: "🔕", fire: "🔥", eyes: "👀", x: "❌",
  red_circle: "🔴", large_orange_circle: "🟠", large_yellow_circle: "🟡", large_green_circle: "🟢",
  large_blue_circle: "🔵", white_circle: "⚪", black_circle: "⚫", large_red_square: "🟥", large_orange_square: "🟧",
  large_yellow_square: "🟨", large_green_square: "🟩", large_blue_square: "🟦", white_large_square: "⬜",
  white_square: "◻️", white_medium_square: "◻️", black_medium_square: "◼️", white_small_square: "▫️", black_square_button: "🔲", ballot_box_with_check: "☑️", pushpin: "📌", round_pushpin: "📍",
  memo: "📝", pencil: "📝", pencil2: "✏️", clock1: "🕐", clock3: "🕒", clock9: "🕘", stopwatch: "⏱️",
  alarm_clock: "⏰", timer_clock: "⏲️", calendar: "📅", spiral_calendar_pad: "🗓️", chart_with_upwards_trend: "📈",
  chart_with_downwards_trend: "📉", bar_chart: "📊", link: "🔗", mag: "🔍", wrench: "🔧", hammer_and_wrench: "🛠️",
  gear: "⚙️", lock: "🔒", unlock: "🔓", shield: "🛡️", key: "🔑", tada: "🎉", rocket: "🚀", wave: "👋",
  raised_hand: "✋", raised_hands: "🙌", "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", pray: "🙏",
  ok_hand: "👌", speech_balloon: "💬", loudspeaker: "📢", mega: "📣", pager: "📟", telephone_receiver: "📞",
  phone: "☎️", email: "📧", inbox_tray: "📥", outbox_tray: "📤", arrow_up: "⬆️", arrow_down: "⬇️",
  arrow_right: "➡️", arrow_left: "⬅️", arrow_up_small: "🔼", arrow_double_up: "⏫", repeat: "🔁",
  arrows_counterclockwise: "🔄", information_source: "ℹ️", question: "❓", grey_question: "❔", exclamation: "❗",
  bulb: "💡", construction: "🚧", octagonal_sign: "🛑", no_entry: "⛔", no_entry_sign: "🚫", zap: "⚡", boom: "💥",
  skull: "💀", robot_face: "🤖", bust_in_silhouette: "👤", busts_in_silhouette: "👥", crown: "👑", star: "⭐",
  sparkles: "✨", checkered_flag: "🏁", triangular_flag_on_post: "🚩", package: "📦", computer: "💻",
  desktop_computer: "🖥️", cloud: "☁️", globe_with_meridians: "🌐", satellite: "📡", bug: "🐛", ambulance: "🚑",
  fire_engine: "🚒", fire_extinguisher: "🧯", recycle: "♻️", put_litter_in_its_place: "🚮", paperclip: "📎",
  page_facing_up: "📄", clipboard: "📋", card_index_dividers: "🗂️", file_folder: "📁", scroll: "📜", hash: "#️⃣",
  one: "1️⃣", two: "2️⃣", three: "3️⃣", four: "4️⃣", five: "5️⃣", double_vertical_bar: "⏸️",
  pause_button: "⏸️", arrow_forward: "▶️", fast_forward: "⏩", black_right_pointing_double_triangle_with_vertical_bar: "⏭️",
  test_tube: "🧪", leftwards_arrow_with_hook: "↩️", heavy_plus_sign: "➕", heavy_minus_sign: "➖", person_raising_hand: "🙋",
  handshake: "🤝", twisted_rightwards_arrows: "🔀", point_right: "👉", siren: "🚨", green_heart: "💚", brain: "🧠", detective: "🕵️",
};

const TOKEN = new RegExp([
  "`([^`\\n]+)`",
  "<([^<>\\n]+)>",
  ":([a-z0-9_+'-]+):",
  "(?<![\\w*])\\*(?=\\S)([^*\\n]*[^\\s*])\\*(?![\\w*])",
  "(?<![\\w])_(?=\\S)([^_\\n]*[^\\s_])_(?!\\w)",
  "(?<![\\w~])~(?=\\S)([^~\\n]*[^\\s~])~(?!\\w)",
].join("|"), "g");

export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "class") node.className = value;
    else if (key in node && key !== "list" && key !== "form") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const emoji = (name) => EMOJI[name] ?? `:${name}:`;

const unescape = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

export function plainText(text) {
  return unescape(text).replace(/:([a-z0-9_+'-]+):/g, (whole, name) => EMOJI[name] ?? whole);
}

/** `names` maps ids to what is shown: {users, channels, groups, me}; `zone` is where the reader lives. */
export function mrkdwn(text, names) {
  const root = el("div", { class: "rich" });
  text.split(/```/).forEach((part, index, parts) => {
    const code = index % 2 === 1 && index < parts.length - 1;
    if (code) root.append(el("pre", {}, unescape(part.replace(/^\n|\n$/g, ""))));
    else lines(index % 2 === 1 ? "```" + part : part, root, names);
  });
  return root;
}

function lines(text, root, names) {
  const all = text.replace(/^\n/, root.childNodes.length ? "" : "\n").split("\n");
  all.forEach((line, index) => {
    const quote = line.match(/^(?:&gt;|>) ?(.*)$/);
    const item = line.match(/^(\s*)([•◦▪*-]|\d+\.) (.*)$/);
    if (quote) inline(quote[1], root.appendChild(el("blockquote")), names);
    else if (item) {
      const node = root.appendChild(el("div", { class: "li" }));
      node.append(item[1], item[2].replace(/^[*-]$/, "•"), " ");
      inline(item[3], node, names);
    } else {
      inline(line, root, names);
      if (index < all.length - 1) root.append("\n");
    }
  });
}

function inline(text, parent, names) {
  let last = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [whole, code, token, short, bold, italic, strike] = match;
    if (short !== undefined && !EMOJI[short]) continue;
    parent.append(unescape(text.slice(last, match.index)));
    last = match.index + whole.length;
    if (code !== undefined) parent.append(el("code", {}, unescape(code)));
    else if (token !== undefined) parent.append(reference(token, names));
    else if (short !== undefined) parent.append(EMOJI[short]);
    else if (bold !== undefined) inline(bold, parent.appendChild(el("strong")), names);
    else if (italic !== undefined) inline(italic, parent.appendChild(el("em")), names);
    else inline(strike, parent.appendChild(el("s")), names);
  }
  parent.append(unescape(text.slice(last)));
}

function reference(token, names) {
  const bar = token.indexOf("|");
  const [target, label] = bar < 0 ? [token, ""] : [token.slice(0, bar), token.slice(bar + 1)];
  if (target.startsWith("@")) {
    const id = target.slice(1);
    const text = `@${names.users[id] ?? (label || id)}`;
    return el("span", { class: id === names.me ? "mention self" : "mention" }, text);
  }
  if (target.startsWith("#")) {
    const id = target.slice(1);
    const name = names.channels[id] ?? (label || id);
    return el("a", { class: "mention", href: `/?channel=${encodeURIComponent(name)}` }, `#${name}`);
  }
  if (target.startsWith("!date^")) return dateToken(target, label, names.zone ?? "UTC");
  if (target.startsWith("!subteam^")) {
    return el("span", { class: "mention" }, `@${names.groups[target.slice(9)] ?? (label || "group").replace(/^@/, "")}`);
  }
  if (target.startsWith("!")) return el("span", { class: "mention" }, `@${target.slice(1)}`);
  if (/^(https?|mailto):/.test(target)) {
    return el("a", { href: unescape(target), target: "_blank", rel: "noopener" }, plainText(label || target));
  }
  return document.createTextNode(unescape(`<${token}>`));
}

function dateToken(target, fallback, zone) {
  const [, epoch, format, link] = target.split("^");
  const when = new Date(Number(epoch) * 1000);
  if (!format || Number.isNaN(when.getTime())) return document.createTextNode(unescape(fallback));
  const show = (options) => local(when, zone, options);
  const long = { weekday: "long", day: "numeric", month: "long", year: "numeric" };
  const forms = {
    date_num: () => day(when, zone),
    date_short: () => show({ day: "numeric", month: "short", year: "numeric" }),
    date_long: () => show(long),
    date: () => show({ day: "numeric", month: "long", year: "numeric" }),
    time_secs: () => show({ hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    time: () => show({ hour: "2-digit", minute: "2-digit" }),
  };
  const text = format.replace(/\{(\w+)\}/g, (whole, name) => {
    const form = forms[name.replace("_pretty", "")];
    return form ? form() : name === "ago" ? when.toISOString() : whole;
  });
  const node = el("time", { dateTime: when.toISOString(), title: `${when.toISOString()}, shown in ${zone}` }, text);
  return link ? el("a", { href: link, target: "_blank", rel: "noopener" }, node) : node;
}
