import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

/** Where a request's time goes in its server's thread, in microseconds of it, on average. */
export interface Stages {
  /** From the end of its body to the first word of its answer. */
  readonly deciding: number;
  /** Head and body of the answer, down to the kernel, which wakes the client. */
  readonly answering: number;
  /** What is still done before the next request: metrics and the log. */
  readonly reporting: number;
}

/** A listener whose stages can be timed. */
export interface Timed {
  readonly listener: RequestListener;
  /** From now on. */
  start(): void;
  /** What was found since; undefined where nothing was timed. */
  end(): Stages | undefined;
}

/** Times a listener from outside, once it is told to: until then, requests go straight to it. */
export function timed(listener: RequestListener, now: () => number): Timed {
  let isOn = false;
  let requests = 0;
  let sums = { deciding: 0, answering: 0, reporting: 0 };
  function time(request: IncomingMessage, response: ServerResponse): void {
    let [whole, decided, answered] = [0, 0, 0];
    // The listener's own comes between these two.
    request.on("end", () => (whole = now()));
    const writeHead = response.writeHead.bind(response);
    const end = response.end.bind(response);
    response.writeHead = (...head: unknown[]): ServerResponse => {
      decided = now();
      Reflect.apply(writeHead, response, head);
      return response;
    };
    response.end = (...body: unknown[]): ServerResponse => {
      Reflect.apply(end, response, body);
      answered = now();
      return response;
    };
    listener(request, response);
    request.on("end", () => {
      requests += 1;
      sums.deciding += decided - whole;
      sums.answering += answered - decided;
      sums.reporting += now() - answered;
    });
  }
  return {
    listener: (request, response) => (isOn ? time : listener)(request, response),
    start() {
      isOn = true;
      requests = 0;
      sums = { deciding: 0, answering: 0, reporting: 0 };
    },
    end() {
      const wasOn = isOn;
      isOn = false;
      const micros = 1000 / requests;
      const { deciding, answering, reporting } = sums;
      return wasOn && requests > 0
        ? { deciding: deciding * micros, answering: answering * micros, reporting: reporting * micros }
        : undefined;
    },
  };
}
