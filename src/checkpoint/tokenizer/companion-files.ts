import type { FileAccess } from '../files/files.ts';
import { JSON_LIMITS, type JsonRecord, parseJsonRecord, readWhole } from '../files/json.ts';
import { ADDITIONAL_TEMPLATES, chatTemplatesOf, templateList } from './named-templates.ts';
import { sentencePieceFiles } from './sentencepiece/files.ts';

/** Reads a file of a model's folder; undefined where it is not there. */
type ReadFile = (name: string) => Promise<Uint8Array | undefined>;

/**
 * Reads the files beside a model's weights. Where tokenizer.model is the only tokenizer, tokenizer.json and tokenizer_config.json are made of it; the templates of `additional_chat_templates/` stand in
 * tokenizer_config.json, as a list, which every program reads.
 */
export function companionFiles(files: FileAccess): ReadFile {
  const read: ReadFile = async (name) => {
    const source = await files.open(name);
    return source && readWhole(source, JSON_LIMITS.tokenizer);
  };
  let made: Promise<ReadonlyMap<string, Uint8Array>> | undefined;
  return async (name) => {
    if (name !== 'tokenizer.json' && name !== 'tokenizer_config.json') return read(name);
    made ??= makeFiles(files, read);
    // What could not be read may be there the next time.
    made.catch(() => {
      made = undefined;
    });
    return (await made).get(name) ?? (await read(name));
  };
}

async function makeFiles(files: FileAccess, read: ReadFile): Promise<ReadonlyMap<string, Uint8Array>> {
  const own = async () => {
    const bytes = await read('tokenizer_config.json');
    return bytes ? parseJsonRecord(bytes, 'tokenizer_config.json') : {};
  };
  const made = new Map<string, JsonRecord>();
  const model = (await files.open('tokenizer.json')) ? undefined : await read('tokenizer.model');
  if (model) {
    const config = await own();
    const { tokenizer, tokenizerConfig } = sentencePieceFiles(model, config);
    made.set('tokenizer.json', tokenizer);
    made.set('tokenizer_config.json', { ...tokenizerConfig, ...config });
  }
  const additional = await additionalTemplates(files, read);
  if (additional.size > 0) {
    const config = made.get('tokenizer_config.json') ?? (await own());
    const file = await read('chat_template.jinja');
    const templates = chatTemplatesOf(config.chat_template, file && new TextDecoder().decode(file));
    made.set('tokenizer_config.json', {
      ...config,
      chat_template: templateList(new Map([...templates, ...additional])),
    });
  }
  return new Map([...made].map(([name, value]) => [name, new TextEncoder().encode(JSON.stringify(value))]));
}

async function additionalTemplates(files: FileAccess, read: ReadFile): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const file of await files.list()) {
    const [, name] = ADDITIONAL_TEMPLATES.exec(file) ?? [];
    const bytes = name === undefined ? undefined : await read(file);
    if (name !== undefined && bytes) found.set(name, new TextDecoder().decode(bytes));
  }
  return found;
}
