import { Agent, request } from "node:https";
import type { OutgoingHttpHeaders } from "node:http";
import type { RequestOptions } from "node:https";
import { request as plainRequest } from "node:http";
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

/** What a request may carry beside its method and path. */
export interface RestOptions {
  readonly body?: unknown;
  /** Defaults to application/json. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
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

/** Calls under the identity of the kubeconfig's current context. */
export function createRest(kubeConfig: KubeConfig): Rest {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  async function call(method: string, path: string, options: RestOptions = {}): Promise<unknown> {
    const cluster = kubeConfig.getCurrentCluster();
    if (cluster === null) {
      throw new Error("the kubeconfig has no current cluster");
    }
    const url = new URL(cluster.server.replace(/\/$/, "") + path);
    const transport: RequestOptions = {};
    await kubeConfig.applyToHTTPSOptions(transport);
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const text = await send(
      url,
      { ...transport, agent: url.protocol === "https:" ? agent : undefined, method },
      body,
      options,
    );
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
  };
}

async function send(
  url: URL,
  transport: RequestOptions,
  body: string | undefined,
  { contentType = "application/json", signal }: RestOptions,
): Promise<string> {
  const headers = {
    ...authorization(transport.headers),
    accept: "application/json",
    ...(body === undefined
      ? {}
      : { "content-type": contentType, "content-length": String(Buffer.byteLength(body)) }),
  };
  return new Promise((resolve, reject) => {
    const start = url.protocol === "https:" ? request : plainRequest;
    const outgoing = start(
      url,
      { ...transport, headers, ...(signal === undefined ? {} : { signal }) },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString("utf8");
          const status = response.statusCode ?? 0;
          if (status >= 400) {
            reject(
              new ApiError(
                status,
                `${transport.method ?? ""} ${url.pathname}: ${status}: ${messageOf(text)}`,
              ),
            );
          } else {
            resolve(text);
          }
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

// client-node sets headers as an object; Node's type would also allow a list.
function authorization(headers: RequestOptions["headers"]): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers ?? {}));
}

function messageOf(text: string): string {
  const quoted = /"message":("(?:[^"\\]|\\.)*")/.exec(text)?.[1];
  return (quoted === undefined ? text : String(JSON.parse(quoted))).slice(0, 300);
}
