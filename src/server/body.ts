import type { IncomingMessage } from "node:http";

/**
 * Longest request body, as controller-runtime has it: etcd takes objects up to 1.5 MiB, the API server requests up to
 * 3 MiB; an UPDATE review carries the object twice, and its JSON may be larger than what etcd stores: twice 3 MiB,
 * and 1 MiB for everything else, make 7 MiB.
 */
export const MAX_BODY = 7 * 1024 * 1024;

/**
 * Most that is held of all bodies that are being read at once. Reviews are some 10 KiB each, so this is three thousand of them, or
 * four of the longest; whoever sends long ones over many connections gets no more of our memory than this.
 */
const MAX_BODIES = 32 * 1024 * 1024;

/** What is kept of a body that is not read to its end: enough to find the review's UID. */
const KEPT_OF_INCOMPLETE = 4096;

/** A request's body, or its beginning where it was too large, or too much was being read at once. */
export interface Body {
  readonly text: string;
  /** Left out where all of it is there. */
  readonly missing?: "too large" | "too many at once";
}

/** Counts the bytes that are held. */
export interface BodyBudget {
  /** Whether there is room for these; takes it. */
  take(bytes: number): boolean;
  give(bytes: number): void;
}

/** Creates the budget of one server. */
export function createBodyBudget(bytes = MAX_BODIES): BodyBudget {
  let left = bytes;
  return {
    take(wanted) {
      if (wanted > left) {
        return false;
      }
      left -= wanted;
      return true;
    },
    give(returned) {
      left += returned;
    },
  };
}

/** Who is told of a body, once: of all of it, or that the connection broke before. */
export interface BodyReader {
  readonly limit?: number;
  readonly budget: BodyBudget;
  readonly onBody: (body: Body) => void;
  readonly onBroken: (error: Error) => void;
}

/** Reads a request's body up to a limit in bytes. Callbacks, since a promise for each request would cost more than reading. */
export function readBody(
  request: IncomingMessage,
  { limit = MAX_BODY, budget, onBody, onBroken }: BodyReader,
): void {
  let chunks: Buffer[] = [];
  let length = 0;
  let missing: Body["missing"];
  function release(): void {
    budget.give(length);
    length = 0;
  }
  function giveUp(why: Body["missing"], chunk: Buffer): void {
    missing = why;
    // A copy: a part of a chunk would keep the whole of it.
    chunks = [Buffer.from((chunks[0] ?? chunk).subarray(0, KEPT_OF_INCOMPLETE))];
    release();
  }
  request.on("data", (chunk: Buffer) => {
    if (missing !== undefined) {
      return;
    }
    if (length + chunk.length > limit) {
      giveUp("too large", chunk);
    } else if (budget.take(chunk.length)) {
      length += chunk.length;
      chunks.push(chunk);
    } else {
      giveUp("too many at once", chunk);
    }
  });
  request.on("end", () => {
    const text = textOf(chunks);
    release();
    onBody(missing === undefined ? { text } : { text, missing });
  });
  request.on("error", (error) => {
    release();
    onBroken(error);
  });
}

function textOf(chunks: readonly Buffer[]): string {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined
    ? first.toString("utf8")
    : Buffer.concat(chunks).toString("utf8");
}
