import type { Plugin } from 'vite';

/** Directives that browsers ignore in a document; servers send them as headers. */
const HEADER_ONLY = /^(frame-ancestors|report-uri|sandbox)\b/;

/** Puts the content security policy into the built page, so that it holds on any static host. While developing, Vite's own inline scripts need to run. */
export function policyInPage(policy: string): Plugin {
  const content = policy
    .split('; ')
    .filter((directive) => !HEADER_ONLY.test(directive))
    .join('; ');
  return {
    name: 'espalier:policy-in-page',
    apply: 'build',
    transformIndexHtml: () => [
      { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content }, injectTo: 'head-prepend' },
    ],
  };
}
