"use strict";
/* Beside a dialogue: its plan with the requests, the tools, why these belong together, and who played. */

function writePlan(dialogue) {
  element("plan").replaceChildren(
    ...writeScenario(dialogue), ...writeRequests(dialogue), ...writeTools(dialogue), ...writeEdges(dialogue),
    ...writePlayers(dialogue), ...writeAttempts(dialogue));
}

function writeScenario({ plan }) {
  if (!plan) return [make("h3", { text: "Plan" }), make("p", { className: "quiet", text: "None stands beside this dialogue." })];
  const { persona, situation, goal, now, city } = plan.scenario;
  const rows = [["Who", persona], ["Situation", situation], ["Goal", goal], ["When", (now ?? "").replace("T", ", ")], ["Where", city]];
  return [make("h3", { text: "Plan" }), make("dl", { className: "facts" },
    ...rows.filter(([, text]) => text).flatMap(([name, text]) => [make("dt", { text: name }), make("dd", { text })]))];
}

function writeRequests(dialogue) {
  const requests = dialogue.plan?.requests ?? [];
  if (!requests.length) return [];
  return [make("h3", { text: "Requests" }), make("ol", { className: "requests" }, ...requests.map((request, number) => {
    const known = Object.entries(request.known ?? {});
    const item = make("li", { tabIndex: 0, dataset: { request: number } },
      make("p", { text: request.intent }),
      make("p", { className: "quiet", text: request.patterns.map(sayPattern).join(" · ") }),
      (request.tools ?? []).length ? make("p", { className: "code", text: request.tools.join(" → ") }) : null,
      (request.depends_on ?? []).length ? make("p", { className: "quiet", text: `uses results of request ${request.depends_on.map((one) => one + 1).join(", ")}` }) : null,
      (request.withheld ?? []).length ? make("p", { className: "quiet", text: `left out until asked: ${request.withheld.join(", ")}` }) : null,
      known.length ? make("details", {}, make("summary", { text: `in mind: ${count(known.length, "value")}` }),
        make("dl", { className: "facts" }, ...known.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: sayShort(value, 200) })]))) : null);
    const light = (on) => { for (const part of element("dialogue").querySelectorAll(`[data-request="${number}"]`)) part.classList.toggle("addressed", on); };
    for (const kind of ["mouseenter", "focus"]) item.addEventListener(kind, () => light(true));
    for (const kind of ["mouseleave", "blur"]) item.addEventListener(kind, () => light(false));
    const go = () => element("dialogue").querySelector(`[data-request="${number}"]`)?.scrollIntoView({ block: "start", behavior: "smooth" });
    item.addEventListener("click", (event) => { if (!event.target.closest("details")) go(); });
    item.addEventListener("keydown", (event) => { if (event.key === "Enter" && event.target === item) go(); });
    return item;
  }))];
}

function writeTools(dialogue) {
  if (!dialogue.tools.length) return [];
  const called = new Set(dialogue.messages.flatMap((message) => (message.tool_calls ?? []).map((call) => call.function.name)));
  const rest = new Set(dialogue.distractors ?? []);
  return [make("h3", { text: `Tools on offer (${dialogue.tools.length})` }), ...dialogue.tools.map((tool) => {
    const note = called.has(tool.name) ? "called" : rest.has(tool.name) ? "distractor" : "";
    const card = make("details", { className: "offered" }, make("summary", {},
      make("span", { className: "tool", text: tool.name ?? "(no name)" }), note ? make("span", { className: `chip ${note === "called" ? "good" : ""}`, text: note }) : null));
    card.addEventListener("toggle", () => {
      if (card.open && card.children.length === 1) card.append(make("p", { text: tool.description ?? "" }), writeJson(tool.parameters ?? {}));
    });
    return card;
  })];
}

function writeEdges({ edges = [] }) {
  if (!edges.length) return [];
  return [make("h3", { text: `Why these tools (${count(edges.length, "edge")})` }), ...edges.map((edge) =>
    make("div", { className: `edge ${edge.kind === "P-R" ? "pr" : "pp"}` },
      make("span", { className: "cosine", text: edge.cosine.toFixed(3), title: "cosine of the two slots" }),
      make("div", { className: "code", text: `${edge.source}.${edge.source_slot}` }),
      make("div", { className: "code", text: `${edge.kind === "P-R" ? "→" : "↔"} ${edge.target}.${edge.target_slot}` })))];
}

function writePlayers(dialogue) {
  const rows = [["Cast", dialogue.cast], ["Method", dialogue.method], ["Seed, index", dialogue.seed === undefined ? "" : `${dialogue.seed}, ${dialogue.index}`],
    ...Object.entries(dialogue.models ?? {}).map(([role, model]) => [role, model])];
  const spent = new Map();
  for (const one of dialogue.spent ?? []) {
    const sum = spent.get(one.agent) ?? { requests: 0, prompt: 0, completion: 0, cost: 0 };
    for (const key of Object.keys(sum)) sum[key] += Number(one[key] ?? 0);
    spent.set(one.agent, sum);
  }
  for (const [agent, sum] of spent) {
    rows.push([`${agent} used`, `${count(sum.requests, "request")}, ${group(sum.prompt)} + ${group(sum.completion)} tokens${sum.cost ? `, ${sayDollars(sum.cost)}` : ""}`]);
  }
  const told = rows.filter(([, text]) => text);
  if (!told.length) return [];
  return [make("h3", { text: "Made by" }), make("dl", { className: "facts" }, ...told.flatMap(([name, text]) => [make("dt", { text: name }), make("dd", { text })]))];
}

function writeAttempts({ attempts = [] }) {
  if (!attempts.length) return [];
  return [make("h3", { text: `Answers refused (${attempts.length})` }), ...attempts.map((attempt) =>
    make("details", { className: "offered" },
      make("summary", { text: `${attempt.agent ?? "model"}: ${attempt.problem ?? "refused"}` }),
      make("pre", { className: "json", text: attempt.text ?? JSON.stringify(attempt, null, 2) })))];
}
