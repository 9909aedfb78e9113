import { casOf, isServable, nextCaOf, type Ca, type Held } from "./bundle.ts";
import { missingConfirmations, type Published, type Replica } from "./confirmation.ts";
import { inspectCertificate, isTrustedBy, type CertificateFacts } from "./inspect.ts";
import type { Pace } from "./pace.ts";
import { servingProblem, signerProblem, type Problem } from "./rotation-problems.ts";
import { isDueForRenewal, issuedAt } from "./validity.ts";

/** Everything the decision rests on. */
export interface Situation {
  /** What the Secret holds; undefined where there is none. */
  readonly held: Held | undefined;
  /** What this replica serves from its memory. */
  readonly serving: Held | undefined;
  readonly names: readonly string[];
  readonly published: Published;
  /** The live replicas, this one among them. */
  readonly replicas: readonly Replica[];
  readonly pace: Pace;
  /** How long the Secret has trusted exactly these CAs. */
  readonly phaseMs: number;
  /** How long all that is published and said has been exactly this. */
  readonly steadyMs: number;
  readonly now: Date;
}

/**
 * What must be done next.
 *
 * `createAll` begins anew, `restore` puts back what this replica still serves, `addCa` adds a CA that shall sign next,
 * `switchCa` lets it sign (`late` have not confirmed it), `reissueServing` signs a new serving certificate for `names`,
 * `dropCas` keeps no more than the CAs in `keep`. `wait` writes nothing, for want of `replicas`.
 */
export type Decision =
  | { readonly kind: "nothing" }
  | ({ readonly kind: "wait"; readonly replicas: readonly string[] } & Problem)
  | Action;

/** A decision to write. */
export type Action =
  | ({ readonly kind: "createAll" | "restore" | "addCa" } & Problem)
  | ({ readonly kind: "switchCa"; readonly late: readonly string[] } & Problem)
  | ({ readonly kind: "reissueServing"; readonly names: readonly string[] } & Problem)
  | ({ readonly kind: "dropCas"; readonly keep: readonly string[] } & Problem);

interface Facts extends Situation {
  readonly held: Held;
  readonly ca: CertificateFacts;
  readonly serving: Held | undefined;
  readonly next: Ca | undefined;
  /** CAs that neither sign nor shall sign next. */
  readonly old: readonly Ca[];
}

type Check = (facts: Facts) => Decision | undefined;

/**
 * In order. A CA that is ready to sign comes first, since it cures whatever ails the one before it; a CA that is only due
 * comes last, when nothing of an earlier rotation is left.
 */
const CHECKS: readonly Check[] = [nextReady, signerUnusable, servingUnsound, oldUnused, caExpiring, waiting];

/** Decides the one next thing to do; deciding again on its result ends in `nothing` or `wait`. */
export function decideRotation(situation: Situation): Decision {
  const { held, now } = situation;
  const ca = inspectCertificate(held?.caCert);
  if (held === undefined || ca?.isCa !== true) return begin(situation);
  const next = nextCaOf(held, now);
  const others = [ca.fingerprint, next?.facts.fingerprint];
  const old = casOf(held.caCert, now).filter(({ facts }) => !others.includes(facts.fingerprint));
  const facts = { ...situation, held, ca, next, old };
  for (const check of CHECKS) {
    const decision = check(facts);
    if (decision !== undefined) return decision;
  }
  return { kind: "nothing" };
}

/**
 * Without a CA in the Secret. Whoever still serves a certificate that is trusted puts it back, and a rotation follows, so that
 * no call fails; only where nobody does is there nothing to lose.
 */
function begin({ held, serving, replicas, phaseMs, pace, now }: Situation): Decision {
  const found = held?.caCert === undefined ? "has no ca.crt" : "holds a ca.crt that is not a CA certificate";
  const problem: Problem =
    held === undefined
      ? { reason: "SecretAbsent", message: "the Secret does not exist" }
      : { reason: "CaUnreadable", message: `the Secret ${found}` };
  if (isServable(serving, now)) return { kind: "restore", ...problem };
  const others = replicas
    .filter(({ certificate }) => certificate !== undefined)
    .map(({ identity }) => identity);
  if (others.length === 0 || phaseMs >= pace.confirmWithinMs) return { kind: "createAll", ...problem };
  const message = `${problem.message}; ${others.join(", ")} still has a certificate and will put it back`;
  return { kind: "wait", replicas: others, reason: problem.reason, message };
}

/**
 * | what is held can be served | all webhooks carry it | all replicas confirm | then                             |
 * | -------------------------- | --------------------- | -------------------- | -------------------------------- |
 * | no                         | any                   | any                  | switch: there is nothing to lose |
 * | yes                        | no                    | any                  | wait                             |
 * | yes                        | yes                   | yes                  | switch, once that has settled    |
 * | yes                        | yes                   | no                   | wait; switch after the deadline  |
 */
