"use strict";
/*
 * The compiled table of one endpoint, and running it: the same as fsm/table.py and fsm/endpoint.py.
 * No rule stands here. What is possible, and why something is not, comes from the table in the page.
 */

/**
 * @typedef {Object} Step  One step that was taken.
 * @property {number} event  @property {number} from  @property {number} to  @property {number} row
 * @property {string} peer   @property {number} now
 *
 * @typedef {Object} Place  Everything the future depends on. Never changed once it is made.
 * @property {number} state  State of the table, drawn for the peer in focus.
 * @property {string} peer  @property {number} now  Model time in seconds.
 * @property {Map<string, string>} flows  Flow registers of the peers out of focus.
 * @property {Map<string, number>} touched  When the last packet of a peer's flow passed.
 * @property {number} windowTouched  When the last group datagram was sent.
 * @property {Map<string, number>} reasons  Why a peer's flow is stale, as bits.
 * @property {string|null} connectedTo  null: nobody; "": somebody without a name here.
 * @property {string} connectingTo  Whom the connect is about that is held, or was the last one; "": no name here.
 */

/** What was asked is not possible. */
class NotPossible extends Error {}

/** @param {string} text  size, colon, little-endian base64. @returns {number[]} */
function unpack(text) {
  const size = Number(text[0]);
  const bytes = Uint8Array.from(atob(text.slice(2)), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const numbers = new Array(bytes.length / size);
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] = size === 1 ? bytes[i] : size === 2 ? view.getUint16(2 * i, true) : view.getUint32(4 * i, true);
  }
  return numbers;
}

