// Block Kit to DOM nodes. `ctx` has: names, users, channels, act(element, block, value, node).

import { menuButton } from "./menu.js";
import { el, mrkdwn, plainText } from "./mrkdwn.js";

export function renderBlocks(blocks, ctx) {
  return el("div", { class: "blocks" }, ...blocks.map((block) => renderBlock(block, ctx)));
}

const text = (object, names) => {
  if (object.type === "mrkdwn") return mrkdwn(object.text, names);
  return el("div", { class: "rich" }, plainText(object.text));
};

function renderBlock(block, ctx) {
  switch (block.type) {
    case "header": return el("div", { class: "header", role: "heading", "aria-level": "3" }, plainText(block.text.text));
    case "divider": return el("hr");
    case "section": return section(block, ctx);
    case "context": return el("div", { class: "context" }, ...block.elements.map((part) => (
      part.type === "image" ? image(part) : text(part, ctx.names))));
    case "actions": return el("div", { class: "actions" }, ...block.elements.map((part) => element(part, block, ctx)));
    case "image": return el("figure", { style: "margin:0" }, block.title ? el("figcaption", {}, plainText(block.title.text)) : null, image(block));
    case "input": return input(block, ctx);
    case "rich_text": return el("div", { class: "rich" }, ...block.elements.map((part) => richText(part, ctx.names)));
    default: return el("p", {}, `[${block.type}]`);
  }
}

function section(block, ctx) {
  const body = el("div", { class: "body" });
  if (block.text) body.append(text(block.text, ctx.names));
  if (block.fields) body.append(el("div", { class: "fields" }, ...block.fields.map((field) => text(field, ctx.names))));
  return el("div", { class: "section" }, body, block.accessory ? element(block.accessory, block, ctx) : null);
}

const image = (part) => el("img", { class: "image", src: part.image_url ?? "", alt: part.alt_text });

function richText(part, names) {
  if (part.type === "rich_text_list") {
    const tag = part.style === "ordered" ? "ol" : "ul";
    return el(tag, {}, ...part.elements.map((item) => el("li", {}, richText(item, names))));
  }
  const tag = { rich_text_preformatted: "pre", rich_text_quote: "blockquote" }[part.type] ?? "div";
  return el(tag, {}, ...(part.elements ?? []).map((leaf) => {
    if (leaf.type === "user") return el("span", { class: "mention" }, `@${names.users[leaf.user_id] ?? leaf.user_id}`);
    if (leaf.type === "link") return el("a", { href: leaf.url, target: "_blank", rel: "noopener" }, leaf.text ?? leaf.url);
    if (leaf.type === "emoji") return plainText(`:${leaf.name}:`);
    const tags = { bold: "strong", italic: "em", strike: "s", code: "code" };
    const style = Object.keys(tags).find((key) => leaf.style?.[key]);
    return style ? el(tags[style], {}, leaf.text ?? "") : leaf.text ?? "";
  }));
}

// -- elements that act at once --------------------------------------------------------------------------------

function element(part, block, ctx) {
  const key = `${block.block_id}.${part.action_id}`;
  switch (part.type) {
    case "image": return image(part);
    case "button": return button(part, block, ctx, key);
    case "overflow": return overflow(part, block, ctx, key);
    default: {
      const node = control(part, ctx, ctx.chosen?.(block.block_id, part.action_id), part.placeholder?.text ?? part.action_id);
      node.dataset.key = key;
      node.dataset.field = key;
      node.addEventListener("change", () => ctx.act(part, block, readControl(node), node));
      return node;
    }
  }
}

function button(part, block, ctx, key) {
  const node = el("button", {
    type: "button", class: `button ${part.style ?? ""}`, "data-key": `${key}.${part.value ?? ""}`,
    "aria-label": part.accessibility_label,
    onclick: async () => {
      if (part.confirm && !(await confirmed(part.confirm, ctx.names))) return;
      if (part.url) window.open(part.url, "_blank", "noopener");
      ctx.act(part, block, part.value, node);
    },
  }, plainText(part.text.text));
  return node;
}

function overflow(part, block, ctx, key) {
  const choose = async (option) => {
    if (part.confirm && !(await confirmed(part.confirm, ctx.names))) return;
    if (option.url) window.open(option.url, "_blank", "noopener");
    ctx.act(part, block, option.value, node);
  };
  const node = menuButton("⋯ More", { class: "button", "aria-label": "More actions", "data-key": key }, () => (
    part.options.map((option) => ({ text: plainText(option.text.text), act: () => choose(option) }))));
  return node;
}

export function confirmed(spec, names) {
  return new Promise((resolve) => {
    const yes = el("button", { type: "submit", value: "yes", class: `button ${spec.style === "danger" ? "danger solid" : "primary"}` }, plainText(spec.confirm.text));
    const dialog = el("dialog", { class: "dialog", onclose: () => { resolve(dialog.returnValue === "yes"); dialog.remove(); } },
      el("form", { method: "dialog" },
        el("h2", {}, plainText(spec.title.text)),
        el("div", { class: "content" }, text(spec.text, names)),
        el("div", { class: "foot" }, el("button", { type: "submit", value: "", class: "button" }, plainText(spec.deny.text)), yes)));
    document.body.append(dialog);
    dialog.showModal();
    yes.focus();
  });
}

