import * as z from "zod";

/** An object as the API server stores it. */
export const StoredObject = z.looseObject({ metadata: z.looseObject({}), spec: z.looseObject({}) });
export type StoredObject = z.infer<typeof StoredObject>;

/** The store beneath an API server, by etcd's own gateway for JSON. */
export interface Etcd {
  read(key: string): Promise<StoredObject>;
  putAll(objects: readonly (readonly [string, StoredObject])[]): Promise<void>;
}

/** What one transaction may hold by etcd's default. */
const AT_ONCE = 128;
/** Transactions under way: what one is written for, others are read for. */
const PARALLEL = 3;

const Range = z.object({ kvs: z.tuple([z.object({ value: z.string() })]) });

/** Talks to the etcd at this address. */
export function createEtcd(address: string): Etcd {
  async function call(path: string, body: object): Promise<unknown> {
    const response = await fetch(`${address}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`etcd: ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }
  return {
    async read(key) {
      const { kvs } = Range.parse(await call("range", { key: coded(key) }));
      return StoredObject.parse(JSON.parse(Buffer.from(kvs[0].value, "base64").toString()));
    },
    async putAll(objects) {
      let next = 0;
      async function work(): Promise<void> {
        for (let begun = next; begun < objects.length; begun = next) {
          next += AT_ONCE;
          const success = objects.slice(begun, begun + AT_ONCE).map(([key, value]) => ({
            requestPut: { key: coded(key), value: coded(JSON.stringify(value)) },
          }));
          await call("txn", { success });
        }
      }
      await Promise.all(Array.from({ length: PARALLEL }, work));
    },
  };
}

function coded(text: string): string {
  return Buffer.from(text).toString("base64");
}
