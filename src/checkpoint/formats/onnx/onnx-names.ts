/** Canonical names of weights from the names that exporters give to initializers and nodes. */

/** Exporters' endings for what a module does with its weight. */
const OPERATIONS = /[./](MatMul(NBits)?(_Q\d+)?|Gemm|Add|Gather|LayerNorm|SkipLayerNorm|layernorm|Mul(_\d+)?)$/;

/**
 * The module that a path stands for: 'model.layers.0.self_attn.q_proj', 'model.norm', 'lm_head', … Paths are those of nodes
 * ('/model/layers.0/attn/q_proj/MatMul') or of initializers without their last part. Undefined for a path that names no module.
 */
export function moduleOf(path: string): string | undefined {
  let module = path.replaceAll('/', '.').replace(/^\.+/, '');
  while (OPERATIONS.test(module)) module = module.replace(OPERATIONS, '');
  const match = /(?:^|\.)(model\.layers\.\d{1,6}\.[\w.]+|model\.embed_tokens|model\.norm|lm_head)$/.exec(module);
  const found = match?.[1];
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
