"use strict";
/* The trace page: a slider through recorded events, each with its layers marked in the picture. */

const DATA = JSON.parse($("data").textContent);
const HEAD = DATA.head;

class TracePage {
  constructor() {
    this.rules = new Rules(DATA.model);
    /** @type {Object[]} */ this.events = DATA.events;
    this.at = 0;
    fillHeader(HEAD);
    theme.start();
    this.diagram = new Diagram(DATA.diagram);
    /** Parts of the picture by row, and boxes by stem. @type {Map<string, Element[]>} */
    this.parts = new Map();
    this.boxes = (DATA.diagram.boxes ?? []).map((box) => ({ ...box, part: this.diagram.part(box.id) })).filter((box) => box.part);
    const file = (key, part) => part && this.parts.set(key, [...(this.parts.get(key) ?? []), part]);
    for (const way of DATA.diagram.ways ?? []) if (!way.runs.length) for (const key of way.rows) file(key, this.diagram.part(way.id));
    for (const [id, keys] of Object.entries(DATA.diagram.lines ?? {})) {
      for (const part of this.diagram.line(id)) for (const key of keys) file(key, part);
    }
    for (const box of this.boxes) this.diagram.button(box.part, `${box.title}: next event here`, () => this.nextAt(box));
    this.fillFound();
    this.fillEvents();
    this.listen();
    this.go(this.fromHash());
  }

  fromHash() {
    const number = /^event=(\d{1,9})$/.exec(location.hash.slice(1));
    return number ? Number(number[1]) - 1 : 0;
  }

  /** What the whole run comes to, where somebody said it. */
  fillFound() {
    const notes = DATA.notes;
    $("found-card").hidden = !notes.length;
    $("found").replaceChildren(...notes.flatMap(([heading, lines]) =>
      [make("dt", { text: heading }), make("dd", {}, ...lines.map((text) => make("p", { text: breakable(text) })))]));
  }

  /** How to go on in the stepper from this event. @param {string} token */
  stepping(token) {
    const command = `wfp-udp step --token ${token}`;
    const button = make("button", { text: "Copy", on: { click: async () => {
      try {
        await navigator.clipboard.writeText(command);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(text); // no clipboard for a file opened from disk in some browsers
        button.textContent = "Marked";
      }
    } } });
    const text = make("code", { class: "mono token", text: command });
    return make("div", { class: "row stepping" }, make("span", { class: "small", text: "Step on from here:" }), text, button);
  }

  fillEvents() {
    this.items = this.events.map((event, number) => make("li", {}, make("button", {
      class: `event ${event.level}`, "data-event": number, on: { click: () => this.go(number) },
    },
      make("span", { class: "number", text: String(number + 1) }),
      make("span", { class: "name" }, event.title, event.level === "plain" ? null : make("span", { class: "small level", text: ` ${event.word || event.level}` })),
      event.time ? make("span", { class: "small time", text: event.time }) : null)));
    $("events").replaceChildren(...this.items, make("li", { id: "no-event", class: "small", hidden: true, text: "No event has these words." }));
    const slider = /** @type {HTMLInputElement} */ ($("slider"));
    slider.max = String(Math.max(0, this.events.length - 1));
    if (!this.events.length) notice("There are no events in this trace.");
  }

  listen() {
    const last = () => this.events.length - 1;
    const actions = { first: () => this.go(0), back: () => this.go(this.at - 1), forward: () => this.go(this.at + 1), last: () => this.go(last()) };
    for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
    $("slider").addEventListener("input", (event) => this.go(Number(event.target.value)));
    $("search").addEventListener("input", () => this.filter());
    addEventListener("hashchange", () => this.fromHash() !== this.at && this.go(this.fromHash()));
    listenToKeys({
      ArrowLeft: actions.back, ArrowRight: actions.forward, b: actions.back, f: actions.forward, Home: actions.first, End: actions.last,
      "/": () => $("search").focus(), "?": () => $("help-dialog").showModal(), t: theme.toggle,
      "+": () => $("zoom-in").click(), "-": () => $("zoom-out").click(), 0: () => $("fit").click(),
    });
    fillHelp([
      ["left, b", "event before"], ["right, f", "next event"], ["Home, End", "first, last"], ["/", "search the events"],
      ["t", "light or dark"], ["+ - 0", "zoom in, out, the whole diagram"], ["?", "this help"],
    ], [
      "Click a box of the diagram for the next event there.",
      "[O] observed in logs or tests, [I] inferred in this project; all else is documented by Microsoft.",
    ]);
  }

