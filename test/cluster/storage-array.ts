import * as z from "zod";

const Operation = z.object({
  at: z.string(),
  operation: z.enum(["CreateVolume", "DeleteVolume", "CreateSnapshot", "DeleteSnapshot", "LoseSnapshot"]),
  id: z.string().optional(),
  name: z.string().optional(),
  volume: z.string().optional(),
  /** The snapshot or volume that a volume was made from. */
  source: z.string().optional(),
  reason: z.string().optional(),
});

const ArrayState = z.object({
  driver: z.string(),
  limit: z.number(),
  volumes: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      capacityBytes: z.number(),
      /** The snapshot or volume that it was made from. */
      source: z.string().optional(),
      created: z.string(),
    }),
  ),
  snapshots: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      sourceVolume: z.string(),
      sizeBytes: z.number(),
      created: z.string(),
      ready: z.boolean(),
    }),
  ),
  refused: z.number(),
  refusals: z.array(Operation),
  log: z.array(Operation),
});

/** What an array holds, and what it has done and refused. */
type ArrayState = z.infer<typeof ArrayState>;

/** What goes wrong when a volume is made from a snapshot. */
export type Fault =
  /** It fails with this gRPC code, this often where `times` is given, else always. */
  | { readonly code: "INTERNAL" | "RESOURCE_EXHAUSTED" | "NOT_FOUND"; readonly times?: number }
  /** It takes for ever: until the fault is removed. */
  | { readonly hold: true };

/** A storage array, asked directly and not by way of the API server. */
export interface StorageArray {
  readonly driver: string;
  /** The StorageClasses whose volumes it makes. */
  readonly classNames: readonly string[];
  /** Where it shows itself, and takes the changes below. */
  readonly url: string;
  /** Where it speaks CSI. */
  readonly socket: string;
  state(): Promise<ArrayState>;
  /** Changes how many snapshots a volume may have; it holds from the next request on. */
  setLimit(limit: number): Promise<void>;
  /** From now on this goes wrong with volumes that are made from the snapshot; undefined removes the fault. */
  setFault(snapshot: string, fault: Fault | undefined): Promise<void>;
  /** Says whether volumes can be made from a snapshot yet. */
  setReady(snapshot: string, ready: boolean): Promise<void>;
  /** Forgets a snapshot without anybody having asked for it. */
  lose(snapshot: string): Promise<void>;
}

/** The array behind the address. */
export function createArray(
  place: Pick<StorageArray, "driver" | "classNames" | "url" | "socket">,
): StorageArray {
  const { url } = place;
  async function change(method: "PUT" | "DELETE", path: string, body?: object): Promise<void> {
    const given = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${url}${path}`, { method, ...given });
    if (!response.ok) throw new Error(`the array did not take ${method} ${path}: ${await response.text()}`);
  }
  return {
    ...place,
    state: async () => {
      const response = await fetch(`${url}/state`);
      return ArrayState.parse(await response.json());
    },
    setLimit: async (limit) => change("PUT", "/limit", { limit }),
    setFault: async (snapshot, fault) =>
      fault === undefined
        ? change("DELETE", `/snapshots/${snapshot}/fault`)
        : change("PUT", `/snapshots/${snapshot}/fault`, { message: "a test wants it so", ...fault }),
    setReady: async (snapshot, ready) => change("PUT", `/snapshots/${snapshot}/ready`, { ready }),
    lose: async (snapshot) => change("DELETE", `/snapshots/${snapshot}`),
  };
}
