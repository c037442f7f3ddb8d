// The topology: master and client in the middle, keepers around them, transfers moving along the edges.
// Every element is made once and changed in place, so that a click that meets an update is not lost.
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 640, HEIGHT = 420;
const CENTRE = { x: WIDTH / 2, y: HEIGHT / 2 - 4 };
const GLYPHS = {   // drawn in a circle of radius 1: a state has a shape, not only a colour
  running: "M-.42 .02 L-.12 .34 L.46 -.34",
  dead: "M-.38 -.38 L.38 .38 M.38 -.38 L-.38 .38",
  paused: "M-.22 -.42 V.42 M.22 -.42 V.42",
  decommissioned: "M-.45 0 H.45",
  draining: "M0 -.45 V.4 M-.3 .1 L0 .42 L.3 .1",
  unseen: "M-.22 -.2 A.25 .25 0 1 1 0 .08 V.2 M0 .42 V.45",
};

function element(name, attributes = {}, parent = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (parent) parent.appendChild(made);
  return made;
}

// Set what has changed only: the browser redraws nothing for the rest.
function set(target, key, value) {
  if (target.getAttribute(key) !== String(value)) target.setAttribute(key, value);
}

function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function places(names) {
  const keepers = names.filter((name) => name !== "master" && name !== "client");
  const many = keepers.length > 12;
  const radius = keepers.length <= 12 ? 24 : keepers.length <= 24 ? 16 : 11;
  const rx = many ? WIDTH / 2 - 36 : WIDTH / 2 - 72, ry = many ? HEIGHT / 2 - 34 : HEIGHT / 2 - 56;
  const found = new Map([
    ["master", { x: CENTRE.x, y: CENTRE.y - 56, r: 27, label: "below" }],
    ["client", { x: CENTRE.x, y: CENTRE.y + 62, r: 22, label: "below" }],
  ]);
  spread(keepers.length, rx, ry).forEach((angle, index) => {
    const x = CENTRE.x + rx * Math.cos(angle), y = CENTRE.y + ry * Math.sin(angle);
    found.set(keepers[index], { x, y, r: radius, label: many ? "around" : "below", angle });
  });
  return found;
}

// Angles that lie equally far apart along the ellipse, none straight above the middle.
function spread(count, rx, ry) {
  const steps = 720, lengths = [0];
  const at = (step) => ((step / steps) * 2 - 0.5) * Math.PI;
  for (let step = 1; step <= steps; step++) {
    const a = at(step - 1), b = at(step);
    lengths.push(lengths[step - 1] + Math.hypot(rx * (Math.cos(b) - Math.cos(a)), ry * (Math.sin(b) - Math.sin(a))));
  }
  let step = 0;
  return Array.from({ length: count }, (_, index) => {
    const wanted = (lengths[steps] * (index + 0.5)) / count;
    while (lengths[step] < wanted) step++;
    return at(step);
  });
}

// A bow from the rim of one node to the rim of the other; both ways have a bow of their own.
function bow(a, b, bend) {
  const dx = b.x - a.x, dy = b.y - a.y, length = Math.hypot(dx, dy) || 1;
  const mx = (a.x + b.x) / 2 - (dy / length) * bend, my = (a.y + b.y) / 2 + (dx / length) * bend;
  const rim = (node, extra) => {
    const away = Math.hypot(mx - node.x, my - node.y) || 1, reach = (node.r + extra) / away;
    return `${(node.x + (mx - node.x) * reach).toFixed(1)} ${(node.y + (my - node.y) * reach).toFixed(1)}`;
  };
  return `M${rim(a, 4)} Q${mx.toFixed(1)} ${my.toFixed(1)} ${rim(b, 9)}`;
}

function describe(node) {
  const parts = [node.name, node.word];
  if (node.name.startsWith("keeper-")) parts.push(copies(node));
  return [...parts, ...node.troubles].join(", ");
}

let drawings = 0;

// The line under a keeper's name: how it is, and what it holds.
function below(node) {
  return node.name.startsWith("keeper-") && node.word === "alive" ? `alive · ${copies(node)}` : node.word;
}

function copies(node) {
  return node.replicas === 1 ? "1 copy" : `${node.replicas} copies`;
}

