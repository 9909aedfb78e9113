import { stripVTControlCharacters } from "node:util";

/** One command of a terminal session, and what came of it. */
export interface Exchange {
  readonly command: string;
  readonly output: string;
}

const LINE = 19;
const CHARACTER = 8.43;
const MARGIN = 16;

/** A session as a picture for a README: the commands in bold, and what they said. Lines beyond `columns` are cut. */
export function renderSession(session: readonly Exchange[], columns: number): string {
  const lines = session.flatMap(({ command, output }, index) => [
    ...(index === 0 ? [] : [""]),
    `$ ${command}`,
    ...stripVTControlCharacters(output).trimEnd().split("\n"),
  ]);
  const texts = lines.map((line, index) => {
    const cut = line.length > columns ? `${line.slice(0, columns - 1)}…` : line;
    const style = cut.startsWith("$ ") ? ' class="command"' : "";
    return `<text x="${MARGIN}" y="${MARGIN + (index + 1) * LINE - 5}"${style} xml:space="preserve">${escape(cut)}</text>`;
  });
  const width = Math.ceil(columns * CHARACTER + 2 * MARGIN);
  const height = lines.length * LINE + 2 * MARGIN;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">
<style>text{font:14px ui-monospace,Menlo,Consolas,monospace;fill:#e6edf3}.command{fill:#79c0ff;font-weight:700}</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${texts.join("\n")}
</svg>
`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
