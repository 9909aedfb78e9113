import type { Metadata } from "./objects.ts";

/** Objects by namespace and name. Maps in maps: a joined key would be one more string for each object. */
export interface HeldObjects<T> {
  get(namespace: string, name: string): T | undefined;
  /** Takes the place of the one of this name; undefined removes it. Returns what was there. */
  put(metadata: Pick<Metadata, "namespace" | "name">, object: T | undefined): T | undefined;
  values(): IterableIterator<T>;
}

/** No objects yet. */
export function createHeldObjects<T>(): HeldObjects<T> {
  const namespaces = new Map<string, Map<string, T>>();
  return {
    get: (namespace, name) => namespaces.get(namespace)?.get(name),
    put({ namespace = "", name = "" }, object) {
      const before = namespaces.get(namespace)?.get(name);
      if (object !== undefined) {
        const held = namespaces.get(namespace) ?? new Map<string, T>();
        namespaces.set(namespace, held.set(name, object));
      } else if (before !== undefined) {
        namespaces.get(namespace)?.delete(name);
      }
      return before;
    },
    *values() {
      for (const held of namespaces.values()) yield* held.values();
    },
  };
}