/** The generator of every random walk: mulberry32. @param {number} seed @returns {() => number} 0 to 2**32 - 1 */
function mulberry32(seed) {
  let a = seed | 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

/** Look-ups on integers. -1 stands for nothing. */
class Table {
  /** @param {Object} data  as fsm/page/table_data.py makes it */
  constructor(data) {
    this.data = data;
    /** @type {string[]} */ this.events = data.events;
    this.eventIds = new Map(this.events.map((name, id) => [name, id]));
    this.stimuli = new Map(data.stimuli.map((stimulus) => [stimulus.name, stimulus]));
    this.verdicts = new Set(data.verdicts);
    /** @type {string[]} */ this.registerNames = data.registerNames;
    const width = this.registerNames.length, numbers = unpack(data.registers);
    /** The values of the registers of each name. @type {string[][]} */
    this.registers = data.names.map((_, at) => data.registerValues.map((values, one) => values[numbers[at * width + one]]));
    const states = data.states;
    this.registersOf = unpack(states.registers);
    this.cursorOf = unpack(states.cursors);
    this.layerOf = unpack(states.layers).map((number) => number - 1);
    this.flagsOf = unpack(states.flags);
    this.refusalsOf = unpack(states.refusals);
    this.size = this.registersOf.length;
    const events = this.events.length;
    this.nexts = new Int32Array(this.size * events).fill(-1);
    this.rowsOf = new Int32Array(this.size * events).fill(-1);
    const moves = unpack(states.moves), targets = unpack(data.next);
    for (let state = 0, cell = 0; state < this.size; state++) {
      for (const [event, row] of data.moves[moves[state]]) {
        this.nexts[state * events + event] = targets[cell++];
        this.rowsOf[state * events + event] = row;
      }
    }
    /** @type {Map<string, number>} */ this.stateIds = new Map();
    for (let state = 0; state < this.size; state++) this.stateIds.set(this.keyOf(state), state);
  }

  /** @param {number} state */
  keyOf(state, registers = this.registers[this.registersOf[state]]) {
    return `${registers.join("/")} ${this.cursorOf[state]}`;
  }
  next(state, event) { return this.nexts[state * this.events.length + event]; }
  row(state, event) { return this.rowsOf[state * this.events.length + event]; }
  /** The layer that waits for a verdict, or null. */
  layer(state) { return this.layerOf[state] < 0 ? null : this.data.layers[this.layerOf[state]]; }
  flags(state) { return this.data.flags[this.flagsOf[state]]; }
  stimulus(state) { return this.data.cursors[this.cursorOf[state]][0]; }
  position(state) { return this.data.cursors[this.cursorOf[state]][1]; }
  hasRegister(name) { return this.registerNames.includes(name); }
  register(state, name) { return this.registers[this.registersOf[state]][this.registerNames.indexOf(name)]; }

  /** The state that differs in these registers only; -1 where that cannot be reached. */
  withRegisters(state, values) {
    const here = this.registers[this.registersOf[state]];
    const changed = this.registerNames.map((name, at) => values[name] ?? here[at]);
    return this.stateIds.get(this.keyOf(state, changed)) ?? -1;
  }

  /** `BOUND/OUT`, or `BOUND/NONE sendto@send.authorize` in the middle of a stimulus. */
  nameOf(state) {
    const stimulus = this.stimulus(state);
    return this.restName(state) + (stimulus ? ` ${stimulus}@${this.position(state)}` : "");
  }

  /** The same without the stimulus in progress. @param {number} state */
  restName(state) { return this.data.names[this.registersOf[state]]; }

  /** @returns {string[]} */
  moves(state) { return this.events.filter((_, event) => this.next(state, event) >= 0); }

  /** Each event that is not possible, with its reason, in table order. @returns {[string, string][]} */
  refusals(state) {
    const numbers = this.data.refusals[this.refusalsOf[state]];
    const refused = this.events.filter((_, event) => this.next(state, event) < 0);
    return refused.map((event, at) => [event, this.data.reasons[numbers[at]]]);
  }
}

/** One endpoint as a system of places and moves: `bind`, `sendto@B`, `wait:61`, `permit` ... */
class EndpointSystem {
  /** @param {Object} data */
  constructor(data) {
    this.table = new Table(data);
    this.kind = "endpoint";
  }

  /** @returns {Place} */
  start() {
    return {
      state: 0, peer: this.table.data.firstPeer, now: 0, flows: new Map(), touched: new Map(),
      windowTouched: 0, reasons: new Map(), connectedTo: null, connectingTo: "",
    };
  }

  /** The table's own moves, as words for the peer in focus. @param {Place} place */
  moves(place) { return this.table.moves(place.state).map((name) => this.word(name, place.peer)); }
  refusals(place) { return this.table.refusals(place.state).map(([name, why]) => [this.word(name, place.peer), why]); }
  layer(place) { return this.table.layer(place.state); }

  /** The same for another peer, in words that `take` takes. @param {Place} place @param {string} peer */
  movesFor(place, peer) {
    const table = this.table, state = this.stateFor(place, peer);
    if (state < 0 || table.layer(place.state)) return this.moves(place);
    return table.moves(state).map((name) => this.word(name, peer));
  }
  refusalsFor(place, peer) {
    const state = this.stateFor(place, peer);
    return this.table.refusals(state < 0 ? place.state : state).map(([name, why]) => [this.word(name, peer), why]);
  }
  /** `sendto@B`; what happens to the socket as a whole takes no peer. */
  word(name, peer) {
    const stimulus = this.table.stimuli.get(name);
    return stimulus && stimulus.withPeer && peer !== this.table.data.firstPeer ? `${name}@${peer}` : name;
  }

  /** Every peer that is known, the one in focus included. @param {Place} place */
  peers(place) {
    return [...new Set([this.table.data.firstPeer, ...place.flows.keys(), place.peer])];
  }
  flow(place, peer) {
    if (!this.table.hasRegister("flow")) return "NONE";
    return peer === place.peer ? this.table.register(place.state, "flow") : place.flows.get(peer) ?? "NONE";
  }
  has(place, register, value) {
    return this.table.hasRegister(register) && this.table.register(place.state, register) === value;
  }

  /** The state as the table drawn for `peer` has it; -1 where it cannot be reached. */
  stateFor(place, peer) {
    if (peer === place.peer || !this.table.hasRegister("flow") || this.table.layer(place.state)) return place.state;
    const connected = place.connectedTo === null ? "no" : place.connectedTo === peer ? "this" : "other";
    const { connecting } = this.table.data;
    let socket = this.table.register(place.state, "socket");
    if (connecting.includes(socket)) socket = connecting[place.connectingTo === peer ? 0 : 1];
    return this.table.withRegisters(place.state, { flow: place.flows.get(peer) ?? "NONE", connected, socket });
  }

  /**
   * Take one move. @param {Place} place @param {string} move @returns {{place: Place, steps: Step[]}}
   * @throws {NotPossible}
   */
  take(place, move) {
    const after = {
      ...place, flows: new Map(place.flows), touched: new Map(place.touched), reasons: new Map(place.reasons),
    };
    /** @type {Step[]} */ const steps = [];
    const wait = /^wait:(\d{1,9})$/.exec(move);
    if (wait) {
      this._wait(after, Number(wait[1]), steps);
      this._focus(after, place.peer);
    } else if (this.table.verdicts.has(move)) this._advance(after, this.table.eventIds.get(move), steps);
    else {
      const [name, peer] = move.split("@");
      const asked = peer ?? this.table.data.firstPeer;
      this._begin(after, name, asked, steps);
      // What happens to all flows leaves another one in focus.
      if (!this.table.layer(after.state)) this._focus(after, asked);
    }
    return { place: after, steps };
  }

  _begin(place, name, peer, steps) {
    const table = this.table, stimulus = table.stimuli.get(name), event = table.eventIds.get(name);
    if (!stimulus) throw new NotPossible(`there is no stimulus '${name}' here`);
    let peers = [peer];
    if (stimulus.perFlow) {
      peers = [place.peer, ...place.flows.keys()].filter((one) => this.flow(place, one) !== "NONE");
      if (!peers.length) peers = [place.peer];
    }
    const state = this.stateFor(place, peers[0]);
    if (state < 0) throw new NotPossible(`'${name}' for peer ${peers[0]}: this combination is never reached`);
    if (table.next(state, event) < 0) throw new NotPossible(this.whyNot(state, name));
    for (const each of peers) {
      this._focus(place, each);
      this._advance(place, event, steps);
    }
  }

  _wait(place, seconds, steps) {
    const layer = this.table.layer(place.state);
    if (layer) throw new NotPossible(`time does not pass while ${layer.name} waits for its verdict`);
    place.now += seconds;
    const { unicast, group } = this.table.data.lifetime;
    for (const peer of [place.peer, ...place.flows.keys()].filter((one) => this.flow(place, one) !== "NONE")) {
      // A pended flow waits for its callout, whatever the time.
      const waits = this.flow(place, peer).endsWith("PENDED");
      if (!waits && place.now - (place.touched.get(peer) ?? 0) >= unicast) this._begin(place, "idle_timeout", peer, steps);
    }
    if (this.has(place, "window", "open") && place.now - place.windowTouched >= group) {
      this._begin(place, "window_timeout", place.peer, steps);
    }
  }

  _focus(place, peer) {
    if (peer === place.peer) return;
    const state = this.stateFor(place, peer);
    if (state < 0) throw new NotPossible(`the state for peer ${peer} is never reached`);
    if (this.table.hasRegister("flow")) {
      place.flows.set(place.peer, this.table.register(place.state, "flow"));
      place.flows.delete(peer);
    }
    place.peer = peer;
    place.state = state;
  }

  _advance(place, event, steps) {
    const table = this.table, from = place.state, to = table.next(from, event);
    if (to < 0) throw new NotPossible(this.whyNot(from, table.events[event]));
    const step = { event, from, to, row: table.row(from, event), peer: place.peer, now: place.now };
    place.state = to;
    steps.push(step);
    const name = table.stimulus(from) || table.events[event];
    const ops = table.data.rows[step.row].ops ?? [], flags = table.flags(from);
    if (ops.length || flags.length || ["connect", "connect_other", "complete"].includes(name)) {
      this._operate(place, step, name, ops, flags);
    }
  }

  _operate(place, step, name, ops, flags) {
    const table = this.table;
    for (const op of ops) {
      if (op === "create_flow" || op === "touch") {
        place.touched.set(place.peer, place.now);
        place.reasons.delete(place.peer);
      } else if (op === "touch_window") place.windowTouched = place.now;
      else if (op === "mark_stale") {
        place.reasons.set(place.peer, (place.reasons.get(place.peer) ?? 0) | table.data.staleReasons[name]);
      } else if (op === "drop_flow") {
        place.touched.delete(place.peer);
        place.reasons.delete(place.peer);
      } else if (op === "drop_all_flows") {
        for (const records of [place.touched, place.flows, place.reasons]) records.clear();
        place.connectedTo = null;
      }
    }
    const verdict = table.layer(step.from) ? table.events[step.event] : "";
    if (verdict === "permit" && flags.includes("IS_REAUTHORIZE") && !table.stimuli.get(name)?.group) {
      place.reasons.delete(place.peer); // authorized again: the reasons are dealt with
    }
    if (table.position(step.from) === "connect.redirect") place.connectingTo = name === "connect" ? place.peer : "";
    const event = table.events[step.event];
    if (event === "complete" && table.data.connecting.includes(table.register(step.from, "socket"))) {
      place.connectedTo = place.connectingTo;
    } else if (this.has(place, "connected", "this")) place.connectedTo = place.peer;
    else if (name === "connect_other" && this.has(place, "connected", "other")) {
      const done = !table.stimulus(step.to) && !table.data.rows[step.row].outcome;
      if (done) place.connectedTo = "";
    }
  }

  whyNot(state, event) {
    const found = this.table.refusals(state).find(([name]) => name === event);
    return `'${event}' is not possible in state ${this.table.nameOf(state)}: ${found ? found[1] : ""}`;
  }

  /** The peers that were met. @param {Place} place */
  met(place) { return [place.peer, ...place.flows.keys()]; }

  /**
   * What a place is made of, by name: for the state panel and for what changed.
   * @param {Place} place @param {string[]} peers  whose flows are told @returns {Map<string, string>}
   */
  view(place, peers = this.met(place)) {
    const table = this.table, shown = new Map();
    for (const name of table.registerNames) shown.set(name, table.register(place.state, name));
    const several = [...new Set(peers)].sort();
    if (several.length > 1 && shown.delete("flow")) {
      shown.set("peer", place.peer);
      for (const peer of several) shown.set(`flow@${peer}`, this.flow(place, peer));
    }
    shown.set("stimulus", table.stimulus(place.state) || "none");
    shown.set("position", table.position(place.state));
    shown.set("layer", table.layer(place.state)?.short ?? "none");
    shown.set("time", `${place.now} s`);
    for (const [peer, bits] of place.reasons) shown.set(`stale since@${peer}`, this.reasonNames(bits));
    return shown;
  }
  reasonNames(bits) {
    const names = Object.entries(this.table.data.reasonNames).filter(([value]) => bits & Number(value));
    return names.map(([, name]) => name).join(", ");
  }

  /** A step for a reader. @param {Step} step */
  describe(step) {
    const table = this.table, layer = table.layer(step.from), name = table.events[step.event];
    return {
      stimulus: table.stimulus(step.from) || name, position: table.position(step.from),
      verdict: layer ? name : "", layer: layer?.name ?? "", short: layer?.short ?? "", id: layer ? layer.id : null,
      from: table.nameOf(step.from), to: table.nameOf(step.to), flags: table.flags(step.from),
      row: table.data.rows[step.row], peer: step.peer, actor: "",
    };
  }
}

if (typeof module !== "undefined") module.exports = { EndpointSystem, NotPossible, Table, mulberry32, unpack };
