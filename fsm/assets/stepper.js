"use strict";
/* The stepper page: what a reader can do to a walk. */

const DATA = JSON.parse($("data").textContent);
const HEAD = DATA.head;

class StepperPage extends StepperPanels {
  constructor() {
    super();
    this.isSession = HEAD.kind === "session";
    this.system = this.isSession ? new SessionSystem(DATA.model) : new EndpointSystem(DATA.model);
    this.walk = new Walk(this.system);
    this.rules = new Rules(DATA.model);
    this.peer = this.isSession ? "" : DATA.model.firstPeer;
    /** Where the reader did something last: what has changed is told from there. @type {?Object} */ this.since = null;
    /** What the reader has picked to read about. @type {?{title: string, keys: string[]}} */
    this.picked = null;
    this.showAll = { ladder: false, history: false };
    /** What the number keys take. @type {string[]} */ this.keyed = [];
    document.body.classList.add(HEAD.kind);
    fillHeader(HEAD);
    theme.start();
    this.diagram = new Diagram(DATA.diagram);
    const take = (move) => this.act(() => this.walk.choose(this.word(move)));
    const show = (title, keys) => this.pick(title, keys);
    const choose = (title, moves) => this.offer(title, moves);
    this.marking = this.isSession
      ? new SessionMarking(this.diagram, { take: (move) => this.act(() => this.walk.choose(move)), choose })
      : new EndpointMarking(this.diagram, this.rules, { take, show });
    this.listen();
    if (!this.isSession) this.fillLayers();
    this.open(location.hash.slice(1) || HEAD.start);
    addEventListener("hashchange", () => {
      if (location.hash !== this.fragment) this.open(location.hash.slice(1));
    });
  }

  /** A move of the table as a word for the chosen peer. */
  word(move) { return this.isSession ? move : this.system.word(move.split("@")[0], this.peer); }

  // -- doing ----------------------------------------------------------------------------------------------------

  /** Do something to the walk, then show where it is. @param {() => void} change */
  act(change) {
    const before = this.walk.at;
    try {
      change();
      this.picked = null;
      this.since = before;
    } catch (error) {
      if (!(error instanceof NotPossible)) throw error;
      notice(error.message);
    }
    if (!this.isSession && this.walk.at !== before) this.peer = this.walk.at.place.peer;
    this.show();
    this.announce(before);
  }

  /** Restore the place of a token, or say why not. */
  open(text) {
    let token = text;
    try {
      token = decodeURIComponent(text);
      if (token) {
        const { moves, mismatch, otherModel } = readToken(token, HEAD);
        if (!mismatch) this.follow(moves);
        else if (otherModel) notice(`${mismatch} Its steps may lead elsewhere here.`, "Replay them as far as they go", () => {
          notice("");
          this.follow(moves);
          this.show();
        });
        else notice(`${mismatch} Make a page for it with wfp-udp step --html FILE and the options of that machine.`);
      }
    } catch (error) {
      if (!(error instanceof NotPossible || error instanceof URIError)) throw error;
      notice(error instanceof URIError ? "This link is damaged: it is not written as addresses are." : error.message);
    }
    if (!this.isSession) this.peer = this.walk.at.place.peer;
    this.since = this.walk.at.parent;
    this.show();
  }

  follow(moves) {
    const done = replay(this.walk, moves);
    if (done < moves.length) notice(`Only ${done} of ${counted(moves.length, "step")} are possible here; this is the place after them.`);
  }

  pick(title, keys) {
    this.picked = { title, keys };
    this.showDetail();
    $("detail-card").scrollIntoView({ block: "nearest" });
  }

  /** Moves of a session that lead to one place. */
  offer(title, moves) {
    const buttons = moves.map((move) => make("button", { on: { click: () => this.act(() => this.walk.choose(move)) }, text: move }));
    $("detail-title").textContent = moves.length ? `To ${title}` : `Nothing leads straight to ${title}`;
    $("detail").replaceChildren(make("div", { class: "row" }, ...buttons));
  }

