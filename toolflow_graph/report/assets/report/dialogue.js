"use strict";
/* One dialogue: what was said as bubbles, calls between them, and what each belongs to. */

const WHO = { user: "User", assistant: "Assistant", system: "System", tool: "Tool", developer: "Developer" };

function writeDialogue(dialogue, into) {
  const labels = new Map((dialogue.turns ?? []).map((label) => [label.message, label]));
  const parts = [writeHead(dialogue, into), ...writeFindings((dialogue.findings ?? []).filter((one) => !isPlaced(one, dialogue)))];
  const results = matchResults(dialogue.messages);
  const shown = new Set(results.values());
  let request = null;
  dialogue.messages.forEach((message, place) => {
    const label = labels.get(place);
    if (label && label.request !== request && message.role === "user") {
      request = label.request;
      parts.push(writeRequestMark(label));
    }
    if (!shown.has(message)) parts.push(...writeMessage(message, place, dialogue, results, label));
    parts.push(...writeFindings((dialogue.findings ?? []).filter((one) => one.message_index === place)));
  });
  into.replaceChildren(...parts);
  into.dataset.id = dialogue.id;
}

const isPlaced = (finding, dialogue) =>
  finding.message_index !== null && finding.message_index !== undefined && finding.message_index < dialogue.messages.length;

function writeHead(dialogue, into) {
  const link = makeButton("Copy link", async () => {
    const address = `${location.href.split("#")[0]}#${addressOf(dialogue)}`;
    try {
      await navigator.clipboard.writeText(address);
      link.textContent = "Copied";
    } catch {
      link.textContent = "Not allowed here; take it from the address bar";
    }
    setTimeout(() => { link.textContent = "Copy link"; }, 1500);
  });
  const back = into.id === "beside" ? null : makeButton("‹ List", () => { document.body.classList.remove("reading"); element("list").focus(); }, { className: "back" });
  const state = make("span", { className: dialogue.accepted ? "chip good" : "chip bad", text: dialogue.accepted ? "accepted" : "rejected" });
  return make("header", { className: "dialogue-head" },
    back,
    make("h2", { text: dialogue.id }),
    state,
    several ? nameRun(dialogue.run) : null,
    into.id === "beside" ? null : make("span", { className: "buttons" },
      makeButton("‹", () => step(-1), { title: "The dialogue before (k)", ariaLabel: "The dialogue before" }),
      makeButton("›", () => step(1), { title: "Next dialogue (j)", ariaLabel: "Next dialogue" }),
      makeButton("Unfold calls", toggleCalls, { title: "Fold or unfold all calls (e)" }),
      several ? makeButton("Beside", toggleBeside, { title: "The same dialogue of another run beside it (b)" }) : null,
      link));
}

function writeRequestMark(label) {
  const mark = make("h3", { className: "request-mark", dataset: { request: label.request ?? "" } });
  if (label.request !== null && label.request !== undefined) mark.append(make("span", { text: `Request ${label.request + 1}` }));
  mark.append(make("span", { className: "quiet", text: label.patterns.map(sayPattern).join(" · ") }));
  return mark;
}

/* The result of each call, by the ids of calls; where these are missing or used twice, by their order. */
function matchResults(messages) {
  const results = new Map();
  const waiting = [];
  for (const message of messages) {
    for (const call of message.tool_calls ?? []) waiting.push(call);
    if (message.role !== "tool") continue;
    const at = waiting.findIndex((call) => (message.tool_call_id ? call.id === message.tool_call_id : true));
    if (at >= 0) results.set(waiting.splice(at, 1)[0], message);
  }
  return results;
}

function writeMessage(message, place, dialogue, results, label) {
  const said = readText(message);
  const parts = [];
  const who = WHO[message.role] ?? message.role;
  const dataset = { message: place, role: message.role, ...(label ? { request: label.request ?? "" } : {}) };
  if (said || !(message.tool_calls ?? []).length) {
    const value = message.role === "tool" ? parseJson(said) : undefined;
    parts.push(make("section", { className: `message ${message.role}`, dataset, aria: { label: `${who}, message ${place}` } },
      make("span", { className: "who", text: who }),
      make("span", { className: "number", text: place }),
      value === undefined ? make("p", { className: "said", text: said || "(nothing said)" }) : writeJson(value)));
  }
  if ((message.tool_calls ?? []).length) {
    const calls = message.tool_calls.map((call) => writeCall(call, results.get(call), dialogue));
    const box = { className: "calls", aria: { label: `Calls of message ${place}` }, role: "group" };
    const own = said ? { request: dataset.request ?? "" } : dataset;
    parts.push(make("div", { ...box, dataset: own }, calls.length > 1 ? make("span", { className: "quiet", text: `${calls.length} calls at once` }) : null, ...calls));
  }
  return parts;
}

function writeFindings(findings) {
  return findings.map((finding) => make("p", { className: `finding ${finding.severity ?? "error"}` },
    make("b", { text: `${finding.check}: ` }), finding.message));
}

/* Opening */

async function openDialogue(number, { focus = false } = {}) {
  selected = number;
  drawRows();
  const run = chosen.run;
  const dialogue = await loadDialogue(run, number);
  if (selected !== number || chosen.run !== run) return; // another was opened meanwhile
  hideOrigin();
  writeDialogue(dialogue, element("dialogue"));
  element("dialogue").scrollTop = 0;
  document.body.classList.add("reading");
  writePlan(dialogue);
  markWords(element("dialogue"), splitQuery(chosen.query));
  noteAddress(addressOf(dialogue));
  if (focus) element("dialogue").focus();
  await drawBeside(dialogue);
}

let besideShown = false;

function toggleBeside() {
  if (!several) return;
  besideShown = !besideShown;
  if (selected !== null) openDialogue(selected);
}

/* The dialogue of the same id in the next run; made from the same seed, it began alike. */
async function drawBeside(dialogue) {
  const box = element("beside");
  box.hidden = !besideShown;
  element("plan").hidden = besideShown;
  element("dialogues").classList.toggle("two", besideShown);
  if (!besideShown) return;
  const run = (dialogue.run + 1) % runs.length;
  const number = (await loadIndex(run)).numbers.get(dialogue.id);
  if (number === undefined) {
    box.replaceChildren(make("p", { className: "quiet none" }, nameRun(run), ` has no dialogue ${dialogue.id}.`));
    return;
  }
  writeDialogue(await loadDialogue(run, number), box);
}
