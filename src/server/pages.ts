import type { IncomingMessage, OutgoingHttpHeaders, RequestListener } from "node:http";

/** What is answered to a GET; a HEAD gets the same without its body. */
export interface Page {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: string;
}

/**
 * Serves pages to people and machines that only read. Whatever goes wrong in making one becomes the page that `onFailure` gives:
 * nothing that is asked for ends the process.
 */
export function servePages(
  pageFor: (request: IncomingMessage) => Page | Promise<Page>,
  onFailure: (error: unknown) => Page,
): RequestListener {
  async function make(request: IncomingMessage): Promise<Page> {
    try {
      return await pageFor(request);
    } catch (error) {
      return onFailure(error);
    }
  }
  return (request, response) => {
    void make(request).then(({ status, headers, body }) => {
      response.writeHead(status, { ...headers, "content-length": Buffer.byteLength(body) });
      response.end(request.method === "HEAD" ? undefined : body);
    });
  };
}

/** A target's path and what is asked of it: as it was sent, which need not be what `URL` can read. */
export function targetOf({ url = "" }: IncomingMessage): {
  readonly path: string;
  readonly query: URLSearchParams;
} {
  const [path = "", ...rest] = url.split("?");
  return { path, query: new URLSearchParams(rest.join("?")) };
}

/** Whether a request asks for nothing to be done. */
export function isRead({ method }: IncomingMessage): boolean {
  return method === "GET" || method === "HEAD";
}
