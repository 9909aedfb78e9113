import type { IncomingMessage, RequestListener } from "node:http";
import type { Registry } from "prom-client";

/**
 * The plain application for the kubelet and Prometheus; `notReady` lists what is missing, empty when ready, and
 * `beforeScrape` counts what has happened and is not counted yet. Without express, which the controller needs for nothing else.
 */
export function createProbes(
  registry: Registry,
  notReady: () => readonly string[],
  beforeScrape: () => void = () => undefined,
): RequestListener {
  const pages: Readonly<Record<string, () => Page | Promise<Page>>> = {
    "/healthz": () => ({ status: 200, type: TEXT, body: "ok\n" }),
    "/readyz": () => readiness(notReady()),
    async "/metrics"() {
      beforeScrape();
      return { status: 200, type: registry.contentType, body: await registry.metrics() };
    },
  };
  async function read({ method, url = "" }: IncomingMessage): Promise<Page> {
    const path = url.replace(/\?.*$/, "");
    const isRead = method === "GET" || method === "HEAD";
    return (isRead && Object.hasOwn(pages, path) && (await pages[path]?.())) || NOT_FOUND;
  }
  return (request, response) => {
    read(request).then(
      ({ status, type, body }) =>
        response
          .writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) })
          .end(request.method === "HEAD" ? undefined : body),
      () => response.writeHead(500).end(),
    );
  };
}

interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const TEXT = "text/plain; charset=utf-8";
const NOT_FOUND: Page = { status: 404, type: TEXT, body: "not found\n" };

function readiness(missing: readonly string[]): Page {
  return missing.length === 0
    ? { status: 200, type: TEXT, body: "ok\n" }
    : { status: 503, type: TEXT, body: `${missing.join("\n")}\n` };
}
