"use strict";
/* Small parts that every page uses: elements, badges, rules with their citations, tooltips, theme, help. */

/** @param {string} id @returns {HTMLElement} */
const $ = (id) => document.getElementById(id);

/**
 * An element. @param {string} tag @param {Object} attributes  `class`, `text`, `on` (listeners), and others
 * @param {(Node|string|null)[]} children
 */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
/** Names may be broken at their underscores, messages at their signs. */
const breakable = (text) => text.replace(/[_>]|:(?=\S)/g, "$&\u200b");
const badge = (verdict) => make("span", { class: `verdict ${verdict || "none"}`, text: verdict || "no layer" });

/** Rules, their marks and their sources, in words. */
class Rules {
  /** @param {Object} data  with `rows`, `sources`, `operations`, `marks` */
  constructor(data) {
    this.data = data;
    this.byKey = new Map(data.rows.map((row, number) => [row.key, number]));
  }
  mark(row) { return row ? this.data.marks[row.basis] ?? "" : ""; }
  titles(row) { return (row.cite ?? []).map((key) => this.data.sources[key]?.[0] ?? key); }

  /** The tooltip of a row. */
  tip(row, flags = []) {
    return make("div", {},
      make("p", { class: "mono", text: row.key }),
      flags.length ? make("p", { text: `flags: ${flags.join(", ")}` }) : null,
      row.note ? make("p", { text: row.note }) : null,
      make("p", { class: "cite", text: `${row.basis}: ${this.titles(row).join("; ")}` }));
  }

  /** A row with everything that it says. @param {?function(): void} take  takes it, where it is possible now */
  article(row, take = null, label = "") {
    const terms = [
      ["does", (row.ops ?? []).map((op) => this.data.operations[op] ?? op).join("; ")],
      ["outcome", row.outcome ?? ""],
      ["application", row.app ?? ""],
      ["remote host", row.remote ?? ""],
      ["logged", (row.logged ?? []).map((id) => `Security event ${id}`).join(", ")],
      ["discard", row.discard ?? ""],
      ["note", row.note ?? ""],
    ].filter(([, text]) => text);
    const sources = (row.cite ?? []).map((key) => {
      const [title, url] = this.data.sources[key] ?? [key, ""];
      return make("li", {}, url ? make("a", { href: url, rel: "noopener noreferrer", target: "_blank", text: title }) : title);
    });
    return make("article", { class: `rule ${row.basis}` },
      make("div", { class: "row" },
        make("h3", { class: "mono", text: row.key }),
        take ? make("button", { class: "take", on: { click: take }, text: label || "Take it" }) : null),
      make("dl", {}, ...terms.flatMap(([name, text]) => [make("dt", { text: name }), make("dd", { text })])),
      make("div", { class: "cite" }, make("span", { text: row.basis }), make("ul", {}, ...sources)));
  }
}

/** One tooltip for the whole page, at what is pointed at or has the focus. */
const tip = {
  /** Where the pointer was last. */
  pointer: [-1, -1],
  /** @param {Element} element @param {() => ?Node} content */
  on(element, content) {
    const show = () => tip.show(element, content());
    // What comes to lie under a pointer at rest (a list was made anew) shows nothing.
    const moved = (event) => event.pointerType !== "touch" && (event.clientX !== tip.pointer[0] || event.clientY !== tip.pointer[1]);
    element.addEventListener("pointerenter", (event) => moved(event) && show());
    element.addEventListener("pointerleave", tip.hide);
    element.addEventListener("focus", () => element.matches(":focus-visible") && show());
    element.addEventListener("blur", tip.hide);
  },
  show(element, content) {
    if (!content) return;
    const box = $("tip");
    box.replaceChildren(content);
    box.hidden = false;
    box.style.left = box.style.top = "0"; // its size must not depend on where it was
    const at = element.getBoundingClientRect(), own = box.getBoundingClientRect();
    // Beside a list, so that its other lines stay in sight; else below or above.
    const list = element.closest("ol, ul")?.getBoundingClientRect();
    const right = list && list.right + 12 + own.width < innerWidth, left = list && !right && list.left - 12 - own.width > 0;
    const middle = at.left + at.width / 2 - own.width / 2, below = at.bottom + 8 + own.height < innerHeight || at.top - own.height - 8 < 0;
    const x = right ? list.right + 12 : left ? list.left - 12 - own.width : Math.min(middle, innerWidth - own.width - 8);
    const y = right || left ? at.top : below ? at.bottom + 8 : at.top - own.height - 8;
    box.style.left = `${Math.max(8, x)}px`;
    box.style.top = `${Math.max(8, Math.min(y, innerHeight - own.height - 8))}px`;
  },
  hide() { $("tip").hidden = true; },
};

for (const kind of ["pointermove", "pointerdown"]) {
  addEventListener(kind, (event) => { tip.pointer = [event.clientX, event.clientY]; }, { capture: true });
}

/** Light or dark: the reader's system decides until the button is used. */
const theme = {
  get dark() {
    const set = document.documentElement.dataset.theme;
    return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  },
  show() { $("theme").textContent = theme.dark ? "Light" : "Dark"; },
  toggle() {
    document.documentElement.dataset.theme = theme.dark ? "light" : "dark";
    theme.show();
  },
  start() {
    $("theme").addEventListener("click", theme.toggle);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme.show);
    theme.show();
  },
};

/** @param {[string, string][]} keys @param {string[]} notes */
function fillHelp(keys, notes) {
  const list = make("dl", { class: "keys" },
    ...keys.flatMap(([key, text]) => [make("dt", {}, make("kbd", { text: key })), make("dd", { text })]));
  $("help-text").replaceChildren(list, ...notes.map((text) => make("p", { text })));
  $("help").addEventListener("click", () => $("help-dialog").showModal());
}

/** Keys act unless something is being typed or a dialog is open. @param {Object<string, () => void>} actions */
function listenToKeys(actions) {
  addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Escape") {
      tip.hide();
      if (target.matches?.("input, select")) target.blur();
      return;
    }
    const typing = target.matches?.("input:not([type=checkbox], [type=range]), select, textarea");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || $("help-dialog").open) return;
    if (target.matches?.("[type=range], #viewport") && event.key.startsWith("Arrow")) return; // they have uses of their own
    const action = actions[event.key] ?? actions[event.key.toLowerCase()];
    if (!action || (event.shiftKey && /^[a-z]$/i.test(event.key) && !actions[event.key])) return;
    event.preventDefault();
    action();
  });
}

/** @param {Object} head */
function fillHeader(head) {
  $("page-title").textContent = head.title;
  $("subtitle").textContent = head.subtitle;
  const chips = [`IPv${head.machine.ip}`, `Windows ${head.machine.windows}`, `evidence: ${head.machine.evidence}`];
  const items = chips.map((text) => make("li", { text }));
  for (const one of head.machine.assume) {
    items.push(make("li", { class: "assumed", title: one.question, text: `${one.name}=${one.option}` }));
  }
  items.push(make("li", { class: "model", title: "Model version: links work where it is the same", text: `model ${head.fingerprint}` }));
  $("chips").replaceChildren(...items);
  $("footer").textContent = head.footer;
}

/** @param {string} text @param {?string} action @param {?() => void} run */
function notice(text, action = null, run = null) {
  const box = $("notice");
  box.hidden = !text;
  box.replaceChildren();
  if (!text) return;
  box.append(make("span", { text }));
  if (action) box.append(make("button", { on: { click: run }, text: action }));
  box.append(make("button", { "aria-label": "Close this message", class: "close", on: { click: () => notice("") }, text: "\u00d7" }));
}
