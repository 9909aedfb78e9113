import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import express from "express";
import type { Express } from "express";
import { answerReview } from "./admission.ts";
import type { AnswerOptions, Decision } from "./admission.ts";
import { createBodyBudget } from "./body.ts";
import { createDeadline } from "./deadline.ts";
import { createMutation } from "./mutation.ts";
import type { MutationOptions } from "./mutation.ts";
import { createPolicyValidation } from "./policy-validation.ts";

/** What the application works with. */
export interface AppOptions extends Omit<AnswerOptions, "bodies">, Omit<MutationOptions, "within"> {
  /** The key of the policy in its ConfigMap. */
  readonly policyKey: string;
  /** Longest that a decision may take before the request is allowed unchanged, in milliseconds. */
  readonly deadlineMs: number;
}

/**
 * The HTTPS application; it does not listen. Every POST is answered with status 200 and an AdmissionReview. Mutations
 * are answered ahead of express, whose routing and prototypes cost as much as the decision itself (docs/performance.md).
 */
export function createApp(given: AppOptions): RequestListener {
  const options = { ...given, bodies: createBodyBudget() };
  const within = createDeadline(options.deadlineMs, () => performance.now());
  const mutation = createMutation({ ...options, within });
  const app = createExpress(createPolicyValidation(options.policyKey), options);
  return (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === "POST" && isPath(request.url, "/mutate")) {
      answerReview({ request, response }, mutation, options);
    } else {
      app(request, response);
    }
  };
}

function createExpress(validation: Decision, options: AnswerOptions): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.post("/validate-policy", (request, response) => {
    answerReview({ request, response }, validation, options);
  });
  app.use((_request, response) => {
    response
      .status(404)
      .type("text")
      .send("snapshot-retainer answers POST /mutate and POST /validate-policy\n");
  });
  return app;
}

/** The API server adds its timeout as a query. */
function isPath(url: string | undefined, path: string): boolean {
  return url === path || url?.startsWith(`${path}?`) === true;
}
