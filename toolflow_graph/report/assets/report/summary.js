"use strict";
/* What was asked for, and what came, at one glance; what it cost; what is not here and why. */

const SECTIONS = [];

function addSection(id, title, ...children) {
  const shown = children.flat().filter(Boolean);
  if (!shown.length) return;
  SECTIONS.push({ id, title });
  element("sections").append(make("section", { id: `section-${id}`, tabIndex: -1, aria: { labelledby: `title-${id}` } },
    make("h2", { id: `title-${id}`, text: title }), ...shown));
}

function drawSummary() {
  const cards = runs.map((run, number) => {
    const { good } = run.verdict;
    return make("div", { className: "card" },
      several ? make("h3", {}, nameRun(number)) : null,
      make("p", { className: `verdict ${good === null ? "" : good ? "good" : "bad"}` },
        good === null ? null : make("span", { className: "sign", text: good ? "✓" : "!", aria: { hidden: "true" } }),
        make("span", { text: run.verdict.text })),
      make("dl", { className: "tiles" }, ...listTiles(run).flatMap(([value, words, note]) => [make("div", {},
        make("dd", { text: value }), make("dt", { text: words }), note ? make("dd", { className: "note", text: note }) : null)])),
      writeAsked(run));
  });
  addSection("summary", "Summary", make("div", { className: `cards of-${runs.length}` }, ...cards), ...drawAsked(), drawAbsent());
}

/* What was asked for, in a line. */
function writeAsked({ manifest }) {
  if (!manifest) return null;
  const { settings, catalog } = manifest;
  const plural = (one, many) => (one === many ? String(one) : `${one} to ${many}`);
  return make("p", { className: "asked" }, make("b", { text: "Asked for: " }), [
    count(settings.dialogues, "dialogue"), `seed ${settings.seed}`, `method ${settings.method}`,
    settings.cast === "llm" ? sayModels(settings.models) : `${settings.cast} cast${settings.models.reword.length ? `, ${sayModels(settings.models)}` : ""}`,
    `${settings.tools} tools by ${settings.strategy}, ${count(settings.distractors, "distractor")}`,
    `${plural(settings.min_requests, settings.max_requests)} requests`,
    `catalog ${catalog.path ?? "bundled"} (${count(catalog.tools, "tool")})`,
  ].join(" · "));
}

function listTiles({ counts, manifest, found }) {
  const mean = (sum) => (counts.accepted ? (sum / counts.accepted).toFixed(1) : "0");
  const errors = found.reduce((sum, one) => sum + one.warnings, 0);
  const tiles = [
    [group(counts.accepted), manifest ? "accepted" : counts.accepted === 1 ? "dialogue" : "dialogues", manifest ? `${group(manifest.settings.dialogues)} wanted` : ""],
  ];
  if (manifest || counts.rejected) tiles.push([group(counts.rejected), "rejected", errors ? count(errors, "warning") : ""]);
  tiles.push(
    [mean(counts.turns), "user turns each", `${group(counts.turns)} in all`],
    [mean(counts.calls), "tool calls each", `${group(counts.calls)} in all`],
    [group(counts.tools_called), "tools called", `${group(counts.tools)} on offer`]);
  if (manifest?.seconds) tiles.push([saySeconds(manifest.seconds), "of work", `${((counts.accepted + counts.rejected) / manifest.seconds).toFixed(1)} dialogues a second`]);
  if (manifest?.costs) tiles.push([sayDollars(manifest.costs.total.cost), "in all", `${group(manifest.costs.total.prompt + manifest.costs.total.completion)} tokens`]);
  return tiles;
}

const ASKED = ["dialogues", "seed", "cast", "method", "strategy", "tools", "distractors", "distractors_from", "min_requests", "max_requests",
  "max_turns", "tau", "edges", "encoder", "execute", "concurrency"];

