"use strict";
/* The picture: zoom, scroll, what is marked in it, and what can be clicked. */

const SVG = "http://www.w3.org/2000/svg";
const READABLE = 0.75; // the zoom at which the words of a box can be read

class Diagram {
  /** @param {Object} data  as fsm/page/diagram.py makes it */
  constructor(data) {
    this.data = data;
    this.viewport = $("viewport");
    this.svg = /** @type {SVGSVGElement} */ (this.viewport.querySelector("svg"));
    this.zoom = 1;
    if (!this.svg) {
      this.viewport.append(make("p", { class: "missing", text: `No picture: ${data.missing ?? "none was made"}` }));
      return;
    }
    const [, , width, height] = this.svg.getAttribute("viewBox").split(" ").map(Number);
    this.size = [width * (4 / 3), height * (4 / 3)];
    this.svg.removeAttribute("style");
    this.halos = document.createElementNS(SVG, "g");
    this.halos.setAttribute("class", "halos");
    this.svg.querySelector("#graph0").append(this.halos);
    $("fit").addEventListener("click", () => this.fit());
    $("zoom-in").addEventListener("click", () => this.scale(this.zoom * 1.25));
    $("zoom-out").addEventListener("click", () => this.scale(this.zoom / 1.25));
    this._pan();
    this.start();
  }

  /** An element of the picture. @returns {?SVGGraphicsElement} */
  part(id) { return this.svg ? this.svg.querySelector(`[id="${id}"]`) : null; }
  line(id) { return this.svg ? [...this.svg.querySelectorAll(`[data-line="${id}"]`)] : []; }

  start() {
    // The whole width, where that can be read; else what can be read, at the place where the walk is.
    const { clientWidth } = this.viewport, whole = (clientWidth - 16) / this.size[0];
    this.scale(whole < READABLE ? READABLE : Math.min(1, whole));
    this.viewport.scrollTo(0, 0);
  }
  fit() {
    const { clientWidth, clientHeight } = this.viewport;
    this.scale(Math.min((clientWidth - 2) / this.size[0], (clientHeight - 2) / this.size[1]));
    this.viewport.scrollTo(0, 0);
  }
  /** @param {number} zoom  1 is the picture's own size */
  scale(zoom) {
    if (!this.svg) return;
    const { clientWidth, clientHeight, scrollLeft, scrollTop } = this.viewport;
    const kept = Math.min(2.5, Math.max(0.08, zoom)), by = kept / this.zoom;
    this.zoom = kept;
    this.svg.style.width = `${this.size[0] * kept}px`;
    this.svg.style.height = `${this.size[1] * kept}px`;
    this.viewport.scrollTo((scrollLeft + clientWidth / 2) * by - clientWidth / 2, (scrollTop + clientHeight / 2) * by - clientHeight / 2);
  }

  _pan() {
    let from = null;
    const view = this.viewport;
    view.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse" && event.button === 0) from = [event.clientX, event.clientY, view.scrollLeft, view.scrollTop];
    });
    addEventListener("pointermove", (event) => {
      if (!from) return;
      const [x, y, left, top] = from;
      if (Math.abs(event.clientX - x) + Math.abs(event.clientY - y) > 4) view.classList.add("panning");
      view.scrollTo(left - event.clientX + x, top - event.clientY + y);
    });
    addEventListener("pointerup", () => {
      from = null;
      setTimeout(() => view.classList.remove("panning"), 0);
    });
    view.addEventListener("click", (event) => view.classList.contains("panning") && event.stopPropagation(), true);
    view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.scale(this.zoom * (event.deltaY < 0 ? 1.12 : 1 / 1.12));
    }, { passive: false });
  }

  /** Make a part a button. @param {Element} part @param {string} label @param {() => void} act */
  button(part, label, act) {
    part.setAttribute("role", "button");
    part.setAttribute("aria-label", label);
    part.setAttribute("tabindex", "0");
    part.addEventListener("click", (event) => {
      event.stopPropagation();
      act();
    });
    part.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      act();
    });
  }

  /** A wide invisible line over a thin one, so that it can be hit. */
  widen(part) {
    for (const path of [...part.querySelectorAll("path")]) {
      const hit = /** @type {SVGPathElement} */ (path.cloneNode());
      hit.setAttribute("class", "hit");
      hit.setAttribute("stroke", "transparent"); // no colour of the picture's, which its style sheet would paint
      hit.removeAttribute("stroke-dasharray");
      path.parentNode.append(hit);
    }
  }

  /** Show these classes at these parts, and at no others. @param {Object<string, Element[]>} marks */
  mark(marks) {
    for (const [name, parts] of Object.entries(marks)) {
      const wanted = new Set(parts);
      for (const part of this.svg?.querySelectorAll(`.${name}`) ?? []) if (!wanted.has(part)) part.classList.remove(name);
      for (const part of wanted) part.classList.add(name);
    }
  }

  /**
   * A frame around each of these parts. @param {SVGGraphicsElement[]} here @param {SVGGraphicsElement[]} was
   * @param {?SVGGraphicsElement} shown  what to scroll to
   */
  frame(here, was, shown = here[0] ?? null) {
    if (!this.svg) return;
    const frames = [...was.filter((part) => !here.includes(part)).map((part) => [part, "was"]), ...here.map((part) => [part, "here"])];
    this.halos.replaceChildren(...frames.map(([part, name]) => {
      const { x, y, width, height } = part.getBBox(), rect = document.createElementNS(SVG, "rect");
      for (const [key, value] of Object.entries({ x: x - 4, y: y - 4, width: width + 8, height: height + 8, rx: 7, class: name })) {
        rect.setAttribute(key, String(value));
      }
      return rect;
    }));
    if (shown && /** @type {HTMLInputElement} */ ($("follow")).checked) this.show(shown);
  }

  /** Scroll to a part. @param {SVGGraphicsElement} part */
  show(part) {
    const view = this.viewport.getBoundingClientRect(), at = part.getBoundingClientRect();
    const inside = at.left >= view.left + 20 && at.right <= view.right - 20 && at.top >= view.top + 20 && at.bottom <= view.bottom - 20;
    if (inside) {
      this.viewport.scrollTo({ left: this.viewport.scrollLeft, top: this.viewport.scrollTop, behavior: "instant" }); // stops one under way
      return;
    }
    const far = Math.abs(at.left + at.width / 2 - view.left - view.width / 2) + Math.abs(at.top + at.height / 2 - view.top - view.height / 2) > 900;
    const calm = far || matchMedia("(prefers-reduced-motion: reduce)").matches;
    // Absolute: an earlier scroll may still be under way.
    this.viewport.scrollTo({
      left: this.viewport.scrollLeft + at.left - view.left - Math.max(12, (view.width - at.width) / 2),
      top: this.viewport.scrollTop + at.top - view.top - Math.max(12, (view.height - at.height) / 2),
      behavior: calm ? "auto" : "smooth",
    });
  }
}