class Topology {
  constructor(model, el) {
    this.model = model;
    this.nodes = new Map();
    this.edges = new Map();
    this.flows = new Map();
    this.id = `dfs-arrow-${drawings++}`;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.svg = element("svg", { class: "dfs-topology", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "group",
      "aria-label": "Topology: the arrow keys move between nodes, Enter selects one" });
    const marker = (kind) => element("path", { d: "M0 0 L8 4 L0 8 Z" }, element("marker", { id: `${this.id}-${kind}`,
      class: `dfs-arrow ${kind}`, viewBox: "0 0 8 8", refX: 5, refY: 4, markerWidth: 9, markerHeight: 9,
      markerUnits: "userSpaceOnUse", orient: "auto" }, defs));
    const defs = element("defs", {}, this.svg);
    ["upload", "download", "copy"].forEach(marker);
    this.layers = Object.fromEntries(["edges", "beats", "flows", "nodes"].map(
      (name) => [name, element("g", { class: name }, this.svg)]));
    el.appendChild(this.svg);
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.layout();
  }

  layout() {
    const nodes = this.model.get("nodes");
    const names = nodes.map((node) => node.name);
    if (names.join() !== this.names) {
      this.names = names.join();
      this.place = places(names);
      for (const layer of ["nodes", "edges", "beats"]) this.layers[layer].replaceChildren();
      this.nodes.clear();
      this.edges.clear();
      for (const name of names) this.makeNode(name);
    }
    for (const node of nodes) this.showNode(node);
    this.showFlows();
    this.showSelected();
  }

  makeNode(name) {
    const place = this.place.get(name);
    if (name !== "master" && name !== "client") {
      const master = this.place.get("master");
      const line = element("path", { d: bow(place, master, 0) }, this.layers.edges);
      const beat = element("circle", { r: 3.2, cx: place.x, cy: place.y }, this.layers.beats);
      this.edges.set(name, { line, beat, dx: master.x - place.x, dy: master.y - place.y });
    }
    const group = element("g", { class: "node", role: "button", tabindex: -1, "data-node": name,
      transform: `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})` }, this.layers.nodes);
    const title = element("title", {}, group);
    element("circle", { class: "halo", r: place.r + 5 }, group);
    const isKeeper = name.startsWith("keeper-");
    const body = isKeeper ? element("circle", { class: "body", r: place.r }, group)
      : element("rect", { class: "body", x: -place.r * 1.3, y: -place.r * 0.85, width: place.r * 2.6,
        height: place.r * 1.7, rx: 7 }, group);
    const glyph = element("path", { class: "glyph", transform: `scale(${place.r * 0.92})` }, group);
    const badge = element("g", { class: "badge", transform: `translate(${place.r * 0.8} ${-place.r * 0.8})` }, group);
    element("circle", { r: Math.max(6, place.r * 0.36) }, badge);
    element("path", { d: "M0 -4 V1 M0 3.4 V3.8" }, badge);
    const [label, word, trouble] = ["name", "word", "trouble"].map((kind) => element("text", { class: kind }, group));
    if (place.label === "around") {
      const out = place.r + 11;
      set(label, "x", (out * Math.cos(place.angle)).toFixed(1));
      set(label, "y", (out * Math.sin(place.angle) + 4).toFixed(1));
      say(label, name.split("-").pop());
    } else {
      set(label, "y", place.r + (isKeeper ? 16 : 12));
      set(word, "y", place.r + (isKeeper ? 29 : 25));
      set(trouble, "y", place.r + (isKeeper ? 42 : 25));
      say(label, name);
    }
    const select = (event) => { event.preventDefault(); this.select(name); };
    group.addEventListener("pointerdown", (event) => { if (event.button === 0) select(event); });
    group.addEventListener("click", select);  // what assistive technology sends
    this.nodes.set(name, { group, title, glyph, word, trouble, badge, around: place.label === "around" });
  }

