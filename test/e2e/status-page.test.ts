import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import chromium from "@sparticuz/chromium";
import puppeteer from "puppeteer-core";
import type { Browser, Page, SerializedAXNode } from "puppeteer-core";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { findPorts } from "../cluster/ports.ts";
import type { Api } from "./api.ts";
import { backUp, createVolume, snapshotsOf, somebodyLeads, startScene } from "./controller-scene.ts";
import type { Volume } from "./controller-scene.ts";
import { eventually } from "./eventually.ts";
import { beginBackup } from "./play.ts";
import type { Product } from "./product.ts";
import { aContent } from "./velero.ts";

const { binaries, skip } = await availableBinaries("demo");
const POLICY = { snapshotsToRetain: 3, ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } } };

/** `SCREENSHOTS=docs/images` keeps what the page looks like there. */
const SCREENSHOTS = process.env["SCREENSHOTS"];

describe("the status page in a browser", { skip, timeout: 300_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;
  let browser: Browser;
  let page: Page;
  let address = "";
  let data: Volume;
  const problems: string[] = [];

  before(async () => {
    ({ cluster, api, product } = await startScene(binaries, POLICY));
    const [port = 0] = await findPorts(1);
    address = `http://localhost:${port}/`;
    await (await product.startController({ flags: ["--status-port", String(port)] })).ready();
    await somebodyLeads(product);
    data = await createVolume(api, "data");
    const logs = await createVolume(api, "logs");
    const kept = [
      await backUp(api, data, "nightly-1"),
      await backUp(api, data, "nightly-2"),
      await backUp(api, logs, "weekly-1"),
    ];
    await api.patch(aContent(kept[0]?.upload.metadata.name ?? ""), {
      metadata: { labels: { "snapshot-retainer.io/pin": "true" } },
    });
    await beginBackup(api, "nightly-3", data.claim);
    browser = await puppeteer.launch({
      executablePath: await chromium.executablePath(),
      args: [...chromium.args, "--no-sandbox"],
      headless: "shell",
    });
    page = await browser.newPage();
    await page.setViewport({ width: 1100, height: 700 });
    page.on("console", (message) => void problems.push(message.text()));
    page.on("pageerror", (error) => void problems.push(String(error)));
    page.on("requestfailed", (request) => void problems.push(request.url()));
  });
  after(async () => {
    await browser.close();
    await product.stop();
    await cluster.stop();
  });

  /** What an expression gives in the page: the tests know nothing of a browser's types. */
  async function evaluate<T>(expression: string, schema: z.ZodType<T>): Promise<T> {
    return schema.parse(await page.evaluate(expression));
  }

  async function texts(selector: string): Promise<string[]> {
    const all = `[...document.querySelectorAll(${JSON.stringify(selector)})]`;
    return evaluate(`${all}.map((found) => found.textContent.trim())`, z.array(z.string()));
  }

  async function picture(name: string): Promise<void> {
    if (SCREENSHOTS !== undefined) await page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });
  }

  test("shows what the array holds", async () => {
    await eventually("the page shows the pin", async () => {
      await page.goto(address);
      assert.deepEqual(await texts("article h3"), ["shop/data", "shop/logs"]);
      const [first = ""] = await texts("article p");
      assert.match(
        first,
        /^2 retained, 1 pinned; limit 3: the policy's snapshotsToRetain; next to go: nightly-2-/,
      );
    });
    const marks = ["kept", "pinned", "flight"].map((kind) => `article:first-of-type svg .${kind}`).join(",");
    const count = await evaluate(`document.querySelectorAll("${marks}").length`, z.number());
    assert.equal(count, (await snapshotsOf(cluster, data)).length);
    await picture("status-page");
  });

  test("is found out by keyboard alone", async () => {
    await page.goto(address);
    await page.keyboard.press("Tab");
    assert.equal(await evaluate(FOCUSED, z.string()), "Skip to the volumes");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.match(await evaluate(FOCUSED, z.string()), /3 snapshots of shop\/data/);
    await page.keyboard.press("Enter");
    assert.equal(await evaluate(`document.querySelector("details").open`, z.boolean()), true);
    await picture("status-page-open");
  });

  test("filters, by a form without scripts", async () => {
    await page.setJavaScriptEnabled(false);
    await page.goto(address);
    await page.type("input[name=text]", "logs");
    await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
    assert.match(page.url(), /text=logs/);
    const html = await page.content();
    assert.ok(html.includes("<h3>shop/logs</h3>") && !html.includes("<h3>shop/data</h3>"));
    await page.setJavaScriptEnabled(true);
  });

  test("has a name for everything that a screen reader meets", async () => {
    await page.goto(address);
    const tree = await page.accessibility.snapshot({ interestingOnly: true });
    const all = nodesOf(tree);
    const roles = new Set(["img", "combobox", "searchbox", "checkbox", "button", "link", "heading"]);
    const nameless = all.filter(({ role, name = "" }) => roles.has(role) && name === "");
    assert.deepEqual(nameless, []);
    assert.ok(
      all.some(({ name = "" }) =>
        name.startsWith("3 snapshots, 2 retained, 1 pinned; next to go: nightly-2-"),
      ),
    );
  });

  test("is readable in the dark as well", async () => {
    for (const value of ["light", "dark"]) {
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value }]);
      await page.goto(address);
      const style =
        "const { color, backgroundColor } = getComputedStyle(document.body); [color, backgroundColor]";
      const [ink, paper] = await evaluate(style, z.array(z.string()));
      assert.ok(contrast(ink ?? "", paper ?? "") > 7, `${value}: ${ink} on ${paper}`);
      await picture(`status-page-${value}`);
    }
  });

  test("asks for nothing else, and the browser finds no fault", () => {
    assert.deepEqual(
      problems.filter((text) => !text.includes("favicon")),
      [],
    );
  });
});

const FOCUSED = "document.activeElement.textContent";

function nodesOf(node: SerializedAXNode | null): SerializedAXNode[] {
  return node === null ? [] : [node, ...(node.children ?? []).flatMap(nodesOf)];
}

/** By WCAG 2: 4.5 is wanted for text, 7 for the careful. */
function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].toSorted((one, other) => other - one);
  return (high + 0.05) / (low + 0.05);
}

function luminance(color: string): number {
  const [r = 0, g = 0, b = 0] = (color.match(/\d+/g) ?? []).map((text) => {
    const part = Number(text) / 255;
    return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
