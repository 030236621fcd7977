/** Canonical names of weights from the names that exporters give to initializers and nodes. */

/** Exporters' endings for what a module does with its weight. */
const OPERATIONS = /[./](MatMul(NBits)?(_Q\d+)?|Gemm|Add|Gather|LayerNorm|SkipLayerNorm|layernorm|Mul(_\d+)?)$/;

/** Modules by the names that families give them; those of a layer, then those at both ends. */
const MODULES = [
  'model\\.layers\\.\\d{1,6}\\.[\\w.]+|model\\.(?:embed_tokens|norm|final_layernorm)|lm_head',
  'transformer\\.(?:h\\.\\d{1,6}\\.[\\w.]+|wte|wpe|ln_f)',
  'gpt_neox\\.(?:layers\\.\\d{1,6}\\.[\\w.]+|embed_in|final_layer_norm)|embed_out',
  '(?:model\\.)?decoder\\.(?:layers\\.\\d{1,6}\\.[\\w.]+|embed_tokens|embed_positions|final_layer_norm)',
];
const MODULE = new RegExp(`(?:^|\\.)(${MODULES.join('|')})$`);

/** Tables that are looked up. */
export const TABLES: ReadonlySet<string> = new Set([
  'model.embed_tokens',
  'transformer.wte',
  'transformer.wpe',
  'gpt_neox.embed_in',
  'model.decoder.embed_tokens',
  'model.decoder.embed_positions',
]);

/** Modules of GPT-2 whose weights are stored as [inputs, outputs]. */
export const TURNED = /\.(c_attn|c_proj|c_fc)\.weight$/;

/**
 * The module that a path stands for: 'model.layers.0.self_attn.q_proj', 'model.norm', 'lm_head', … Paths are those of nodes
 * ('/model/layers.0/attn/q_proj/MatMul') or of initializers without their last part. Undefined for a path that names no module.
 */
export function moduleOf(path: string): string | undefined {
  let module = path.replaceAll('/', '.').replace(/^\.+/, '');
  while (OPERATIONS.test(module)) module = module.replace(OPERATIONS, '');
  const found = MODULE.exec(module)?.[1]?.replace(/^decoder\./, 'model.decoder.');
  if (found === undefined) return undefined;
  if (/^model\.layers\.\d+\.final_norm_layernorm$/.test(found)) return 'model.norm';
  return found.replace(/^(model\.layers\.\d+)\.attn\./, '$1.self_attn.');
}

/** 'weight' or 'bias' and the module of an initializer such as 'model.layers.0.attn.qkv_proj.Add.bias'. */
export function tensorOf(initializer: string): string | undefined {
  const match = /^(.*)\.(weight|bias)$/.exec(initializer);
  const module = match ? moduleOf(match[1] ?? '') : undefined;
  return module && `${module}.${match?.[2]}`;
}
