"use strict";
/* The list of dialogues: only the rows that are seen exist. */

const ROW = 78; // pixels, as in the style
const BEYOND = 6; // rows drawn above and below what is seen

function drawList({ keepPlace = false } = {}) {
  element("rows").style.height = `${listed.length * ROW}px`;
  if (!keepPlace) element("list").scrollTop = Math.max(0, listed.indexOf(selected) - 2) * ROW;
  drawRows();
}

function drawRows() {
  const list = element("list");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - BEYOND);
  const last = Math.min(listed.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + BEYOND);
  const rows = [];
  for (let place = first; place < last; place += 1) rows.push(writeRow(listed[place], place));
  element("rows").replaceChildren(...(listed.length ? rows : [make("p", { className: "quiet none", text: "No dialogue fits." })]));
  const active = listed.indexOf(selected);
  if (active >= first && active < last) list.setAttribute("aria-activedescendant", `row-${selected}`);
  else list.removeAttribute("aria-activedescendant");
}

function writeRow(number, place) {
  const index = indices[chosen.run];
  const patterns = index.pattern_names.filter((_, bit) => (index.patterns[number] >> bit) & 1).map(sayPattern);
  const size = `${count(index.turns[number], "turn")}, ${count(index.calls[number], "call")}`;
  const state = index.accepted[number] ? (index.checks[number].length ? "warned" : "") : "rejected";
  const row = make("div", {
    className: `row ${state}`, id: `row-${number}`, role: "option",
    aria: { selected: number === selected, setsize: listed.length, posinset: place + 1 },
  },
  make("div", { className: "first", text: index.titles[number] || "(no words)" }),
  make("div", { className: "meta" },
    make("span", { className: "id", text: index.ids[number] }),
    state ? make("span", { className: "mark", text: state === "warned" ? "finding" : "rejected" }) : null,
    make("span", { text: size })),
  make("div", { className: "meta patterns", text: patterns.join(" · ") }));
  row.style.top = `${place * ROW}px`;
  row.addEventListener("click", () => { openDialogue(number); });
  return row;
}

/* Opens the dialogue so many places after the open one. */
function step(by) {
  if (!listed.length) return;
  const here = listed.indexOf(selected);
  const place = here < 0 ? (by > 0 ? 0 : listed.length - 1) : Math.min(listed.length - 1, Math.max(0, here + by));
  openDialogue(listed[place]);
  showRow(place);
}

function showRow(place) {
  const list = element("list");
  const [above, below] = [place * ROW, (place + 1) * ROW - list.clientHeight];
  if (list.scrollTop > above) list.scrollTop = above;
  else if (list.scrollTop < below) list.scrollTop = below;
  drawRows();
}
