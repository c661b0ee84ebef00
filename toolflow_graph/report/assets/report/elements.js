"use strict";
/* Small things that all parts use. Every text of the data goes in by textContent, never as markup. */

const data = JSON.parse(document.getElementById("data").textContent);
const runs = data.runs;
const several = runs.length > 1;

const element = (id) => document.getElementById(id);

function make(tag, { text, dataset, aria, ...attributes } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(dataset ?? {})) made.dataset[name] = value;
  for (const [name, value] of Object.entries(aria ?? {})) made.setAttribute(`aria-${name}`, value);
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

function makeButton(text, onClick, attributes = {}) {
  const button = make("button", { type: "button", text, ...attributes });
  button.addEventListener("click", onClick);
  return button;
}

/* Numbers as people read them */

const group = (number) => number.toLocaleString("en");
const count = (number, noun) => `${group(number)} ${noun}${number === 1 ? "" : "s"}`;
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`;

function saySeconds(seconds) {
  if (seconds < 90) return `${seconds.toFixed(1)} s`;
  if (seconds < 5400) return `${(seconds / 60).toFixed(1)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

const sayDollars = (cost) => (cost === null ? "price not known" : `$${cost.toFixed(cost < 1 ? 4 : 2)}`);
const capitalise = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const sayPattern = (pattern) => pattern.replaceAll("_", " ");

/* Light and dark */

const isDark = () => document.documentElement.dataset.theme === "dark";
const onTheme = [];

function setTheme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  element("theme").textContent = dark ? "Light" : "Dark";
  onTheme.forEach((act) => act(dark));
}

const colourOfRun = (number) => getComputedStyle(document.documentElement).getPropertyValue(`--run-${number}`).trim();

function nameRun(number) {
  return make("span", { className: `run run-${number}`, text: runs[number].name });
}
