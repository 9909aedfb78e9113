import type { Metadata } from "../kube/objects.ts";

/** The next thing to do in a restore. Each may be done twice, and is decided anew after each. */
export type Step =
  /** Nothing until something changes; `until`: when time alone makes it worth a look (milliseconds since 1970). */
  | { readonly kind: "wait"; readonly what: string; readonly until?: number }
  /** Tell everybody that it has begun. */
  | { readonly kind: "accept" }
  /** Make the content and the VolumeSnapshot through which the retained snapshot is read. */
  | { readonly kind: "expose"; readonly objects: readonly NewObject[]; readonly retained?: Metadata }
  | { readonly kind: "provision"; readonly claim: NewObject }
  /** Ask the provisioner's Events why there is no volume yet; hand back where it failed. */
  | { readonly kind: "inquire"; readonly claim: Metadata }
  /** From here on there is no way back. */
  | { readonly kind: "commit"; readonly volume: string }
  /** Keep the volume whatever becomes of the claim that it was made for. */
  | { readonly kind: "hold"; readonly volume: Metadata; readonly reclaimPolicy: string }
  | { readonly kind: "detach"; readonly claim: Metadata }
  /** Reserve the volume for the target. */
  | {
      readonly kind: "reserve";
      readonly volume: Metadata;
      readonly target: Metadata;
      readonly labels: Readonly<Record<string, string>>;
    }
  | { readonly kind: "bind"; readonly target: Metadata; readonly volume: string }
  /** Give the bound volume its own reclaim policy back. */
  | Unhold
  | { readonly kind: "complete"; readonly bytes: number }
  | { readonly kind: "hand_back"; readonly reason: string }
  | { readonly kind: "cancel" }
  | { readonly kind: "fail"; readonly message: string };

/** A volume that is bound, or that is to go with what it was made for. */
export interface Unhold {
  readonly kind: "unhold";
  readonly volume: Metadata;
  readonly reclaimPolicy: string;
}

/** An object to be created: its manifest, by the resource that it is of. */
export interface NewObject {
  readonly resource: "volumesnapshotcontents" | "volumesnapshots" | "persistentvolumeclaims";
  readonly manifest: Readonly<Record<string, unknown>>;
}
