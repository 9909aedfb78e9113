import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createContentsByHandle, createFinder } from "../../src/controller/find.ts";
import type { ContentsByHandle } from "../../src/controller/find.ts";
import { createHeldObjects } from "../../src/kube/held-objects.ts";
import type { HeldObjects } from "../../src/kube/held-objects.ts";
import type { Metadata } from "../../src/kube/objects.ts";
import { decide } from "../../src/retention/decide.ts";
import type { VolumeSnapshotContent } from "../../src/retention/objects.ts";
import type { Finder } from "../../src/retention/relations.ts";
import type { World } from "../../src/retention/world.ts";
import { someHistory, somePolicy } from "../builders/history.ts";
import { aPolicy } from "../builders/policy.ts";
import { aWorld, retained } from "../builders/world.ts";

/** What the watch tells between two worlds. */
function tell(handles: ContentsByHandle, before: World | undefined, now: World): void {
  const [old, current] = [before?.contents ?? [], now.contents];
  const gone = old.filter((content) => !current.includes(content));
  for (const content of current.filter((one) => !old.includes(one))) {
    const at = gone.findIndex(({ metadata }) => metadata.name === content.metadata.name);
    handles.update(content, at < 0 ? undefined : gone.splice(at, 1)[0]);
  }
  for (const content of gone) handles.update(undefined, content);
}

function held<T extends { readonly metadata: Metadata }>(objects: readonly T[]): HeldObjects<T> {
  const all = createHeldObjects<T>();
  for (const object of objects) all.put(object.metadata, object);
  return all;
}

function finderIn(world: World, handles: ContentsByHandle): Finder {
  const { contents, snapshots, dataUploads, claims, volumes } = world;
  const caches = {
    contents: held(contents),
    snapshots: held(snapshots),
    dataUploads: held(dataUploads),
    claims: held(claims),
    volumes: held(volumes),
  };
  return createFinder(caches, handles);
}

describe("finding by what the caches hold", () => {
  test("never makes it another plan", () => {
    fc.assert(
      fc.property(someHistory, somePolicy, (history, given) => {
        const handles = createContentsByHandle();
        const policy = aPolicy(given);
        let before: World | undefined;
        for (const { world, now } of history) {
          tell(handles, before, world);
          before = world;
          const find = finderIn(world, handles);
          assert.deepEqual(decide(world, policy, now, { find }), decide(world, policy, now));
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("contents by the snapshot that they stand for", () => {
  const [first, second] = aWorld(retained("one", "1d"), retained("two", "1d")).contents.map((content) =>
    withHandle(content, "shared"),
  );
  assert.ok(first !== undefined && second !== undefined);

  function withHandle(content: VolumeSnapshotContent, handle: string | undefined): VolumeSnapshotContent {
    const { status, spec } = content;
    return {
      ...content,
      spec: { ...spec, source: handle === undefined ? {} : { snapshotHandle: handle } },
      status: { ...status, snapshotHandle: handle },
    };
  }

  test("are all of them, until each has gone", () => {
    const handles = createContentsByHandle();
    handles.update(first, undefined);
    handles.update(second, undefined);
    assert.deepEqual(handles.contentsOf(first.spec.driver, "shared"), [first, second]);
    handles.update(undefined, first);
    assert.deepEqual(handles.contentsOf(first.spec.driver, "shared"), [second]);
    handles.update(undefined, second);
    assert.deepEqual(handles.contentsOf(first.spec.driver, "shared"), []);
  });

  test("move when their handle comes to be known", () => {
    const handles = createContentsByHandle();
    const unknown = withHandle(first, undefined);
    handles.update(unknown, undefined);
    assert.deepEqual(handles.contentsOf(first.spec.driver, ""), [unknown]);
    handles.update(first, unknown);
    assert.deepEqual(handles.contentsOf(first.spec.driver, ""), []);
    assert.deepEqual(handles.contentsOf(first.spec.driver, "shared"), [first]);
  });

  test("are not those of another driver", () => {
    const handles = createContentsByHandle();
    handles.update(first, undefined);
    assert.deepEqual(handles.contentsOf("another.csi.driver", "shared"), []);
  });
});
