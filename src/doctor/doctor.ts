import { readWorld } from "../plan/collections.ts";
import { readCluster } from "../plan/from-cluster.ts";
import { messageOf } from "../log.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { RetentionPolicy as Policy } from "../policy/schema.ts";
import { decide } from "../retention/decide.ts";
import { rememberDocuments, UNVERIFIED } from "../retention/documents.ts";
import { checkAdmission } from "./admission.ts";
import { checkApiServer, checkCrds } from "./api-server.ts";
import { checkController } from "./controller.ts";
import { createFindings } from "./finding.ts";
import type { Finding, Setting } from "./finding.ts";
import { checkPolicy } from "./policy.ts";
import { checkRights } from "./rights.ts";
import { judgeStorage } from "./storage.ts";
import { checkVelero } from "./velero.ts";
import { goTo, judgeWay } from "./way.ts";
import { checkConfigurations, checkReplicas } from "./webhook.ts";

/** How to look beyond the API server. */
export interface DoctorOptions extends Setting {
  /** Whether this runs in a Pod of the cluster. */
  readonly inCluster: boolean;
}

/**
 * Goes the whole way from the API server to the storage, in the order in which one fault hides the next, and tells each finding as
 * it comes. Changes nothing. What this user may not look at is a finding, too.
 */
export async function* examine(options: DoctorOptions): AsyncGenerator<Finding> {
  const server = await checkApiServer(options);
  yield* server;
  if (server.some(({ status }) => status === "failed")) {
    return;
  }
  const crds = await attempt("CRDs", async () => checkCrds(options));
  yield* crds;
  const { policy, findings } = await checkPolicy(options).catch((error: unknown) => ({
    policy: undefined,
    findings: [notSeen("policy", error)],
  }));
  yield* findings;
  // What does not depend on the policy is looked at by its defaults.
  const known = policy ?? DEFAULT;
  yield* await attempt("Velero", async () => checkVelero(options, known.velero.namespaces));
  yield* examineWay(options);
  yield* await attempt("rights", async () => checkRights(options, known));
  yield* await attempt("controller", async () => checkController(options));
  yield* await attempt("admission", async () => checkAdmission(options, known));
  if (crds.every(({ status }) => status === "ok")) {
    yield* await attempt("storage", async () => examineStorage(options, known));
  }
}

const DEFAULT: RetentionPolicy = Policy.parse({
  apiVersion: "snapshot-retainer.io/v1alpha1",
  kind: "RetentionPolicy",
});

async function* examineWay(options: DoctorOptions): AsyncGenerator<Finding> {
  const { target, findings } = await checkConfigurations(options).catch((error: unknown) => ({
    target: undefined,
    findings: [notSeen("configuration", error)],
  }));
  yield* findings;
  if (target !== undefined) {
    yield* await attempt("replicas", async () => checkReplicas(options, target));
    const { inCluster, now } = options;
    yield* judgeWay({ target, way: await goTo(target), inCluster, now: now() });
  }
}

async function examineStorage({ rest, now }: Setting, policy: RetentionPolicy): Promise<Finding[]> {
  const world = await readWorld(readCluster(rest), rememberDocuments(UNVERIFIED));
  return judgeStorage(world, decide(world, policy, now()));
}

async function attempt(check: string, look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await look();
  } catch (error) {
    return [notSeen(check, error)];
  }
}

function notSeen(check: string, error: unknown): Finding {
  return createFindings(check).warning(
    `could not be looked at: ${messageOf(error)}`,
    "docs/command-line.md has the rights that this needs",
  );
}
