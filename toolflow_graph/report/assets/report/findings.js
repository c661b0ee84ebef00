"use strict";
/* What the checks found, with reasons, and the way to the dialogues. */

function drawFindings() {
  const parts = runs.flatMap((run, number) => {
    const head = several ? [make("h3", {}, nameRun(number))] : [];
    if (!run.found.length) {
      const text = run.manifest || run.counts.made_by.length ? "The checks found nothing." : "The file says nothing of findings; `toolflow validate` looks for them.";
      return [...head, make("p", { className: "quiet", text })];
    }
    const show = run.counts.rejected ? [makeButton(`Show ${count(run.counts.rejected, "rejected dialogue")}`, () => showFiltered(number, { outcome: "rejected" }))] : [];
    return [...head, ...show, make("div", { className: "checks" }, ...run.found.map((found) => writeCheck(found, number)))];
  });
  addSection("findings", "Findings", make("p", { className: "lead", text: "An error rejects a dialogue; a warning does not." }), ...parts);
}

function writeCheck(found, run) {
  const severities = [found.errors ? count(found.errors, "error") : "", found.warnings ? count(found.warnings, "warning") : ""].filter(Boolean).join(", ");
  const told = `in ${count(found.dialogues, "dialogue")}${found.rejected ? `, ${group(found.rejected)} of them rejected` : ""}`;
  return make("details", { className: `check ${found.errors ? "error" : "warning"}` },
    make("summary", {}, make("b", { text: found.check }), make("span", { text: severities }), make("span", { className: "quiet", text: told })),
    make("ul", {}, ...found.examples.map(([number, severity, text]) => {
      const link = makeButton("open", async () => { await switchRun(run); goTo("/dialogues"); clearFilters(); openDialogue(number); });
      return make("li", {}, make("span", { className: `chip ${severity === "error" ? "bad" : "warned"}`, text: severity }), make("span", { text: ` ${text} ` }), link);
    })),
    makeButton(`Show all ${group(found.dialogues)} in the browser`, () => showFiltered(run, { check: `=${found.check}` })));
}
