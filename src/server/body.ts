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

/** Reads a request's body up to a limit; rejects when the connection breaks. */
export async function readBody(request: IncomingMessage, limit = MAX_BODY): Promise<Body> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= limit || chunks.length === 0) {
        chunks.push(chunk);
      }
    });
    request.on("end", () => resolve({ text: textOf(chunks), complete: length <= limit }));
    request.on("error", reject);
    request.on("aborted", () =>
      reject(new Error("the client closed the connection before its request was complete")),
    );
  });
}

function textOf(chunks: readonly Buffer[]): string {
  const [first] = chunks;
  return chunks.length === 1 && first !== undefined
    ? first.toString("utf8")
    : Buffer.concat(chunks).toString("utf8");
}
