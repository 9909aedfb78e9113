import * as z from "zod";
import { microTime } from "../src/kube/lease.ts";
import type { Rest } from "../src/kube/rest.ts";
import type { Replica } from "./confirmation.ts";
import { describeFailure, statusOf } from "./failure.ts";

/** Marks the Leases by which the replicas tell each other what they serve. */
export const SERVING_LABEL = "snapshot-retainer.io/serving";
const CERTIFICATE_ANNOTATION = "snapshot-retainer.io/serving-certificate";
const CA_ANNOTATION = "snapshot-retainer.io/serving-ca";
const TRUSTED_ANNOTATION = "snapshot-retainer.io/trusted-cas";

/** Where the Leases are, and whose is ours. */
export interface ReplicaLeasesOptions {
  readonly rest: Rest;
  readonly namespace: string;
  /** Unique to this process; also the name of its Lease. */
  readonly identity: string;
  readonly leaseMs: number;
  /** A monotonic clock in milliseconds. */
  readonly clock: () => number;
  readonly now: () => Date;
}

/** What the replicas say of themselves. */
export interface ReplicaLeases {
  /** Says what this replica serves and trusts, and gives what every live replica says, this one among them. */
  exchange(own: Replica): Promise<readonly Replica[]>;
  /** Takes this replica's Lease away, as far as that is possible within two seconds. */
  withdraw(): Promise<void>;
}

const ReplicaLease = z.object({
  metadata: z.object({
    name: z.string(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({ renewTime: z.string().nullish(), leaseDurationSeconds: z.number().nullish() }).default({}),
});
type ReplicaLease = z.infer<typeof ReplicaLease>;

const ReplicaLeaseList = z.object({ items: z.array(ReplicaLease) });

/** A Lease that nobody has renewed for this many of its durations was left behind by a replica that was killed. */
const LEFT_BEHIND = 10;

/**
 * Creates the Leases' keeper. Whether a replica lives is measured by when its Lease was last seen to change, on our own
 * clock: the times in it are of another machine's.
 */
export function createReplicaLeases(options: ReplicaLeasesOptions): ReplicaLeases {
  const ages = createAges(options);
  const lease = createOwnLease(options);
  return {
    async exchange(own) {
      await lease.say(own);
      const found = await readAll(options);
      const aged = ages.of(found);
      await removeLeftBehind(options, aged);
      const others = aged
        .filter(
          ({ lease: { metadata }, ageMs }) => metadata.name !== options.identity && ageMs < options.leaseMs,
        )
        .map(({ lease: { metadata } }) => toReplica(metadata));
      return [own, ...others];
    },
    withdraw: () => lease.withdraw(),
  };
}

/** Gives what of a Lease is news to others: not that it was renewed. */
export function newsOf(lease: unknown): string | undefined {
  const read = ReplicaLease.safeParse(lease);
  return read.success ? JSON.stringify(read.data.metadata.annotations) : undefined;
}

/** Where the Leases of a namespace are. */
export function leasesPath(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
}

interface Aged {
  readonly lease: ReplicaLease;
  readonly ageMs: number;
}

interface Ages {
  of(leases: readonly ReplicaLease[]): Aged[];
}

function createAges({ clock, leaseMs }: ReplicaLeasesOptions): Ages {
  let seen = new Map<string, { readonly version: string; readonly at: number }>();
  let lookedAt = -Infinity;
  return {
    of(leases) {
      const now = clock();
      // Who did not look for long, as while the API server was away, cannot tell who was silent meanwhile.
      const isBlind = now - lookedAt > leaseMs / 2;
      lookedAt = now;
      const before = isBlind ? new Map<string, never>() : seen;
      seen = new Map(
        leases.map(({ metadata: { name, resourceVersion: version } }) => {
          const known = before.get(name);
          return [name, known?.version === version ? known : { version, at: now }];
        }),
      );
      return leases.map((lease) => ({ lease, ageMs: now - (seen.get(lease.metadata.name)?.at ?? now) }));
    },
  };
}

interface OwnLease {
  say(own: Replica): Promise<void>;
  withdraw(): Promise<void>;
}

function createOwnLease({ rest, namespace, identity, leaseMs, clock, now }: ReplicaLeasesOptions): OwnLease {
  const path = leasesPath(namespace);
  let said: { readonly text: string; readonly at: number } | undefined;
  return {
    async say(own) {
      const text = JSON.stringify(own);
      if (said?.text === text && clock() - said.at < leaseMs / 4) return;
      const body = leaseOf(own, { namespace, leaseMs, at: now() });
      await explained("write", async () => {
        try {
          const contentType = "application/merge-patch+json";
          await rest.call("PATCH", `${path}/${identity}`, { body, contentType });
        } catch (error) {
          if (statusOf(error) !== 404) throw error;
          await rest.call("POST", path, { body });
        }
      });
      said = { text, at: clock() };
    },
    async withdraw() {
      if (said === undefined) return;
      // Left where it is, it lapses by itself.
      await rest
        .call("DELETE", `${path}/${identity}`, { signal: AbortSignal.timeout(2_000) })
        .catch(() => undefined);
    },
  };
}

function leaseOf(
  { identity, certificate, ca, trusts }: Replica,
  { namespace, leaseMs, at }: { namespace: string; leaseMs: number; at: Date },
): object {
  const labels = {
    "app.kubernetes.io/name": "snapshot-retainer",
    "velero.io/exclude-from-backup": "true",
    [SERVING_LABEL]: "true",
  };
  const annotations = {
    [CERTIFICATE_ANNOTATION]: certificate ?? "",
    [CA_ANNOTATION]: ca ?? "",
    [TRUSTED_ANNOTATION]: trusts.join(","),
  };
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: identity, namespace, labels, annotations },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseMs / 1000),
      renewTime: microTime(at),
    },
  };
}