  /** One sentence for those who cannot see it. */
  announce(before) {
    const walk = this.walk, at = walk.at, said = [];
    if (at === before) return;
    if (at.parent) {
      const layers = walk.path().filter((node) => node.number > before.number).flatMap((node) => node.steps)
        .map((step) => this.system.describe(step)).filter((step) => step.layer);
      said.push(at.by === "hand" || layers.length < 2 ? at.move : `${counted(layers.length, "layer")}, the last ${layers[layers.length - 1].short}`);
    } else said.push("At the start");
    said.push(this.placeText());
    $("say").textContent = `${said.join(". ")}. ${counted(walk.moves.length, "move")} possible.`;
  }

  placeText() {
    const place = this.walk.at.place;
    if (this.isSession) return `State ${place.state}: ${this.system.label(place.state)}`;
    const layer = this.walk.layer;
    const name = this.system.table.restName(place.state);
    return layer ? `${this.system.table.stimulus(place.state)} waits for the verdict of ${layer.short} (${layer.id})` : `At rest in ${name}`;
  }

  async share() {
    const token = this.token;
    if (token.length > TOKEN_LIMIT) {
      notice(`This walk is too long for a link (${token.length.toLocaleString("en")} characters, a link holds ${TOKEN_LIMIT.toLocaleString("en")}). Go back, or take a shorter way.`);
      return;
    }
    const link = `${location.href.split("#")[0]}#${token}`;
    try {
      await navigator.clipboard.writeText(link);
      $("share").textContent = "Copied";
    } catch {
      // No clipboard for a file opened from disk in some browsers: the address line has the link all the same.
      notice(`The link is in the address line. Its token: ${token}`);
    }
    setTimeout(() => ($("share").textContent = "Copy link"), 1500);
  }

  // -- listening ------------------------------------------------------------------------------------------------

  listen() {
    const walk = this.walk;
    const actions = {
      back: () => this.act(() => walk.back()),
      forward: () => this.act(() => walk.forward()),
      undo: () => this.act(() => walk.backStimulus()),
      reset: () => this.act(() => walk.reset()),
      fork: () => this.act(() => {
        const name = walk.fork();
        $("say").textContent = `${name} begins here`;
      }),
      random: () => this.random(),
      share: () => void this.share(),
    };
    for (const [id, action] of Object.entries(actions)) $(id).addEventListener("click", action);
    $("slider").addEventListener("input", (event) => this.act(() => {
      walk.jump([walk.root, ...walk.path(walk.branches.get(walk.branch))][Number(event.target.value)]);
    }));
    $("branches").addEventListener("change", (event) => this.act(() => walk.switchTo(event.target.value)));
    $("manual").addEventListener("change", (event) => {
      walk.manual = event.target.checked;
      this.show();
    });
    $("search").addEventListener("input", () => this.filterLayers());
    for (const button of $("waits").querySelectorAll("[data-move]")) {
      button.addEventListener("click", () => this.act(() => walk.choose(button.dataset.move)));
    }
    $("wait").addEventListener("click", () => {
      const seconds = /** @type {HTMLInputElement} */ ($("seconds")).value;
      if (!/^\d{1,9}$/.test(seconds)) notice("Give a number of seconds from 0 to 999,999,999.");
      else this.act(() => walk.choose(`wait:${Number(seconds)}`));
    });
    const keys = {
      b: actions.back, ArrowLeft: actions.back, f: actions.forward, ArrowRight: actions.forward, B: actions.undo,
      Home: actions.reset, k: actions.fork, r: actions.random, s: actions.share, t: theme.toggle,
      m: () => $("manual").click(), w: () => this.act(() => walk.choose("wait:61")),
      "/": () => $("search").focus(), "?": () => $("help-dialog").showModal(),
      "+": () => $("zoom-in").click(), "-": () => $("zoom-out").click(), 0: () => $("fit").click(),
      p: () => this.nextPeer(),
    };
    for (let digit = 1; digit <= 9; digit++) {
      keys[digit] = () => this.keyed[digit - 1] && this.act(() => walk.choose(this.keyed[digit - 1]));
    }
    if (this.isSession) for (const key of ["B", "m", "w", "/", "p"]) delete keys[key];
    listenToKeys(keys);
    const own = this.isSession ? [] : [
      ["Shift+B", "back to before the last stimulus"], ["m", "ask at every layer, or permit by itself"],
      ["w", "let 61 seconds pass"], ["p", "the next peer"], ["/", "search for a layer"],
    ];
    fillHelp([
      ["1 - 9", "take that move"], ["b, left", "back"], ["f, right", "forward"], ...own,
      ["k", "fork: keep this branch, begin another here"], ["r", "random steps with this seed"],
      ["Home", "to the start"], ["s", "copy a link to this place"], ["t", "light or dark"],
      ["+ - 0", "zoom in, out, the whole diagram"], ["?", "this help"],
    ], [
      this.isSession
        ? "A move runs to its end; its layers are in the ladder. States and edges are the explored graph of this session."
        : "A stimulus runs to its end with permit at every layer, unless you ask at every layer or tick layers to stop at. Go back to a layer and give another verdict to see the other way.",
      "Click what is drawn with a thick blue line to take it. Click a box to read its rules with their sources.",
      "[O] observed in logs or tests, [I] inferred in this project; all else is documented by Microsoft.",
      "The address of this page holds the place where you are: copy it, and the page opens there.",
    ]);
  }

