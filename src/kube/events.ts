import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { AnyObject } from "./objects.ts";
import type { Rest } from "./rest.ts";

/** The object that an Event is about. */
export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  /** Empty for an object outside namespaces. */
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string | undefined;
  /**
   * Path of the object, where it has no UID during admission: `kubectl describe` finds Events by UID alone, so it is
   * looked up as soon as the object is stored.
   */
  readonly path?: string | undefined;
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
 * volumes whose numbers are all overwritten is one Backup. What is retained and freed is told on the Backup and on the claim: 180 a minute
 * are those of a backup of 45 volumes at their numbers.
 */
const EVENTS_A_MINUTE = 180;
/** Kubernetes' own limit of an Event's message. */
const MESSAGE_LENGTH = 1024;
/**
 * Pauses before looking for a new object, seven seconds in all: it is usually stored within milliseconds of our answer,
 * unless other webhooks take their time.
 */
const STORED_AFTER_MS = [10, 50, 200, 750, 2_000, 4_000];

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
      write(subject, text, options).catch((error: unknown) => options.onDropped(error));
    },
  };
}

async function write(subject: EventSubject, text: EventText, options: EventRecorderOptions): Promise<void> {
  const { path, ...known } = subject;
  const uid = known.uid ?? (path === undefined ? undefined : await findUid(options.rest, path));
  // An object that somebody else refused after us never came to be.
  if (uid === undefined && path !== undefined) {
    return;
  }
  // Events about cluster-scoped objects live in "default", as client-go's recorder does it.
  const namespace = known.namespace === "" ? "default" : known.namespace;
  const body = eventOf({ ...known, uid }, text, namespace, options);
  await options.rest.call("POST", `/api/v1/namespaces/${namespace}/events`, { body });
}

async function findUid(rest: Rest, path: string): Promise<string | undefined> {
  for (const pause of STORED_AFTER_MS) {
    await sleep(pause, undefined, { ref: false });
    const found = AnyObject.safeParse(await rest.get(path));
    if (found.success) {
      return found.data.metadata.uid;
    }
  }
  return undefined;
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
