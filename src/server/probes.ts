import express from "express";
import type { Express } from "express";
import type { Registry } from "prom-client";

/**
 * The plain application for the kubelet and Prometheus; `notReady` lists what is missing, empty when ready, and
 * `beforeScrape` counts what has happened and is not counted yet.
 */
export function createProbes(
  registry: Registry,
  notReady: () => readonly string[],
  beforeScrape: () => void = () => undefined,
): Express {
  const app = express();
  app.disable("x-powered-by");
  app.get("/healthz", (_request, response) => {
    response.type("text").send("ok\n");
  });
  app.get("/readyz", (_request, response) => {
    const missing = notReady();
    response
      .status(missing.length === 0 ? 200 : 503)
      .type("text")
      .send(missing.length === 0 ? "ok\n" : `${missing.join("\n")}\n`);
  });
  app.get("/metrics", async (_request, response) => {
    beforeScrape();
    response.type(registry.contentType).send(await registry.metrics());
  });
  return app;
}
