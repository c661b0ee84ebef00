"use strict";
/* Draws the graph of the page's data. Every text of it goes in by textContent or onto a canvas, never as markup. */

const data = JSON.parse(document.getElementById("data").textContent);
const tools = data.tools.map((tool, number) => ({ ...tool, number, text: `${tool.name} ${tool.description}`.toLowerCase() }));
const byName = new Map(tools.map((tool) => [tool.name, tool]));
const edges = data.edges.map(([kind, source, target, evidence, inAll]) => ({
  kind, source, target, evidence, inAll, cosine: evidence[0][2],
}));
const edgesOf = tools.map(() => []);
for (const edge of edges) {
  edgesOf[edge.source].push(edge);
  edgesOf[edge.target].push(edge);
}
const members = data.communities.map(() => []);
for (const tool of tools) members[tool.community].push(tool);

const bounds = (axis) => [
  Math.min(...data.communities.map((community) => community[axis] - community.radius)),
  Math.max(...data.communities.map((community) => community[axis] + community.radius)),
];
const [[leftmost, rightmost], [upper, lower]] = [bounds("x"), bounds("y")];
const span = Math.max(rightmost - leftmost, lower - upper);

const framed = location.protocol === "about:"; // then it has no address of its own, and its theme is that around it
const MOST_RESULTS = 50;
const MOST_LISTED = 100;
const state = {
  domains: new Set(data.domains.keys()),
  kinds: new Set(["P-R", "P-P"]),
  cosine: data.tau,
  matches: null, // the numbers of the tools that were searched for; null without a search
  open: new Set(data.grouped ? [] : data.communities.keys()),
  selected: [], // one tool, or the two of an edge
  hovered: null,
};

const element = (id) => document.getElementById(id);

