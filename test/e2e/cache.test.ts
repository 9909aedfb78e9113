import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KubeConfig } from "@kubernetes/client-node";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { startCache } from "../../src/kube/cache.ts";
import type { Cache } from "../../src/kube/cache.ts";
import { AnyObject, valueOf } from "../../src/kube/objects.ts";
import { createRest } from "../../src/kube/rest.ts";
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
  /** Paths of the lists that it read. */
  const lists: string[] = [];
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
        async call(method, path, options) {
          lists.push(path);
          return rest.call(method, path, options);
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
    const listed = lists.length;
    await cluster.stopComponent("kube-apiserver");
    await eventually("it is not watching", () => assert.equal(cache.watching(), false));
    await cluster.startComponent("kube-apiserver");
    await eventually("it is watching again", () => assert.equal(cache.watching(), true));
    await api.create(aConfigMap("after", "yes"));
    await eventually("it is cached", () => assert.ok(cache.get("default", "after")));
    // A server that has just started has forgotten the version (410): one list, and no storm of them.
    assert.ok(lists.length - listed <= 1, lists.join("\n"));
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
