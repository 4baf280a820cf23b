"use strict";
/* A walk through a system: its history as a tree, and its token. The same as fsm/stepper. */

/**
 * @typedef {Object} WalkNode
 * @property {number} number  @property {WalkNode|null} parent  @property {string} move
 * @property {Object[]} steps  @property {Object} place  @property {"start"|"hand"|"permit"|"random"|"token"} by
 * @property {WalkNode[]} children  @property {number} depth
 */

const TOKEN_LIMIT = 2000;

class Walk {
  /** @param {Object} system  EndpointSystem or SessionSystem */
  constructor(system) {
    this.system = system;
    this.manual = false;
    /** Full names of layers at which an automatic run stops. @type {Set<string>} */
    this.breakpoints = new Set();
    /** @type {WalkNode[]} */ this.nodes = [];
    this.root = this._node(null, "", [], system.start(), "start");
    this.at = this.root;
    /** Named branches: where each of them ends. @type {Map<string, WalkNode>} */
    this.branches = new Map([["main", this.root]]);
    this.branch = "main";
  }

  _node(parent, move, steps, place, by) {
    const node = { number: this.nodes.length, parent, move, steps, place, by, children: [], depth: parent ? parent.depth + 1 : 0 };
    this.nodes.push(node);
    if (parent) parent.children.push(node);
    return node;
  }

  get moves() { return this.system.moves(this.at.place); }
  get refusals() { return this.system.refusals(this.at.place); }
  get layer() { return this.system.layer(this.at.place); }

  /** Take one move and no more. A move that was taken here before leads to the same node. */
  step(move, by = "hand") {
    let node = this.at.children.find((child) => child.move === move);
    if (!node) {
      const { place, steps } = this.system.take(this.at.place, move);
      node = this._node(this.at, move, steps, place, by);
    }
    // What lay ahead in this branch keeps its name, and another way gets a new one.
    const end = this.branches.get(this.branch);
    if (end === this.at) this.branches.set(this.branch, node);
    else if (!this._leadsThrough(end, node)) {
      const other = [...this.branches].find(([, tip]) => this._leadsThrough(tip, node));
      this.branch = other ? other[0] : this._freeName();
      if (!other) this.branches.set(this.branch, node);
    }
    this.at = node;
  }

  _leadsThrough(end, node) {
    let one = end;
    while (one && one.number > node.number) one = one.parent; // a child has a larger number than its parent
    return one === node;
  }
  _freeName() {
    let number = this.branches.size + 1;
    while (this.branches.has(`branch${number}`)) number++;
    return `branch${number}`;
  }

  /** Take a move; then, unless every layer is asked, permit up to the end or to a breakpoint. */
  choose(move, by = "hand") {
    this.step(move, by);
    if (!this.manual) this.proceed();
  }

  /** Permit until nothing waits any more; stops at breakpoints. */
  proceed() {
    for (let layer = this.layer; layer && !this.breakpoints.has(layer.name); layer = this.layer) this.step("permit", "permit");
  }

  back(count = 1) {
    for (let i = 0; i < count && this.at.parent; i++) this.at = this.at.parent;
  }
  /** What lies ahead in this branch. @returns {WalkNode[]} */
  ahead() { return this.path(this.branches.get(this.branch)).slice(this.at.depth); }
  forward() {
    const ahead = this.ahead();
    if (ahead.length) this.at = ahead[0];
  }
  /** To the place before the stimulus in progress or done last. */
  backStimulus() {
    do this.back(); while (this.at.parent && this.layer);
  }
  /** Stand at any node, in the branch that leads through it. @param {WalkNode} node */
  jump(node) {
    if (!this._leadsThrough(this.branches.get(this.branch), node)) {
      this.branch = [...this.branches].find(([, end]) => this._leadsThrough(end, node))[0];
    }
    this.at = node;
  }
  reset() { this.at = this.root; }

  /** Begin a branch here. @returns {string} its name */
  fork() {
    this.branch = this._freeName();
    this.branches.set(this.branch, this.at);
    return this.branch;
  }
  switchTo(name) {
    this.branch = name;
    this.at = this.branches.get(name);
  }

  /** A seeded random walk over the table's own moves; from the start again where nothing is possible. */
  random(steps, seed) {
    const next = mulberry32(seed);
    for (let i = 0; i < steps; i++) {
      let moves = this.moves;
      if (!moves.length) {
        this.reset();
        moves = this.moves;
        if (!moves.length) return;
      }
      this.step(moves[Math.floor((next() / 4294967296) * moves.length)], "random");
    }
  }

  /** The nodes from the start to here, without the start. @returns {WalkNode[]} */
  path(node = this.at) {
    const path = [];
    for (let one = node; one.parent; one = one.parent) path.push(one);
    return path.reverse();
  }

  /** The classifies so far: [node, step] of each. */
  ladder() {
    return this.path().flatMap((node) => node.steps.map((step) => [node, step]));
  }

  /** What differs here from another node, or what the last move changed: name, before, after. @returns {[string, string, string][]} */
  changed(since = this.at.parent) {
    if (!since) return [];
    // Of peers that only one of them has met the flow is told too.
    const peers = [...this.system.met(since.place), ...this.system.met(this.at.place)];
    const [before, after] = [since, this.at].map((node) => this.system.view(node.place, peers));
    const names = [...new Set([...before.keys(), ...after.keys()])];
    const pairs = names.map((name) => [name, before.get(name) ?? "-", after.get(name) ?? "-"]);
    return pairs.filter(([, was, is]) => was !== is);
  }
}

