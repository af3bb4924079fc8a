import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** Beside the bundle in a deployment (`infra/code.ts` puts them there), in the package where the code runs as it is. */
const folder = import.meta.url.endsWith('/index.mjs')
  ? new URL('./', import.meta.url)
  : new URL('../../node_modules/swagger-ui-dist/', import.meta.url)

/** Swagger UI's own files that the page loads. */
export const pageFiles = ['swagger-ui-bundle.js', 'swagger-ui.css'] as const

const mediaTypes = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8' } as const

/** What the page starts with; a file of its own, so that no inline script need be allowed. */
const start = `window.onload = () => {
  SwaggerUIBundle({
    url: '../openapi.json',
    dom_id: '#page',
    deepLinking: true,
    tryItOutEnabled: false,
    validatorUrl: null,
  })
}
`

const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<body>
<div id="page"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
`

/** Nothing from anywhere else, nothing inline but the styles that the library sets, no frame around it. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const secure = {
  'content-security-policy': contentSecurityPolicy,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

export const apiPage = () => ({ mediaType: 'text/html; charset=utf-8', content: html, headers: secure })

const read = new Map<string, string>()

/** Undefined for a name that is not the page's. */
export function apiPageFile(name: string) {
  const content = name === 'start.js' ? start : isPageFile(name) ? fileText(name) : undefined
  if (content === undefined) return undefined
  const mediaType = name.endsWith('.css') ? mediaTypes.css : mediaTypes.js
  return { mediaType, content, headers: { ...secure, 'cache-control': 'public, max-age=86400' } }
}

const isPageFile = (name: string): name is (typeof pageFiles)[number] => pageFiles.some((each) => each === name)

function fileText(name: (typeof pageFiles)[number]): string {
  const text = read.get(name) ?? readFileSync(fileURLToPath(new URL(name, folder)), 'utf8')
  read.set(name, text)
  return text
}