function make(tag, { text, ...attributes } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

/* Colours */

function isDark() {
  return document.documentElement.dataset.theme === "dark";
}

function colourOf(domain) {
  const hue = (domain * 137.508 + 210) % 360;
  const shift = (domain % 3) * 8;
  return toHex(hue, isDark() ? 62 : 58, isDark() ? 58 + shift : 38 + shift);
}

function toHex(hue, saturation, lightness) {
  const reach = (saturation / 100) * Math.min(lightness / 100, 1 - lightness / 100);
  const part = (offset) => {
    const at = (offset + hue / 30) % 12;
    const value = lightness / 100 - reach * Math.max(-1, Math.min(at - 3, 9 - at, 1));
    return Math.round(255 * value).toString(16).padStart(2, "0");
  };
  return `#${part(0)}${part(8)}${part(4)}`;
}

function blend(colour, share) {
  const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const back = channels(theme("--back"));
  const mixed = channels(colour).map((value, at) => Math.round(value * share + back[at] * (1 - share)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

function theme(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/* What is seen: tools of open communities, discs for closed ones, and one line for all edges between two of these */

const isShown = (tool) => state.domains.has(tool.domain);
const isAlive = (edge) =>
  state.kinds.has(edge.kind) && edge.cosine >= state.cosine - 1e-9 &&
  isShown(tools[edge.source]) && isShown(tools[edge.target]);
const nodeOf = (tool) => (state.open.has(tool.community) ? `tool ${tool.number}` : `community ${tool.community}`);

function fillGraph() {
  graph.clear();
  for (const tool of tools) {
    if (!isShown(tool) || !state.open.has(tool.community)) continue;
    const degree = edgesOf[tool.number].length;
    graph.addNode(`tool ${tool.number}`, {
      x: tool.x, y: -tool.y, label: tool.name, colour: colourOf(tool.domain), tool: tool.number,
      size: data.grouped ? Math.min(0.3 + 0.04 * Math.sqrt(degree), 0.9) : Math.min(3 + 0.9 * Math.sqrt(degree), 12),
    });
  }
  data.communities.forEach((community, number) => {
    if (state.open.has(number)) return;
    const shown = members[number].filter(isShown);
    if (!shown.length) return;
    graph.addNode(`community ${number}`, {
      x: community.x, y: -community.y, size: community.radius, community: number,
      label: `${community.name} (${shown.length})`, colour: colourOf(commonest(shown.map((tool) => tool.domain))),
    });
  });
  const lines = new Map();
  const alive = { "P-R": 0, "P-P": 0 };
  for (const edge of edges) {
    if (!isAlive(edge)) continue;
    alive[edge.kind] += 1;
    const [one, other] = [nodeOf(tools[edge.source]), nodeOf(tools[edge.target])];
    if (one === other) continue;
    const key = one < other ? `${one}|${other}` : `${other}|${one}`;
    const line = lines.get(key) ?? { ends: key.split("|"), feeds: new Set(), edges: 0 };
    if (edge.kind === "P-R") line.feeds.add(one);
    line.edges += 1;
    lines.set(key, line);
  }
  for (const [key, line] of lines) {
    const between = line.ends.every((end) => end.startsWith("tool"));
    const joinsDiscs = line.ends.every((end) => end.startsWith("community"));
    const [first] = line.feeds;
    const [source, target] = first === line.ends[1] ? [line.ends[1], line.ends[0]] : line.ends;
    graph.addEdgeWithKey(key, source, target, {
      kind: line.feeds.size ? "P-R" : "P-P",
      type: !between || !line.feeds.size ? "line" : line.feeds.size === 2 ? "both" : "arrow",
      thickness: joinsDiscs ? 0.1 * Math.log2(1 + line.edges) : data.grouped ? 0.04 : 1.4,
      quiet: data.grouped && !between && !joinsDiscs,
    });
  }
  tellShown(alive);
}

function commonest(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0];
}

function tellShown(alive) {
  const shown = tools.filter(isShown).length;
  const discs = graph.filterNodes((_, node) => node.community !== undefined).length;
  const parts = [`${shown.toLocaleString("en")} of ${count(tools.length, "tool")}`];
  parts.push(`${(alive["P-R"] + alive["P-P"]).toLocaleString("en")} of ${count(edges.length, "edge")}`);
  if (data.grouped) parts.push(`${discs} closed communities`);
  element("shown").textContent = parts.join(" · ");
  element("pr-count").textContent = alive["P-R"].toLocaleString("en");
  element("pp-count").textContent = alive["P-P"].toLocaleString("en");
}

/* How it is seen: what is pointed at, selected or searched for stands out, the rest fades */

function focusNodes() {
  if (state.hovered && graph.hasNode(state.hovered)) return [state.hovered];
  return state.selected.map((number) => nodeOf(tools[number])).filter((node) => graph.hasNode(node));
}

function standsOut(node, attributes, focus) {
  if (focus.length === 1) return node === focus[0] || graph.areNeighbors(node, focus[0]);
  if (focus.length === 2) return focus.includes(node);
  if (!state.matches) return true;
  if (attributes.tool !== undefined) return state.matches.has(attributes.tool);
  return members[attributes.community].some((tool) => state.matches.has(tool.number));
}

/* Whether what stands out is so little that every name can be shown. */
function isFew(focus) {
  if (focus.length === 1) return graph.degree(focus[0]) < 16;
  return focus.length === 2 || (state.matches !== null && state.matches.size < 30);
}

function styleNode(node, attributes) {
  const focus = focusNodes();
  const out = standsOut(node, attributes, focus);
  const disc = attributes.community !== undefined;
  return {
    ...attributes,
    color: blend(attributes.colour, (out ? 1 : 0.18) * (disc ? 0.55 : 1)),
    label: out ? attributes.label : "",
    zIndex: focus.includes(node) ? 2 : out ? 1 : 0,
    highlighted: focus.includes(node) && state.selected.length > 0,
    forceLabel: disc || (out && isFew(focus)),
  };
}

function styleEdge(key, attributes) {
  const focus = focusNodes();
  const ends = graph.extremities(key);
  const out = focus.length === 1 ? ends.includes(focus[0]) : focus.length === 2 && focus.every((node) => ends.includes(node));
  const colour = theme(attributes.kind === "P-R" ? "--pr" : "--pp");
  const quiet = attributes.quiet ? 0.14 : 0.32;
  return {
    ...attributes,
    color: blend(colour, out ? 1 : focus.length || state.matches ? 0.08 : quiet),
    size: out ? attributes.thickness * 1.6 : attributes.thickness,
    zIndex: out ? 1 : 0,
  };
}

function drawHovered(context, node, settings) {
  const label = node.label;
  if (!label) return;
  context.font = `${settings.labelWeight} ${settings.labelSize}px ${settings.labelFont}`;
  const width = context.measureText(label).width + 10;
  const left = node.x + node.size + 2;
  const top = node.y - settings.labelSize / 2 - 5;
  context.fillStyle = theme("--back");
  context.strokeStyle = theme("--accent");
  context.lineWidth = 1.5;
  context.beginPath();
  context.roundRect(left, top, width, settings.labelSize + 10, 4);
  context.fill();
  context.stroke();
  context.beginPath();
  context.arc(node.x, node.y, node.size + 2, 0, 2 * Math.PI);
  context.stroke();
  context.fillStyle = theme("--text");
  context.fillText(label, left + 5, node.y + settings.labelSize / 3);
}

const labels = []; // the boxes of those drawn in this frame

function drawLabel(context, node, settings) {
  if (!node.label) return;
  const disc = node.community !== undefined;
  context.font = `${disc ? 600 : settings.labelWeight} ${settings.labelSize}px ${settings.labelFont}`;
  const lines = disc ? fitLines(context, node) : [node.label];
  if (!lines.length) return;
  const width = Math.max(...lines.map((line) => context.measureText(line).width));
  const height = lines.length * (settings.labelSize + 3);
  const gap = node.size + 3;
  const middle = [node.x - width / 2, node.y];
  const beside = [[node.x + gap, node.y], [node.x - gap - width, node.y]];
  const outside = [[node.x - width / 2, node.y + gap + height / 2], [node.x - width / 2, node.y - gap - height / 2]];
  const free = ([left, y]) => labels.every((box) =>
    left > box.left + box.width + 4 || left + width + 4 < box.left || Math.abs(y - box.y) > (height + box.height) / 2);
  const place = disc ? middle : [...beside, ...outside].find(free); // discs stand apart, and so do their texts
  if (!place) return;
  const [left, y] = place;
  labels.push({ left, y, width, height });
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = theme("--back");
  context.fillStyle = theme("--text");
  lines.forEach((line, at) => {
    const x = disc ? node.x - context.measureText(line).width / 2 : left;
    const base = y - height / 2 + (at + 0.8) * (settings.labelSize + 3);
    context.strokeText(line, x, base);
    context.fillText(line, x, base);
  });
}

/* The name and size of a community, as far as its disc has room for them. */
function fitLines(context, node) {
  if (node.size < 14) return [];
  const { name } = data.communities[node.community];
  const size = node.label.slice(name.length + 1);
  if (node.size < 30) return [size];
  const [title, words] = name.split(/: (.*)/);
  return [title, words, size].filter(Boolean).map((line) => cutText(context, line, 2 * node.size - 8));
}

function cutText(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let cut = text;
  while (cut && context.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1);
  return `${cut}…`;
}

function redraw() {
  fillGraph();
  renderer?.refresh();
}

function restyle() {
  renderer?.refresh({ skipIndexation: true });
}

/* The panel */

const partner = (edge, number) => tools[edge.source === number ? edge.target : edge.source];

function writeSlot([path, type, description, required]) {
  const line = make("li", { className: "slot" }, make("code", { text: path }));
  const kind = [type, required ? "required" : ""].filter(Boolean).join(", ");
  if (kind) line.append(" ", make("span", { className: "type", text: kind }));
  if (description) line.append(make("div", { className: "text", text: description }));
  return line;
}

function writeSlots(title, slots) {
  return [
    make("h3", { text: slots.length ? title : `${title}: none` }),
    make("ul", {}, ...slots.map(writeSlot)),
  ];
}

const slotsOf = (edge, [source, target]) => [
  (edge.kind === "P-R" ? tools[edge.source].gives : tools[edge.source].takes)[source],
  tools[edge.target].takes[target],
];

function writeNeighbours(title, number, found) {
  if (!found.length) return [];
  found.sort((one, other) => other.cosine - one.cosine || (partner(one, number).name < partner(other, number).name ? -1 : 1));
  const rows = found.slice(0, MOST_LISTED).map((edge) => {
    const [source, target] = slotsOf(edge, edge.evidence[0]);
    const arrow = edge.kind === "P-R" ? "→" : "↔";
    const [left, right] = edge.kind === "P-P" && edge.target === number ? [target, source] : [source, target];
    const row = make("button", { type: "button", className: "edge" },
      make("b", { text: partner(edge, number).name }),
      make("span", { text: `${left[0]} ${arrow} ${right[0]} · ${edge.cosine.toFixed(3)}` }));
    row.addEventListener("click", () => select([number, partner(edge, number).number]));
    return make("li", {}, row);
  });
  const more = found.length - rows.length;
  return [
    make("h3", { text: `${title} (${found.length.toLocaleString("en")})` }),
    make("ul", {}, ...rows),
    ...(more > 0 ? [make("p", { className: "hint", text: `and ${more.toLocaleString("en")} more` })] : []),
  ];
}

function writeTool(number) {
  const tool = tools[number];
  const alive = edgesOf[number].filter(isAlive);
  const drawn = new Set(edgesOf[number].map((edge) => partner(edge, number).number)).size;
  const neighbours = drawn < tool.neighbours
    ? `${count(tool.neighbours, "neighbour")}, the strongest ${drawn} shown`
    : count(tool.neighbours, "neighbour");
  return [
    make("h2", { text: tool.name }),
    make("p", { className: "hint", text: [data.domains[tool.domain], neighbours].filter(Boolean).join(" · ") }),
    make("p", { className: "about text", text: tool.description }),
    ...writeSlots("Parameters", tool.takes),
    ...writeSlots("Returns", tool.gives),
    ...writeNeighbours("Takes what these return", number, alive.filter((edge) => edge.kind === "P-R" && edge.target === number)),
    ...writeNeighbours("Returns what these take", number, alive.filter((edge) => edge.kind === "P-R" && edge.source === number)),
    ...writeNeighbours("Takes what these take", number, alive.filter((edge) => edge.kind === "P-P")),
  ];
}

function writeEnds(one, other) {
  const between = edgesOf[one].filter((edge) => partner(edge, one).number === other);
  const link = (number) => {
    const button = make("button", { type: "button", text: tools[number].name });
    button.addEventListener("click", () => select([number]));
    return button;
  };
  return [
    make("h2", { text: `${tools[one].name} and ${tools[other].name}` }),
    make("p", { className: "buttons" }, link(one), link(other)),
    ...between.flatMap((edge) => {
      const [source, target] = [tools[edge.source].name, tools[edge.target].name];
      const title = edge.kind === "P-R" ? `P-R: ${source} returns what ${target} takes` : "P-P: both take the same";
      const more = edge.inAll - edge.evidence.length;
      return [
        make("h3", { text: title }),
        ...edge.evidence.map((pair) => {
          const [first, second] = slotsOf(edge, pair);
          return make("div", { className: edge.kind === "P-R" ? "evidence pr" : "evidence" },
            make("span", { className: "cosine", text: `cosine ${pair[2].toFixed(3)}` }),
            make("ul", {}, writeEnd(source, first), writeEnd(target, second)));
        }),
        ...(more > 0 ? [make("p", { className: "hint", text: `and ${count(more, "more pair")} of slots` })] : []),
      ];
    }),
  ];
}

function writeEnd(name, slot) {
  const line = writeSlot(slot);
  line.firstChild.textContent = `${name}.${slot[0]}`;
  return line;
}

/* Selecting; the address names what is selected */

function select(numbers, { move = false } = {}) {
  state.selected = numbers;
  const closed = numbers.map((number) => tools[number].community).filter((community) => !state.open.has(community));
  closed.forEach((community) => state.open.add(community));
  const hidden = numbers.map((number) => tools[number].domain).filter((domain) => !state.domains.has(domain));
  hidden.forEach((domain) => state.domains.add(domain));
  if (hidden.length) tickDomains();
  if (closed.length || hidden.length) redraw();
  else restyle();
  showSelected();
  const address = numbers.map((number) => encodeURIComponent(tools[number].name)).join(",");
  if (!framed && location.hash.slice(1) !== address) history.replaceState(null, "", address ? `#${address}` : "#");
  if (move && numbers.length) moveTo(numbers);
}

function showSelected() {
  const [one, other] = state.selected;
  element("told").replaceChildren(...(one === undefined ? [] : other === undefined ? writeTool(one) : writeEnds(one, other)));
  element("panel").hidden = one === undefined;
  element("panel").scrollTop = 0;
  element("picture").dataset.selected = state.selected.map((number) => tools[number].name).join(",");
  renderer?.resize();
  renderer?.refresh({ skipIndexation: true });
}

function readAddress() {
  let names = [];
  try {
    names = location.hash.slice(1).split(",").map(decodeURIComponent);
  } catch {
    return; // an address that somebody broke names nothing
  }
  const found = names.map((name) => byName.get(name)).filter(Boolean).slice(0, 2);
  if (found.length) select(found.map((tool) => tool.number), { move: true });
}

function moveTo(numbers) {
  const places = numbers.map((number) => renderer?.getNodeDisplayData(nodeOf(tools[number]))).filter(Boolean);
  if (!places.length) return;
  const middle = (axis) => places.reduce((sum, place) => sum + place[axis], 0) / places.length;
  const camera = renderer.getCamera();
  camera.animate({ x: middle("x"), y: middle("y"), ratio: Math.min(camera.ratio, nearRatio()) }, { duration: 400 });
}

function nearRatio() {
  return data.grouped ? Math.min(1, 60 / span) : 0.4;
}

function openCommunity(number) {
  state.open.add(number);
  const { x, y } = renderer.getNodeDisplayData(`community ${number}`);
  redraw();
  renderer.getCamera().animate({ x, y, ratio: Math.min(1, (2.6 * data.communities[number].radius) / span) }, { duration: 500 });
}

/* Searching and filtering */

function search() {
  const words = element("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = words.length ? tools.filter((tool) => isShown(tool) && words.every((word) => tool.text.includes(word))) : [];
  const named = (tool) => (words.some((word) => tool.name.toLowerCase().includes(word)) ? 0 : 1);
  found.sort((one, other) => named(one) - named(other) || one.number - other.number);
  state.matches = words.length ? new Set(found.map((tool) => tool.number)) : null;
  element("results").replaceChildren(...found.slice(0, MOST_RESULTS).map((tool) => {
    const button = make("button", { type: "button", text: tool.name, title: tool.description });
    button.addEventListener("click", () => select([tool.number], { move: true }));
    return make("li", {}, button);
  }));
  const listed = found.length > MOST_RESULTS ? `, the first ${MOST_RESULTS} listed` : "";
  element("found").textContent = words.length ? `${count(found.length, "tool")} found${listed}` : "";
  restyle();
}

function listDomains() {
  const sizes = data.domains.map(() => 0);
  for (const tool of tools) sizes[tool.domain] += 1;
  const order = [...data.domains.keys()];
  if (order.length > 40) order.sort((one, other) => sizes[other] - sizes[one] || one - other);
  element("domains").replaceChildren(...order.map((domain) => {
    const box = make("input", { type: "checkbox", checked: state.domains.has(domain) });
    box.dataset.domain = domain;
    box.addEventListener("change", () => {
      if (box.checked) state.domains.add(domain);
      else state.domains.delete(domain);
      filter();
    });
    const dot = make("span", { className: "dot" });
    dot.style.background = colourOf(domain);
    return make("label", { className: "domain" }, box, dot,
      make("span", { text: data.domains[domain] || "no domain" }),
      make("span", { className: "count", text: sizes[domain].toLocaleString("en") }));
  }));
}

function tickDomains() {
  for (const box of element("domains").querySelectorAll("input")) box.checked = state.domains.has(Number(box.dataset.domain));
}

function filter() {
  redraw();
  search();
  showSelected();
}

/* The page */

function describe() {
  element("title").textContent = data.title;
  const inAll = data.edges_in_all["P-P"] + data.edges_in_all["P-R"];
  const shown = data.facts ??
    `${count(tools.length, "tool")}, ${count(inAll, "edge")}, ${count(data.domains.length, "domain")}`;
  const encoder = data.encoder ? ` (${data.encoder})` : "";
  element("facts").textContent = `${shown}; slots are joined above a cosine of ${data.tau}${encoder}`;
  element("left-out").hidden = !data.left_out.length;
  element("left-out-list").replaceChildren(...data.left_out.map((text) => make("li", { text })));
  element("communities-box").hidden = !data.grouped;
  element("theme").hidden = framed;
  const slider = element("cosine");
  slider.min = slider.value = data.tau;
  element("cosine-shown").textContent = data.tau;
}

function startRenderer() {
  try {
    const { EdgeDoubleArrowProgram, EdgeArrowProgram, EdgeRectangleProgram } = Sigma.rendering;
    const made = new Sigma(graph, element("picture"), {
      edgeProgramClasses: { line: EdgeRectangleProgram, arrow: EdgeArrowProgram, both: EdgeDoubleArrowProgram },
      defaultDrawNodeLabel: drawLabel,
      defaultDrawNodeHover: drawHovered,
      nodeReducer: styleNode,
      edgeReducer: styleEdge,
      enableEdgeEvents: true,
      itemSizesReference: data.grouped ? "positions" : "screen",
      zoomToSizeRatioFunction: data.grouped ? (ratio) => ratio : Math.sqrt,
      labelFont: "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
      stagePadding: data.grouped ? 20 : 50,
      labelSize: 12,
      labelDensity: 0.7,
      labelGridCellSize: 110,
      labelRenderedSizeThreshold: data.grouped ? 3 : 5,
      minCameraRatio: 0.005,
      maxCameraRatio: 3,
      zIndex: true,
    });
    made.on("beforeRender", () => { labels.length = 0; });
    if (data.grouped) {
      made.setCustomBBox({ x: [leftmost, rightmost], y: [-lower, -upper] });
      made.refresh();
    }
    made.on("clickNode", ({ node }) => {
      const { tool, community } = graph.getNodeAttributes(node);
      if (tool === undefined) openCommunity(community);
      else select([tool]);
    });
    made.on("clickEdge", ({ edge }) => {
      const ends = graph.extremities(edge).map((node) => graph.getNodeAttribute(node, "tool"));
      if (!ends.includes(undefined)) select(ends);
    });
    made.on("clickStage", () => select([]));
    made.on("enterNode", ({ node }) => { state.hovered = node; restyle(); });
    made.on("leaveNode", () => { state.hovered = null; restyle(); });
    made.on("enterEdge", () => { element("picture").style.cursor = "pointer"; });
    made.on("leaveEdge", () => { element("picture").style.cursor = ""; });
    return made;
  } catch (error) {
    element("picture").replaceChildren(make("p", {
      className: "failure",
      text: `The picture needs WebGL, which this browser does not offer (${error.message}). Search and the lists of neighbours work without it.`,
    }));
    return null;
  }
}

function onKey(event) {
  const typing = event.target.matches("input");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    element("search").focus();
  } else if (event.key === "Escape") {
    if (element("search").value) {
      element("search").value = "";
      search();
    } else select([]);
  } else if (event.key === "Enter" && event.target === element("search")) {
    element("results").querySelector("button")?.click();
  }
}

function onPictureKey(event) {
  const camera = renderer?.getCamera();
  const step = 0.1 * (camera?.ratio ?? 1);
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  if (!camera) return;
  if (event.key in moves) {
    const [x, y] = moves[event.key];
    camera.setState({ x: camera.x + x, y: camera.y + y });
  } else if (event.key === "+" || event.key === "=") camera.animatedZoom();
  else if (event.key === "-") camera.animatedUnzoom();
  else if (event.key === "0") camera.animatedReset();
  else return;
  event.preventDefault();
}

function listen() {
  element("search").addEventListener("input", search);
  for (const [id, kind] of [["pr", "P-R"], ["pp", "P-P"]]) {
    element(id).addEventListener("change", ({ target }) => {
      if (target.checked) state.kinds.add(kind);
      else state.kinds.delete(kind);
      filter();
    });
  }
  element("cosine").addEventListener("input", ({ target }) => {
    state.cosine = Number(target.value);
    element("cosine-shown").textContent = target.value;
    filter();
  });
  element("all").addEventListener("click", () => { state.domains = new Set(data.domains.keys()); tickDomains(); filter(); });
  element("none").addEventListener("click", () => { state.domains.clear(); tickDomains(); filter(); });
  element("close").addEventListener("click", () => select([]));
  element("close-all").addEventListener("click", () => { state.open.clear(); select([]); redraw(); renderer?.getCamera().animatedReset(); });
  element("zoom-in").addEventListener("click", () => renderer?.getCamera().animatedZoom());
  element("zoom-out").addEventListener("click", () => renderer?.getCamera().animatedUnzoom());
  element("whole").addEventListener("click", () => renderer?.getCamera().animatedReset());
  element("theme").addEventListener("click", () => setTheme(!isDark()));
  element("picture").addEventListener("keydown", onPictureKey);
  document.addEventListener("keydown", onKey);
  window.addEventListener("hashchange", readAddress);
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  preferred.addEventListener("change", () => setTheme(preferred.matches));
}

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  listDomains();
  redraw();
}

const graph = new graphology.Graph({ type: "directed", multi: false });
let renderer = null;
describe();
setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
renderer = startRenderer();
listen();
readAddress();