// -- inputs ---------------------------------------------------------------------------------------------------

function input(block, ctx) {
  const part = block.element;
  const key = `${block.block_id}.${part.action_id}`;
  const group = part.type === "checkboxes" || part.type === "radio_buttons";
  const node = control(part, ctx, ctx.chosen?.(block.block_id, part.action_id), null, key);
  node.dataset.field = key;
  const label = [plainText(block.label.text), block.optional ? el("span", { class: "optional" }, " (optional)") : null];
  const error = ctx.errors?.[block.block_id];
  const field = el(group ? "fieldset" : "div", { class: error ? "field wrong" : "field", "data-block": block.block_id },
    group ? el("legend", {}, ...label) : el("label", { htmlFor: key }, ...label),
    node,
    block.hint ? el("p", { class: "hint" }, plainText(block.hint.text)) : null,
    error ? el("p", { class: "error", role: "alert" }, error) : null);
  if (block.dispatch_action) node.addEventListener("change", () => ctx.act(part, block, readControl(node), node));
  return field;
}

function control(part, ctx, state, label, id) {
  const common = { id: id ?? "", "aria-label": label ?? undefined };
  const hint = part.placeholder ? plainText(part.placeholder.text) : "";
  switch (part.type) {
    case "plain_text_input": {
      const props = { ...common, value: state?.value ?? part.initial_value ?? "", placeholder: hint, "data-kind": "text" };
      if (part.max_length) props.maxLength = part.max_length;
      return part.multiline ? el("textarea", { ...props, rows: 4 }) : el("input", { ...props, type: "text" });
    }
    case "static_select": {
      const chosen = (state?.selected_option ?? part.initial_option)?.value ?? "";
      const groups = part.option_groups ?? [{ options: part.options }];
      const nodes = groups.map((group) => {
        const options = group.options.map((o) => el("option", { value: o.value },
          plainText(o.text.text), o.description ? plainText(`: ${o.description.text}`) : null));
        return group.label ? el("optgroup", { label: group.label.text }, ...options) : options;
      }).flat();
      return select(common, hint, nodes, chosen);
    }
    case "users_select": {
      const nodes = ctx.users.map((user) => el("option", { value: user.id }, user.real_name));
      return select(common, hint, nodes, state?.selected_user ?? part.initial_user ?? "");
    }
    case "conversations_select": {
      const nodes = ctx.channels.map((channel) => el("option", { value: channel.id }, `#${channel.name}`));
      return select(common, hint, nodes, state?.selected_conversation ?? part.initial_conversation ?? "");
    }
    case "checkboxes": case "radio_buttons": {
      const many = part.type === "checkboxes";
      const chosen = many
        ? (state?.selected_options ?? part.initial_options ?? []).map((o) => o.value)
        : [(state?.selected_option ?? part.initial_option)?.value];
      return el("div", { class: "options", "data-kind": many ? "many" : "one", "aria-label": label ?? undefined, role: "group" },
        ...part.options.map((o) => el("label", {},
          el("input", { type: many ? "checkbox" : "radio", name: `${id ?? part.action_id}`, value: o.value, checked: chosen.includes(o.value) }),
          el("span", {}, o.text.type === "mrkdwn" ? mrkdwn(o.text.text, ctx.names) : plainText(o.text.text),
            o.description ? el("small", {}, plainText(o.description.text)) : null))));
    }
    case "datepicker": {
      const value = state?.selected_date ?? part.initial_date ?? "";
      return el("input", { ...common, type: "date", value, "data-kind": "text" });
    }
    case "datetimepicker": {
      const at = state?.selected_date_time ?? part.initial_date_time;
      const value = at ? new Date(at * 1000).toISOString().slice(0, 16) : "";
      return el("input", { ...common, type: "datetime-local", value, title: "UTC", "data-kind": "moment" });
    }
    default: return el("span", {}, `[${part.type}]`);
  }
}

function select(common, hint, options, chosen) {
  const node = el("select", { ...common, "data-kind": "text" }, el("option", { value: "" }, hint || "Choose…"), ...options);
  node.value = chosen;
  return node;
}

export function readControl(node) {
  switch (node.dataset.kind) {
    case "many": return [...node.querySelectorAll("input:checked")].map((box) => box.value);
    case "one": return node.querySelector("input:checked")?.value ?? null;
    case "moment": return node.value ? Math.round(Date.parse(`${node.value}:00Z`) / 1000) : null;
    default: return node.value || null;
  }
}

export function readFields(root) {
  const values = {};
  for (const node of root.querySelectorAll("[data-field]")) values[node.dataset.field] = readControl(node);
  return values;
}
