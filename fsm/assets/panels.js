"use strict";
/* What the stepper page shows of a walk: moves, state, ladder, history, rules, and the marks in the picture. */

const SHOWN_STEPS = 120; // of the ladder and the history, the newest; more on request

/** The showing half of StepperPage: reads `walk`, changes nothing but the page. */
class StepperPanels {
  show() {
    tip.hide();
    this.token = encodeToken(this.walk, HEAD);
    // A walk that is too long for a link leaves the address without one, not with a wrong one.
    const fragment = this.token.length <= TOKEN_LIMIT ? `#${this.token}` : location.pathname;
    try {
      history.replaceState(null, "", fragment);
      this.fragment = location.hash;
    } catch { /* browsers limit how often; the next step sets it */ }
    this.showMoves();
    this.showWalk();
    this.showState();
    this.showLadder();
    this.showHistory();
    this.showDetail();
    if (this.isSession) {
      this.showScene();
      this.markSession();
    } else this.markEndpoint();
  }

  showMoves() {
    const { walk, system } = this, place = walk.at.place, layer = walk.layer;
    $("where").replaceChildren(make("strong", { text: layer ? layer.short : this.isSession ? `State ${place.state}` : system.table.restName(place.state) }),
      make("span", { text: layer ? ` ${layer.id} waits for its verdict on ${system.table.stimulus(place.state)}.` : this.isSession ? ` of ${DATA.model.count.toLocaleString("en")}` : " at rest." }));
    if (layer) $("where").append(make("span", { class: "small", text: ` ${DATA.model.positions[system.table.position(place.state)] ?? ""}` }));
    $("moves-title").textContent = layer ? "Verdict" : "What can happen";
    const moves = this.isSession ? walk.moves : system.movesFor(place, this.peer);
    this.keyed = moves;
    let actor = "";
    $("moves").replaceChildren(...moves.flatMap((move, number) => {
      const button = this.moveButton(move, number, layer);
      const own = this.isSession ? system.moveNamed(place, move).actor : "";
      const heading = own !== actor ? [make("li", { class: "actor", text: own })] : [];
      actor = own;
      return [...heading, make("li", {}, button)];
    }));
    if (!moves.length) $("moves").append(make("li", { class: "small", text: "Nothing: this is the end." }));
    if (this.isSession && system.open.has(place.state)) {
      $("moves").append(make("li", { class: "warn", text: "This state has more moves, beyond the limit of states that were explored." }));
    }
    this.showPeers(layer);
    this.showRefused(this.isSession ? walk.refusals : system.refusalsFor(place, this.peer));
  }

  moveButton(move, number, layer) {
    const name = move.split("@")[0];
    const text = this.isSession ? this.outcomeOf(move) : layer ? "" : this.system.table.stimuli.get(name)?.text ?? "";
    const button = make("button", {
      class: `move ${layer ? `verdict-button ${name}` : ""}`, "data-move": move,
      "aria-keyshortcuts": number < 9 ? String(number + 1) : null,
      on: { click: () => this.act(() => this.walk.choose(move)) },
    },
      make("kbd", { text: number < 9 ? String(number + 1) : "" }),
      make("span", { class: "name", text: move }),
      text ? make("span", { class: "small", text }) : null);
    const row = this.isSession ? null : this.rowOf(move);
    if (row) {
      const mark = this.rules.mark(row);
      if (mark) button.append(make("span", { class: "mark", text: mark, title: row.basis }));
      tip.on(button, () => this.rules.tip(row));
    }
    return button;
  }

  /** The row that a listed move is. */
  rowOf(move) {
    const { table } = this.system, place = this.walk.at.place;
    const state = table.layer(place.state) ? place.state : this.system.stateFor(place, this.peer);
    const row = state < 0 ? -1 : table.row(state, table.eventIds.get(move.split("@")[0]));
    return row < 0 ? null : DATA.model.rows[row];
  }

  outcomeOf(move) {
    const made = this.system.moveNamed(this.walk.at.place, move);
    const layers = made.steps.filter((step) => step[0] >= 0).length;
    const parts = [layers ? counted(layers, "layer") : "no layer"];
    if (made.emits.length) parts.push(`puts ${made.emits.join(", ")} into the network`);
    if (made.lost.length) parts.push("lost: the network is full");
    return parts.join("; ");
  }