  filter() {
    const words = $("search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    this.events.forEach((event, number) => {
      const text = `${event.title} ${event.text} ${event.time} ${event.steps.map((step) => step.layer).join(" ")}`.toLowerCase();
      this.items[number].hidden = !words.every((word) => text.includes(word));
      shown += this.items[number].hidden ? 0 : 1;
    });
    $("no-event").hidden = shown > 0;
  }

  nextAt(box) {
    const here = (event) => this.boxesOf(event).includes(box);
    for (let more = 1; more <= this.events.length; more++) {
      const number = (this.at + more) % this.events.length;
      if (here(this.events[number])) return this.go(number);
    }
    $("say").textContent = `No event at ${box.title}`;
    return undefined;
  }

  /** The boxes of the layers of an event. */
  boxesOf(event) {
    return event.steps.filter((step) => step.layer).flatMap((step) => {
      const same = this.boxes.filter((box) => box.stem && DATA.model.stems[step.layer].replace(/_DISCARD$/, "") === box.stem && !box.ghost);
      const exact = same.filter((box) => box.rows.includes(step.rule));
      return (exact.length ? exact : same).slice(0, 1);
    });
  }

  /** @param {number} number  from 0 on */
  go(number) {
    if (!this.events.length) return;
    this.at = Math.min(Math.max(0, number), this.events.length - 1);
    tip.hide();
    const event = this.events[this.at];
    try {
      history.replaceState(null, "", `#event=${this.at + 1}`);
    } catch { /* browsers limit how often; the next step sets it */ }
    const slider = /** @type {HTMLInputElement} */ ($("slider"));
    slider.value = String(this.at);
    slider.setAttribute("aria-valuetext", `${this.at + 1} of ${this.events.length}: ${event.title}`);
    $("where").textContent = `Event ${(this.at + 1).toLocaleString("en")} of ${this.events.length.toLocaleString("en")}${event.time ? `, ${event.time}` : ""}`;
    $("first").disabled = $("back").disabled = this.at === 0;
    $("forward").disabled = $("last").disabled = this.at === this.events.length - 1;
    this.items.forEach((item, at) => item.firstChild.classList.toggle("now", at === this.at));
    this.items[this.at].firstChild.setAttribute("aria-current", "step");
    for (const item of this.items) if (item !== this.items[this.at]) item.firstChild.removeAttribute("aria-current");
    const list = $("events"), own = this.items[this.at];
    if (own.offsetTop < list.scrollTop || own.offsetTop + own.offsetHeight > list.scrollTop + list.clientHeight) {
      list.scrollTop = own.offsetTop - list.clientHeight / 3;
    }
    this.showEvent(event);
    $("say").textContent = `${this.at + 1} of ${this.events.length}: ${event.title}`;
  }

  showEvent(event) {
    $("event-title").textContent = event.title;
    $("event").replaceChildren(...event.text.split("\n").filter(Boolean).map((text) => make("p", { text })));
    if (event.state) $("event").append(make("p", { class: "small" }, "State: ", make("span", { class: "mono", text: event.state })));
    if (event.token) $("event").append(this.stepping(event.token));
    $("ladder").replaceChildren(...event.steps.map((step, number) => {
      const row = DATA.model.rows[this.rules.byKey.get(step.rule) ?? -1], layer = DATA.model.layers[step.layer];
      const line = make("div", { class: "rung still", tabindex: row ? "0" : null, "data-layer": step.layer, "data-verdict": step.verdict },
        make("span", { class: "number", text: String(number + 1) }),
        make("span", { class: "name" }, layer ? breakable(layer.short) : step.rule || "no layer", layer ? make("span", { class: "small", text: ` ${layer.id}` }) : null,
          row && this.rules.mark(row) ? make("span", { class: "mark", text: ` ${this.rules.mark(row)}` }) : null),
        badge(step.verdict),
        step.flags.length || step.actor ? make("span", { class: "flags small", text: [step.actor, ...step.flags].filter(Boolean).join(", ") }) : null);
      if (row) tip.on(line, () => this.rules.tip(row, step.flags));
      return make("li", {}, line);
    }));
    const rows = [...new Set(event.steps.map((step) => this.rules.byKey.get(step.rule)))].filter((number) => number !== undefined);
    $("detail").replaceChildren(...rows.map((number) => this.rules.article(DATA.model.rows[number])));
    if (!rows.length) $("detail").append(make("p", { class: "small", text: "No rule of the model stands behind this event." }));
    const parts = (events) => events.flatMap((one) => one.steps).flatMap((step) => this.parts.get(step.rule) ?? []);
    const on = [...new Set(parts([event]))], was = [...new Set(parts(this.events.slice(0, this.at)))].filter((part) => !on.includes(part));
    this.diagram.mark({ on, was });
    const here = [...new Set(this.boxesOf(event))].map((box) => box.part);
    const before = [...new Set(this.events.slice(Math.max(0, this.at - 50), this.at).flatMap((one) => this.boxesOf(one)))].map((box) => box.part);
    this.diagram.frame(here, before);
    $("not-drawn").textContent = event.steps.some((step) => step.layer) && !here.length ? "Its layers are not drawn here." : "";
  }
}

const page = new TracePage();
document.body.dataset.ready = String(Math.round(performance.now()));
