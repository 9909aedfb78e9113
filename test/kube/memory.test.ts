import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import * as z from "zod";
import { createSigner } from "../../src/admission/signer.ts";
import { createOriginalsMemory } from "../../src/kube/memory.ts";
import type { OriginalsMemory } from "../../src/kube/memory.ts";
import type { FoundOriginal } from "../../src/kube/originals.ts";
import { ApiError } from "../../src/kube/rest.ts";
import type { Rest, RestOptions } from "../../src/kube/rest.ts";
import { aContentDocument, SIGNER } from "../builders/documents.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse("2026-11-23T10:00:00Z");
const CONFIG_MAPS = "/api/v1/namespaces/ns/configmaps";

const Data = z.record(z.string(), z.string().nullable());
const Sent = z.object({ data: Data });

interface Call {
  readonly method: string;
  readonly path: string;
  readonly options: RestOptions;
}

/** The ConfigMap as the calls leave it, and how calls end: our own port, no API server. */
interface Store {
  readonly memory: OriginalsMemory;
  readonly calls: Call[];
  readonly errors: unknown[];
  /** How many keys the ConfigMap has. */
  readonly size: () => number;
  /** What the ConfigMap holds; undefined while there is none. */
  stored: Record<string, string> | undefined;
  /** Awaited before each call ends. */
  hold: () => Promise<void>;
  now: number;
}

function aStore(existing: Record<string, string> | undefined = {}, signer = SIGNER): Store {
  const calls: Call[] = [];
  const errors: unknown[] = [];
  const rest: Rest = {
    get: async () => undefined,
    async call(method, path, options = {}) {
      calls.push({ method, path, options });
      await store.hold();
      const { data } = Sent.parse(options.body);
      if (method === "PATCH" && store.stored === undefined) {
        throw new ApiError(404, "not found");
      }
      const merged = Object.entries({ ...store.stored, ...data });
      store.stored = Object.fromEntries(
        merged.filter((entry): entry is [string, string] => entry[1] !== null),
      );
      return {};
    },
  };
  const memory = createOriginalsMemory({
    rest,
    namespace: "ns",
    name: "originals",
    signer,
    now: () => store.now,
    onError: (error) => errors.push(error),
  });
  const store: Store = {
    memory,
    calls,
    errors,
    size: () => Object.keys(store.stored ?? {}).length,
    stored: existing,
    hold: async () => undefined,
    now: START,
  };
  return store;
}

function found(handle: string, overrides: Partial<FoundOriginal> = {}): FoundOriginal {
  const inherited = aContentDocument({ alias: `alias-of-${handle}` });
  const original = { inherited, labels: { team: "a" } };
  return { source: "driver", handle, original, created: START, gone: false, ...overrides };
}

