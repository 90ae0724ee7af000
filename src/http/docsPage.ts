import { createHash } from 'node:crypto';
import type { OpenApiDocument } from './openapi.ts';

/** The documentation as one page: no script, nothing from elsewhere. */

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; text-transform: capitalize; }
details { border: 1px solid #8884; border-radius: .5rem; margin: .5rem 0; padding: .5rem .75rem; }
summary { cursor: pointer; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; background: #8881; padding: .75rem; border-radius: .5rem; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; text-transform: uppercase; }
.who { float: right; opacity: .7; font-size: .875rem; }
`;

/** Lets the page have its own style and nothing else. */
export const DOCS_POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

type Operation = NonNullable<NonNullable<OpenApiDocument['paths']>[string]['get']>;

export function docsPage(document: OpenApiDocument): string {
  const byTag = new Map<string, string[]>();
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    for (const method of METHODS) {
      const operation = item[method];
      if (operation === undefined) continue;
      const tag = operation.tags?.[0] ?? 'other';
      byTag.set(tag, [...(byTag.get(tag) ?? []), operationHtml(method, path, operation)]);
    }
  }
  const sections = [...byTag].map(([tag, operations]) => `<h2>${escaped(tag)}</h2>${operations.join('')}`);
  const schemas = Object.entries(document.components?.schemas ?? {}).map(
    ([name, schema]) =>
      `<details id="${escaped(name)}"><summary><code>${escaped(name)}</code></summary>${pre(schema)}</details>`,
  );
  const title = `${escaped(document.info.title)} ${escaped(document.info.version)}`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title><style>${STYLE}</style></head><body>
<h1>${title}</h1>
<p>Generated from the routes as they are served: <a href="/api/v1/openapi.json">openapi.json</a>. What the rooms say over
WebSockets: <a href="/api/v1/asyncapi.json">asyncapi.json</a>.</p>
${sections.join('\n')}
<h2>Schemas</h2>${schemas.join('\n')}
</body></html>`;
}

function operationHtml(method: string, path: string, operation: Operation): string {
  const [needed] = operation.security ?? [];
  const who =
    needed === undefined ? 'anyone' : (needed.bearer ?? []).includes('admin') ? 'admins' : 'signed in';
  const parts = [
    operation.description === undefined ? '' : `<p>${escaped(operation.description)}</p>`,
    operation.parameters === undefined ? '' : `<h4>Parameters</h4>${pre(operation.parameters)}`,
    operation.requestBody === undefined ? '' : `<h4>Body</h4>${pre(operation.requestBody)}`,
    `<h4>Answers</h4>${pre(operation.responses)}`,
  ];
  return `<details><summary><span class="who">${who}</span><span class="method">${method}</span> <code>${escaped(path)}</code>
<div>${escaped(operation.summary ?? '')}</div></summary>${parts.join('')}</details>`;
}

/** Names of schemas in the JSON lead to them. */
function pre(value: unknown): string {
  const text = escaped(JSON.stringify(value, null, 2));
  return `<pre>${text.replace(/#\/components\/schemas\/(\w+)/g, '<a href="#$1">$1</a>')}</pre>`;
}

function escaped(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
