/** The few pages there are: plain text in plain HTML, with no script and nothing from elsewhere. */
import type { Response } from 'express'
import { sha256Bytes } from '../domain/digest.ts'

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}
code,td:first-child{font-family:ui-monospace,monospace}td{padding:.2rem 1rem .2rem 0;vertical-align:top}`

const CSP = [
  ...["default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  `style-src 'sha256-${sha256Bytes(STYLE).toString('base64')}'`,
].join('; ')

/** @param body HTML already; text goes through `text` first */
export function sendPage(res: Response, title: string, body: string): void {
  sendMade(res, madePage(title, body))
}

/** A page that is sent again and again: made once. */
export function madePage(title: string, body: string): Buffer {
  return Buffer.from(
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${text(title)}</title>` +
      `<style>${STYLE}</style></head><body><h1>${text(title)}</h1>${body}</body></html>`,
  )
}

export function sendMade(res: Response, page: Buffer): void {
  res.set('Content-Security-Policy', CSP).set('Cache-Control', 'public, max-age=300')
  res.type('html').send(page)
}

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
}

export const text = (raw: string) => raw.replace(/[&<>"']/g, (it) => ENTITIES[it] ?? it)