function remembered(store: Store, handle: string): string | undefined {
  return store.memory.find("driver", handle)?.inherited.alias;
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

async function pass(milliseconds: number): Promise<void> {
  mock.timers.tick(milliseconds);
  await settle();
}

beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
afterEach(() => mock.timers.reset());

describe("the memory of originals", () => {
  test("finds what it was told, by source and handle", () => {
    const store = aStore();
    store.memory.remember(found("h1"));
    assert.deepEqual(store.memory.find("driver", "h1"), found("h1").original);
    assert.equal(store.memory.find("other", "h1"), undefined);
    assert.equal(store.memory.find("driver", "h2"), undefined);
  });

  test("writes changes of a short time together, as a merge patch", async () => {
    const store = aStore();
    for (const handle of ["h1", "h2", "h3"]) {
      store.memory.remember(found(handle));
    }
    await pass(199);
    assert.equal(store.calls.length, 0);
    await pass(1);
    assert.deepEqual(
      store.calls.map(({ method, path, options }) => [method, path, options.contentType]),
      [["PATCH", `${CONFIG_MAPS}/originals`, "application/merge-patch+json"]],
    );
    assert.equal(store.size(), 3);
    assert.ok(Object.keys(store.stored ?? {}).every((key) => /^[-._a-zA-Z0-9]+$/.test(key)));
  });

  test("leaves keys of other replicas alone", async () => {
    const store = aStore({ theirs: "x" });
    store.memory.remember(found("h1"));
    await pass(200);
    assert.equal(store.stored?.["theirs"], "x");
  });

  test("writes nothing for an original that it knows as it is", async () => {
    const store = aStore();
    store.memory.remember(found("h1"));
    await pass(200);
    store.memory.remember(found("h1"));
    await pass(200);
    assert.equal(store.calls.length, 1);
  });

  test("writes an original again whose labels changed", async () => {
    const store = aStore();
    store.memory.remember(found("h1"));
    await pass(200);
    const { inherited } = found("h1").original;
    store.memory.remember(found("h1", { original: { inherited, labels: { team: "b" } } }));
    await pass(200);
    assert.equal(store.calls.length, 2);
    assert.equal(store.size(), 1);
    const other = aStore();
    other.memory.load(store.stored ?? {});
    assert.deepEqual(other.memory.find("driver", "h1")?.labels, { team: "b" });
  });

  test("creates the ConfigMap where there is none", async () => {
    const store = aStore(undefined);
    store.stored = undefined;
    store.memory.remember(found("h1"));
    await pass(200);
    assert.deepEqual(
      store.calls.map(({ method, path }) => [method, path]),
      [
        ["PATCH", `${CONFIG_MAPS}/originals`],
        ["POST", CONFIG_MAPS],
      ],
    );
    const body = z
      .object({ kind: z.literal("ConfigMap"), metadata: z.object({ name: z.string(), labels: Data }) })
      .parse(store.calls[1]?.options.body);
    assert.equal(body.metadata.name, "originals");
    assert.equal(body.metadata.labels["velero.io/exclude-from-backup"], "true");
    assert.equal(store.size(), 1);
    assert.deepEqual(store.errors, []);
  });

  test("survives a restart: another memory reads what this one wrote", async () => {
    const store = aStore();
    store.memory.remember(found("h1"));
    store.memory.remember(found("a handle/with\nanything"));
    await store.memory.flush();
    const next = aStore();
    next.memory.load(store.stored ?? {});
    assert.equal(remembered(next, "h1"), "alias-of-h1");
    assert.equal(remembered(next, "a handle/with\nanything"), "alias-of-a handle/with\nanything");
    assert.deepEqual(next.memory.find("driver", "h1")?.labels, { team: "a" });
    assert.equal(next.calls.length, 0);
  });
});

describe("a write that fails", () => {
  test("is reported and tried again after five seconds, with what came since", async () => {
    const store = aStore();
    store.hold = async () => Promise.reject(new ApiError(503, "down"));
    store.memory.remember(found("h1"));
    await pass(200);
    assert.equal(store.errors.length, 1);
    assert.equal(remembered(store, "h1"), "alias-of-h1");
    store.hold = async () => undefined;
    store.memory.remember(found("h2"));
    await pass(4_999);
    assert.equal(store.calls.length, 1);
    await pass(1);
    assert.equal(store.size(), 2);
  });

  test("does not overwrite what became of the same entry meanwhile", async () => {
    const store = aStore();
    let fail: ((error: Error) => void) | undefined;
    store.hold = async () =>
      new Promise((_resolve, reject) => {
        fail = reject;
      });
    store.memory.remember(found("h1"));
    await pass(200);
    const { inherited } = found("h1").original;
    store.memory.remember(found("h1", { original: { inherited, labels: { team: "new" } } }));
    store.hold = async () => undefined;
    fail?.(new ApiError(503, "down"));
    await settle();
    await pass(5_000);
    await store.memory.flush();
    const next = aStore();
    next.memory.load(store.stored ?? {});
    assert.deepEqual(next.memory.find("driver", "h1")?.labels, { team: "new" });
  });

  test("while another replica created the ConfigMap is tried again", async () => {
    const store = aStore();
    store.stored = undefined;
    let calls = 0;
    store.hold = async () => {
      calls += 1;
      if (calls === 2) {
        store.stored = { theirs: "x" };
        throw new ApiError(409, "already exists");
      }
    };
    store.memory.remember(found("h1"));
    await pass(200);
    await pass(5_000);
    assert.equal(store.size(), 2);
    assert.equal(store.errors.length, 1);
  });
});

describe("flush", () => {
  test("writes at once, and resolves when it is written", async () => {
    const store = aStore();
    store.memory.remember(found("h1"));
    await store.memory.flush();
    assert.equal(store.size(), 1);
  });

  test("does nothing where there is nothing to write", async () => {
    const store = aStore();
    await store.memory.flush();
    assert.equal(store.calls.length, 0);
  });

  test("waits for a write that is under way already", async () => {
    const store = aStore();
    let finish: (() => void) | undefined;
    store.hold = async () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    store.memory.remember(found("h1"));
    await pass(200);
    let flushed = false;
    const flushing = store.memory.flush().then(() => {
      flushed = true;
    });
    await settle();
    assert.equal(flushed, false);
    finish?.();
    await flushing;
    assert.equal(store.size(), 1);
  });

  test("never has two writes at once, so that the later one wins", async () => {
    const store = aStore();
    let running = 0;
    let most = 0;
    store.hold = async () => {
      running += 1;
      most = Math.max(most, running);
      await settle();
      running -= 1;
    };
    for (const team of ["a", "b", "c"]) {
      const { inherited } = found("h1").original;
      store.memory.remember(found("h1", { original: { inherited, labels: { team } } }));
      mock.timers.tick(200);
    }
    await store.memory.flush();
    assert.equal(most, 1);
    const next = aStore();
    next.memory.load(store.stored ?? {});
    assert.deepEqual(next.memory.find("driver", "h1")?.labels, { team: "c" });
  });
});

describe("load", () => {
  test("does not believe what another key signed, nor what is no entry", async () => {
    const forger = aStore({}, createSigner(Buffer.alloc(32, 9)));
    forger.memory.remember(found("h1"));
    await forger.memory.flush();
    const store = aStore();
    store.memory.load({ ...forger.stored, a: "no JSON", b: "{}", c: '{"source":1}', d: "null" });
    assert.equal(remembered(store, "h1"), undefined);
  });

  test("prefers what this replica has seen itself", async () => {
    const other = aStore();
    const { inherited } = found("h1").original;
    other.memory.remember(found("h1", { original: { inherited, labels: { team: "theirs" } } }));
    await other.memory.flush();
    const store = aStore();
    store.memory.remember(found("h1"));
    store.memory.load(other.stored ?? {});
    assert.deepEqual(store.memory.find("driver", "h1")?.labels, { team: "a" });
  });
});

describe("the memory forgets", () => {
  test("an original after a day, when another one comes", async () => {
    const store = aStore();
    store.memory.remember(found("h1"));
    await store.memory.flush();
    store.now = START + DAY + 1;
    store.memory.remember(found("h2", { created: store.now }));
    assert.equal(remembered(store, "h1"), undefined);
    await store.memory.flush();
    assert.equal(store.size(), 1);
  });

  test("none within a day", async () => {
    const store = aStore();
    store.memory.remember(found("h1"));
    store.now = START + DAY;
    store.memory.remember(found("h2", { created: store.now }));
    assert.equal(remembered(store, "h1"), "alias-of-h1");
  });

  test("none that was still alive within a day, however long ago it was first seen", async () => {
    const store = aStore();
    store.memory.remember(found("h1"));
    store.now = START + 20 * HOUR;
    store.memory.remember(found("h1", { gone: true }));
    store.now = START + 40 * HOUR;
    store.memory.remember(found("h2", { created: store.now }));
    assert.equal(remembered(store, "h1"), "alias-of-h1");
    await store.memory.flush();
    const next = aStore({ ...store.stored });
    next.now = store.now;
    next.memory.load(next.stored ?? {});
    next.memory.remember(found("h3", { created: next.now }));
    assert.equal(remembered(next, "h1"), "alias-of-h1");
  });

  test("no original that goes when it is older than a day", () => {
    const store = aStore();
    store.memory.remember(found("h1", { created: START - 3 * DAY, gone: true }));
    assert.equal(remembered(store, "h1"), "alias-of-h1");
  });

  test("and writes one that lives on no more than once an hour", async () => {
    const store = aStore();
    for (let minute = 0; minute < 120; minute += 10) {
      store.now = START + (minute * HOUR) / 60;
      store.memory.remember(found("h1"));
      await store.memory.flush();
    }
    assert.equal(store.calls.length, 2);
  });

  test("an entry that another life wrote more than a day ago", async () => {
    const store = aStore();
    store.memory.remember(found("h1"));
    await store.memory.flush();
    const next = aStore({ ...store.stored });
    next.now = START + DAY + 1;
    next.memory.load(next.stored ?? {});
    next.memory.remember(found("h2", { created: next.now }));
    await next.memory.flush();
    assert.equal(remembered(next, "h1"), undefined);
    assert.equal(next.size(), 1);
  });

  test("what was created longer ago than that at once", () => {
    const store = aStore();
    store.memory.remember(found("h1", { created: START - DAY - 1 }));
    store.memory.remember(found("h2", { created: START - DAY }));
    assert.equal(remembered(store, "h1"), undefined);
    assert.equal(remembered(store, "h2"), "alias-of-h2");
  });

  test("the oldest where there are more than a thousand", async () => {
    const store = aStore();
    for (let index = 0; index < 1_003; index += 1) {
      store.memory.remember(found(`h${index}`));
    }
    await store.memory.flush();
    assert.deepEqual(
      [0, 2, 3, 1_002].map((index) => remembered(store, `h${index}`)),
      [undefined, undefined, "alias-of-h3", "alias-of-h1002"],
    );
    assert.equal(store.size(), 1_000);
  });

  test("so much that the ConfigMap stays within the mebibyte that Kubernetes takes", async () => {
    const store = aStore();
    const inherited = aContentDocument({
      labels: Object.fromEntries(
        Array.from({ length: 60 }, (_, n) => [`team.example/l${n}`, "v".repeat(60)]),
      ),
    });
    for (let index = 0; index < 400; index += 1) {
      store.memory.remember(found(`h${index}`, { original: { inherited, labels: inherited.labels } }));
    }
    await store.memory.flush();
    const size = Object.entries(store.stored ?? {}).reduce(
      (sum, [key, text]) => sum + key.length + text.length,
      0,
    );
    assert.ok(size < 1024 * 1024, `${size}`);
    assert.equal(store.memory.find("driver", "h399")?.labels["team.example/l0"], "v".repeat(60));
  });
});
