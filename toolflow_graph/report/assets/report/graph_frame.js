"use strict";
/* The Tool Graph of the run: a page of its own, put into a frame when it is first looked at. */

const frames = new Map();

async function showGraph() {
  const run = chosen.run;
  const note = element("graph-note");
  for (const [number, frame] of frames) frame.hidden = number !== run;
  note.hidden = frames.has(run);
  if (frames.has(run)) return;
  if (!runs[run].graph) {
    note.textContent = runs[run].absent.find((text) => text.startsWith("No Tool Graph")) ?? "No Tool Graph.";
    return;
  }
  note.textContent = "Drawing …";
  const page = await unpack(run, "graph");
  if (frames.has(run)) return;
  const frame = make("iframe", { title: `Tool Graph of ${runs[run].name}` });
  frames.set(run, frame);
  frame.addEventListener("load", () => { passTheme(frame); note.hidden = true; });
  frame.srcdoc = page; // written and escaped like this page, and under its policy
  element("graph").append(frame);
}

function passTheme(frame) {
  frame.contentWindow?.setTheme?.(isDark());
}

onTheme.push(() => frames.forEach(passTheme));
