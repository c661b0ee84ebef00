"use strict";
/* Shows one dialogue, or two side by side, and sends every click to the server before it counts. Texts go in by
   textContent, never as markup. */

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const state = {
  place: 0,
  item: null,
  active: 0, // the dimension that the next key is for
  done: data.done,
  open: false, // whether tool calls are unfolded
  turn: 0, // counts what is shown, so that an answer that comes late is not
};

function make(tag, { text, ...attributes } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}

/* The server */

let queue = Promise.resolve(); // clicks arrive in the order in which they were made
const send = (path, body) => (queue = queue.then(() => ask(path, body)));

async function ask(path, body) {
  const request = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  try {
    const answer = await fetch(path, request);
    if (!answer.ok) throw new Error((await answer.text()).trim());
    element("problem").hidden = true;
    return await answer.json();
  } catch (error) {
    const gone = error instanceof TypeError;
    complain(gone ? "The server does not answer: it may have been ended. Start the command again; what was saved is kept."
      : `Not saved: ${error.message}`);
    return null;
  }
}

function complain(text) {
  element("problem").textContent = text;
  element("problem").hidden = false;
}

/* A dialogue */

function drawDialogue(dialogue, side) {
  const column = make("div");
  if (side) column.append(make("div", { className: "side", text: side }));
  for (const part of dialogue.parts) column.append(part.kind === "call" ? drawCall(part) : drawBubble(part));
  if (dialogue.tools.length) column.append(drawOffer(dialogue.tools));
  return make("section", { className: "dialogue", tabIndex: 0, ariaLabel: side || "Dialogue" }, column);
}

function drawBubble({ kind, text }) {
  return make("div", { className: `bubble ${kind}`, text, dir: "auto" });
}

function drawCall({ name, arguments: given, result }) {
  const failed = result !== null && /^\s*\{\s*"error"/.test(result);
  const summary = make("summary", {}, make("b", { text: name || "result" }));
  const preview = previewArguments(given);
  if (failed) summary.append(" failed");
  if (preview) summary.append(make("span", { text: preview }));
  const call = make("details", { className: failed ? "call failed" : "call", open: state.open }, summary);
  if (given && given !== "{}") call.append(make("p", { text: "called with" }), make("pre", { text: given }));
  call.append(make("p", { text: result === null ? "no result" : "gave back" }));
  if (result !== null) call.append(make("pre", { text: result }));
  return call;
}

function previewArguments(given) {
  try {
    const value = JSON.parse(given);
    if (value === null || typeof value !== "object") return "";
    const shown = (part) => (typeof part === "string" ? part : JSON.stringify(part));
    return Object.entries(value).map(([name, part]) => `${name}: ${shown(part)}`).join(", ").slice(0, 200);
  } catch {
    return "";
  }
}

function drawOffer(tools) {
  const list = make("ul", {}, ...tools.map(({ name, description }) =>
    make("li", {}, make("b", { text: name }), description ? `: ${description}` : "")));
  return make("details", { className: "offer" },
    make("summary", { text: `${tools.length} tool${tools.length === 1 ? " was" : "s were"} on offer` }), list);
}

/* What is shown */

async function show(place) {
  const turn = ++state.turn;
  await queue;
  const item = await ask(`item/${place}`);
  if (item === null || turn !== state.turn) return;
  state.place = place;
  state.item = { ...item, pending: new Map() }; // clicks that are on their way
  state.active = firstOpen();
  const sides = data.compares ? ["Left", "Right"] : [""];
  element("dialogues").replaceChildren(...item.dialogues.map((dialogue, number) => drawDialogue(dialogue, sides[number])));
  document.querySelector(".dialogue").focus({ preventScroll: true });
  history.replaceState(null, "", `#${place + 1}`);
  update();
}

function firstOpen() {
  const open = data.dimensions.findIndex(({ key }) => state.item.values[key] === undefined);
  return open < 0 ? data.dimensions.length - 1 : open;
}

const isRated = () => data.dimensions.every(({ key }) => state.item.values[key] !== undefined);

function update() {
  const all = state.done.length;
  const finished = state.done.filter(Boolean).length;
  element("count").textContent = `${(state.place + 1).toLocaleString("en")} of ${all.toLocaleString("en")}`;
  element("name").textContent = state.item.name;
  element("finished").textContent = finished === all ? "all rated, thank you" : `${finished.toLocaleString("en")} rated`;
  element("progress").firstElementChild.style.width = `${(100 * finished) / all}%`;
  element("progress").setAttribute("aria-valuemax", all);
  element("progress").setAttribute("aria-valuenow", finished);
  document.title = `${state.place + 1} of ${all} · Rate dialogues`;
  data.dimensions.forEach(({ key }, number) => {
    const card = element(`card-${key}`);
    const value = state.item.values[key];
    card.classList.toggle("active", number === state.active);
    card.classList.toggle("given", value !== undefined);
    card.querySelectorAll("button").forEach((button, place) => {
      button.setAttribute("aria-checked", String(data.options[place][0] === value));
    });
  });
  const rated = isRated();
  element("next").classList.toggle("ready", rated && finished < all);
  element("previous").disabled = state.place === 0;
  element("next").disabled = rated ? finished === all && state.place === all - 1 : state.place === all - 1;
  const keys = data.compares ? "1 left, 2 same, 3 right" : "1 to 5";
  element("tip").textContent = rated ? "Rated. Enter goes on." : `${keys} for ${data.dimensions[state.active].label.toLowerCase()}`;
}

/* What is done */

/* The next key is for the next dimension at once, however long saving takes; a value is shown when it is saved. */
async function rate(number, value) {
  const { key } = data.dimensions[number];
  const { item, place } = state;
  const wanted = latest(item, key) === value ? undefined : value;
  item.pending.set(key, { wanted, times: (item.pending.get(key)?.times ?? 0) + 1 });
  state.active = wanted === undefined ? number : nextOpen(number);
  update();
  const answer = await send("rate", { place, dimension: key, value: wanted ?? null });
  const pending = item.pending.get(key);
  if (pending.times === 1) item.pending.delete(key);
  else pending.times -= 1;
  if (answer === null) {
    if (item === state.item) state.active = number;
  } else {
    if (wanted === undefined) delete item.values[key];
    else item.values[key] = wanted;
    state.done[place] = data.dimensions.every((dimension) => item.values[dimension.key] !== undefined);
    pulse();
  }
  if (state.item !== null) update();
}

function latest(item, key) {
  return item.pending.has(key) ? item.pending.get(key).wanted : item.values[key];
}

function nextOpen(number) {
  const count = data.dimensions.length;
  for (let step = 1; step < count; step += 1) {
    const next = (number + step) % count;
    if (latest(state.item, data.dimensions[next].key) === undefined) return next;
  }
  return number;
}

async function undo() {
  const answer = await send("undo", {});
  if (answer === null) return;
  if (answer.place === null) return pulse("Nothing to undo");
  await show(answer.place);
  state.done[answer.place] = isRated();
  update();
  pulse("Undone");
}

function pulse(text = "Saved") {
  const saved = element("saved");
  saved.textContent = text;
  saved.classList.add("shown");
  requestAnimationFrame(() => requestAnimationFrame(() => saved.classList.remove("shown")));
}

async function goOn() {
  await queue; // clicks that are on their way count
  if (!isRated()) return step(1);
  const all = state.done.length;
  for (let ahead = 1; ahead <= all; ahead += 1) {
    const place = (state.place + ahead) % all;
    if (!state.done[place]) return show(place);
  }
  return step(1);
}

function step(by) {
  const place = state.place + by;
  if (place >= 0 && place < state.done.length) show(place);
}

function foldAll() {
  state.open = !state.open;
  for (const call of document.querySelectorAll(".call")) call.open = state.open;
}

function changeTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
}