  random() {
    const seed = /** @type {HTMLInputElement} */ ($("seed")), steps = Number($("steps").value);
    if (!(steps >= 1 && steps <= 10000 && Number.isInteger(steps))) return notice("Give a number of steps from 1 to 10,000.");
    if (!(seed.value !== "" && Number(seed.value) >= 0 && Number(seed.value) < 4294967296 && Number.isInteger(Number(seed.value)))) {
      return notice("Give a seed from 0 to 4,294,967,295.");
    }
    this.act(() => this.walk.random(steps, Number(seed.value)));
    return undefined;
  }

  nextPeer() {
    const peers = this.peersShown();
    this.peer = peers[(peers.indexOf(this.peer) + 1) % peers.length];
    this.show();
  }
  peersShown() {
    if (!this.system.table.hasRegister("flow")) return [];
    return [...new Set([...["A", "B", "C"], ...this.system.peers(this.walk.at.place)])];
  }

  // -- layers ---------------------------------------------------------------------------------------------------

  fillLayers() {
    this.layers = DATA.model.layers.map((layer) => {
      const box = make("input", { type: "checkbox", "aria-label": `stop at ${layer.short}`, on: { change: (event) => {
        if (event.target.checked) this.walk.breakpoints.add(layer.name);
        else this.walk.breakpoints.delete(layer.name);
      } } });
      const keys = DATA.model.rows.filter((row) => row.stem && layer.short.startsWith(row.stem) && /^_V[46]$/.test(layer.short.slice(row.stem.length))).map((row) => row.key);
      const item = make("li", { "data-layer": layer.name }, box, make("button", {
        on: { click: () => {
          this.pick(`${layer.short} ${layer.id}`, keys);
          const parts = (DATA.diagram.boxes ?? []).filter((one) => one.part && one.stem && layer.short.startsWith(one.stem));
          if (parts.length) this.diagram.show(parts[0].part);
          this.diagram.mark({ found: parts.map((one) => one.part) });
        } },
      }, make("span", { class: "name", text: breakable(layer.short) }), make("span", { class: "small", text: ` ${layer.id}` })));
      return { layer, item };
    });
    $("layers").replaceChildren(...this.layers.map(({ item }) => item), make("li", { id: "no-layer", class: "small", text: "No layer of this endpoint has that name or number.", hidden: true }));
  }

  filterLayers() {
    const asked = $("search").value.trim().toUpperCase().replace(/[\s-]+/g, "_").replace(/^FWP[MS]_LAYER_/, "");
    let shown = 0;
    for (const { layer, item } of this.layers) {
      item.hidden = asked !== "" && !layer.short.includes(asked) && String(layer.id) !== asked;
      shown += item.hidden ? 0 : 1;
    }
    $("no-layer").hidden = shown > 0;
  }
}

const page = new StepperPage();
if (!DATA.model.complete && HEAD.kind === "session") {
  notice(`The limit of ${DATA.model.count.toLocaleString("en")} states was hit: ${counted(DATA.model.open.length, "state")} have moves that this page does not know.`);
}
document.body.dataset.ready = String(Math.round(performance.now()));