  showPeers(layer) {
    if (this.isSession) return;
    const peers = this.peersShown();
    $("peers").hidden = !peers.length || Boolean(layer);
    $("peers").replaceChildren(make("span", { class: "small", text: "With peer" }), ...peers.map((peer) => make("button", {
      "aria-pressed": String(peer === this.peer), "data-peer": peer,
      on: { click: () => { this.peer = peer; this.show(); } },
    }, peer, this.system.flow(this.walk.at.place, peer) === "NONE" ? null : make("span", { class: "small", text: ` ${this.system.flow(this.walk.at.place, peer)}` }))));
    $("waits").hidden = Boolean(layer);
  }

  showRefused(refused) {
    $("refused").hidden = !refused.length;
    $("refused").querySelector("summary").textContent = `Not possible here (${refused.length}), and why`;
    // What has the same reason stands together; verdicts first, where one is asked for.
    /** @type {Map<string, string[]>} */ const byReason = new Map();
    const isVerdict = ([move]) => !this.isSession && this.system.table.verdicts.has(move);
    const ordered = this.walk.layer ? [...refused.filter(isVerdict), ...refused.filter((one) => !isVerdict(one))] : refused;
    for (const [move, why] of ordered) byReason.set(why, [...(byReason.get(why) ?? []), move]);
    $("refused").querySelector("ul").replaceChildren(...[...byReason].map(([why, moves]) =>
      make("li", { "data-moves": JSON.stringify(moves) }, make("span", { class: "name", text: moves.join(", ") }), make("span", { class: "small", text: why }))));
  }

  showWalk() {
    const { walk } = this;
    $("back").disabled = $("undo").disabled = $("reset").disabled = !walk.at.parent;
    $("forward").disabled = walk.branches.get(walk.branch) === walk.at;
    const all = [...walk.branches], kept = all.filter(([name], at) => at === 0 || at >= all.length - SHOWN_STEPS || name === walk.branch);
    $("branches").replaceChildren(...kept.map(([name, end]) =>
      make("option", { value: name, selected: name === walk.branch, text: `${name} (${counted(end.depth, "step")})` })));
    $("manual").checked = walk.manual;
    const slider = /** @type {HTMLInputElement} */ ($("slider")), end = walk.branches.get(walk.branch);
    slider.hidden = !end.parent;
    slider.max = String(end.depth);
    slider.value = String(walk.at.depth);
    slider.setAttribute("aria-valuetext", `${walk.at.depth} of ${counted(end.depth, "step")}: ${walk.at.move || "start"}`);
  }

  showState() {
    const changed = new Map(this.walk.changed(this.since).map(([name, before]) => [name, before]));
    const peers = [this.since?.place, this.walk.at.place].filter(Boolean).flatMap((place) => this.system.met(place));
    const view = this.system.view(this.walk.at.place, peers), names = [...new Set([...view.keys(), ...changed.keys()])];
    const rows = names.map((name) => {
      const before = changed.get(name), value = view.get(name) ?? "-";
      const cell = make("td", {});
      if (before !== undefined) cell.append(make("s", { "aria-label": `was ${before}`, text: before }), " \u2192 ");
      cell.append(make("span", { class: "value", text: value }));
      return make("tr", { class: before === undefined ? "" : "changed", "data-name": name }, make("th", { scope: "row", text: name }), cell);
    });
    $("state").querySelector("tbody").replaceChildren(...rows);
    this.showOutcome();
  }

  /** The steps of the last stimulus, and the steps before it. */
  split() {
    const steps = this.walk.ladder().map(([node, step]) => ({ node, ...this.system.describe(step) }));
    let first = steps.length;
    if (this.isSession) while (first > 0 && steps[first - 1].node === this.walk.at) first--;
    else {
      while (first > 0 && steps[first - 1].position !== "idle") first--;
      // The steps of one wait, or of one stimulus for several peers, belong together.
      if (first > 0) first--;
      while (first > 0 && steps[first - 1].node === steps[first].node) first--;
    }
    return { before: steps.slice(0, first), recent: steps.slice(first) };
  }

  showOutcome() {
    const { recent } = this.split(), box = $("outcome");
    box.replaceChildren();
    const last = (pick) => recent.map(pick).filter(Boolean).pop();
    const seen = (step) => this.isSession || this.system.table.stimuli.get(step.stimulus)?.seen !== false;
    const terms = [
      ["outcome", last((step) => step.row?.outcome), (text) => DATA.model.outcomes[text] ?? ""],
      ["application sees", last((step) => (seen(step) ? step.row?.app : ""))],
      ["remote host sees", last((step) => step.row?.remote)],
      ["logged", recent.flatMap((step) => (step.row?.logged ?? []).map((id) => `${id} at ${step.short || "no layer"}`)).join(", ")],
    ].filter(([, text]) => text);
    const move = this.isSession && this.walk.at.parent ? this.system.moveNamed(this.walk.at.parent.place, this.walk.at.move) : null;
    for (const [name, list] of [["into the network", move?.emits], ["out of the network", move?.arrives ? [move.arrives] : []], ["lost, the network is full", move?.lost]]) {
      if (list?.length) terms.push([name, list.join(", ")]);
    }
    if (move?.note) terms.push(["note", move.note]);
    if (!terms.length) return;
    box.append(make("h3", { text: "What came of it" }),
      make("dl", {}, ...terms.flatMap(([name, text, more]) => [make("dt", { text: name }), make("dd", { text: breakable(more && more(text) ? `${text}: ${more(text)}` : text) })])));
  }

