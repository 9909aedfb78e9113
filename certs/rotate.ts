import { bundleOf, isServable, signerOf, type Held } from "./bundle.ts";
import { publish, publishedOf, readConfigurations, type Reading } from "./configurations.ts";
import { publishedCas, type Published, type Replica } from "./confirmation.ts";
import { inspectCertificate } from "./inspect.ts";
import type { Pace } from "./pace.ts";
import type { ConfigurationRef } from "./publish.ts";
import { renew } from "./renew.ts";
import type { ReplicaLeases } from "./replica-leases.ts";
import { remember, servedOf, type RotationState } from "./rotation-state.ts";
import { decideRotation, type Action, type Decision } from "./rotation.ts";
import { readSecret, type SecretData, type SecretRef } from "./secret.ts";
import type { CertificateLog } from "./source.ts";

/** What taking the steps of a rotation works with. */
export interface RotateOptions extends Omit<SecretRef, "name" | "type"> {
  readonly secretName: string;
  readonly identity: string;
  readonly names: readonly string[];
  readonly configurations: readonly ConfigurationRef[];
  readonly pace: Pace;
  readonly leases: Pick<ReplicaLeases, "exchange">;
  readonly now: () => Date;
  readonly randomBytes: (size: number) => Buffer;
  readonly log: CertificateLog;
}

/**
 * A rotation that nobody else works on takes three writes to the Secret and two to each configuration for each of them. A
 * race that is lost means that another replica made progress; five replicas that start at once need fewer than thirty looks.
 */
const MAX_LOOKS = 50;

/** Looks at everything, and acts, until there is nothing to do but to wait; throws what is in the way in the end. */
export async function rotate(options: RotateOptions, state: RotationState): Promise<void> {
  for (let count = 0; count < MAX_LOOKS; count++) {
    const problems = await look(options, state);
    if (problems === undefined) continue;
    if (problems.length === 0) return;
    throw new AggregateError(problems, problems.map(({ message }) => message).join("; "));
  }
  const subject = `Secret ${options.namespace}/${options.secretName} and the webhook configurations`;
  throw new Error(`${subject} keep being changed meanwhile; is another controller writing them?`);
}

/**
 * One look, and at most one write to each object. Undefined when something was written, so that everything has to be read
 * again; else what was in the way. Configurations are read before the Secret and written on the version that was read: a
 * bundle that is written is then never older than the one that it takes the place of.
 */
async function look(options: RotateOptions, state: RotationState): Promise<readonly Error[] | undefined> {
  const { rest, namespace, secretName: name, log } = options;
  const readings = await readConfigurations(rest, options.configurations);
  const secret = await readSecret({ rest, namespace, name, type: "kubernetes.io/tls" });
  const held = secret.data === undefined ? undefined : toHeld(secret.data);
  const now = options.now();
  // Before anything is written: a pair that is due for renewal is served for as long as renewing fails.
  remember(state, { held, readings, now, log });
  const publishing = await publish(options, readings, bundleOf(held, now));
  if (publishing.changed) return undefined;
  const { decision, problems } = await decide(options, state, { held, readings, now });
  state.status = { ...state.status, waitingFor: decision.kind === "wait" ? decision.replicas.length : 0 };
  if (decision.kind === "nothing" || decision.kind === "wait") {
    return [...publishing.problems, ...problems];
  }
  report(options, state, decision);
  const { names, randomBytes } = options;
  const serving = servedOf(state);
  await secret.write(toData(await renew(decision, { held, serving, names, now, randomBytes })));
  return undefined;
}

interface Seen {
  readonly held: Held | undefined;
  readonly readings: readonly Reading[];
  readonly now: Date;
}

async function decide(
  options: RotateOptions,
  state: RotationState,
  { held, readings, now }: Seen,
): Promise<{ readonly decision: Decision; readonly problems: readonly Error[] }> {
  const { names, pace, identity } = options;
  const published = publishedOf(readings);
  const serving = servedOf(state);
  const own = { identity, ...describeOwn({ held, serving, published, now }) };
  const { replicas, problems } = await exchange(options, own);
  const phaseMs = state.phase.elapsed(JSON.stringify([held?.caCert, held?.nextKey !== undefined]));
  const steadyMs = state.steady.elapsed(JSON.stringify([held, published, replicas]));
  const situation = { held, serving, names, published, replicas, pace, phaseMs, steadyMs, now };
  return { decision: decideRotation(situation), problems };
}

function describeOwn({
  held,
  serving,
  published,
  now,
}: {
  readonly held: Held | undefined;
  readonly serving: Held | undefined;
  readonly published: Published;
  readonly now: Date;
}): Omit<Replica, "identity"> {
  const isServed = isServable(serving, now);
  return {
    certificate: isServed ? inspectCertificate(serving?.cert)?.fingerprint : undefined,
    ca: isServed ? signerOf(serving?.cert, serving?.caCert, now) : undefined,
    trusts: publishedCas(published, now) ?? publishedCas([held?.caCert], now) ?? [],
  };
}

/** Where nobody can be asked, somebody is taken to be there who has not confirmed. */
async function exchange(
  { leases }: RotateOptions,
  own: Replica,
): Promise<{ readonly replicas: readonly Replica[]; readonly problems: readonly Error[] }> {
  try {
    return { replicas: await leases.exchange(own), problems: [] };
  } catch (error) {
    const unseen = { identity: "replicas that cannot be seen", certificate: undefined, ca: undefined };
    const problem = error instanceof Error ? error : new Error(String(error));
    return { replicas: [own, { ...unseen, trusts: [] }], problems: [problem] };
  }
}

function report(
  { log, namespace, secretName: name }: RotateOptions,
  state: RotationState,
  decision: Action,
): void {
  const { kind, reason, message } = decision;
  const fields = { namespace, name, action: kind, reason, explanation: message };
  if (decision.kind !== "switchCa" || decision.late.length === 0) {
    log.info(fields, "renewing certificates");
    return;
  }
  state.status = { ...state.status, forced: state.status.forced + 1 };
  log.warn(fields, "renewing certificates without everybody's confirmation");
}

function toHeld(data: SecretData): Held {
  return {
    caCert: text(data["ca.crt"]),
    caKey: text(data["ca.key"]),
    nextKey: text(data["next.key"]),
    cert: text(data["tls.crt"]),
    key: text(data["tls.key"]),
  };
}

function toData({ caCert = "", caKey = "", nextKey = "", cert = "", key = "" }: Held): SecretData {
  return {
    "ca.crt": Buffer.from(caCert),
    "ca.key": Buffer.from(caKey),
    "next.key": Buffer.from(nextKey),
    "tls.crt": Buffer.from(cert),
    "tls.key": Buffer.from(key),
  };
}

/** An empty entry is as good as none: type kubernetes.io/tls demands that the entries exist. */
function text(value: Buffer | undefined): string | undefined {
  return value === undefined || value.length === 0 ? undefined : value.toString();
}