function toReplica({ name, annotations }: ReplicaLease["metadata"]): Replica {
  return {
    identity: name,
    certificate: presentIn(annotations, CERTIFICATE_ANNOTATION),
    ca: presentIn(annotations, CA_ANNOTATION),
    trusts: presentIn(annotations, TRUSTED_ANNOTATION)?.split(",") ?? [],
  };
}

function presentIn(annotations: Readonly<Record<string, string>>, key: string): string | undefined {
  const value = annotations[key] ?? "";
  return value === "" ? undefined : value;
}

async function readAll({ rest, namespace }: ReplicaLeasesOptions): Promise<readonly ReplicaLease[]> {
  const query = `labelSelector=${encodeURIComponent(`${SERVING_LABEL}=true`)}`;
  return explained(
    "list",
    async () => ReplicaLeaseList.parse(await rest.call("GET", `${leasesPath(namespace)}?${query}`)).items,
  );
}

async function removeLeftBehind(
  { rest, namespace, leaseMs }: ReplicaLeasesOptions,
  aged: readonly Aged[],
): Promise<void> {
  for (const { lease, ageMs } of aged) {
    if (ageMs < LEFT_BEHIND * leaseMs) continue;
    const { name, resourceVersion } = lease.metadata;
    // Another replica may be faster, or its owner alive again: both are well.
    await rest
      .call("DELETE", `${leasesPath(namespace)}/${name}`, { body: { preconditions: { resourceVersion } } })
      .catch(() => undefined);
  }
}

async function explained<T>(verb: "write" | "list", request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (cause) {
    const remedy =
      statusOf(cause) === 403
        ? "grant the ServiceAccount get, list, watch, create, patch and delete on Leases, as the chart's Role does"
        : "it will be tried again";
    const reason = describeFailure(cause);
    throw new Error(
      `cannot ${verb} the Leases by which replicas confirm certificates: ${reason}; ${remedy}`,
      {
        cause,
      },
    );
  }
}
