import { createHash } from "node:crypto";
import * as z from "zod";
import { parseInherited, writeInherited } from "../admission/inherited.ts";
import type { KnownOriginal } from "../admission/lookup.ts";
import type { Signer } from "../admission/signer.ts";
import { handleKey } from "./originals.ts";
import type { FoundOriginal } from "./originals.ts";
import { ApiError } from "./rest.ts";
import type { Rest } from "./rest.ts";

/**
 * How long an original is remembered after it was last seen alive. Velero gives a data movement four hours by
 * default (itemOperationTimeout); six times that also covers those who raised it.
 */
const REMEMBER_MS = 24 * 60 * 60 * 1000;
/**
 * How much later than written an original may have been seen alive: what is written says so within an hour, and no
 * original costs more writes than one an hour, however often it changes.
 */
const REFRESH_MS = 60 * 60 * 1000;
/**
 * Most originals remembered. An entry usually takes about 600 bytes: a thousand of them stay well below the limit of
 * a ConfigMap. Velero's own clones need none of this: their DataUpload remembers for them.
 */
const MOST = 1000;
/**
 * Most bytes of all entries. A ConfigMap takes 1 MiB of data, and a merge patch beyond that is refused for good: an
 * eighth is left for what other replicas write before we hear of it. Entries with many labels take up to 20 KiB.
 */
const MOST_BYTES = 896 * 1024;
/** Changes within this time are written together: a backup of many volumes would else write once for each. */
const FLUSH_MS = 200;
/** After a write failed. */
const RETRY_MS = 5_000;
/** Longest a write may take: the next one waits for it, and so does the end of the process. */
const WRITE_MS = 10_000;

const Entry = z.object({
  source: z.string(),
  handle: z.string(),
  /** Last seen alive, ISO 8601. */
  seen: z.string(),
  inherited: z.string(),
});

interface Remembered {
  readonly original: KnownOriginal;
  readonly seen: number;
  readonly text: string;
  /** Bytes in the ConfigMap. */
  readonly size: number;
}

/** What the memory needs from outside. */
export interface MemoryOptions {
  readonly rest: Rest;
  readonly namespace: string;
  /** Name of the ConfigMap that holds it across restarts. */
  readonly name: string;
  readonly signer: Signer;
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

/** Originals that may be gone already, kept in a ConfigMap so that they survive a restart of every replica. */
export interface OriginalsMemory {
  find(source: string, handle: string): KnownOriginal | undefined;
  /** Takes note of an original; one created longer ago than the memory lasts only counts when it goes. */
  remember(found: FoundOriginal): void;
  /** Takes in what the ConfigMap holds, as another replica or an earlier life wrote it. */
  load(data: Readonly<Record<string, string>>): void;
  /** Writes what has not been written yet; resolves when it is safe, or its failure was reported. */
  flush(): Promise<void>;
}

/** A memory that is empty until `load`; entries of the ConfigMap that we did not sign are not believed. */
export function createOriginalsMemory(options: MemoryOptions): OriginalsMemory {
  const { signer, now } = options;
  const entries = new Map<string, Remembered>();
  const writer = createWriter(options);
  let size = 0;

  function drop(key: string): void {
    size -= entries.get(key)?.size ?? 0;
    entries.delete(key);
  }
  function put(key: string, entry: Remembered): void {
    drop(key);
    entries.set(key, entry);
    size += entry.size;
  }
  function forgetOld(): void {
    for (const [key, { seen }] of entries) {
      if (entries.size > MOST || size > MOST_BYTES || now() - seen > REMEMBER_MS) {
        drop(key);
        writer.write(dataKey(key), null);
      }
    }
  }
  return {
    find: (source, handle) => entries.get(handleKey(source, handle))?.original,
    remember({ source, handle, original, created, gone }) {
      const key = handleKey(source, handle);
      const seen = now();
      const inherited = writeInherited({ ...original.inherited, labels: original.labels }, signer);
      const known = entries.get(key);
      const isFresh = known?.text === inherited && seen - known.seen < REFRESH_MS;
      if (isFresh || (!gone && seen - created > REMEMBER_MS)) {
        return;
      }
      const text = JSON.stringify({ source, handle, seen: new Date(seen).toISOString(), inherited });
      put(key, { original, seen, text: inherited, size: Buffer.byteLength(text) });
      writer.write(dataKey(key), text);
      forgetOld();
    },
    load(data) {
      for (const text of Object.values(data)) {
        const read = readEntry(text, signer);
        if (read !== undefined && !entries.has(read.key)) {
          put(read.key, read.entry);
        }
      }
    },
    flush: async () => writer.flush(),
  };
}

interface Writer {
  /** Writes a key soon, or removes it with null. */
  write(key: string, text: string | null): void;
  flush(): Promise<void>;
}

function createWriter(options: MemoryOptions): Writer {
  const unwritten = new Map<string, string | null>();
  let timer: NodeJS.Timeout | undefined;
  let running = Promise.resolve();
  function flushAfter(delay: number): void {
    timer ??= setTimeout(() => void flush(), delay).unref();
  }
  // One after another: else a slow write could undo a later one of the same key, and nobody could wait for it.
  async function flush(): Promise<void> {
    running = running.then(writeBatch);
    return running;
  }
  async function writeBatch(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const batch = Object.fromEntries(unwritten);
    unwritten.clear();
    if (Object.keys(batch).length === 0) {
      return;
    }
    try {
      await write(options, batch);
    } catch (error) {
      options.onError(error);
      for (const [key, text] of Object.entries(batch)) {
        unwritten.set(key, unwritten.has(key) ? (unwritten.get(key) ?? null) : text);
      }
      flushAfter(RETRY_MS);
    }
  }
  return {
    write(key, text) {
      unwritten.set(key, text);
      flushAfter(FLUSH_MS);
    },
    flush,
  };
}

function readEntry(text: string, signer: Signer): { key: string; entry: Remembered } | undefined {
  try {
    const { source, handle, seen, inherited } = Entry.parse(JSON.parse(text));
    const document = parseInherited(inherited, signer);
    return document === undefined
      ? undefined
      : {
          key: handleKey(source, handle),
          entry: {
            original: { inherited: document, labels: document.labels },
            seen: Date.parse(seen),
            text: inherited,
            size: Buffer.byteLength(text),
          },
        };
  } catch {
    return undefined;
  }
}

/** Keys of a ConfigMap take only [-._a-zA-Z0-9]; handles hold anything. */
function dataKey(key: string): string {
  return createHash("sha256").update(key).digest("hex").slice(0, 40);
}

async function write(
  { rest, namespace, name }: MemoryOptions,
  data: Record<string, string | null>,
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  try {
    // A merge patch touches only these keys: replicas that write at once do not undo each other.
    await rest.call("PATCH", `${path}/${name}`, {
      body: { data },
      contentType: "application/merge-patch+json",
      signal: AbortSignal.timeout(WRITE_MS),
    });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) {
      throw error;
    }
    await create(rest, path, name, data);
  }
}

async function create(
  rest: Rest,
  path: string,
  name: string,
  data: Record<string, string | null>,
): Promise<void> {
  const labels = { "app.kubernetes.io/name": "snapshot-retainer", "velero.io/exclude-from-backup": "true" };
  const present = Object.fromEntries(Object.entries(data).filter(([, text]) => text !== null));
  await rest.call("POST", path, {
    body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name, labels }, data: present },
    signal: AbortSignal.timeout(WRITE_MS),
  });
}
