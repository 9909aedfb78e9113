import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";

/**
 * The same JSON in and the same JSON out as the product, and nothing between: no policy, no signature, no look-ups, no
 * checks, no metrics, no log. What the product computes stands here as text.
 */
export function answerBare(request: IncomingMessage, response: ServerResponse): void {
  readText(request, (text) => {
    const body = answerTo(text);
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  });
}

/** The same answers with no more of HTTP than the benchmark's requests need: what is left is TLS, the kernel, and JSON. */
export function answerOnFloor(socket: TLSSocket): void {
  let held: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const head = held.indexOf("\r\n\r\n");
    if (head < 0) return;
    const length = Number(/content-length: (\d+)/i.exec(held.toString("latin1", 0, head))?.[1]);
    const start = head + 4;
    if (held.length < start + length) return;
    const body = answerTo(held.toString("utf8", start, start + length));
    held = held.subarray(start + length);
    socket.write(`${HEAD}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  });
  // The benchmark goes away in the middle of a connection.
  socket.on("error", () => undefined);
}

const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

function answerTo(text: string): string {
  const { request: asked } = parseReview(text);
  if (asked.kind.kind === "Backup") {
    const audit = { code: "limit_set", limit: "3", reason: "the policy's snapshotsToRetain" };
    return answer(asked.uid, { patch: [{ op: "add", path: LIMIT, value: "3" }], audit });
  }
  return answer(asked.uid, { patch: patchOf(asked.object), audit: { code: "inherited" } });
}

/** Of a request: about what ours spends more than bare. */
const SLOWED_MS = 0.01;

/** Bare, and idle turns before each answer: what it costs to be slower, whatever with. */
export function answerSlowed(request: IncomingMessage, response: ServerResponse): void {
  request.on("end", () => {
    const end = performance.now() + SLOWED_MS;
    while (performance.now() < end);
  });
  answerBare(request, response);
}

const ballast: object[] = [];
const BALLAST = 80_000;

/** Fills the heap with some 10 MiB of small objects that stay: what the product's program has more of than a bare handler. */
export function load(): void {
  for (let index = 0; index < BALLAST; index += 1) ballast.push({ a: { index }, b: [index, `${index}`] });
}

const LIMIT = "/metadata/annotations/backup.velero.io~1data-mover-snapshot-to-retain";
const INHERITED = "snapshot-retainer.io/inherited";

/** What is used of a review. */
interface Review {
  readonly request: {
    readonly uid: string;
    readonly kind: { readonly kind: string };
    readonly object: Content;
  };
}

interface Content {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly spec: { readonly driver: string; readonly source: { readonly snapshotHandle: string } };
}

interface Document {
  readonly alias: string;
  readonly volumeName: string;
  readonly backup: { readonly name: string };
  readonly labels: Readonly<Record<string, string>>;
  readonly signature: string;
}

/** The labels out of the document that a clone carries, and the document with the handle in it; its signature is copied. */
function patchOf({ metadata, spec }: Content): object[] {
  const { labels, signature, ...identity } = parseDocument(metadata.annotations[INHERITED] ?? "");
  const snapshot = { driver: spec.driver, handle: spec.source.snapshotHandle };
  const all = {
    ...labels,
    "velero.io/snapshot-alias-name": identity.alias,
    "velero.io/snapshot-volume-name": identity.volumeName,
    "snapshot-retainer.io/backup-name": identity.backup.name,
  };
  const document = JSON.stringify({ ...identity, snapshot, labels, signature });
  return [
    { op: "add", path: "/metadata/labels", value: all },
    {
      op: "replace",
      path: `/metadata/annotations/${INHERITED.replace("/", "~1")}`,
      value: document,
    },
  ];
}

// oxlint-disable typescript/no-unsafe-type-assertion -- a bare handler trusts what it gets
function parseReview(text: string): Review {
  return JSON.parse(text) as Review;
}

function parseDocument(text: string): Document {
  return JSON.parse(text) as Document;
}
// oxlint-enable typescript/no-unsafe-type-assertion

function readText(request: IncomingMessage, onText: (text: string) => void): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => onText(Buffer.concat(chunks).toString("utf8")));
}

interface Answer {
  readonly patch: readonly object[];
  readonly audit?: object;
}

function answer(uid: string, { patch, audit }: Answer): string {
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    response: {
      uid,
      allowed: true,
      patchType: "JSONPatch",
      patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
      ...(audit && { auditAnnotations: audit }),
    },
  });
}
