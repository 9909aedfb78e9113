import { Agent, request } from "node:https";
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";
import { request as plainRequest } from "node:http";
import { finished } from "node:stream/promises";
import type { KubeConfig } from "@kubernetes/client-node";

/** An answer of the API server that is not a success. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Whether the object is gone, already there, or another version than was expected: somebody else was faster. */
export function isOvertaken(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 404 || error.status === 409);
}

/** A connection on which nothing came for too long: perhaps nobody is there any more. */
export class Silent extends Error {
  override readonly name = "Silent";
}

/** What a request may carry beside its method and path. */
export interface RestOptions {
  readonly body?: unknown;
  /** Defaults to application/json. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

/** Who is told of what comes. */
export interface StreamOptions {
  /** The answer has begun. */
  readonly onOpen: () => void;
  readonly onLine: (line: string) => void;
  /** The longest time without a byte. */
  readonly silenceMs: number;
  readonly signal: AbortSignal;
}

/**
 * Raw JSON calls to the API server over kept-alive connections. client-node opens a new TLS connection for each
 * call of its generated APIs; a look-up during admission cannot wait for that, and needs no model classes.
 */
export interface Rest {
  /** The parsed JSON of the answer; rejects with `ApiError` for any status from 400 on. */
  call(method: string, path: string, options?: RestOptions): Promise<unknown>;
  /** GET; undefined for 404. */
  get(path: string, signal?: AbortSignal): Promise<unknown>;
}

/** The same, and answers that go on. */
export interface StreamingRest extends Rest {
  /**
   * GET of an answer that goes on, such as a watch: each line as it comes. Resolves when the answer ends, rejects as
   * `call` does, and with `Silent`.
   */
  stream(path: string, options: StreamOptions): Promise<void>;
}

/** Calls under the identity of the kubeconfig's current context. */
export function createRest(kubeConfig: KubeConfig): StreamingRest {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  // A stream keeps its connection for minutes: it must not take the place of a call.
  const streams = new Agent({ keepAlive: true });
  async function call(method: string, path: string, options: RestOptions = {}): Promise<unknown> {
    const text = await textOf(await open(kubeConfig, { ...options, method, path, agent }));
    return text === "" ? undefined : (JSON.parse(text) as unknown);
  }
  return {
    call,
    async get(path, signal) {
      try {
        return await call("GET", path, signal === undefined ? {} : { signal });
      } catch (error) {
        if (error instanceof ApiError && error.status === 404) {
          return undefined;
        }
        throw error;
      }
    },
    stream: async (path, options) =>
      guarded(options, async (signal, onNews) => {
        const response = await open(kubeConfig, { method: "GET", path, agent: streams, signal });
        options.onOpen();
        await readLines(response, options.onLine, onNews);
      }),
  };
}

interface Opening extends RestOptions {
  readonly method: string;
  readonly path: string;
  readonly agent: Agent;
}

/** An answer that is a success, to be read. */
async function open(kubeConfig: KubeConfig, opening: Opening): Promise<IncomingMessage> {
  const { method, agent, body, contentType = "application/json", signal } = opening;
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster === null) {
    throw new Error("the kubeconfig has no current cluster");
  }
  const url = new URL(cluster.server.replace(/\/$/, "") + opening.path);
  const transport: RequestOptions = {};
  await kubeConfig.applyToHTTPSOptions(transport);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    ...authorization(transport.headers),
    accept: "application/json",
    ...(text === undefined
      ? {}
      : { "content-type": contentType, "content-length": String(Buffer.byteLength(text)) }),
  };
  const isSecure = url.protocol === "https:";
  const options = { ...transport, agent: isSecure ? agent : undefined, method, headers };
  const response = await send(url, signal === undefined ? options : { ...options, signal }, text);
  const status = response.statusCode ?? 0;
  if (status >= 400) {
    throw new ApiError(status, `${method} ${url.pathname}: ${status}: ${messageOf(await textOf(response))}`);
  }
  return response;
}

async function send(url: URL, options: RequestOptions, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === "https:" ? request : plainRequest)(url, options, resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  response.on("data", (chunk: Buffer) => chunks.push(chunk));
  await finished(response);
  return Buffer.concat(chunks).toString("utf8");
}

/** How long until the system asks whether the other side is still there; ten more seconds, and it is known. */
const KEEP_ALIVE_MS = 15_000;

async function readLines(
  response: IncomingMessage,
  onLine: (line: string) => void,
  onNews: () => void,
): Promise<void> {
  response.socket.setKeepAlive(true, KEEP_ALIVE_MS);
  response.setEncoding("utf8");
  let begun = "";
  response.on("data", (chunk: string) => {
    onNews();
    const lines = `${begun}${chunk}`.split("\n");
    begun = lines.pop() ?? "";
    try {
      for (const line of lines) if (line !== "") onLine(line);
    } catch (error) {
      response.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  });
  await finished(response);
}

/** Ends a run in which nothing came for too long. */
async function guarded(
  { silenceMs, signal }: StreamOptions,
  run: (signal: AbortSignal, onNews: () => void) => Promise<void>,
): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), silenceMs);
  try {
    await run(AbortSignal.any([signal, silence.signal]), () => timer.refresh());
  } catch (error) {
    throw silence.signal.aborted ? new Silent(`nothing came for ${silenceMs / 1000} s`) : error;
  } finally {
    clearTimeout(timer);
  }
}

// client-node sets headers as an object; Node's type would also allow a list.
function authorization(headers: RequestOptions["headers"]): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers ?? {}));
}

function messageOf(text: string): string {
  const quoted = /"message":("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  return (quoted === undefined ? text : String(JSON.parse(quoted))).slice(0, 300);
}
