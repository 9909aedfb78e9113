import { formatDuration } from "../policy/duration.ts";
import { markup } from "./html.ts";
import type { Html } from "./html.ts";
import { STYLE } from "./style.ts";
import { spanOf, timeline } from "./timeline.ts";
import type { Span } from "./timeline.ts";
import { choicesOf, select } from "./view.ts";
import type { Filters, PageView, Shown } from "./view.ts";

/** The whole page, as HTML without anything from elsewhere; works without scripts. */
export function renderPage(view: PageView, filters: Filters): string {
  const { report, now, leads } = view;
  const { found, pages, shown } = select(view, filters);
  const span = spanOf(shown, now);
  const all = report.volumes.flatMap(({ snapshots }) => snapshots);
  const retained = all.filter(({ state, decision }) => state === "retained" && decision === "kept").length;
  return markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>Snapshot Retainer: ${retained} snapshots retained</title>
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <style>${STYLE}</style>
      </head>
      <body>
        <a class="skip" href="#volumes">Skip to the volumes</a>
        <header>
          <h1>Snapshot Retainer</h1>
          <p>
            ${retained} snapshots of ${report.volumes.length} volumes are retained. Policy: ${report.policy},
            mode ${report.mode}. Planned at ${report.now} by a controller that ${leads ? "leads" : "stands by"}.
          </p>
        </header>
        ${problems(view)} ${form(view, filters)}
        <main id="volumes" tabindex="-1">
          <h2>${found} volumes</h2>
          <p class="span">
            <span>${new Date(span.from).toISOString().slice(0, 16)}Z</span>
            <span class="legend">
              <i class="k kept"></i> retained <i class="k pinned"></i> pinned <i class="k flight"></i> on its way
              <i class="k going"></i> goes <i class="k tick"></i> backup
            </span>
            <span>now</span>
          </p>
          ${shown.map((one) => renderVolume(one, span, now))}
          ${found === 0 ? markup`<p>No volume is like that.</p>` : undefined} ${paging(filters, pages)}
        </main>
        <footer>
          <p>
            Read-only. <code>snapshot-retainer explain NAME</code> tells more of each,
            <code>snapshot-retainer pin</code> keeps one.
          </p>
        </footer>
      </body>
    </html>`.text;
}

function problems({ report }: PageView): Html | undefined {
  const warnings = report.notices;
  return warnings.length === 0
    ? undefined
    : markup`<section class="problems" aria-labelledby="look">
        <h2 id="look">To look at: ${warnings.length}</h2>
        <ul>
          ${warnings.slice(0, 20).map(({ reason, message }) => markup`<li><b>${reason}</b> ${message}</li>`)}
        </ul>
      </section>`;
}

function form(view: PageView, { namespace, driver, text, problems: only }: Filters): Html {
  const { namespaces, drivers } = choicesOf(view);
  return markup`<form method="get" action="/" role="search" aria-label="Volumes">
    <label>
      Namespace
      <select name="namespace">
        <option value="">all</option>
        ${options(namespaces, namespace)}
      </select>
    </label>
    <label>
      Driver
      <select name="driver">
        <option value="">all</option>
        ${options(drivers, driver)}
      </select>
    </label>
    <label>Name <input name="text" type="search" value="${text}"></label>
    <label class="check">
      <input name="problems" type="checkbox" value="1" ${only ? "checked" : ""}> only with problems
    </label>
    <button>Show</button>
  </form>`;
}

function options(values: readonly string[], chosen: string): Html[] {
  return values.map(
    (value) => markup`<option value="${value}" ${value === chosen ? "selected" : ""}>${value}</option>`,
  );
}

function renderVolume(shown: Shown, span: Span, now: number): Html {
  const { volume, status, problems: found } = shown;
  const limit = status.limit === null ? "no limit known" : `limit ${status.limit}: ${status.limitReason}`;
  const next =
    status.next === undefined ? status.nextReason : `next to go: ${status.next}, ${status.nextReason}`;
  return markup`<article>
    <h3>${volume.volume}</h3>
    <p><b>${status.retained}</b> retained${status.pins > 0 ? `, ${status.pins} pinned` : ""}; ${limit}; ${next}</p>
    ${found.map((problem) => markup`<p class="problem">${problem}</p>`)} ${timeline(shown, span)}
    <details>
      <summary>${volume.snapshots.length} snapshots of ${volume.volume}</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">Snapshot</th>
            <th scope="col">Backup</th>
            <th scope="col">Age</th>
            <th scope="col">State</th>
            <th scope="col">Decision</th>
            <th scope="col">Why</th>
          </tr>
        </thead>
        <tbody>
          ${volume.snapshots.map(
            ({ name, backup, takenAt, state, pinned, decision, message }) =>
              markup`<tr>
                <th scope="row">${name}</th>
                <td>${backup}</td>
                <td>${takenAt === undefined ? "" : formatDuration(now - Date.parse(takenAt))}</td>
                <td>${state}${pinned ? ", pinned" : ""}</td>
                <td>${decision}</td>
                <td>${message}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </details>
  </article>`;
}

function paging(filters: Filters, pages: number): Html | undefined {
  if (pages === 1) {
    return undefined;
  }
  const numbers = Array.from({ length: pages }, (_, index) => index + 1);
  return markup`<nav aria-label="Pages">
    ${numbers.map((page) =>
      page === Math.min(filters.page, pages)
        ? markup`<span aria-current="page">${page}</span> `
        : markup`<a href="${addressOf(filters, page)}">${page}</a> `,
    )}
  </nav>`;
}

function addressOf({ namespace, driver, text, problems: only }: Filters, page: number): string {
  const query = new URLSearchParams({
    namespace,
    driver,
    text,
    ...(only ? { problems: "1" } : {}),
    page: String(page),
  });
  return `/?${query.toString()}`;
}
