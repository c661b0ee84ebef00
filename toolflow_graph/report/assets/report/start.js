"use strict";
/* Puts the page together: first what is read first, then the rest. */

let searching = 0;

/* Lists again while more is read, until all is. */
async function searchAgain() {
  searching += 1;
  const mine = searching;
  applyFilters();
  if (!chosen.query || texts[chosen.run].length === indices[chosen.run].ids.length) return;
  let last = performance.now();
  progress.told = (run) => {
    if (mine !== searching || run !== chosen.run || performance.now() - last < 400) return;
    applyFilters({ keepPlace: true });
    last = performance.now();
  };
  await readAll(chosen.run);
  if (mine === searching) applyFilters({ keepPlace: true });
}

function listen() {
  element("theme").addEventListener("click", () => setTheme(!isDark()));
  element("ask").addEventListener("click", () => element("help").showModal());
  element("search").addEventListener("input", () => { chosen.query = element("search").value; searchAgain(); });
  element("list").addEventListener("scroll", () => requestAnimationFrame(drawRows), { passive: true });
  window.addEventListener("resize", () => { if (view === "dialogues") drawRows(); });
  window.addEventListener("hashchange", readAddress);
  document.addEventListener("keydown", onKey);
  const preferred = matchMedia("(prefers-color-scheme: dark)");
  preferred.addEventListener("change", () => setTheme(preferred.matches));
}

function drawHead() {
  element("title").textContent = several ? runs.map((run) => run.name).join(" · ") : runs[0].name;
  if (!several) return;
  element("runs").hidden = false;
  element("runs").append(...runs.map((_, number) => {
    const radio = make("input", { type: "radio", name: "run", value: number, checked: number === 0 });
    radio.addEventListener("change", () => switchRun(number));
    return make("label", {}, radio, nameRun(number));
  }));
}

function drawReport() {
  element("sections").replaceChildren();
  drawSummary();
  drawMix();
  drawDistributions();
  drawReach();
  drawMeasures();
  drawFindings();
  drawCosts();
  element("contents").append(...SECTIONS.map(({ id, title }) => make("a", { href: `#/report/${id}`, text: title })));
}

async function start() {
  setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
  drawHead();
  drawReport();
  listen();
  if (typeof DecompressionStream === "undefined") {
    element("dialogue").replaceChildren(make("p", { className: "quiet none", text: "This browser cannot unpack the dialogues; one of 2023 or later can." }));
    return;
  }
  if (!element("packed-end")) await new Promise((done) => document.addEventListener("DOMContentLoaded", done));
  await switchRun(0);
  await readAddress();
  document.documentElement.dataset.ready = "yes";
  performance.mark("ready");
  setTimeout(() => readAll(chosen.run), 300);
}

start();
