"use strict";
/* The explored graph of a session as a system of places and moves: states and edges stand in the page. */

class SessionSystem {
  /** @param {Object} data  as fsm/page/session_data.py makes it */
  constructor(data) {
    this.kind = "session";
    this.data = data;
    this.first = unpack(data.edges.first);
    this.moveOf = unpack(data.edges.moves);
    this.targetOf = unpack(data.edges.targets);
    this.words = unpack(data.states.words);
    this.wordsFirst = unpack(data.states.first);
    this.open = new Set(data.open);
    this.refusalsOf = unpack(data.states.refusals);
  }

  start() { return { state: 0 }; }
  layer() { return null; }

  _edges(state) {
    const edges = [];
    for (let at = this.first[state]; at < this.first[state + 1]; at++) edges.push(at);
    return edges;
  }
  /** The labels of the moves that are possible, which are unique in a state. */
  moves(place) { return this._edges(place.state).map((edge) => this.data.moves[this.moveOf[edge]].label); }

  /** @returns {[string, string][]} */
  refusals(place) {
    const list = this.data.refusals[this.refusalsOf[place.state]];
    return list.map(([move, why]) => [this.data.refused[move], this.data.reasons[why]]);
  }

  take(place, move) {
    const edge = this._edges(place.state).find((one) => this.data.moves[this.moveOf[one]].label === move);
    if (edge === undefined) throw new NotPossible(`'${move}' is not possible in this state`);
    const made = this.data.moves[this.moveOf[edge]];
    return { place: { state: this.targetOf[edge] }, steps: made.steps.map((step) => ({ step, move: made })) };
  }

  /** The kind of move that a label is here. */
  moveNamed(place, label) {
    const edge = this._edges(place.state).find((one) => this.data.moves[this.moveOf[one]].label === label);
    return edge === undefined ? null : this.data.moves[this.moveOf[edge]];
  }
  targetOfMove(place, label) {
    const edge = this._edges(place.state).find((one) => this.data.moves[this.moveOf[one]].label === label);
    return edge === undefined ? -1 : this.targetOf[edge];
  }
  /** A node's move as its number, from 0 on, among the moves of the state before it. */
  numberOf(node) { return String(this.moves(node.parent.place).indexOf(node.move)); }
  moveAt(place, number) {
    const move = this.moves(place)[Number(number)];
    if (move === undefined) throw new NotPossible(`state ${place.state} has no move ${number}`);
    return move;
  }

  /** `sender=BOUND/receiver:OUT receiver=BOUND network=empty` */
  label(state) {
    return this.words.slice(this.wordsFirst[state], this.wordsFirst[state + 1]).map((n) => this.data.words[n]).join(" ");
  }
  met() { return []; }
  /** @returns {Map<string, string>} */
  view(place) {
    const shown = new Map(this.label(place.state).split(" ").map((word) => {
      const [name, ...rest] = word.split("=");
      return [name, rest.join("=")];
    }));
    for (const host of this.data.hosts) if (!shown.has(`host${host}`)) shown.set(`host${host}`, "idle");
    return shown;
  }

  describe(taken) {
    const [layer, verdict, row, flags, stimulus, position, from, to] = taken.step;
    const known = layer < 0 ? null : this.data.layers[layer];
    return {
      stimulus, position, verdict, layer: known?.name ?? "", short: known?.short ?? "", id: known ? known.id : null,
      from, to, flags: this.data.flags[flags], row: this.data.rows[row], peer: taken.move.peer, actor: taken.move.actor,
    };
  }
}