  showLadder() {
    const nodes = this.walk.path(), list = $("ladder");
    const shown = this.showAll.ladder ? nodes : nodes.slice(-SHOWN_STEPS);
    const fired = nodes.reduce((sum, node) => sum + node.steps.filter((step) => this.system.describe(step).layer).length, 0);
    $("ladder-title").textContent = `Layers fired (${fired.toLocaleString("en")})`;
    list.replaceChildren();
    if (shown.length < nodes.length) list.append(this.more("ladder", nodes.length - shown.length));
    let number = fired - shown.reduce((sum, node) => sum + node.steps.filter((step) => this.system.describe(step).layer).length, 0);
    for (const node of shown) {
      const begins = this.isSession || !node.steps.length || this.system.describe(node.steps[0]).position === "idle";
      if (begins) list.append(make("li", { class: "begin", text: node.move }));
      for (const step of node.steps) {
        const told = this.system.describe(step);
        if (!told.layer) continue;
        number++;
        const mark = this.rules.mark(told.row);
        const button = make("button", {
          class: `rung ${node === this.walk.at ? "now" : ""}`, "data-layer": told.layer, "data-verdict": told.verdict,
          "aria-label": `${number}: ${told.short} ${told.id}, ${told.verdict}${told.flags.length ? `, ${told.flags.join(", ")}` : ""}. Back to this step`,
          on: { click: () => this.act(() => this.walk.jump(node)) },
        },
          make("span", { class: "number", text: String(number) }),
          make("span", { class: "name" }, breakable(told.short), make("span", { class: "small", text: ` ${told.id}` }), mark ? make("span", { class: "mark", text: ` ${mark}` }) : null),
          badge(told.verdict),
          told.flags.length ? make("span", { class: "flags small", text: told.flags.join(", ") }) : null);
        tip.on(button, () => this.rules.tip(told.row, told.flags));
        list.append(make("li", {}, button));
      }
    }
    if (!nodes.length) list.append(make("li", { class: "small", text: "None yet. Take a move." }));
    list.scrollTop = list.scrollHeight;
  }

  more(what, count) {
    return make("li", {}, make("button", {
      class: "more", on: { click: () => { this.showAll[what] = true; this.show(); } }, text: `Show ${counted(count, "earlier step")}`,
    }));
  }

  /** The tree: one line for each stimulus, indented where a branch begins. */
  showHistory() {
    const { walk } = this, list = $("history"), lines = [];
    const onPath = new Set(walk.path());
    const visit = (start, depth) => {
      // A loop, not a recursion, along one branch: walks are long.
      for (let node = start; node; node = node.children[0] ?? null) {
        const begins = node !== start && (this.isSession || !node.steps.length || this.system.describe(node.steps[0]).position === "idle");
        if (node === start || begins) lines.push({ first: node, last: node, depth });
        else lines[lines.length - 1].last = node;
        for (const child of node.children.slice(1)) queue.push([child, depth + 1, lines.length]);
      }
    };
    const queue = [];
    visit(walk.root, 0);
    while (queue.length) {
      const [node, depth, at] = queue.pop(), rest = lines.splice(at);
      visit(node, depth);
      const grown = lines.length - at;
      for (const waiting of queue) if (waiting[2] > at) waiting[2] += grown;
      lines.push(...rest);
    }
    const shown = this.showAll.history ? lines : lines.slice(-SHOWN_STEPS);
    list.replaceChildren();
    if (shown.length < lines.length) list.append(this.more("history", lines.length - shown.length));
    const ends = new Map([...walk.branches].map(([name, end]) => [end, name]));
    for (const { first, last, depth } of shown) {
      const nodes = [];
      for (let node = last; node && node.depth >= first.depth; node = node.parent) if (node.parent) nodes.unshift(node);
      const here = nodes.includes(walk.at) || first === walk.at;
      const other = nodes.filter((node) => !["permit", "start"].includes(node.move) && node !== first).map((node) => node.move);
      const fork = nodes.map((node) => ends.get(node)).concat(ends.get(first)).find(Boolean);
      list.append(make("li", { style: `--depth:${Math.min(depth, 6)}` }, make("button", {
        class: `branch ${here ? "now" : ""} ${onPath.has(last) || !last.parent ? "on" : ""}`, "aria-current": here ? "step" : null,
        on: { click: () => this.act(() => walk.jump(last)) },
      },
        make("span", { class: "name", text: first.move || "start" }),
        nodes.length > 1 ? make("span", { class: "small", text: counted(nodes.length - 1, "layer") }) : null,
        ...other.map(badge),
        fork && walk.branches.size > 1 ? make("span", { class: "fork", text: fork }) : null)));
    }
  }

