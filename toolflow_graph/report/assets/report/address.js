"use strict";
/* What the address names: `#ID` a dialogue (of another than the first run `#2:ID`), `#/report`, `#/dialogues`, `#/graph`. */

const VIEWS = ["report", "dialogues", "graph"];
let view = "";

function addressOf({ run, id }) {
  const escaped = encodeURIComponent(id);
  return run ? `${run + 1}:${escaped}` : escaped;
}

function noteAddress(address) {
  if (location.hash.slice(1) !== address) history.replaceState(null, "", `#${address}`);
}

function goTo(address) {
  noteAddress(address);
  showView(address.slice(1).split("/")[0]);
}

function showView(wanted) {
  if (!VIEWS.includes(wanted)) return;
  view = wanted;
  for (const one of VIEWS) element(one).hidden = one !== wanted;
  document.body.dataset.view = wanted;
  for (const link of document.querySelectorAll("#head nav a")) {
    if (link.dataset.view === wanted) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (wanted === "dialogues") {
    drawList({ keepPlace: selected !== null });
    readAll(chosen.run);
    if (selected === null && listed.length && matchMedia("(min-width: 56rem)").matches) openDialogue(listed[0]);
  }
  if (wanted === "graph") showGraph();
}

async function readAddress() {
  const address = location.hash.slice(1);
  if (address.startsWith("/") || !address) {
    const [, wanted, section] = (address || "/report").split("/");
    showView(VIEWS.includes(wanted) ? wanted : "report");
    if (section) element(`section-${section}`)?.scrollIntoView();
    return;
  }
  const [, prefix, escaped] = address.match(/^(?:(\d):)?(.*)$/s);
  let id;
  try {
    id = decodeURIComponent(escaped);
  } catch {
    showView("report"); // an address that somebody broke names nothing
    return;
  }
  const run = prefix ? Number(prefix) - 1 : 0;
  if (!runs[run]) { showView("report"); return; }
  await switchRun(run);
  const number = indices[run].numbers.get(id);
  if (number === undefined) {
    showView("dialogues");
    element("dialogue").replaceChildren(make("p", { className: "quiet none", text: `This page holds no dialogue ${sayShort(id, 80)}.` }));
    return;
  }
  if (!listed.includes(number)) clearFilters();
  const there = view === "dialogues";
  selected = number;
  showView("dialogues");
  if (!there) drawList();
  await openDialogue(number);
  showRow(listed.indexOf(number));
}

async function switchRun(run) {
  await loadIndex(run);
  if (chosen.run === run && element("filters").childElementCount) return;
  const id = selected === null ? null : indices[chosen.run]?.ids[selected];
  chosen.run = run;
  selected = id === null ? null : indices[run].numbers.get(id) ?? null;
  for (const button of element("runs").querySelectorAll("input")) button.checked = Number(button.value) === run;
  drawFilters();
  applyFilters();
  if (chosen.query) searchAgain();
  if (view === "dialogues") {
    if (selected !== null) await openDialogue(selected);
    else element("dialogue").replaceChildren(make("p", { className: "quiet none", text: "Choose a dialogue." }));
  }
  if (view === "graph") showGraph();
}
