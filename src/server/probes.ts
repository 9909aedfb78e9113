import type { IncomingMessage, RequestListener } from "node:http";
import type { Registry } from "prom-client";
import { isRead, servePages, targetOf } from "./pages.ts";
import type { Page } from "./pages.ts";

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
    "/healthz": () => ({ status: 200, headers: TEXT, body: "ok\n" }),
    "/readyz": () => readiness(notReady()),
    async "/metrics"() {
      beforeScrape();
      return {
        status: 200,
        headers: { "content-type": registry.contentType },
        body: await registry.metrics(),
      };
    },
  };
  async function page(request: IncomingMessage): Promise<Page> {
    const { path } = targetOf(request);
    return (isRead(request) && Object.hasOwn(pages, path) && (await pages[path]?.())) || NOT_FOUND;
  }
  return servePages(page, () => ({ status: 500, headers: {}, body: "" }));
}

const TEXT = { "content-type": "text/plain; charset=utf-8" };
const NOT_FOUND: Page = { status: 404, headers: TEXT, body: "not found\n" };

function readiness(missing: readonly string[]): Page {
  return missing.length === 0
    ? { status: 200, headers: TEXT, body: "ok\n" }
    : { status: 503, headers: TEXT, body: `${missing.join("\n")}\n` };
}
