"use strict";
/* Which dialogues are listed: search and filters, each with how many dialogues it would leave. */

const chosen = { run: 0, query: "", outcome: "", pattern: "", tool: "", check: "" };
let listed = []; // numbers of the dialogues that are listed
let selected = null; // number of the dialogue that is open

const FILTERS = [
  { key: "outcome", label: "Outcome", all: "accepted and rejected" },
  { key: "pattern", label: "Pattern", all: "any pattern" },
  { key: "tool", label: "Calls", all: "any tool" },
  { key: "check", label: "Finding", all: "with or without findings" },
];

const TESTS = {
  outcome: (index, number, wanted) => Boolean(index.accepted[number]) === (wanted === "accepted"),
  pattern: (index, number, wanted) => Boolean(index.patterns[number] & (1 << index.pattern_names.indexOf(wanted))),
  tool: (index, number, wanted) => index.called[number].includes(index.name_numbers.get(wanted)),
  check: (index, number, wanted) =>
    wanted === "any" ? index.checks[number].length > 0 : wanted === "none" ? index.checks[number].length === 0
      : index.checks[number].includes(index.check_names.indexOf(wanted.slice(1))),
};

function listChoices(index) {
  index.name_numbers ??= new Map(index.names.map((name, number) => [name, number]));
  const tally = (rows) => {
    const counts = new Map();
    for (const row of rows) for (const value of row) counts.set(value, (counts.get(value) ?? 0) + 1);
    return counts;
  };
  const tools = tally(index.called);
  const checks = tally(index.checks);
  const patterns = index.pattern_names.map((pattern, bit) => [pattern, index.patterns.reduce((sum, bits) => sum + ((bits >> bit) & 1), 0)]);
  const accepted = index.accepted.reduce((sum, one) => sum + one, 0);
  const rejected = index.ids.length - accepted;
  const flagged = index.checks.reduce((sum, row) => sum + (row.length > 0), 0);
  return {
    outcome: rejected ? [["accepted", "accepted", accepted], ["rejected", "rejected", rejected]] : [],
    pattern: patterns.filter(([, number]) => number).map(([name, number]) => [name, sayPattern(name), number]),
    tool: [...tools].map(([tool, number]) => [index.names[tool], index.names[tool], number])
      .sort((one, other) => (one[0] < other[0] ? -1 : 1)),
    check: flagged
      ? [["any", "with any finding", flagged], ["none", "without finding", index.ids.length - flagged],
        ...[...checks].map(([check, number]) => [`=${index.check_names[check]}`, index.check_names[check], number])]
      : [],
  };
}

function drawFilters() {
  const choices = listChoices(indices[chosen.run]);
  const drawn = FILTERS.filter(({ key }) => choices[key].length).map(({ key, label, all }) => {
    if (!choices[key].some(([value]) => value === chosen[key])) chosen[key] = "";
    const options = choices[key].map(([value, text, number]) =>
      make("option", { value, text: `${text} (${group(number)})`, selected: value === chosen[key] }));
    const select = make("select", { id: `filter-${key}`, aria: { label } }, make("option", { value: "", text: all }), ...options);
    select.classList.toggle("used", chosen[key] !== "");
    select.addEventListener("change", () => { chosen[key] = select.value; select.classList.toggle("used", select.value !== ""); applyFilters(); });
    return select;
  });
  for (const { key } of FILTERS) if (!choices[key].length) chosen[key] = "";
  element("filters").replaceChildren(...drawn, makeButton("Clear", clearFilters, { id: "clear", title: "Clear search and filters (x)" }));
}

function applyFilters({ keepPlace = false } = {}) {
  const index = indices[chosen.run];
  const words = splitQuery(chosen.query);
  const used = FILTERS.filter(({ key }) => chosen[key] !== "").map(({ key }) => [TESTS[key], chosen[key]]);
  listed = [];
  for (let number = 0; number < index.ids.length; number += 1) {
    if (used.every(([test, wanted]) => test(index, number, wanted)) && (!words.length || holds(chosen.run, number, words))) listed.push(number);
  }
  tellFound(words);
  drawList({ keepPlace });
  markWords(element("dialogue"), words);
}

function tellFound(words) {
  const all = indices[chosen.run].ids.length;
  const read = texts[chosen.run].length;
  const filtered = listed.length < all ? `${group(listed.length)} of ${count(all, "dialogue")}` : count(all, "dialogue");
  const still = words.length && read < all ? `; ${percent(read / all, 0)} searched so far` : "";
  element("found").textContent = `${filtered}${still}`;
  element("clear")?.toggleAttribute("disabled", !chosen.query && FILTERS.every(({ key }) => chosen[key] === ""));
}

function clearFilters() {
  chosen.query = element("search").value = "";
  for (const { key } of FILTERS) chosen[key] = "";
  drawFilters();
  applyFilters();
}

/* Shows the dialogues that a figure of the report speaks of. */
async function showFiltered(run, filters) {
  await switchRun(run);
  chosen.query = element("search").value = "";
  for (const { key } of FILTERS) chosen[key] = filters[key] ?? "";
  drawFilters();
  applyFilters();
  goTo("/dialogues");
  if (listed.length) await openDialogue(listed[0]);
}
