import { once } from "node:events";
import type { HandlerContext } from "../../src/admission/handler.ts";
import { POLICY_KEY } from "../../src/kube/policy-source.ts";
import type { Answered } from "../../src/server/admission.ts";
import type { AskForRoom } from "../../src/server/with-room.ts";
import { createApp } from "../../src/server/app.ts";
import { listenPlain, portOf } from "../../src/server/listen.ts";
import { aContext } from "./context.ts";

/** An answer over the wire. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** The real application on a free port of the loopback. */
export interface TestServer {
  readonly port: number;
  /** What the server told of its answers, in order. */
  readonly answered: Answered[];
  readonly errors: unknown[];
  post(path: string, body: string | Uint8Array): Promise<Answer>;
  stop(): Promise<void>;
}

/** Long for any look-up of a test, short for a test to wait for. */
const DEADLINE_MS = 1_000;

/** Starts it; `context` is read for each request. */
export async function startServer(
  context: () => HandlerContext = () => aContext(),
  { report, room }: { readonly report?: (answer: Answered) => void; readonly room?: AskForRoom } = {},
): Promise<TestServer> {
  const answered: Answered[] = [];
  const errors: unknown[] = [];
  const app = createApp({
    context,
    policyKey: POLICY_KEY,
    deadlineMs: DEADLINE_MS,
    ...(room && { room }),
    onAnswered: (answer) => {
      answered.push(answer);
      report?.(answer);
    },
    clock: () => 0,
    onError: (error) => errors.push(error),
  });
  const server = await listenPlain(app, { host: "127.0.0.1", port: 0 });
  const port = portOf(server);
  return {
    port,
    answered,
    errors,
    async post(path, body) {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: typeof body === "string" ? body : Buffer.from(body),
      });
      return { status: response.status, text: await response.text() };
    },
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
