import type { IncomingMessage, ServerResponse } from "node:http";
import express from "express";
import type { Express } from "express";
import { answerMutate, answerValidatePolicy } from "./admission.ts";
import type { AdmissionOptions } from "./admission.ts";

/** The HTTPS application; it does not listen. Every POST is answered with status 200 and an AdmissionReview. */
export function createApp(
  options: AdmissionOptions & { readonly onError: (error: unknown) => void },
): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.post("/mutate", async (request, response) => {
    await answer(answerMutate, request, response);
  });
  app.post("/validate-policy", async (request, response) => {
    await answer(answerValidatePolicy, request, response);
  });
  app.use((_request, response) => {
    response
      .status(404)
      .type("text")
      .send("snapshot-retainer answers POST /mutate and POST /validate-policy\n");
  });

  /** A connection that breaks while its request is read has nobody to answer to. */
  async function answer(handler: Handler, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await handler(request, response, options);
    } catch (error) {
      options.onError(error);
      response.destroy();
    }
  }
  return app;
}

type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  options: AdmissionOptions,
) => Promise<void>;
