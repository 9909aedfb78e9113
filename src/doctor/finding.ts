import type { Rest } from "../kube/rest.ts";

/** What one check found. */
export interface Finding {
  /** Of what: "TLS", "Velero". */
  readonly check: string;
  readonly status: "ok" | "warning" | "failed" | "skipped";
  /** What was found, in one sentence. */
  readonly message: string;
  /** What to do about it, as commands or values where there are some. */
  readonly fix?: string | undefined;
}

/** What all checks work with. */
export interface Setting {
  readonly rest: Pick<Rest, "get" | "call">;
  /** The API server's address, for messages. */
  readonly server: string;
  /** Namespace of Snapshot Retainer. */
  readonly namespace: string;
  /** What the chart's objects are called: its fullname. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Findings of one check. */
export function createFindings(
  check: string,
): Record<"ok" | "skipped", (message: string) => Finding> &
  Record<"warning" | "failed", (message: string, fix: string) => Finding> {
  return {
    ok: (message) => ({ check, status: "ok", message }),
    skipped: (message) => ({ check, status: "skipped", message }),
    warning: (message, fix) => ({ check, status: "warning", message, fix }),
    failed: (message, fix) => ({ check, status: "failed", message, fix }),
  };
}
