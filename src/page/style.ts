import { createHash } from "node:crypto";
import type { Html } from "./html.ts";

const CSS = `:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#57606a;--line:#d0d7de;--kept:#1a7f37;--pin:#0550ae;--go:#b42318;--flight:#7d4e00;--warn:#fff4e5}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;--soft:#9da7b3;--line:#3d444d;--kept:#4cc264;--pin:#79b8ff;--go:#ff8a80;--flight:#e3b341;--warn:#2d2206}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:0 auto;padding:1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.15rem}h3{font-size:1rem;margin:0}p{margin:.25rem 0}header p,.span,footer{color:var(--soft)}
.skip{position:absolute;left:-99rem}.skip:focus{left:1rem;background:var(--paper)}
:focus-visible{outline:2px solid var(--pin);outline-offset:2px}
form{display:flex;flex-wrap:wrap;gap:1rem;align-items:end;border-block:1px solid var(--line);padding:.75rem 0;margin:.75rem 0}
select,input,button{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--soft);border-radius:4px;padding:.2rem .5rem}
label{display:flex;flex-direction:column;font-size:.85rem;color:var(--soft)}label.check{flex-direction:row;gap:.4rem}
.problems{background:var(--warn);border-left:4px solid var(--go);padding:.25rem 1rem}.problem{color:var(--go)}
.span{display:flex;justify-content:space-between;font-size:.85rem}
article{border-bottom:1px solid var(--line);padding:.6rem 0;content-visibility:auto;contain-intrinsic-size:auto 7rem}
svg{width:100%;height:auto;display:block}.axis{stroke:var(--line)}.tick{stroke:var(--soft);stroke-opacity:.55}
.kept{fill:var(--kept)}.pinned{fill:var(--pin)}.flight{fill:none;stroke:var(--flight);stroke-width:2}.going{stroke:var(--go);stroke-width:2.5;fill:none}.next{stroke:var(--go);stroke-width:2}
.k{display:inline-block;width:.7rem;height:.7rem;margin:0 .1rem 0 .8rem}.k.kept{background:var(--kept);border-radius:50%}.k.pinned{background:var(--pin)}.k.flight{border:2px solid var(--flight);border-radius:50%;box-sizing:border-box}.k.going{background:linear-gradient(45deg,transparent 42%,var(--go) 42% 58%,transparent 58%),linear-gradient(-45deg,transparent 42%,var(--go) 42% 58%,transparent 58%)}.k.tick{width:2px;background:var(--soft)}
summary{cursor:pointer;font-size:.85rem;color:var(--soft)}table{border-collapse:collapse;font-size:.85rem;width:100%}th,td{text-align:left;padding:.15rem .5rem;border-bottom:1px solid var(--line);overflow-wrap:anywhere}th[scope=row]{font-weight:400}thead th{white-space:nowrap}
nav a,nav span{padding:.2rem .4rem}a{color:var(--pin)}`;

/** The page's only style; it holds nothing that came from outside. */
export const STYLE: Html = { text: CSS };

/** What a browser may load: this style, and nothing else. */
export const CONTENT_SECURITY_POLICY = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(CSS).digest("base64")}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;
