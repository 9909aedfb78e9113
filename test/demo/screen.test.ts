import assert from "node:assert/strict";
import { test } from "node:test";
import { changesBetween } from "./change.ts";
import { createScreen } from "./screen.ts";
import type { Screen } from "./screen.ts";

function shown(show: (screen: Screen) => void, output: { columns?: number; hasColors?: () => boolean } = {}) {
  let text = "";
  show(createScreen({ ...output, write: (part) => (text += part) }));
  return text;
}

test("an object's labels and annotations are compared key by key, in order", () => {
  const sent = { metadata: { labels: { b: "1", a: "1" }, annotations: { gone: "x" } } };
  const stored = { metadata: { labels: { a: "1", b: "2", c: "3" } } };
  assert.deepEqual(
    changesBetween(sent, stored).map(({ mark, text }) => `${mark}${text}`),
    [" annotations:", "-  gone: x", " labels:", "   a: 1", "-  b: 1", "+  b: 2", "+  c: 3"],
  );
});

test("a change is one line: what does not fit is cut", () => {
  const text = shown((screen) => screen.changes("Heading", [{ mark: "+", text: "x".repeat(60) }]), {
    columns: 40,
  });
  assert.deepEqual(text.split("\n"), ["", "  Heading", `  + ${"x".repeat(35)}…`, ""]);
});

test("prose is folded at spaces, and goes on beside the dash of a list", () => {
  const text = shown((screen) => screen.say("a word and another\n  - an item of a list"), { columns: 12 });
  assert.equal(text, "a word and\nanother\n  - an item\n    of a\n    list\n");
});

test("a word that is longer than a line stays whole", () => {
  assert.equal(
    shown((screen) => screen.say("see https://go.dev/dl now"), { columns: 8 }),
    "see\nhttps://go.dev/dl\nnow\n",
  );
});

test("what a command printed keeps its lines, without the empty ones", () => {
  assert.equal(
    shown((screen) => screen.output("Warning: one\n\ntwo\n")),
    "  Warning: one\n  two\n",
  );
});

test("colours are for terminals: red and green for a change, yellow for a warning", () => {
  const change = shown((screen) => screen.changes("Heading", [{ mark: "-", text: "x" }]), {
    hasColors: () => true,
  });
  assert.ok(change.includes("\u001B[31m  - x\u001B[39m"));
  const warning = shown((screen) => screen.output("Warning: no"), { hasColors: () => true });
  assert.equal(warning, "\u001B[33m  Warning: no\u001B[39m\n");
});
