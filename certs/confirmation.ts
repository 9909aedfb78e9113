import { casOf } from "./bundle.ts";

/** What a replica says of itself. */
export interface Replica {
  readonly identity: string;
  /** Fingerprint of the certificate that it serves; undefined while it serves none. */
  readonly certificate: string | undefined;
  /** Fingerprint of the CA that signed that certificate. */
  readonly ca: string | undefined;
  /** Fingerprints of the CAs that it found in every webhook of every configuration. */
  readonly trusts: readonly string[];
}

/** What the caBundle of each webhook of each configuration holds, as it was read back; undefined where there is none. */
export type Published = readonly (string | undefined)[];

/** Who has not said yet that a CA is trusted. */
export interface Missing {
  /** Some webhook does not carry it, as this replica itself has read. */
  readonly unpublished: boolean;
  /** Live replicas that have not read it everywhere. */
  readonly replicas: readonly string[];
}

/** Gives the fingerprints of the CAs that every webhook carries; undefined where there is no webhook to carry any. */
export function publishedCas(published: Published, now: Date): readonly string[] | undefined {
  const [first, ...others] = [...new Set(published)].map((bundle) =>
    casOf(bundle, now).map(({ facts }) => facts.fingerprint),
  );
  return first?.filter((fingerprint) => others.every((other) => other.includes(fingerprint)));
}

/** Tells who has not confirmed a CA. A configuration that does not exist has nobody to disappoint. */
export function missingConfirmations(
  fingerprint: string,
  { published, replicas, now }: { published: Published; replicas: readonly Replica[]; now: Date },
): Missing {
  const everywhere = publishedCas(published, now);
  return {
    unpublished: everywhere !== undefined && !everywhere.includes(fingerprint),
    replicas: replicas.filter(({ trusts }) => !trusts.includes(fingerprint)).map(({ identity }) => identity),
  };
}
