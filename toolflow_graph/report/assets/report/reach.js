"use strict";
/* How far back the facts that calls use were said, and what a turn takes of a model's prompt. */

function drawReach() {
  const known = runs.map((run) => run.reach);
  const facts = known.flatMap((one, run) => {
    const old = listOld(one);
    const total = sumOf(old, "count");
    return old.map((bar) => ({
      label: bar.label, run, value: several ? bar.count / total : bar.count, wrong: several ? bar.wrong / total : bar.wrong,
      hint: `${count(bar.count, "fact")}${several ? ` (${percent(bar.count / total)})` : ""}${bar.wrong ? `, ${group(bar.wrong)} in calls with an error` : ""}`,
    }));
  });
  const prompts = known.flatMap((one, run) => (one?.prompts ?? []).map((bar) => ({ label: bar.label, run, value: bar.tokens, hint: `${group(bar.tokens)} tokens` })));
  if (!facts.length && !prompts.length) return;
  const any = facts.some((row) => row.wrong);
  addSection("reach", "How far back facts reach",
    make("p", { className: "lead", text: tellReach(known) }),
    several || any ? drawKey(any ? [["bar wrong", "in calls with an error"]] : []) : null,
    make("div", { className: "charts wide" },
      facts.length ? drawReached(facts, "Facts by user turns since they were last said", drawHistogram) : null,
      prompts.length ? drawReached(prompts, "Prompt tokens of a user turn, all requests", drawTokens) : null));
}

function drawReached(rows, title, draw) {
  const sorted = [...rows].sort((one, other) => Number.parseFloat(one.label) - Number.parseFloat(other.label));
  const label = `${title}: ${sorted.slice(0, 40).map((row) => `${row.label} ${row.hint}`).join("; ")}`;
  return make("figure", {}, make("figcaption", { text: title }), draw(sorted, { label, width: 450 }));
}

const drawTokens = (rows, options) => drawHistogram(rows, { ...options, share: false });

function tellReach(known) {
  const told = known.flatMap((one, number) => {
    const old = listOld(one);
    const total = sumOf(old, "count");
    if (!total) return [];
    const right = total - sumOf(old, "wrong");
    return [`${several ? `${runs[number].name}: ` : ""}${count(total, "argument")} with a fact of an earlier turn, ${right === total ? "all" : percent(right / total)} in calls without an error; ${group(sumOf(one.facts, "count") - total)} with one of the same turn.`];
  });
  return told.join(" ");
}

/* A fact that the person repeats, or that a result of the same turn holds, has not been far. */
const listOld = (one) => (one?.facts ?? []).filter((bar) => bar.label !== "0");

const sumOf = (bars, key) => bars.reduce((sum, bar) => sum + bar[key], 0);
