import {
  inspectCertificate,
  isKeyOf,
  isTrustedBy,
  splitCertificates,
  type CertificateFacts,
} from "./inspect.ts";
import { missingNames } from "./names.ts";
import { isDueForRenewal, isExpired, isNotYetValid } from "./validity.ts";

/** What the Secret holds, each in PEM. `caCert` is a bundle: the CA that `caKey` belongs to, then older ones. */
export interface Held {
  readonly caCert?: string | undefined;
  readonly caKey?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Everything the decision rests on. A rotation in two phases adds what each replica serves and what is published. */
export interface Situation {
  readonly held: Held | undefined;
  readonly names: readonly string[];
  readonly now: Date;
}

/** Why something must be done. */
type RotationReason =
  | "SecretAbsent"
  | "CaUnreadable"
  | "CaNotRsa"
  | "CaKeyMismatch"
  | "CaExpired"
  | "CaNotYetValid"
  | "CaExpiring"
  | "ServingUnreadable"
  | "ServingKeyMismatch"
  | "ServingExpired"
  | "ServingNotYetValid"
  | "ServingUntrusted"
  | "ServingLacksName"
  | "ServingExpiring";

/**
 * What must be done next. `createAll` begins anew; `renewCa` puts a new CA before the old ones, which stay trusted;
 * `reissueServing` signs a new serving certificate for `names` with the first CA.
 */
export type Decision =
  | { readonly kind: "nothing" }
  | {
      readonly kind: "createAll" | "renewCa" | "reissueServing";
      readonly reason: RotationReason;
      readonly message: string;
      readonly names: readonly string[];
    };

interface Facts extends Situation {
  readonly held: Held;
  readonly ca: CertificateFacts | undefined;
  readonly serving: CertificateFacts | undefined;
}

type Action = Exclude<Decision, { kind: "nothing" }>;

/** A check leaves the names out where they are the wanted ones. */
type Check = (facts: Facts) => (Omit<Action, "names"> & Partial<Pick<Action, "names">>) | undefined;

/** In order: a serving certificate is only worth a look once the CA it hangs on is sound. */
const CHECKS: readonly Check[] = [
  caUnreadable,
  caKeyMismatch,
  caOutOfDate,
  caExpiring,
  servingUnreadable,
  servingOutOfDate,
  servingUntrusted,
  servingLacksName,
  servingExpiring,
];

/** Decides the one next thing to do; deciding again on its result ends in `nothing`. */
export function decideRotation(situation: Situation): Decision {
  const { held, names } = situation;
  if (held === undefined) {
    return { kind: "createAll", reason: "SecretAbsent", message: "the Secret does not exist yet", names };
  }
  const facts = {
    ...situation,
    held,
    ca: inspectCertificate(held.caCert),
    serving: inspectCertificate(held.cert),
  };
  for (const check of CHECKS) {
    const decision = check(facts);
    if (decision !== undefined) return { names, ...decision };
  }
  return { kind: "nothing" };
}

/** Says whether what the Secret holds can be served at this time, be it due for renewal or not. */
export function isServable(held: Held | undefined, now: Date): boolean {
  if (held?.cert === undefined || !isKeyOf(held.cert, held.key)) return false;
  return isTrustedBy(held.cert, held.caCert, now);
}

/** Gives the CAs that clients shall trust: each readable CA of the Secret that has not expired, once, the first first. */
export function bundleOf(held: Held | undefined, now: Date): string {
  const bundle = new Map<string, string>();
  for (const pem of splitCertificates(held?.caCert)) {
    const facts = inspectCertificate(pem);
    if (facts?.isCa === true && !isExpired(facts, now)) bundle.set(facts.fingerprint, pem);
  }
  return [...bundle.values()].join("");
}

function caUnreadable({ ca, held }: Facts): ReturnType<Check> {
  if (ca?.isCa !== true) {
    const found = held.caCert === undefined ? "has no ca.crt" : "holds a ca.crt that is not a CA certificate";
    return { kind: "createAll", reason: "CaUnreadable", message: `the Secret ${found}` };
  }
  // node-forge, which encodes what we issue, knows RSA only.
  if (ca.keyType !== "rsa") {
    const message = `the CA in the Secret has a key of type ${ca.keyType}, and only RSA can be issued from`;
    return { kind: "renewCa", reason: "CaNotRsa", message };
  }
  return undefined;
}

function caKeyMismatch({ held }: Facts): ReturnType<Check> {
  if (isKeyOf(held.caCert, held.caKey)) return undefined;
  const found =
    held.caKey === undefined ? "has no ca.key" : "holds a ca.key that does not belong to its ca.crt";
  return { kind: "renewCa", reason: "CaKeyMismatch", message: `the Secret ${found}` };
}

function caOutOfDate({ ca, now }: Facts): ReturnType<Check> {
  if (ca === undefined) return undefined;
  if (isExpired(ca, now)) {
    const message = `the CA expired at ${ca.notAfter.toISOString()}`;
    return { kind: "renewCa", reason: "CaExpired", message };
  }
  if (isNotYetValid(ca, now)) {
    const message = `the CA is valid from ${ca.notBefore.toISOString()} only: the clock that issued it was ahead`;
    return { kind: "renewCa", reason: "CaNotYetValid", message };
  }
  return undefined;
}

function caExpiring({ ca, now }: Facts): ReturnType<Check> {
  if (ca === undefined || !isDueForRenewal(ca, now)) return undefined;
  const message = `two thirds of the CA's life have passed; it expires at ${ca.notAfter.toISOString()}`;
  return { kind: "renewCa", reason: "CaExpiring", message };
}

function servingUnreadable({ serving, held }: Facts): ReturnType<Check> {
  if (serving === undefined) {
    const found = held.cert === undefined ? "has no tls.crt" : "holds a tls.crt that is not a certificate";
    return { kind: "reissueServing", reason: "ServingUnreadable", message: `the Secret ${found}` };
  }
  if (isKeyOf(held.cert, held.key)) return undefined;
  const found =
    held.key === undefined ? "has no tls.key" : "holds a tls.key that does not belong to its tls.crt";
  return { kind: "reissueServing", reason: "ServingKeyMismatch", message: `the Secret ${found}` };
}

function servingOutOfDate({ serving, now }: Facts): ReturnType<Check> {
  if (serving === undefined) return undefined;
  if (isExpired(serving, now)) {
    const message = `the serving certificate expired at ${serving.notAfter.toISOString()}`;
    return { kind: "reissueServing", reason: "ServingExpired", message };
  }
  if (isNotYetValid(serving, now)) {
    const from = serving.notBefore.toISOString();
    const message = `the serving certificate is valid from ${from} only: the clock that issued it was ahead`;
    return { kind: "reissueServing", reason: "ServingNotYetValid", message };
  }
  return undefined;
}

/** Any CA of the bundle will do: after a renewal the old CA's serving certificate is served until its own time comes. */
function servingUntrusted({ held, now }: Facts): ReturnType<Check> {
  if (held.cert !== undefined && isTrustedBy(held.cert, held.caCert, now)) return undefined;
  const message = "no CA in the Secret's ca.crt signed the serving certificate";
  return { kind: "reissueServing", reason: "ServingUntrusted", message };
}

/**
 * Names that are no longer wanted stay until the next renewal, and are even issued for again: while an upgrade runs, the
 * old replicas want the old names and the new ones the new, and neither must undo the other's work.
 */
function servingLacksName({ serving, names }: Facts): ReturnType<Check> {
  if (serving === undefined) return undefined;
  const lacking = missingNames(names, serving.names);
  if (lacking.length === 0) return undefined;
  const message = `the serving certificate is for ${serving.names.join(", ")} and not for ${lacking.join(", ")}`;
  return {
    kind: "reissueServing",
    reason: "ServingLacksName",
    message,
    names: [...serving.names, ...lacking],
  };
}

function servingExpiring({ serving, now }: Facts): ReturnType<Check> {
  if (serving === undefined || !isDueForRenewal(serving, now)) return undefined;
  const expiry = serving.notAfter.toISOString();
  const message = `two thirds of the serving certificate's life have passed; it expires at ${expiry}`;
  return { kind: "reissueServing", reason: "ServingExpiring", message };
}
