"use strict";
/* Kinds of dialogue against their quota, and how lengths, patterns and tools are spread. */

const MOST_BARS = 20;

function drawMix() {
  const kinds = new Map();
  runs.forEach((run, number) => run.mix.forEach((kind) => {
    const label = kind.patterns.map(sayPattern).join(", ") || "no pattern due";
    if (!kinds.has(label)) kinds.set(label, []);
    kinds.get(label).push({
      label, run: number, value: kind.accepted, wanted: kind.wanted,
      off: kind.wanted !== null && kind.accepted !== kind.wanted,
      told: kind.wanted === null || kind.wanted === kind.accepted ? group(kind.accepted) : `${group(kind.accepted)} of ${group(kind.wanted)}`,
      hint: `${group(kind.accepted)} accepted${kind.wanted === null ? "" : `, ${group(kind.wanted)} wanted`}${kind.rejected ? `, ${group(kind.rejected)} rejected on the way` : ""}`,
    });
  }));
  if (!kinds.size) return;
  const rows = [...kinds.values()].flat();
  const quota = rows.some((row) => typeof row.wanted === "number");
  const off = rows.filter((row) => row.off).length;
  const told = !quota ? "How often each kind of dialogue was made; no quota is known."
    : off ? `${count(off, "kind")} not as often as wanted.` : "Every kind is there as often as it was wanted.";
  addSection("mix", "Mix against quota",
    make("p", { className: "lead", text: `A kind of dialogue has all the patterns of its row. ${told}` }),
    quota ? drawKey([["bar", "accepted"], ["tick", "wanted"]]) : null,
    make("div", { className: "scroll" }, drawBars(rows, { label: `Kinds of dialogue: ${rows.map((row) => `${row.label} ${row.hint}`).join("; ")}`, unit: "dialogues", width: 860, gutter: 330 })));
}

function drawKey(entries) {
  const dots = several ? runs.map((_, number) => nameRun(number)) : [];
  return make("p", { className: "key" }, ...dots, ...entries.map(([kind, text]) => make("span", {}, make("i", { className: several ? `${kind} plain` : kind }), text)));
}

function drawDistributions() {
  const keys = new Map();
  runs.forEach((run) => run.distributions.forEach((one) => { if (!keys.has(one.key)) keys.set(one.key, one.label); }));
  const charts = [...keys].map(([key, label]) => drawDistribution(key, capitalise(label), runs.map((run) => run.distributions.find((one) => one.key === key))));
  if (!charts.length) return;
  const [wide, narrow] = [true, false].map((tall) => charts.filter((chart) => chart.classList.contains("tall") === tall));
  addSection("spread", "How it is spread", make("p", { className: "lead", text: `Over the accepted dialogues${several ? ", as shares of each run" : ""}.` }),
    several ? drawKey([]) : null, make("div", { className: "charts" }, ...narrow), make("div", { className: "charts wide" }, ...wide));
}

const COUNTED = { requests: "requests", tools: "calls" };

function drawDistribution(key, label, found) {
  const rows = found.flatMap((one, run) => {
    const total = one?.bins.reduce((sum, bin) => sum + bin.count, 0) || 1;
    const scale = several ? 1 / (isSplit(one) ? total : runs[run].counts.accepted || total) : 1;
    return (one?.bins ?? []).map((bin) => ({
      label: bin.label, run, value: bin.count * scale, wanted: bin.expected === null ? null : bin.expected * scale,
      told: several ? percent(bin.count * scale, 0) : group(bin.count),
      hint: `${group(bin.count)}${several ? ` (${percent(bin.count * scale)})` : ""}${bin.expected === null ? "" : `, ${group(bin.expected)} wanted`}`,
      off: bin.expected !== null && bin.expected !== bin.count,
    }));
  });
  const names = [...new Set(rows.map((row) => row.label))];
  const counted = COUNTED[key] ?? "dialogues";
  const numbers = names.every((name) => /^[\d.,\s–<>≥≤+-]+( or more)?$/.test(name));
  const told = `${label}: ${rows.slice(0, 40).map((row) => `${row.label} ${row.hint}`).join("; ")}`;
  if (numbers && names.length === 1) {
    return make("figure", {}, make("figcaption", { text: label }), make("p", { className: "quiet", text: `${names[0]} in every one` }));
  }
  if (numbers) {
    const sorted = [...rows].sort((one, other) => Number.parseFloat(one.label) - Number.parseFloat(other.label));
    return make("figure", {}, make("figcaption", { text: label }), drawHistogram(sorted, { label: told }));
  }
  const most = new Map(names.map((name) => [name, Math.max(...rows.filter((row) => row.label === name).map((row) => row.value))]));
  const shown = new Set(names.sort((one, other) => most.get(other) - most.get(one)).slice(0, MOST_BARS));
  const more = names.length - shown.size;
  const ordered = names.filter((name) => shown.has(name)).flatMap((name) => rows.filter((row) => row.label === name));
  return make("figure", { className: "tall" }, make("figcaption", { text: label }),
    drawBars(ordered.map((row) => ({ ...row, label: sayPattern(row.label) })), { label: told, unit: several ? `share of ${counted}` : counted, share: several, width: 450, gutter: 165 }),
    more > 0 ? make("p", { className: "quiet", text: `and ${group(more)} more` }) : null);
}

/* Whether each dialogue is in one bin, so that the bins sum up to the run. */
const isSplit = (one) => !one || !["patterns", "tools_used"].includes(one.key);
