import { randomBytes } from "node:crypto";
import type { Rest } from "./rest.ts";

/** The object that an Event is about. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for an object outside namespaces. */
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string | undefined;
}

/** An Event's own words. */
export interface EventText {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

/** Writes core/v1 Events in the background. */
export interface EventRecorder {
  /** Never throws and never waits; what the rate limit or an error swallows is counted. */
  record(subject: EventSubject, text: EventText): void;
}

/** What the recorder needs. */
export interface EventRecorderOptions {
  readonly rest: Rest;
  readonly component: string;
  readonly now: () => Date;
  readonly onDropped: (error?: unknown) => void;
}

/**
 * Events a minute. client-go's recorder allows 25 at once and one each five minutes for an object; a backup of many
 * volumes whose numbers are all overwritten is one Backup, so a minute's worth of 60 is ample.
 */
const EVENTS_A_MINUTE = 60;
/** Kubernetes' own limit of an Event's message. */
const MESSAGE_LENGTH = 1024;

/** A recorder that writes at most `EVENTS_A_MINUTE`. */
export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  let minute = 0;
  let written = 0;
  function mayWrite(now: number): boolean {
    const current = Math.floor(now / 60_000);
    written = current === minute ? written + 1 : 1;
    minute = current;
    return written <= EVENTS_A_MINUTE;
  }
  return {
    record(subject, text) {
      const now = options.now();
      if (!mayWrite(now.getTime())) {
        options.onDropped();
        return;
      }
      // Events about cluster-scoped objects live in "default", as client-go's recorder does it.
      const namespace = subject.namespace === "" ? "default" : subject.namespace;
      options.rest
        .call("POST", `/api/v1/namespaces/${namespace}/events`, {
          body: eventOf(subject, text, namespace, options),
        })
        .catch((error: unknown) => options.onDropped(error));
    },
  };
}

function eventOf(
  subject: EventSubject,
  text: EventText,
  namespace: string,
  options: EventRecorderOptions,
): unknown {
  const now = options.now().toISOString();
  const name = `${subject.name.slice(0, 200)}.${randomBytes(8).toString("hex")}`;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace },
    involvedObject: { ...subject, namespace: subject.namespace === "" ? undefined : subject.namespace },
    type: text.type,
    reason: text.reason,
    message: text.message.slice(0, MESSAGE_LENGTH),
    source: { component: options.component },
    reportingComponent: options.component,
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
}
