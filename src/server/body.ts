import type { IncomingMessage } from "node:http";

/**
 * Longest request body, as controller-runtime has it: etcd takes objects up to 1.5 MiB, the API server requests up to
 * 3 MiB; an UPDATE review carries the object twice, and its JSON may be larger than what etcd stores: twice 3 MiB,
 * and 1 MiB for everything else, make 7 MiB.
 */
export const MAX_BODY = 7 * 1024 * 1024;

/** A request's body, or as much of it as was read before it turned out too large. */
export interface Body {
  readonly text: string;
  readonly complete: boolean;
}

/** Who is told of a body, once: of all of it, or that the connection broke before. */
export interface BodyReader {
  readonly limit?: number;
  readonly onBody: (body: Body) => void;
  readonly onBroken: (error: Error) => void;
}

/** Reads a request's body up to a limit in bytes. Callbacks, since a promise for each request would cost more than reading. */
export function readBody(request: IncomingMessage, { limit = MAX_BODY, onBody, onBroken }: BodyReader): void {
  const chunks: Buffer[] = [];
  let length = 0;
  request.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length <= limit || chunks.length === 0) {
      chunks.push(chunk);
    }
  });
  request.on("end", () => onBody({ text: textOf(chunks), complete: length <= limit }));
  request.on("error", onBroken);
}

function textOf(chunks: readonly Buffer[]): string {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined
    ? first.toString("utf8")
    : Buffer.concat(chunks).toString("utf8");
}