/* ---- tokens: wfp2_fingerprint_system_ip_windows_evidence_choices_check ---- */

const NOT_MOVED = "00";
const IN_PEER = { "-": "-m", _: "-u" };

/** The check of a token over everything before it: CRC-32. */
function checkOf(text) {
  let crc = ~0;
  for (const character of text) {
    crc ^= character.codePointAt(0);
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (~crc >>> 0).toString(16).padStart(8, "0");
}

/** The choices of a path, by letters. @param {Object} head  as the page has it */
function encodeChoices(walk, head) {
  if (walk.system.kind === "session") return walk.path().map((node) => walk.system.numberOf(node)).join(".");
  const items = walk.path().map((node) => {
    const wait = /^wait:(\d+)$/.exec(node.move);
    if (wait) return `w${wait[1]}`;
    const [name, peer] = node.move.split("@");
    return head.codes[name] + (peer ? `.${peer.replace(/[-_]/g, (one) => IN_PEER[one])}.` : "");
  });
  let text = "";
  for (let i = 0; i < items.length;) {
    let same = 1;
    while (items[i + same] === items[i]) same++;
    text += same >= 3 ? `${items[i]}${/\d$/.test(items[i]) ? "." : ""}${same}` : items[i].repeat(same);
    i += same;
  }
  return text;
}

/** @returns {string[]} the moves, by name. @throws {NotPossible} */
function decodeChoices(text, head) {
  if (head.kind === "session") return text ? text.split(".") : [];
  const names = new Map(Object.entries(head.codes).map(([name, letter]) => [letter, name]));
  const moves = [];
  const item = /w(\d{1,9})(?:\.([1-9]\d{0,4}))?|([A-Za-z])(?:\.((?:[A-Za-z0-9]|-[mu]){1,32})\.)?([1-9]\d{0,4})?/y;
  while (item.lastIndex < text.length) {
    const at = item.lastIndex, found = item.exec(text);
    if (!found) throw new NotPossible(`no move is written '${text.slice(at, at + 8)}'`);
    let move = `wait:${found[1]}`;
    if (!found[1]) {
      const name = names.get(found[3]);
      if (!name) throw new NotPossible(`no move has the letter '${found[3]}'`);
      move = found[4] ? `${name}@${found[4].replace(/-[mu]/g, (one) => (one === "-m" ? "-" : "_"))}` : name;
    }
    for (let more = Number(found[2] ?? found[5] ?? 1); more > 0; more--) moves.push(move);
  }
  return moves;
}

/** The token of the place where the walk is; may be longer than TOKEN_LIMIT. */
function encodeToken(walk, head) {
  const text = [...head.parts, encodeChoices(walk, head) || NOT_MOVED].join("_");
  return `${text}_${checkOf(text)}`;
}

/**
 * What a token says about this page: `mismatch` is "" when it is for this very model and machine.
 * @returns {{moves: string[], mismatch: string, otherModel: boolean}}
 */
function readToken(token, head) {
  const text = token.replace(/\s/g, ""); // mail programs break lines
  const begins = /^(wfp\d{1,3})[_~]/.exec(text);
  if (!begins) throw new NotPossible("This link holds no token of this stepper (wfp2_...).");
  if (begins[0] !== "wfp2_") {
    throw new NotPossible(`This link is of format ${begins[1]}, and this page reads wfp2 only. Open it with the version of wfp-udp-fsm that made it, or go to its place again for a new one.`);
  }
  const end = text.lastIndexOf("_");
  const given = text.split("_");
  if (given.length < 8 || checkOf(text.slice(0, end)) !== text.slice(end + 1)) {
    throw new NotPossible(`This link was cut off, or a character was changed: it ends in '${text.slice(-12)}', which is not the check of what stands before. Copy the whole of it again, to the last character.`);
  }
  // The name of a session has parts of its own.
  const parts = [...given.slice(0, 2), given.slice(2, -5).join("_"), ...given.slice(-5, -1)];
  const names = ["format", "model", "system", "IP version", "Windows", "evidence"];
  const differing = names.map((name, at) => [name, parts[at], head.parts[at], at]).filter(([, other, own]) => other !== own);
  const machine = differing.filter(([, , , at]) => at !== 1);
  const other = machine.map(([name, theirs, own]) => `${name} ${theirs} (here: ${own})`);
  let mismatch = "";
  if (other.length) mismatch = `This link was made for another machine: ${other.join("; ")}.`;
  else if (differing.length) {
    mismatch = `This link was made with model version ${parts[1]}; this page has ${head.parts[1]}.`;
  }
  const choices = parts[6] === NOT_MOVED ? "" : parts[6];
  return { moves: decodeChoices(choices, head), mismatch, otherModel: differing.length > 0 && !other.length };
}

/** Follow the moves of a token from the start. @returns {number} how many could be taken */
function replay(walk, moves) {
  walk.reset();
  for (let i = 0; i < moves.length; i++) {
    try {
      walk.step(walk.system.kind === "session" ? walk.system.moveAt(walk.at.place, moves[i]) : moves[i], "token");
    } catch (error) {
      if (error instanceof NotPossible) return i;
      throw error;
    }
  }
  return moves.length;
}
