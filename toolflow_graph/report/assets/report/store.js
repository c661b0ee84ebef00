"use strict";
/* The dialogues: packed in the page, unpacked when they are needed, and forgotten again. */

const KEPT_CHUNKS = 12;
const indices = runs.map(() => null);
const toolsOf = runs.map(() => null);
const unpacked = new Map(); // "run chunk" → a promise of its dialogues, latest used last

async function unpack(run, name) {
  const text = element(`pack-${run}-${name}`).textContent;
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/* The row of each dialogue: id, first words, patterns as bits, numbers of tools called and of checks that complained. */
async function loadIndex(run) {
  if (!indices[run]) {
    const index = await unpack(run, "index");
    index.numbers = new Map(index.ids.map((id, number) => [id, number]));
    indices[run] = index;
  }
  return indices[run];
}

async function loadTools(run) {
  toolsOf[run] ??= await unpack(run, "tools");
  return toolsOf[run];
}

function loadChunk(run, chunk, { keep = true } = {}) {
  const key = `${run} ${chunk}`;
  const known = unpacked.get(key) ?? unpack(run, chunk);
  if (keep) {
    unpacked.delete(key);
    unpacked.set(key, known);
    if (unpacked.size > KEPT_CHUNKS) unpacked.delete(unpacked.keys().next().value);
  }
  return known;
}

async function loadDialogue(run, number) {
  const [index, tools] = await Promise.all([loadIndex(run), loadTools(run)]);
  const chunk = await loadChunk(run, Math.floor(number / index.per_chunk));
  const found = chunk[number % index.per_chunk];
  return {
    run,
    number,
    id: index.ids[number],
    accepted: Boolean(index.accepted[number]),
    ...found,
    tools: found.tools.map((tool) => tools[tool].function ?? tools[tool]),
  };
}

/* What a message says, in whichever way OpenAI lets it be said. */
function readText(message) {
  const { content } = message;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return content ? JSON.stringify(content) : "";
  return content.map((part) => (typeof part === "string" ? part : part?.text ?? `[${part?.type ?? "part"}]`)).join("\n");
}
