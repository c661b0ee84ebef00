"use strict";
/* Keys. What is typed into a field stays there. */

const KEYS = {
  j: () => step(1), ArrowDown: () => step(1), k: () => step(-1), ArrowUp: () => step(-1),
  e: toggleCalls, x: clearFilters, b: toggleBeside,
  r: () => switchRun((chosen.run + 1) % runs.length),
};
const EVERYWHERE = {
  "/": () => { goTo("/dialogues"); element("search").focus(); element("search").select(); },
  "?": () => element("help").showModal(),
  1: () => goTo("/report"), 2: () => goTo("/dialogues"), 3: () => goTo("/graph"),
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || element("help").open) return;
  const { target } = event;
  if (target.matches?.("input[type=search], select, textarea")) {
    if (event.key === "Escape") element("list").focus();
    else if (event.key === "ArrowDown" && target === element("search")) element("list").focus();
    else return;
    event.preventDefault();
    return;
  }
  const scrolls = event.key.startsWith("Arrow") && target.closest?.(".dialogue, #plan, #runs");
  const act = EVERYWHERE[event.key] ?? (view === "dialogues" && !scrolls ? KEYS[event.key] : undefined);
  if (act && indices[chosen.run]) {
    event.preventDefault();
    act();
  }
}
