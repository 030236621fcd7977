import { blockProgramLogits } from '../export/block-logits.ts';
import type { Decoder } from '../generate/decoder.ts';
import { decoderElsewhere, decoderForModel } from '../generate/model-decoder.ts';
import type { LongRunning } from '../progress.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { OpenModel } from './open-model.ts';

/**
 * Decoders that a reader sees the words of. A graphics driver can compute wrongly without an error, so the first decoder of a model on a device is compared with
 * WebAssembly on a few positions; where it is wrong, this and every later decoder of the session is opened on WebAssembly, which is told in a sentence.
 */
export class DecoderChecks {
  readonly #createRuntime: () => Promise<Runtime>;
  readonly #onRefused: (sentence: string) => void;
  /** Devices with the models that were right on them. */
  readonly #right = new WeakMap<Runtime, string>();
  readonly #wrong = new WeakMap<Runtime, string>();

  /** `createRuntime` makes a runtime on WebAssembly. */
  constructor(createRuntime: () => Promise<Runtime>, onRefused: (sentence: string) => void) {
    this.#createRuntime = createRuntime;
    this.#onRefused = onRefused;
  }

  /** A decoder of an open model, dense or pruned; the caller disposes it. */
  async open({ runtime, model }: OpenModel, options: LongRunning): Promise<Decoder> {
    const { name } = model.checkpoint.provenance;
    if (runtime.backend !== 'webgpu' || this.#right.get(runtime) === name)
      return decoderForModel(runtime, model, options);
    const wrong = this.#wrong.get(runtime);
    if (wrong !== undefined) {
      this.#onRefused(wrong);
      return decoderElsewhere(this.#createRuntime, model, options);
    }
    const precise = async (tokenIds: readonly number[]) => {
      using elsewhere = await this.#createRuntime();
      using same = new OpenModel(elsewhere, model.checkpoint);
      return await blockProgramLogits(same.programs, same.store)(tokenIds);
    };
    const onRefused = (sentence: string) => {
      this.#wrong.set(runtime, sentence);
      this.#onRefused(sentence);
    };
    const decoder = await decoderForModel(runtime, model, {
      ...options,
      check: { precise, onRefused, elsewhere: this.#createRuntime },
    });
    if (!this.#wrong.has(runtime)) this.#right.set(runtime, name);
    return decoder;
  }
}
