import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";

/** An answer of the API server. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

/** The few requests that running a cluster makes itself; everything else goes through kubectl. */
export interface ApiClient {
  get(path: string): Promise<ApiAnswer>;
  post(path: string, body: unknown): Promise<ApiAnswer>;
  /** A strategic merge patch, which only Kubernetes' own kinds take. */
  patch(path: string, change: unknown): Promise<ApiAnswer>;
}

/** Makes a client that is an administrator by the token. The CA file may appear only later. */
export function createApiClient(server: string, caFile: string, token: string): ApiClient {
  const agent = new Agent({ keepAlive: true });
  async function send(method: string, path: string, body?: string): Promise<ApiAnswer> {
    const type = method === "PATCH" ? "application/strategic-merge-patch+json" : "application/json";
    const headers = { authorization: `Bearer ${token}`, "content-type": type };
    const ca = readFileSync(caFile);
    return new Promise((resolve, reject) => {
      const sent = request(`${server}${path}`, { method, headers, ca, agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.on("error", reject);
      });
      sent.setTimeout(REQUEST_TIMEOUT_MS, () => sent.destroy(new Error(`${method} ${path} took too long`)));
      sent.on("error", reject);
      sent.end(body);
    });
  }
  return {
    get: async (path) => send("GET", path),
    post: async (path, body) => send("POST", path, JSON.stringify(body)),
    patch: async (path, change) => send("PATCH", path, JSON.stringify(change)),
  };
}

// Far above what the API server needs for any of these, on a busy machine too.
const REQUEST_TIMEOUT_MS = 10_000;