  showNode(node) {
    const made = this.nodes.get(node.name);
    const state = node.state === "running" && node.seen === "draining" ? "draining"
      : node.state === "running" && node.seen === "unseen" ? "unseen" : node.state;
    set(made.group, "class", `node ${state}${node.state !== "dead" && node.seen === "dead" ? " unseen-alive" : ""}`);
    set(made.glyph, "d", GLYPHS[state] ?? "");
    set(made.group, "aria-label", describe(node));
    set(made.badge, "visibility", node.troubles.length ? "visible" : "hidden");
    say(made.title, describe(node));
    if (!made.around) {
      say(made.word, below(node));
      say(made.trouble, node.troubles.join(", "));
    }
    const edge = this.edges.get(node.name);
    if (edge) set(edge.line, "class", node.cut ? "cut" : node.seen === "alive" || node.seen === "draining" ? "up" : "down");
  }

  showFlows() {
    const flows = this.model.get("flows").filter((flow) => this.place.has(flow.from) && this.place.has(flow.to));
    const way = (flow) => `${flow.kind} ${flow.from} ${flow.to}`;
    const wanted = new Set(flows.map(way));
    for (const [id, path] of this.flows) if (!wanted.has(id)) { path.remove(); this.flows.delete(id); }
    for (const flow of flows) {
      let path = this.flows.get(way(flow));
      if (!path) {
        path = element("path", { "marker-end": `url(#${this.id}-${flow.kind})` }, this.layers.flows);
        element("title", {}, path);
        this.flows.set(way(flow), path);
      }
      set(path, "d", bow(this.place.get(flow.from), this.place.get(flow.to), flow.kind === "upload" ? 14 : 26));
      set(path, "class", `flow ${flow.kind} ${flow.state}`);
      say(path.firstChild, `${flow.kind} of ${flow.what}: ${flow.from} → ${flow.to}`);
    }
  }

  // A heartbeat is a dot that runs to the master, once for each that was heard.
  showBeats() {
    const beats = this.model.get("beats"), before = this.beats ?? beats;
    this.beats = beats;
    if (this.still.matches || document.hidden) return;
    for (const [name, count] of Object.entries(beats)) {
      const edge = this.edges.get(name);
      if (!edge || count === before[name]) continue;
      edge.beat.animate([
        { transform: "translate(0, 0)", opacity: 0.9 },
        { transform: `translate(${edge.dx * 0.8}px, ${edge.dy * 0.8}px)`, opacity: 0.25 },
      ], { duration: 700, easing: this.edges.size > 12 ? "steps(10)" : "ease-in-out" });
    }
  }

  showSelected() {
    const selected = this.model.get("selected");
    const reachable = this.nodes.has(selected) ? selected : this.nodes.keys().next().value;
    for (const [name, made] of this.nodes) {
      set(made.group, "aria-pressed", name === selected);
      set(made.group, "tabindex", name === reachable ? 0 : -1);
    }
  }

  select(name) {
    this.nodes.get(name).group.focus({ preventScroll: true });
    this.model.set("selected", name);
    this.model.save_changes();
  }

  key(event) {
    const name = event.target.getAttribute?.("data-node");
    if (!name || event.ctrlKey || event.metaKey || event.altKey) return;
    const names = [...this.nodes.keys()];
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (step) {
      const next = names[(names.indexOf(name) + step + names.length) % names.length];
      this.nodes.get(next).group.setAttribute("tabindex", 0);
      this.nodes.get(next).group.focus({ preventScroll: true });
    } else if (event.key === "Enter" || event.key === " ") {
      this.select(name);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}

// The notebook's own shortcuts (d d deletes a cell) are not for who presses keys in the dashboard. Jupyter
// looks for this mark from the focused element upwards, but asks the element itself first.
function keepKeys(el) {
  requestAnimationFrame(() => {
    const dashboard = el.closest(".dfs-dashboard") ?? el;
    dashboard.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
  });
}

export default {
  render({ model, el }) {
    const topology = new Topology(model, el);
    keepKeys(el);
    const listeners = {
      "change:nodes": () => topology.layout(),
      "change:flows": () => topology.showFlows(),
      "change:beats": () => topology.showBeats(),
      "change:selected": () => topology.showSelected(),
    };
    for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
    return () => { for (const [name, listener] of Object.entries(listeners)) model.off(name, listener); };
  },
};
