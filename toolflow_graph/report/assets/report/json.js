"use strict";
/* JSON as people read it, each value in an element of its own, so that its origin can be shown. */

const MOST_VALUES = 1500;

/* `dress` may do something with the element of each plain value: it gets the element, the path and the value. */
function writeJson(value, dress = () => {}) {
  const left = { values: MOST_VALUES };
  const block = make("pre", { className: "json" });
  writeValue(block, value, "", 0, left, dress);
  if (left.values < 0) {
    block.append(make("span", { className: "quiet", text: "\n… more is not shown" }));
    const whole = makeButton("Show all as text", () => { block.textContent = JSON.stringify(value, null, 2); whole.remove(); });
    return make("div", {}, block, whole);
  }
  return block;
}

function writeValue(into, value, path, depth, left, dress) {
  if (left.values < 0) return;
  if (value === null || typeof value !== "object" || depth > 60) {
    left.values -= 1;
    const plain = make("span", { className: `value ${value === null ? "null" : typeof value}`, text: JSON.stringify(value) });
    dress(plain, path, value);
    into.append(plain);
    return;
  }
  const isList = Array.isArray(value);
  const entries = isList ? value.map((part, place) => [place, part]) : Object.entries(value);
  const inside = "  ".repeat(depth + 1);
  into.append(isList ? "[" : "{");
  entries.forEach(([key, part], place) => {
    if (left.values < 0) return;
    into.append(`${place ? "," : ""}\n${inside}`);
    if (!isList) into.append(make("span", { className: "key", text: JSON.stringify(key) }), ": ");
    writeValue(into, part, isList ? `${path}[${key}]` : path ? `${path}.${key}` : key, depth + 1, left, dress);
  });
  into.append(entries.length ? `\n${"  ".repeat(depth)}` : "", isList ? "]" : "}");
}

/* What a string holds if it is JSON of an object or a list; else undefined. */
function parseJson(text) {
  try {
    const found = JSON.parse(text);
    return found !== null && typeof found === "object" ? found : undefined;
  } catch {
    return undefined;
  }
}

function sayShort(value, most = 44) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
