"use strict";
/* Which parts of the picture stand for a place, for a path, and for what can be done: from the rows of each part. */

/** The picture of an endpoint or of the packet path. */
class EndpointMarking {
  /** @param {Diagram} diagram @param {Rules} rules @param {{take: (move: string) => void, show: (title: string, keys: string[]) => void}} acts */
  constructor(diagram, rules, acts) {
    this.diagram = diagram;
    this.data = diagram.data;
    this.acts = acts;
    this.rules = rules;
    /** Moves that a click on a part takes now. @type {Map<Element, string[]>} */
    this.moves = new Map();
    /** @type {Map<string, Object[]>} */ this.boxesAt = new Map();
    for (const box of this.data.boxes ?? []) {
      const part = (box.part = diagram.part(box.id));
      if (!part) continue;
      for (const position of box.positions) this._file(this.boxesAt, position, box);
      diagram.button(part, `${box.title}, ${box.kind}`, () => acts.show(box.title, box.rows));
      for (const key of box.rows) this._file(this.boxesAt, `row ${key}`, box);
    }
    /** Lines and badges by row. @type {Map<string, Element[]>} */ this.partsOf = new Map();
    for (const way of this.data.ways ?? []) {
      way.part = diagram.part(way.id);
      if (way.part) this._clickable(way.part, way.rows, way.runs.length ? [] : way.rows, rules);
    }
    for (const [id, keys] of Object.entries(this.data.lines ?? {})) {
      for (const part of diagram.line(id)) this._clickable(part, keys, keys, rules);
    }
  }

  _file(map, key, value) {
    if (!map.has(key)) map.set(key, []);
    map.get(key).push(value);
  }

  _clickable(part, keys, own, rules) {
    this.diagram.widen(part);
    for (const key of own) this._file(this.partsOf, key, part);
    const title = keys.length > 1 ? `${keys[0]} and ${keys.length - 1} more` : keys[0];
    this.diagram.button(part, title, () => {
      const moves = this.moves.get(part);
      if (moves?.length) this.acts.take(moves[0]);
      else this.acts.show(title, keys);
    });
    part.removeAttribute("tabindex"); // reached by the moves and the boxes; focus only where it can be taken
    const known = keys.map((key) => rules.byKey.get(key)).filter((number) => number !== undefined);
    tip.on(part, () => {
      const parts = known.slice(0, 3).map((number) => rules.tip(rules.data.rows[number]));
      const moves = this.moves.get(part);
      if (moves?.length) parts.unshift(make("p", { class: "now", text: `Click: ${moves[0]}` }));
      if (known.length > 3) parts.push(make("p", { text: `and ${known.length - 3} more` }));
      return parts.length ? make("div", {}, ...parts) : null;
    });
  }

  /** The boxes of a state of the table. */
  boxesOf(table, state) {
    const position = table.position(state);
    if (table.stimulus(state)) return (this.boxesAt.get(position) ?? []).filter((box) => box.part && !box.ghost);
    const names = table.hasRegister("flow")
      ? [`${table.register(state, "socket")}/${table.register(state, "flow")}`]
      : ["NO_SOCKET"];
    return (this.data.boxes ?? []).filter((box) => box.kind === "state" && names.some((name) => box.key === `state ${name}`));
  }

