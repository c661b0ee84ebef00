"use strict";
/* The measures of an evaluation with their 95 % intervals; of several runs, the differences from the first. */

function drawMeasures() {
  if (!data.measures.length) {
    addSection("measures", "Measures", make("p", { className: "quiet", text: "Not evaluated." }));
    return;
  }
  const families = [...new Set(data.measures.map((measure) => measure.family))];
  const columns = 2 * runs.length + 1;
  const bodies = families.map((family) => make("tbody", {},
    make("tr", { className: "family" }, make("th", { scope: "rowgroup", colSpan: columns, text: family })),
    ...data.measures.filter((measure) => measure.family === family).map(writeMeasure)));
  const table = make("div", { className: "scroll" }, make("table", { className: "measures" },
    several ? headRow("", ...runs.slice(1).map((run) => `${run.name} − ${runs[0].name}`), "95 % intervals") : null, ...bodies));
  const beyond = several ? " A difference in bold is beyond chance: its p, adjusted for all differences, is below 5 %." : "";
  addSection("measures", "Measures",
    make("p", { className: "lead", text: `In brackets: the 95 % interval over dialogues. ↑ more is better, ↓ less is better.${beyond}` }), table, drawEvaluated());
}

function writeMeasure(measure) {
  const arrow = { higher: " ↑", lower: " ↓" }[measure.better] ?? "";
  const notes = [...new Set(measure.values.map((one) => one?.note).filter(Boolean))];
  const measured = measure.values.some((one) => typeof one?.low === "number");
  return make("tr", {},
    make("th", { scope: "row" }, `${capitalise(measure.label)}${arrow}`, ...notes.map((text) => make("span", { className: "note", text })), ...writeWorst(measure)),
    ...measure.values.map((one) => writeValueCell(one, measure.unit)),
    ...measure.differences.map((one) => writeDifference(one)),
    make("td", {}, measured && (several || ["share", "ratio"].includes(measure.unit)) ? drawInterval(measure.values, measure.unit) : ""));
}

function writeValueCell(one, unit) {
  if (typeof one?.value !== "number") return make("td", { className: "figure quiet", text: "not measured" });
  return make("td", { className: "figure" }, one.told,
    unit && !["share", "ratio", "count"].includes(unit) ? make("span", { className: "unit", text: ` ${unit}` }) : null,
    one.interval ? make("span", { className: "note", text: one.interval }) : null);
}

function writeDifference(one) {
  if (!one) return make("td", { className: "figure quiet", text: "" });
  const cell = make("td", { className: "figure", text: one.told });
  if (one.beyond) cell.classList.add("beyond", one.better === null ? "neutral" : one.better ? "good" : "bad");
  const said = one.beyond === null ? "cannot be judged" : !one.beyond ? "within chance" : one.better === null ? "beyond chance" : one.better ? "better" : "worse";
  cell.append(make("span", { className: "note", text: said, title: one.note }));
  return cell;
}

function writeWorst(measure) {
  return runs.flatMap((run, number) => {
    const worst = run.worst[measure.key] ?? [];
    if (!worst.length) return [];
    return [make("details", { className: "worst" }, make("summary", { text: `${count(worst.length, "example")}${several ? ` of ${run.name}` : ""}` }),
      make("ul", {}, ...worst.map((one) => make("li", {},
        make("a", { href: `#${addressOf({ run: number, id: one.dialogue })}`, text: one.dialogue }),
        make("span", { text: ` ${one.excerpt}` })))))];
  });
}

function drawEvaluated() {
  const told = runs.filter((run) => run.evaluated && Object.keys(run.evaluated).length);
  return told.length ? make("details", {}, make("summary", { text: "What the figures depend on" }),
    ...told.map((run) => make("div", {}, several ? make("h4", { text: run.name }) : null, writeJson(run.evaluated)))) : null;
}
