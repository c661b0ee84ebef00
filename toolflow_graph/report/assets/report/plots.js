"use strict";
/* Charts, drawn by Observable Plot. Texts go in as text; colours are those of the page, so light and dark need no redrawing. */

const FONT = { fontFamily: "inherit", fontSize: "12px", background: "none", color: "var(--text)", overflow: "visible" };
const sayShare = (value) => `${Math.round(100 * value)} %`;
const fills = (number) => `var(--run-${number})`;

function plot(options, label) {
  const drawn = Plot.plot({ className: "plot", style: FONT, ...options });
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", label);
  return drawn;
}

/* Bars that lie, one row a label; `wanted` is a mark on the row. Rows: {label, run, value, wanted, told}. */
function drawBars(rows, { label, unit, share = false, width = 640, gutter = 240 }) {
  const labels = [...new Set(rows.map((row) => row.label))];
  const most = Math.max(...rows.map((row) => Math.max(row.value, row.wanted ?? 0)), 1e-9);
  const thick = several ? 13 : 20;
  return plot({
    width,
    height: 34 + labels.length * (several ? 8 + runs.length * thick : 26),
    marginLeft: gutter, marginRight: 70, marginTop: 4, marginBottom: 30,
    x: { domain: [0, most], label: unit, labelAnchor: "right", labelArrow: "none", ticks: 5, grid: true, tickSize: 0, tickFormat: share ? sayShare : undefined },
    fy: { domain: labels, label: null, axis: null, padding: several ? 0.25 : 0.28, tickSize: 0 },
    y: { axis: null, domain: runs.map((_, number) => number), padding: 0.08 },
    marks: [
      Plot.axisFy({ anchor: "left", label: null, tickSize: 0, dx: -6, lineWidth: 26, textOverflow: "ellipsis" }),
      Plot.barX(rows, { fy: "label", y: "run", x: "value", fill: (row) => fills(row.run), rx: 1.5 }),
      Plot.tickX(rows.filter((row) => typeof row.wanted === "number"), { fy: "label", y: "run", x: "wanted", stroke: "var(--text)", strokeWidth: 2 }),
      Plot.text(rows, { fy: "label", y: "run", x: (row) => Math.max(row.value, row.wanted ?? 0), text: "told", textAnchor: "start", dx: 6, fill: (row) => (row.off ? "var(--bad)" : "var(--quiet)"), fontWeight: (row) => (row.off ? 600 : 400) }),
      Plot.tip(rows, Plot.pointerY({ fy: "label", y: "run", x: "value", title: (row) => `${row.label}\n${several ? `${runs[row.run].name}: ` : ""}${row.hint ?? row.told}`, fill: "var(--back)", stroke: "var(--line)", maxRadius: 14, lineWidth: 40 })),
    ],
  }, label);
}

/* Bars that stand, one a bin, beside each other for several runs, which are shown as shares; `wrong` is the part at the foot. */
function drawHistogram(rows, { label, width = 300, share = several }) {
  const labels = [...new Set(rows.map((row) => row.label))];
  const every = Math.ceil(labels.length / 9);
  const sideways = labels.length > 1 && labels.some((one) => one.length > 5);
  return plot({
    width, height: 170, marginLeft: 40, marginRight: 6, marginTop: 14, marginBottom: sideways ? 44 : 28,
    fx: { domain: labels, label: null, padding: several ? 0.12 : 0.1, ticks: labels.filter((_, at) => at % every === 0), tickSize: 0, tickRotate: sideways ? -35 : 0 },
    x: { axis: null, domain: runs.map((_, number) => number), padding: 0 },
    y: { label: null, grid: true, ticks: 4, tickSize: 0, tickFormat: share ? sayShare : "~s" },
    marks: [
      Plot.barY(rows, { fx: "label", x: "run", y: "value", fill: (row) => fills(row.run), rx: 1 }),
      Plot.barY(rows.filter((row) => row.wrong), { fx: "label", x: "run", y: "wrong", fill: "var(--bad)" }),
      Plot.tickY(rows.filter((row) => typeof row.wanted === "number"), { fx: "label", x: "run", y: "wanted", stroke: "var(--text)", strokeWidth: 2 }),
      Plot.ruleY([0], { stroke: "var(--line)" }),
      Plot.tip(rows, Plot.pointerX({ fx: "label", x: "run", y: "value", title: (row) => `${row.label}\n${several ? `${runs[row.run].name}: ` : ""}${row.hint}`, fill: "var(--back)", stroke: "var(--line)", lineWidth: 40 })),
    ],
  }, label);
}

/* A value with its 95 % interval, on the scale of all runs; one row a run. */
function drawInterval(values, unit) {
  const rows = values.map((one, run) => ({ run, ...one })).filter((row) => typeof row.value === "number");
  const ends = rows.flatMap((row) => [row.low ?? row.value, row.high ?? row.value]);
  const share = unit === "share" || (unit === "ratio" && ends.every((end) => end >= 0 && end <= 1));
  const [low, high] = share ? [0, 1] : [Math.min(...ends), Math.max(...ends)];
  const room = share ? 0 : Math.max((high - low) * 0.15, Math.abs(high) * 1e-3, 1e-9);
  return plot({
    width: 130, height: 10 + 12 * rows.length, margin: 5, marginTop: 2, marginBottom: 2, axis: null,
    x: { domain: [low - room, high + room] },
    y: { domain: rows.map((row) => row.run), type: "point", padding: 0.5 },
    marks: [
      Plot.ruleY(rows, { y: "run", x1: low - room, x2: high + room, stroke: "var(--line)" }),
      Plot.ruleY(rows.filter((row) => typeof row.low === "number"), { y: "run", x1: "low", x2: "high", stroke: (row) => fills(row.run), strokeWidth: 5, strokeOpacity: 0.35, strokeLinecap: "round" }),
      Plot.dot(rows, { y: "run", x: "value", r: 3.5, fill: (row) => fills(row.run) }),
    ],
  }, rows.map((row) => `${several ? `${runs[row.run].name}: ` : ""}${row.told} ${row.interval}`).join("; "));
}
