// What the browser tests ask of an open page: an expression whose value is an object of functions.
({
  /** Follow scripts of moves; for each move, whether it was possible, where it led, and all that can be seen there. */
  follow(scripts) {
    const system = page.system;
    const told = (step) => {
      const { layer, verdict, row, flags, from, to } = system.describe(step);
      return [layer, verdict, row.key, flags, from, to];
    };
    return scripts.map((script) => {
      let place = system.start();
      return script.map((move) => {
        if (move === "reset") {
          place = system.start();
          return null;
        }
        let done = true, steps = [];
        try {
          ({ place, steps } = system.take(place, move));
        } catch (error) {
          if (!(error instanceof NotPossible)) throw error;
          done = false;
        }
        return [
          done, system.table.nameOf(place.state), system.layer(place)?.name ?? "", place.peer, place.now,
          steps.map(told), system.moves(place), system.refusals(place),
          [place.flows, place.touched, place.reasons].map((records) => [...records]), place.windowTouched, place.connectedTo, place.connectingTo,
        ];
      });
    });
  },

  /** A seeded random walk: each move, where it led, the layers that it fired, what is possible and refused there. */
  random([steps, seed]) {
    const walk = new Walk(page.system), system = page.system, seen = [], step = walk.step.bind(walk);
    const name = (place) => (system.kind === "session" ? system.label(place.state) : system.table.nameOf(place.state));
    walk.step = (move, by) => {
      step(move, by);
      const layers = walk.at.steps.map((one) => system.describe(one).layer);
      seen.push([move, name(walk.at.place), layers, walk.moves, walk.refusals]);
    };
    walk.random(steps, seed);
    return seen;
  },

  /** Controls without a name. */
  unnamed() {
    const controls = "button, input, select, [role=button], [tabindex='0'], summary, a";
    const named = (one) => one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length || one.getAttribute("aria-labelledby");
    return [...document.querySelectorAll(controls)].filter((one) => one.checkVisibility() && !named(one)).map((one) => one.outerHTML.slice(0, 120));
  },

  /** How light the page is: the sum of red, green and blue of its background. */
  lightness() {
    const numbers = getComputedStyle(document.body).backgroundColor.match(/\d+/g).slice(0, 3);
    return numbers.reduce((sum, one) => sum + Number(one), 0);
  },

  /** Text of the page, without the picture, with less contrast to what is behind it than WCAG AA asks for. */
  pale() {
    const parse = (text) => text.match(/[\d.]+/g).map(Number);
    const channel = (value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = (element) => {
      for (let one = element; one; one = one.parentElement) {
        const colour = parse(getComputedStyle(one).backgroundColor);
        if (colour.length < 4 || colour[3] === 1) return colour;
      }
      return [255, 255, 255];
    };
    const texts = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility()
      && !one.closest(":disabled, svg, script, .hidden-text, .skip")
      && [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
    return texts.flatMap((one) => {
      const [a, b] = [light(parse(getComputedStyle(one).color)), light(behind(one))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      return ratio < 4.5 ? [[one.textContent.slice(0, 40), one.className, ratio.toFixed(2)]] : [];
    });
  },

  /** Controls that are lower than this. */
  low(pixels) {
    const controls = [...document.querySelectorAll("button, select, input:not([type=checkbox])")];
    return controls.filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < pixels).map((one) => one.outerHTML.slice(0, 100));
  },

  /** Whether the frame of the current place encloses a part of the picture, and that part is in view. */
  framed(id) {
    const here = document.querySelector(".halos .here").getBoundingClientRect();
    const node = document.getElementById(id).getBoundingClientRect(), view = $("viewport").getBoundingClientRect();
    return here.left <= node.left && here.right >= node.right && here.top <= node.top && here.bottom >= node.bottom
      && view.left <= node.left && view.right >= node.right;
  },
})
