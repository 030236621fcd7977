import { isRecord } from '../files/json.ts';

/** The template that is used where none is named. */
export const DEFAULT_TEMPLATE = 'default';
/** The template that is used with functions to call. */
export const TOOLS_TEMPLATE = 'tool_use';

/** A file of transformers' folder of further templates. */
export const ADDITIONAL_TEMPLATES = /^additional_chat_templates\/([^/]+)\.jinja$/;

/**
 * A model's chat templates by name: one text is the default; a list has names of its own. `file` is chat_template.jinja, which goes before the default.
 * @param value `chat_template` of tokenizer_config.json
 */
export function chatTemplatesOf(value: unknown, file: string | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  if (typeof value === 'string') found.set(DEFAULT_TEMPLATE, value);
  else if (Array.isArray(value))
    for (const entry of (value as unknown[]).filter(isRecord))
      if (typeof entry.name === 'string' && typeof entry.template === 'string') found.set(entry.name, entry.template);
  if (file !== undefined) found.set(DEFAULT_TEMPLATE, file);
  return found;
}

/** Templates as tokenizer_config.json writes them: one text where there is the default alone. */
export function templateList(templates: ReadonlyMap<string, string>): unknown {
  const only = templates.size === 1 ? templates.get(DEFAULT_TEMPLATE) : undefined;
  return only ?? [...templates].map(([name, template]) => ({ name, template }));
}