function drawAsked() {
  const known = runs.filter((run) => run.manifest);
  if (!known.length) return [];
  const rows = [
    ["made", (run) => sayMade(run.manifest)],
    ["catalog", (run) => `${run.manifest.catalog.path ?? "bundled"}, ${count(run.manifest.catalog.tools, "tool")}`],
    ["models", (run) => sayModels(run.manifest.settings.models)],
    ...ASKED.map((key) => [key.replaceAll("_", " "), (run) => String(run.manifest.settings[key] ?? ""), key]),
    ...[...new Set(known.flatMap((run) => Object.keys(run.manifest.versions)))].map((name) => [name, (run) => run.manifest.versions[name] ?? ""]),
  ].filter(([, say]) => known.some((run) => say(run)));
  const table = make("table", { className: "settings" }, several ? headRow("") : null, make("tbody", {}, ...rows.map(([name, say, key]) => {
    const cells = runs.map((run) => (run.manifest ? say(run) : "not known"));
    const row = make("tr", {}, make("th", { scope: "row", text: name }), ...cells.map((text, number) =>
      make("td", { text, className: key && runs[number].manifest?.changed.includes(key) ? "changed" : "" })));
    if (new Set(cells).size > 1) row.classList.add("differs");
    return row;
  })));
  return [make("details", { className: "wide" }, make("summary", { text: "Settings and versions" }),
    make("p", { className: "quiet", text: `Bold: not as by default.${several ? " Tinted: runs differ." : ""}` }), table)];
}

function headRow(first, ...more) {
  return make("thead", {}, make("tr", {}, make("th", { scope: "col", text: first }),
    ...runs.map((_, number) => make("th", { scope: "col" }, nameRun(number))), ...more.map((text) => make("th", { scope: "col", text }))));
}

function sayMade({ started, finished, status }) {
  const day = (text) => text.replace("T", " ").replace("Z", " UTC");
  return finished ? `${day(started)} to ${day(finished).slice(11)}` : `${day(started)}, ${status}`;
}

function sayModels(models) {
  return ["model", "planner", "user", "assistant", "tool", "reword"]
    .filter((role) => models[role]?.length).map((role) => `${role === "model" ? "all" : role}: ${models[role].join(", ")}`).join("; ");
}

function drawAbsent() {
  const told = runs.flatMap((run) => run.absent.map((text) => (several ? `${run.name}: ${text}` : text)));
  return told.length ? make("ul", { className: "absent", aria: { label: "What is not here" } }, ...told.map((text) => make("li", { text }))) : null;
}

function drawCosts() {
  const tables = runs.map((run, number) => {
    const costs = run.manifest?.costs;
    if (!costs) return null;
    const line = (name, spent, heavy) => make("tr", { className: heavy ? "sum" : "" }, make("th", { scope: "row", text: name }),
      ...["requests", "prompt", "cached", "completion"].map((key) => make("td", { className: "figure", text: group(spent[key]) })),
      make("td", { className: "figure", text: sayDollars(spent.cost) }));
    const section = (spent) => Object.entries(spent).map(([name, one]) => line(name, one));
    return make("div", {}, several ? make("h3", {}, nameRun(number)) : null, make("div", { className: "scroll" }, make("table", {},
      make("thead", {}, make("tr", {}, ...["", "requests", "prompt tokens", "of them cached", "completion tokens", "cost"].map((text) => make("th", { scope: "col", text })))),
      make("tbody", {}, ...section(costs.roles)),
      make("tbody", {}, ...section(costs.models)),
      make("tbody", {}, line("in all", costs.total, true),
        ...(costs.per_dialogue ? [line("per dialogue", costs.per_dialogue)] : []),
        ...(costs.per_accepted ? [line("per accepted dialogue", costs.per_accepted)] : [])))),
    ...[costs.estimated ? `Tokens of ${percent(costs.estimated)} of the requests are estimates: the endpoint reported none.` : "",
      costs.refused ? `${count(costs.refused, "answer")} refused; they are paid for too.` : "",
      costs.without_price.length ? `No price known of: ${costs.without_price.join(", ")}.` : ""].filter(Boolean).map((text) => make("p", { className: "quiet", text })));
  });
  addSection("costs", "Cost", tables);
}
