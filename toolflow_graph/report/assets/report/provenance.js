"use strict";
/* Where an argument came from: its message lights up, with the very words if they are found in it. */

const ORIGINS = {
  user: "the user's words", result: "the result of a call", system: "the system message",
  default: "the default of the tool's schema", none: "nowhere: no message holds it",
};

function traceValue(plain, value, origin) {
  plain.classList.add("traced", `from-${origin.source}`);
  plain.tabIndex = 0;
  plain.setAttribute("aria-description", sayOrigin(origin));
  plain.addEventListener("mouseenter", () => showOrigin(plain, value, origin));
  plain.addEventListener("focus", () => showOrigin(plain, value, origin));
  plain.addEventListener("mouseleave", hideOrigin);
  plain.addEventListener("blur", hideOrigin);
  const go = (event) => {
    if (event.type === "keydown" && event.key !== "Enter") return;
    event.preventDefault();
    findMessage(plain, origin.message)?.scrollIntoView({ block: "center", behavior: "smooth" });
  };
  plain.addEventListener("click", go);
  plain.addEventListener("keydown", go);
}

function sayOrigin(origin) {
  const place = origin.message === null || origin.message === undefined ? "" : `, message ${origin.message}`;
  return `from ${ORIGINS[origin.source] ?? origin.source}${place}`;
}

function findMessage(inside, message) {
  if (message === null || message === undefined) return null;
  return inside.closest(".dialogue").querySelector(`[data-message="${Number(message)}"]`);
}

function showOrigin(plain, value, origin) {
  hideOrigin();
  const bar = element("traced");
  bar.textContent = `${sayShort(value, 60)}: ${sayOrigin(origin)}`;
  bar.hidden = false;
  plain.classList.add("pointed");
  const message = findMessage(plain, origin.message);
  if (!message) return;
  message.classList.add("origin");
  message.closest("details:not([open])")?.classList.add("origin");
  if (message.matches(".call")) return; // folded: what is seen of it are its arguments, not its result
  if (globalThis.CSS?.highlights) CSS.highlights.set("origin", new Highlight(...findValue(message, value)));
}

function hideOrigin() {
  element("traced").hidden = true;
  for (const marked of document.querySelectorAll(".origin, .pointed")) marked.classList.remove("origin", "pointed");
  globalThis.CSS?.highlights?.delete("origin");
}

/* The places of a value in a message: as it is, or as people write it. */
function findValue(message, value) {
  const ways = [fold(String(value))];
  if (typeof value === "number") ways.push(fold(value.toLocaleString("en")), fold(value.toFixed(2)));
  if (typeof value === "string") ways.push(fold(value.replaceAll("_", " ")));
  const words = [...new Set(ways)].filter((way) => way.length > 1 || typeof value === "number");
  const walker = document.createTreeWalker(message, NodeFilter.SHOW_TEXT);
  const ranges = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    ranges.push(...findRanges(node, words));
  }
  return ranges;
}
