"use strict";
/* Full text over the dialogues: while nobody waits, chunks are unpacked one by one and their words kept, folded. */

const texts = runs.map(() => []); // per run and dialogue, once read
const readings = runs.map(() => null); // per run, the promise that all of it is read
const progress = { told: () => {} };

/* Lower case, typographic marks as typed ones; what is left of them fits in one byte a character, to halve memory. */
function fold(text) {
  return text.toLowerCase()
    .replace(/[‘’‚′]/g, "'").replace(/[“”„″]/g, '"').replace(/[–—−‑]/g, "-").replace(/…/g, "\u0085")
    .replace(/€/g, "\u0080").replace(/[\u00a0\u2009\u202f]/g, " ");
}

function foldDialogue(dialogue, id) {
  const parts = [id];
  for (const message of dialogue.messages) {
    if (message.role === "system") continue;
    const said = readText(message);
    if (said) parts.push(said);
    for (const call of message.tool_calls ?? []) parts.push(call.function.name, call.function.arguments);
  }
  return fold(parts.join("\n"));
}

const pause = () => new Promise((done) => setTimeout(done, 0));

function readAll(run) {
  readings[run] ??= (async () => {
    const index = await loadIndex(run);
    for (let chunk = 0; chunk < runs[run].chunks; chunk += 1) {
      const dialogues = await loadChunk(run, chunk, { keep: false });
      dialogues.forEach((dialogue) => texts[run].push(foldDialogue(dialogue, index.ids[texts[run].length])));
      progress.told(run);
      await pause();
    }
    performance.mark("searchable");
  })();
  return readings[run];
}

/* The words of a query; what stands in quotes is one. */
function splitQuery(query) {
  return [...fold(query).matchAll(/"([^"]+)"|(\S+)/g)].map(([, quoted, word]) => quoted ?? word.replaceAll('"', "")).filter(Boolean);
}

/* Whether a dialogue holds all words; one that is not read yet does not. */
function holds(run, number, words) {
  const text = texts[run][number];
  return text !== undefined && words.every((word) => text.includes(word));
}

/* Marks words in what is shown, without touching it. */
function markWords(root, words) {
  if (!globalThis.CSS?.highlights) return;
  const ranges = [];
  if (words.length) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node && ranges.length < 2000; node = walker.nextNode()) {
      ranges.push(...findRanges(node, words));
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

function findRanges(node, words) {
  const text = fold(node.textContent);
  if (text.length !== node.textContent.length) return []; // places would not agree
  const ranges = [];
  for (const word of words) {
    for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + word.length)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + word.length);
      ranges.push(range);
    }
  }
  return ranges;
}
