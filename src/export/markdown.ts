import { dump } from 'js-yaml';

/** Text from elsewhere in a Markdown document: names and licences come from files of strangers. */

/** One line that Markdown and HTML show as it is. */
export function plainMarkdown(text: string): string {
  return oneLine(text).replace(/[\\`*_{}[\]<>()#+!|~&$]/g, '\\$&');
}

/** Code within a line. Backticks in it are fenced by longer ones. */
export function codeSpan(text: string): string {
  const line = oneLine(text);
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const space = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return `${fence}${space}${line}${space}${fence}`;
}

/** The front matter of a document, as model hubs read it. */
export function frontMatter(fields: Readonly<Record<string, unknown>>): string {
  return `---\n${dump(fields, { lineWidth: -1 })}---\n`;
}

/** Line ends, tabs and other control characters as spaces, cut to a length that fits in a line. */
function oneLine(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