const digits = (number) => data.options[number - 1] && rate(state.active, data.options[number - 1][0]);
const KEYS = [
  [data.compares ? ["1", "2", "3"] : ["1", "2", "3", "4", "5"],
    data.compares ? "left is better, both the same, right is better" : "points; the same key again takes them back"],
  [["↑", "↓"], "choose the dimension"],
  [["←", "→"], "previous and next"],
  [["Enter"], "on to the next that is not rated"],
  [["u"], "undo the last click"],
  [["t"], "open or close all tool calls"],
  [["?"], "these keys"],
];

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || element("keys").open || state.item === null) return;
  const last = data.dimensions.length - 1;
  const onControl = event.target.closest("button, summary, a") !== null;
  const actions = {
    ArrowUp: () => { state.active = Math.max(0, state.active - 1); update(); },
    ArrowDown: () => { state.active = Math.min(last, state.active + 1); update(); },
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    Enter: onControl ? null : goOn,
    u: undo,
    t: foldAll,
    "?": () => element("keys").showModal(),
  };
  const action = /^[1-9]$/.test(event.key) ? () => digits(Number(event.key)) : actions[event.key];
  if (!action) return;
  event.preventDefault();
  if (!event.repeat || event.key.startsWith("Arrow")) action();
});

/* The page */

for (const [number, { key, label, hint }] of data.dimensions.entries()) {
  const options = data.options.map(([value, text]) =>
    make("button", { type: "button", role: "radio", text, onclick: () => rate(number, value) }));
  element("cards").append(make("section", { className: "card", id: `card-${key}` },
    make("h2", { text: label }), make("p", { text: hint }),
    make("div", { className: "options", role: "radiogroup", ariaLabel: label }, ...options)));
}
for (const [keys, text] of KEYS) {
  const shown = keys.flatMap((key) => [make("kbd", { text: key }), " "]);
  element("key-list").append(make("dt", {}, ...shown), make("dd", { text }));
}
element("warning").hidden = !data.compares;
element("previous").onclick = () => step(-1);
element("next").onclick = () => (isRated() ? goOn() : step(1));
element("undo").onclick = undo;
element("folds").onclick = foldAll;
element("theme").onclick = changeTheme;
element("help").onclick = () => element("keys").showModal();
if (matchMedia("(prefers-color-scheme: dark)").matches) document.documentElement.dataset.theme = "dark";

const asked = Number(location.hash.slice(1)) - 1;
const open = state.done.indexOf(false);
show(Number.isInteger(asked) && asked >= 0 && asked < state.done.length ? asked : Math.max(open, 0));
