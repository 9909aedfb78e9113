import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import express from "express";
import type { Express } from "express";
import { answerMutate, answerValidatePolicy } from "./admission.ts";
import type { AdmissionOptions } from "./admission.ts";
import { createDeadline } from "./deadline.ts";

/**
 * The HTTPS application; it does not listen. Every POST is answered with status 200 and an AdmissionReview. Mutations
 * are answered ahead of express, whose routing and prototypes cost as much as the decision itself (docs/performance.md).
 */
export function createApp(options: AppOptions): RequestListener {
  const within = createDeadline(options.deadlineMs, () => performance.now());
  const inTime = { ...options, within };
  const app = createExpress(inTime);
  return (request, response) => {
    if (request.method === "POST" && isPath(request.url, "/mutate")) {
      void answer(answerMutate, { request, response }, inTime);
    } else {
      app(request, response);
    }
  };
}

/** What the application works with. */
export interface AppOptions extends Omit<AdmissionOptions, "within"> {
  /** Longest that a decision may take before the request is allowed unchanged, in milliseconds. */
  readonly deadlineMs: number;
  /** Told of connections that broke. */
  readonly onError: (error: unknown) => void;
}

type InTime = AppOptions & AdmissionOptions;

function createExpress(options: InTime): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.post("/validate-policy", (request, response) => {
    void answer(answerValidatePolicy, { request, response }, options);
  });
  app.use((_request, response) => {
    response
      .status(404)
      .type("text")
      .send("snapshot-retainer answers POST /mutate and POST /validate-policy\n");
  });
  return app;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  options: AdmissionOptions,
) => Promise<void>;

/** Never rejects: a connection that breaks while its request is read has nobody to answer to. */
async function answer(handler: Handler, { request, response }: Exchange, options: InTime): Promise<void> {
  try {
    await handler(request, response, options);
  } catch (error) {
    options.onError(error);
    // An answer that was given still reaches its reader.
    if (!response.writableEnded) {
      response.destroy();
    }
  }
}

/** The API server adds its timeout as a query. */
function isPath(url: string | undefined, path: string): boolean {
  return url === path || url?.startsWith(`${path}?`) === true;
}