  /**
   * @param {Table} table @param {number} state  where we are
   * @param {[string, string][]} enabled  key of a row, and the move that it is
   * @param {string[]} recent  rows of the last stimulus @param {string[]} before  rows of the path before it
   * @returns {boolean} whether the place is drawn
   */
  update(table, state, enabled, recent, before) {
    if (!this.diagram.svg) return true;
    const here = this.boxesOf(table, state);
    this.moves.clear();
    const can = [];
    for (const [key, move] of enabled) {
      for (const part of this.partsOf.get(key) ?? []) this._file(this.moves, part, move), can.push(part);
      for (const way of this.data.ways) {
        // A line between states stands for a whole run, and begins at one of them.
        if (way.part && way.runs.some((run) => run[0] === key) && here.some((box) => box.key === way.from)) {
          this._file(this.moves, way.part, move);
          can.push(way.part);
        }
      }
      for (const box of this.boxesAt.get(`row ${key}`) ?? []) if (box.kind === "stimulus") can.push(box.part);
    }
    const parts = (keys) => [...new Set(keys)].flatMap((key) => this.partsOf.get(key) ?? []);
    const on = parts(recent), was = parts(before).filter((part) => !on.includes(part));
    for (const part of this.diagram.svg.querySelectorAll(".can[tabindex]")) if (!part.classList.contains("node")) part.removeAttribute("tabindex");
    for (const part of can) part.setAttribute("tabindex", "0");
    this.diagram.mark({ can, on, was });
    const boxes = recent.flatMap((key) => this.boxesAt.get(`row ${key}`) ?? []).filter((box) => box.kind !== "state" && box.part);
    const passed = [...new Set(boxes.map((box) => box.part))];
    // At rest after a run, what it went through is more to look at than the state; at the start, the beginning is.
    const layers = boxes.filter((box) => box.kind === "position").map((box) => box.part);
    const rests = !table.stimulus(state), last = layers[layers.length - 1];
    const shown = rests && last ? last : recent.length || before.length ? here[0]?.part ?? null : null;
    // What is held is held at the layer that pended it, where its state has no box of its own.
    const row = this.rules.data.rows[this.rules.byKey.get(recent[recent.length - 1]) ?? -1];
    const stands = !here.length && rests && last && row?.outcome === "pended" ? [last] : here.map((box) => box.part);
    this.diagram.frame(stands, passed, shown);
    return stands.length > 0;
  }
}

/** The picture of a session: places by what the sockets are, ways between them. */
class SessionMarking {
  /** @param {Diagram} diagram @param {{take: (move: string) => void, choose: (title: string, moves: string[]) => void}} acts */
  constructor(diagram, acts) {
    this.diagram = diagram;
    this.data = diagram.data;
    this.acts = acts;
    this.places = new Map(Object.entries(this.data.places ?? {}).map(([id, key]) => [key, diagram.part(id)]));
    /** @type {[Element, string, string][]} */ this.ways = [];
    this.here = "";
    /** @type {Map<string, string[]>} */ this.movesTo = new Map();
    for (const [id, [from, to]] of [...Object.entries(this.data.ways ?? {}), ...Object.entries(this.data.words ?? {})]) {
      const part = diagram.part(id);
      if (!part) continue;
      this.ways.push([part, from, to]);
      diagram.widen(part);
      diagram.button(part, `from ${from} to ${to}`, () => this._choose(from, to));
      part.removeAttribute("tabindex");
      tip.on(part, () => (from === this.here ? make("div", {}, ...(this.movesTo.get(to) ?? []).map((move) => make("p", { text: move }))) : null));
    }
    for (const [key, part] of this.places) if (part) diagram.button(part, `place ${key}`, () => this._choose(this.here, key));
  }

  _choose(from, to) {
    const moves = from === this.here ? this.movesTo.get(to) ?? [] : [];
    if (moves.length === 1) this.acts.take(moves[0]);
    else this.acts.choose(to, moves);
  }

  /** @param {string[]} path  places passed, the last is here @param {Map<string, string[]>} movesTo  moves by place */
  update(path, movesTo) {
    if (!this.diagram.svg) return true;
    this.here = path[path.length - 1];
    this.movesTo = movesTo;
    const passed = new Set(path.slice(1).map((key, at) => `${path[at]}>${key}`));
    const on = this.ways.filter(([, from, to]) => passed.has(`${from}>${to}`)).map(([part]) => part);
    const can = this.ways.filter(([, from, to]) => from === this.here && movesTo.has(to)).map(([part]) => part);
    for (const [part] of this.ways) part.removeAttribute("tabindex");
    for (const part of can) part.setAttribute("tabindex", "0");
    this.diagram.mark({ can, on });
    const here = this.places.get(this.here);
    this.diagram.frame(here ? [here] : [], path.map((key) => this.places.get(key)).filter(Boolean));
    return Boolean(here);
  }
}
