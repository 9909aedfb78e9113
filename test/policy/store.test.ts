import assert from "node:assert/strict";
import { test } from "node:test";
import { createPolicyStore } from "../../src/policy/store.ts";
import type { PolicyNews, PolicyStore } from "../../src/policy/store.ts";
import { aPolicyText } from "../builders/policy.ts";

const GOOD = aPolicyText("snapshotsToRetain: 3");
const BETTER = aPolicyText("snapshotsToRetain: 4");
const BAD = aPolicyText("snapshotsToRetain: many");

interface Offer {
  readonly text: string | undefined;
  /** Kind and message of the news; undefined where there is none. */
  readonly news?: readonly [PolicyNews["kind"], message?: string];
  /** The number in force afterwards. */
  readonly inForce?: number;
}

const cases: Record<string, readonly Offer[]> = {
  "has no policy before the first document": [],
  "takes a good document": [{ text: GOOD, news: ["loaded"], inForce: 3 }],
  "takes a better one at once": [
    { text: GOOD, news: ["loaded"], inForce: 3 },
    { text: BETTER, news: ["loaded"], inForce: 4 },
  ],
  "keeps the last good policy when a bad one comes": [
    { text: GOOD, news: ["loaded"], inForce: 3 },
    { text: BAD, news: ["invalid", `${sentence()}: the last good policy stays in force`], inForce: 3 },
    { text: BETTER, news: ["loaded"], inForce: 4 },
  ],
  "says that none is in force when the first one is bad": [
    { text: BAD, news: ["invalid", `${sentence()}: no policy is in force`] },
  ],
  "says that none is in force when there is no document": [
    {
      text: undefined,
      news: ["missing", `${missing()}: nothing is retained or labelled until there is one`],
    },
  ],
  "keeps the last good policy when its document is deleted": [
    { text: GOOD, news: ["loaded"], inForce: 3 },
    { text: undefined, news: ["missing", `${missing()}: the last good policy stays in force`], inForce: 3 },
    { text: GOOD, news: ["loaded"], inForce: 3 },
  ],
  "says nothing of the same text again": [
    { text: GOOD, news: ["loaded"], inForce: 3 },
    { text: GOOD, inForce: 3 },
    { text: BAD, news: ["invalid", `${sentence()}: the last good policy stays in force`], inForce: 3 },
    { text: BAD, inForce: 3 },
    { text: GOOD, news: ["loaded"], inForce: 3 },
  ],
  "says once that there is no document": [{ text: undefined, news: ["missing"] }, { text: undefined }],
};

for (const [name, offers] of Object.entries(cases)) {
  test(`the store ${name}`, () => {
    const news: PolicyNews[] = [];
    const store = createPolicyStore("ConfigMap ns/policy", (one) => news.push(one));
    assert.equal(store.current(), undefined);
    for (const offer of offers) {
      check(store, offer, news);
    }
  });
}

function check(store: PolicyStore, offer: Offer, news: PolicyNews[]): void {
  store.offer(offer.text);
  const one = news.shift();
  assert.equal(one?.kind, offer.news?.[0]);
  if (offer.news?.[1] !== undefined) {
    assert.equal(one !== undefined && "message" in one && one.message, offer.news[1]);
  }
  assert.equal(store.current()?.snapshotsToRetain, offer.inForce);
  assert.deepEqual(news, []);
}

function sentence(): string {
  return 'ConfigMap ns/policy: line 3: snapshotsToRetain: must be a whole number, found "many"';
}

function missing(): string {
  return "ConfigMap ns/policy does not exist or has no key policy.yaml";
}