function nextReady(facts: Facts): Decision | undefined {
  const { next, held, phaseMs, pace, now } = facts;
  if (next === undefined) return undefined;
  if (!isServable(held, now)) {
    const message = "nothing that is held can be served, so there is nobody to wait for";
    return { kind: "switchCa", late: [], reason: "NothingServable", message };
  }
  const { unpublished, replicas } = missingConfirmations(next.facts.fingerprint, facts);
  if (unpublished) return undefined;
  if (replicas.length === 0 && hasSettled(facts)) {
    const message = "every webhook and every replica trusts the next CA";
    return { kind: "switchCa", late: [], reason: "NextCaConfirmed", message };
  }
  if (replicas.length > 0 && phaseMs >= pace.confirmWithinMs) {
    const message = `${replicas.join(", ")} did not confirm the next CA within ${String(pace.confirmWithinMs / 1000)} s`;
    return { kind: "switchCa", late: replicas, reason: "ConfirmationLate", message };
  }
  return undefined;
}

/** Replicas that come and go all the time (a crash loop) must not keep a rotation from going on. */
function hasSettled({ steadyMs, phaseMs, pace }: Facts): boolean {
  return steadyMs >= pace.settleMs || phaseMs >= pace.confirmWithinMs;
}

function signerUnusable({ held, ca, next, now }: Facts): Decision | undefined {
  const problem = next === undefined ? signerProblem(held, ca, now) : undefined;
  return problem && { kind: "addCa", ...problem };
}

/** A CA that cannot sign has no say here: the next one will sign for everything that is wanted. */
function servingUnsound({ held, ca, names, now }: Facts): Decision | undefined {
  if (signerProblem(held, ca, now) !== undefined) return undefined;
  const problem = servingProblem(held, names, now);
  return problem && { kind: "reissueServing", ...problem };
}

/** An old CA goes when nothing that it signed is held or served any more, by whoever is alive. */
function oldUnused(facts: Facts): Decision | undefined {
  const { held, ca, next, old, replicas, phaseMs, pace, now } = facts;
  if (!hasSettled(facts) || phaseMs < pace.keepOldMs) return undefined;
  const unused = old.filter(({ pem, facts: { fingerprint } }) => {
    const isHeld = held.cert !== undefined && isTrustedBy(held.cert, pem, now);
    return !isHeld && replicas.every((replica) => replica.ca !== fingerprint);
  });
  if (unused.length === 0) return undefined;
  const kept = old.filter((other) => !unused.includes(other)).map(({ facts }) => facts.fingerprint);
  const keep = [ca.fingerprint, ...kept, ...(next === undefined ? [] : [next.facts.fingerprint])];
  const subjects = unused.map(({ facts }) => facts.subject).join(", ");
  return {
    kind: "dropCas",
    keep,
    reason: "OldCaUnused",
    message: `nobody serves under ${subjects} any more`,
  };
}

function caExpiring({ ca, next, old, pace, now }: Facts): Decision | undefined {
  if (next !== undefined || old.length > 0) return undefined;
  const every = pace.rotateEveryMs;
  if (every !== undefined && now.getTime() >= issuedAt(ca).getTime() + every) {
    const message = `the CA is renewed every ${String(every / 1000)} s`;
    return { kind: "addCa", reason: "CaExpiring", message };
  }
  if (!isDueForRenewal(ca, now)) return undefined;
  const message = `two thirds of the CA's life have passed; it expires at ${ca.notAfter.toISOString()}`;
  return { kind: "addCa", reason: "CaExpiring", message };
}

function waiting(facts: Facts): Decision | undefined {
  const { next, old, replicas } = facts;
  if (next !== undefined) {
    const { unpublished, replicas: missing } = missingConfirmations(next.facts.fingerprint, facts);
    const message = unpublished
      ? "the next CA signs once every webhook carries it"
      : `the next CA signs once every replica has confirmed it; missing: ${missing.join(", ") || "none"}`;
    return { kind: "wait", replicas: missing, reason: "NextCaUnconfirmed", message };
  }
  if (old.length === 0) return undefined;
  const fingerprints = old.map(({ facts: { fingerprint } }) => fingerprint);
  const late = replicas
    .filter(({ ca }) => ca !== undefined && fingerprints.includes(ca))
    .map(({ identity }) => identity);
  const message = `an old CA stays trusted; replicas that serve under it: ${late.join(", ") || "none"}`;
  return { kind: "wait", replicas: late, reason: "OldCaInUse", message };
}
