"use strict";
/* A tool call with its result: one line, to be unfolded. */

let unfolded = false;

function writeCall(call, result, dialogue) {
  const name = call.function.name ?? "";
  const parsed = parseJson(call.function.arguments);
  const executed = (dialogue.executed ?? []).includes(call.id);
  const failed = result && isError(result);
  const origins = new Map((dialogue.provenance ?? []).filter((one) => one.call_id === call.id).map((one) => [one.path, one]));
  const dress = (plain, path, value) => { if (origins.has(path)) traceValue(plain, value, origins.get(path)); };
  const summary = make("summary", {},
    make("span", { className: "tool", text: name }),
    writeSignature(parsed ?? call.function.arguments, dress),
    executed ? make("span", { className: "chip", text: "executed" }) : null,
    result ? make("span", { className: failed ? "chip bad" : "chip", text: failed ? "error" : sayResult(result) })
      : make("span", { className: "chip bad", text: "no result" }));
  const card = make("details", { className: "call", open: unfolded }, summary);
  let filled = false;
  const fill = () => {
    if (filled || !card.open) return;
    filled = true;
    card.append(
      make("h4", { text: "Arguments" }),
      parsed === undefined ? make("pre", { className: "json", text: call.function.arguments }) : writeJson(parsed, dress));
    if (result) {
      const place = dialogue.messages.indexOf(result);
      const value = parseJson(readText(result));
      card.append(make("h4", { text: failed ? "Result: an error" : "Result" }), make("div", { className: "result", dataset: { message: place } },
        value === undefined ? make("pre", { className: "json", text: readText(result) }) : writeJson(value)));
      card.removeAttribute("data-message");
    }
    markWords(element("dialogue"), splitQuery(chosen.query));
  };
  if (result) card.dataset.message = dialogue.messages.indexOf(result); // until it has a place of its own
  card.addEventListener("toggle", fill);
  fill();
  return card;
}

/* Arguments on one line, each value with its origin. */
function writeSignature(given, dress) {
  const line = make("span", { className: "signature" });
  if (typeof given !== "object") return line;
  Object.entries(given).forEach(([key, value], place) => {
    line.append(place ? ", " : "", make("span", { className: "name", text: `${key}: ` }));
    const parts = Array.isArray(value) && value.length < 9 ? value.map((part, at) => [`${key}[${at}]`, part]) : [[key, value]];
    parts.forEach(([path, part], at) => {
      const plain = make("span", { className: "value", text: sayShort(part) });
      if (part === null || typeof part !== "object") dress(plain, path, part);
      line.append(at ? " + " : "", plain);
    });
    if (!parts.length) line.append("none");
  });
  return line;
}

function isError(result) {
  const value = parseJson(readText(result));
  return Boolean(value && !Array.isArray(value) && "error" in value);
}

function sayResult(result) {
  const value = parseJson(readText(result));
  if (Array.isArray(value)) return count(value.length, "item");
  const lists = value ? Object.entries(value).filter(([, part]) => Array.isArray(part)) : [];
  return lists.length === 1 ? `${lists[0][1].length} ${lists[0][0].replaceAll("_", " ")}` : "result";
}

function toggleCalls() {
  unfolded = !unfolded;
  for (const card of document.querySelectorAll(".dialogue details.call")) card.open = unfolded;
}
