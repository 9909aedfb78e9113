import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KubeConfig } from "@kubernetes/client-node";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { startCache } from "../../src/kube/cache.ts";
import type { Cache } from "../../src/kube/cache.ts";
import { AnyObject, valueOf } from "../../src/kube/objects.ts";
import { ApiError, createRest } from "../../src/kube/rest.ts";
import { createApi } from "./api.ts";
import type { Api, Ref } from "./api.ts";
import { eventually } from "./eventually.ts";
import { startProxy } from "./proxy.ts";
import type { Proxy } from "./proxy.ts";

const { binaries, skip } = await availableBinaries("demo");

describe("a cache of a real API server", { skip, timeout: 120_000 }, () => {
  const over = new AbortController();
  let cluster: Cluster;
  let api: Api;
  let cache: Cache<AnyObject>;
  const changes: string[] = [];
  /** Paths from which it read everything that is there. */
  const beginnings: string[] = [];
  const proxies: Proxy[] = [];

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    api = await createApi(cluster);
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(cluster.kubeconfig);
    const rest = createRest(kubeConfig);
    cache = startCache<AnyObject>({
      rest: {
        ...rest,
        async stream(path, options) {
          if (path.includes("sendInitialEvents")) beginnings.push(path);
          return rest.stream(path, options);
        },
      },
      path: "/api/v1/namespaces/default/configmaps",
      // Stands for what a newer API may bring: an object that cannot be read.
      trim: (object) => {
        const { data } = AnyObject.safeParse(object);
        return valueOf(data?.metadata.labels, "readable") === "yes" ? data : undefined;
      },
      onChange: (now, old) => {
        changes.push(`${old?.metadata.name ?? "-"} → ${now?.metadata.name ?? "-"}`);
      },
      onError: () => undefined,
      signal: over.signal,
    });
    await eventually("it is synced and watching", () => assert.ok(cache.synced() && cache.watching()));
  });
  after(async () => {
    over.abort();
    await Promise.all(proxies.map(async (proxy) => proxy.stop()));
    await cluster.stop();
  });

  function aConfigMap(name: string, readable: string): Ref & { metadata: object } {
    const metadata = { name, namespace: "default", labels: { readable } };
    return { apiVersion: "v1", kind: "ConfigMap", metadata };
  }

  test("an object that can no longer be read leaves it, and comes back when it can", async () => {
    await api.create(aConfigMap("one", "yes"));
    await eventually("it is cached", () => assert.ok(cache.get("default", "one")));

    await api.patch(aConfigMap("one", "yes"), { metadata: { labels: { readable: "no" } } });
    await eventually("it is not cached", () => assert.equal(cache.get("default", "one"), undefined));

    await api.patch(aConfigMap("one", "yes"), { metadata: { labels: { readable: "yes" } } });
    await eventually("it is cached again", () => assert.ok(cache.get("default", "one")));
    assert.deepEqual(changes.splice(0), ["- → one", "one → -", "- → one"]);
  });

  test("an object that was never read makes no noise, nor does its end", async () => {
    await api.create(aConfigMap("never", "no"));
    await api.remove(aConfigMap("never", "no"));
    await api.create(aConfigMap("later", "yes"));
    await eventually("a later one is cached", () => assert.ok(cache.get("default", "later")));
    assert.deepEqual(changes.splice(0), ["- → later"]);
  });

  test("it says that it gets no changes while the API server is away, and catches up", async () => {
    const begun = beginnings.length;
    await cluster.stopComponent("kube-apiserver");
    await eventually("it is not watching", () => assert.equal(cache.watching(), false));
    await cluster.startComponent("kube-apiserver");
    await eventually("it is watching again", () => assert.equal(cache.watching(), true));
    await api.create(aConfigMap("after", "yes"));
    await eventually("it is cached", () => assert.ok(cache.get("default", "after")));
    // A server that has just started has forgotten the version (410): one new beginning, and no storm of them.
    assert.ok(beginnings.length - begun <= 1, beginnings.join("\n"));
  });

  test("it keeps what it has and hears what changed while the connection was cut", async () => {
    const heard: string[] = [];
    const proxy = await aProxy();
    const cut = startCache<AnyObject>({
      rest: createRest(kubeConfigOf(proxy.server)),
      path: "/api/v1/namespaces/default/configmaps",
      trim: (object) => AnyObject.safeParse(object).data,
      onChange: (now, old) => {
        heard.push(`${old?.metadata.name ?? "-"} → ${now?.metadata.name ?? "-"}`);
      },
      onError: () => undefined,
      signal: over.signal,
    });
    await eventually("it is watching", () => assert.ok(cut.watching()));
    heard.splice(0);
    proxy.cut();
    await eventually("it is not watching", () => assert.equal(cut.watching(), false));
    await api.create(aConfigMap("meanwhile", "yes"));
    await api.remove(aConfigMap("later", "yes"));
    assert.ok(cut.get("default", "later"));
    proxy.mend();
    await eventually("it is watching again", () => assert.ok(cut.watching()));
    await eventually("it has heard of both", () =>
      assert.deepEqual(heard.toSorted(), ["- → meanwhile", "later → -"]),
    );
  });

  test("what went while the API server forgot the version is gone, too", async () => {
    await api.create(aConfigMap("goes", "yes"));
    await eventually("it is cached", () => assert.ok(cache.get("default", "goes")));
    const proxy = await aProxy();
    const forgetful = createRest(kubeConfigOf(proxy.server));
    const held: string[] = [];
    const gone: string[] = [];
    let isExpired = false;
    const late = startCache<AnyObject>({
      rest: {
        ...forgetful,
        async stream(path, options) {
          if (isExpired && !path.includes("sendInitialEvents")) throw new ApiError(410, "too old");
          return forgetful.stream(path, options);
        },
      },
      path: "/api/v1/namespaces/default/configmaps",
      trim: (object) => AnyObject.safeParse(object).data,
      onChange(now, old) {
        if (now === undefined) gone.push(old?.metadata.name ?? "");
        else held.push(now.metadata.name ?? "");
      },
      onError: () => undefined,
      signal: over.signal,
    });
    await eventually("it is watching", () => assert.ok(late.watching()));
    assert.ok(held.includes("goes"));
    isExpired = true;
    proxy.cut();
    await api.remove(aConfigMap("goes", "yes"));
    held.splice(0);
    proxy.mend();
    await eventually("it is gone", () => assert.deepEqual(gone, ["goes"]));
    // What is as it was makes no noise.
    assert.deepEqual(held, []);
    assert.ok(late.watching());
  });

  test("a beginning that breaks off is begun again, and leaves nothing out", async () => {
    const names = Array.from({ length: 40 }, (_, index) => `many-${index}`);
    for (const name of names) await api.create(aConfigMap(name, "yes"));
    const rest = createRest(kubeConfigOf(cluster.server));
    let begun = 0;
    const broken = startCache<AnyObject>({
      rest: {
        ...rest,
        async stream(path, options) {
          let lines = 0;
          begun += 1;
          const first = begun === 1;
          return rest.stream(path, {
            ...options,
            onLine(line) {
              if (first && ++lines > 10) throw new Error("broken off");
              options.onLine(line);
            },
          });
        },
      },
      path: "/api/v1/namespaces/default/configmaps",
      trim: (object) => AnyObject.safeParse(object).data,
      onError: () => undefined,
      signal: over.signal,
    });
    await eventually("it is synced", () => assert.ok(broken.synced() && broken.watching()));
    assert.equal(begun, 2);
    assert.deepEqual(
      names.filter((name) => broken.get("default", name) === undefined),
      [],
    );
  });

  test("a list that is never answered is given up, and asked for again", async () => {
    const proxy = await aProxy();
    proxy.swallow();
    const errors: unknown[] = [];
    const late = startCache<AnyObject>({
      rest: createRest(kubeConfigOf(proxy.server)),
      path: "/api/v1/namespaces/default/configmaps",
      patienceMs: 500,
      trim: (object) => AnyObject.safeParse(object).data,
      onError: (error) => errors.push(error),
      signal: over.signal,
    });
    await eventually("it has given up twice", () => assert.ok(errors.length >= 2));
    assert.equal(late.synced(), false);
    proxy.mend();
    await eventually("it is synced", () => assert.ok(late.synced() && late.watching()));
  });

  test("an API server that is slow is asked once, however long it takes", async () => {
    const proxy = await aProxy();
    const slowFor = proxy.slow();
    const patienceMs = 1_500;
    const paths: string[] = [];
    const errors: unknown[] = [];
    const rest = createRest(kubeConfigOf(proxy.server));
    const patient = startCache<AnyObject>({
      rest: {
        ...rest,
        async stream(path, options) {
          paths.push(path);
          return rest.stream(path, options);
        },
      },
      path: "/api/v1/namespaces/default/configmaps",
      patienceMs,
      trim: (object) => AnyObject.safeParse(object).data,
      onError: (error) => errors.push(error),
      signal: over.signal,
    });
    await eventually("it is synced", () => assert.ok(patient.synced() && patient.watching()), 60_000);
    assert.ok(slowFor() > patienceMs, "not slow enough to tell");
    assert.deepEqual([paths.length, errors], [1, []]);
    const all = await api.list("v1", "ConfigMap");
    const names = all
      .filter(({ metadata }) => metadata.namespace === "default")
      .map(({ metadata }) => metadata.name);
    assert.deepEqual(new Set([...patient.values()].map(({ metadata }) => metadata.name)), new Set(names));
  });

  async function aProxy(): Promise<Proxy> {
    const proxy = await startProxy(cluster.server);
    proxies.push(proxy);
    return proxy;
  }

  function kubeConfigOf(server: string): KubeConfig {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(cluster.kubeconfig);
    kubeConfig.clusters = kubeConfig.clusters.map((each) => ({ ...each, server }));
    return kubeConfig;
  }
});