  showDetail() {
    const { recent } = this.split();
    if (this.picked) {
      $("detail-title").textContent = this.picked.title;
      const rows = this.picked.keys.map((key) => this.rules.byKey.get(key)).filter((number) => number !== undefined);
      const now = new Map(this.enabled().map(([key, move]) => [key, move]));
      $("detail").replaceChildren(...rows.map((number) => {
        const row = DATA.model.rows[number], move = now.get(row.key);
        return this.rules.article(row, move ? () => this.act(() => this.walk.choose(move)) : null, move ? `Take ${move}` : "");
      }));
      if (!rows.length) $("detail").append(make("p", { class: "small", text: "This machine has no rule here: it is the other side of a dispute, or an end." }));
      return;
    }
    $("detail-title").textContent = recent.length ? "Rules of the last step" : "Rules";
    const at = recent.filter((step) => step.node === this.walk.at);
    const rows = [...new Set(at.map((step) => step.row))];
    $("detail").replaceChildren(...rows.map((row) => this.rules.article(row)));
    if (!rows.length) $("detail").append(make("p", { class: "small", text: "Click a box of the diagram to read its rules with their sources." }));
  }

  // -- the diagram ----------------------------------------------------------------------------------------------

  /** What can be done now: key of the row, and the move. @returns {[string, string][]} */
  enabled() {
    if (this.isSession) return [];
    return this.system.movesFor(this.walk.at.place, this.peer).map((move) => [this.rowOf(move)?.key ?? "", move]);
  }

  markEndpoint() {
    const { before, recent } = this.split(), keys = (steps) => steps.map((step) => step.row.key);
    const drawn = this.marking.update(this.system.table, this.walk.at.place.state, this.enabled(), keys(recent), keys(before));
    $("not-drawn").textContent = drawn ? "" : "This state is not drawn here; see State.";
  }

  markSession() {
    const where = (state) => this.system.label(state).split(" ").slice(0, DATA.model.members.filter((m) => m.view !== "dropped_port").length)
      .map((word) => word.split("=")[1].split("/")[0]).join(" ");
    const path = [where(0), ...this.walk.path().map((node) => where(node.place.state))], here = path[path.length - 1];
    const movesTo = new Map();
    for (const move of this.walk.moves) {
      const to = where(this.system.targetOfMove(this.walk.at.place, move));
      if (to !== here) movesTo.set(to, [...(movesTo.get(to) ?? []), move]);
    }
    this.marking.update(path, movesTo);
  }

  /** The hosts with their endpoints, and what is in flight between them. */
  showScene() {
    const view = this.system.view(this.walk.at.place), changed = new Set(this.walk.changed(this.since).map(([name]) => name));
    const hosts = DATA.model.hosts.map((host) => make("div", { class: "host" },
      make("h3", { text: `Host ${host}` }),
      ...DATA.model.members.filter((member) => member.host === host).map((member) => {
        const terms = (view.get(member.name) ?? "no socket").split("/");
        return make("div", { class: `member ${changed.has(member.name) ? "changed" : ""}` }, make("strong", { text: member.name }),
          make("div", { class: "row" }, ...terms.map((term) => make("span", { class: "term", text: term }))));
      }),
      view.get(`host${host}`) && view.get(`host${host}`) !== "idle" ? make("p", { class: "small", text: view.get(`host${host}`) }) : null));
    const flying = view.get("network") === "empty" ? [] : view.get("network").split("+");
    const network = make("div", { class: `network ${changed.has("network") ? "changed" : ""}` }, make("h3", { text: "Network" }),
      ...(flying.length ? flying.map((text) => make("span", { class: `term ${text.split(":")[0]}`, text })) : [make("span", { class: "small", text: "nothing in flight" })]));
    $("scene").replaceChildren(...(hosts.length > 1 ? [hosts[0], network, ...hosts.slice(1)] : [...hosts, network]));
  }
}
