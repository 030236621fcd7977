/**
 * A small assembler for WebAssembly modules of numeric kernels: functions of i32 parameters over one imported memory, with 128-bit SIMD
 * (https://webassembly.github.io/spec/core/binary). An expression is its bytes; composing expressions is composing functions, so that a kernel reads as its formula.
 */
export type Code = readonly number[];

const I32 = 0x7f;
const V128 = 0x7b;
const EMPTY = 0x40;

/** A local variable of a function. */
export interface Local {
  readonly get: Code;
  readonly set: (value: Code) => Code;
}

export const block = (...parts: readonly Code[]): Code => parts.flat();

export const i32 = {
  constant: (value: number): Code => [0x41, ...signed(value)],
  add: (a: Code, b: Code): Code => [...a, ...b, 0x6a],
  multiply: (a: Code, b: Code): Code => [...a, ...b, 0x6c],
  below: (a: Code, b: Code): Code => [...a, ...b, 0x49],
};

/** Four floats at once. Addresses are bytes; `offset` is a constant added to them. */
export const f32x4 = {
  zero: [0xfd, 12, ...Array<number>(16).fill(0)] as Code,
  load: (address: Code, offset = 0): Code => [...address, 0xfd, 0, 4, ...unsigned(offset)],
  /** One float in all four lanes. */
  splat: (address: Code, offset = 0): Code => [...address, 0xfd, 9, 2, ...unsigned(offset)],
  store: (address: Code, value: Code, offset = 0): Code => [...address, ...value, 0xfd, 11, 4, ...unsigned(offset)],
  absolute: (a: Code): Code => [...a, 0xfd, ...unsigned(0xe0)],
  add: (a: Code, b: Code): Code => [...a, ...b, 0xfd, ...unsigned(0xe4)],
  subtract: (a: Code, b: Code): Code => [...a, ...b, 0xfd, ...unsigned(0xe5)],
  multiply: (a: Code, b: Code): Code => [...a, ...b, 0xfd, ...unsigned(0xe6)],
};

/** Repeats `body` while `counter` is below `end`, adding `step` after each turn. `end` is evaluated every turn; `counter` must start below it. */
export function countUp(counter: Local, end: Code, step: Code, body: Code): Code {
  return [
    0x03,
    EMPTY,
    ...body,
    ...counter.set(i32.add(counter.get, step)),
    ...i32.below(counter.get, end),
    0x0d,
    0,
    0x0b,
  ];
}

/** The body of one exported function; its parameters are i32, in the order of their names. */
export class FunctionBody<Parameter extends string> {
  readonly parameters: Readonly<Record<Parameter, Local>>;
  readonly #parameters: number;
  readonly #locals: number[] = [];

  constructor(...names: readonly Parameter[]) {
    this.#parameters = names.length;
    this.parameters = Object.fromEntries(names.map((label, index) => [label, local(index)])) as Record<
      Parameter,
      Local
    >;
  }

  integer(): Local {
    return this.#declare(I32);
  }

  vector(): Local {
    return this.#declare(V128);
  }

  encode(code: Code): { readonly parameters: number; readonly bytes: Code } {
    const declared = this.#locals.flatMap((type) => [1, type]);
    return {
      parameters: this.#parameters,
      bytes: sized([...unsigned(this.#locals.length), ...declared, ...code, 0x0b]),
    };
  }

  #declare(type: number): Local {
    this.#locals.push(type);
    return local(this.#parameters + this.#locals.length - 1);
  }
}

export interface MemoryLimits {
  /** Pages of 64 KiB. */
  readonly initial: number;
  readonly maximum: number;
  readonly shared: boolean;
}

/** The bytes of a module that imports its memory as `env.memory` and exports `functions` by name. */
export function encodeModule(
  functions: Readonly<Record<string, ReturnType<FunctionBody<string>['encode']>>>,
  memory: MemoryLimits,
): Uint8Array<ArrayBuffer> {
  const entries = Object.entries(functions);
  const types = entries.map(([, { parameters }]) => [
    0x60,
    ...unsigned(parameters),
    ...Array<number>(parameters).fill(I32),
    0,
  ]);
  const limits = [memory.shared ? 3 : 1, ...unsigned(memory.initial), ...unsigned(memory.maximum)];
  const sections: [number, Code][] = [
    [1, list(types)],
    [2, list([[...name('env'), ...name('memory'), 2, ...limits]])],
    [3, list(entries.map((_, index) => unsigned(index)))],
    [7, list(entries.map(([label], index) => [...name(label), 0, ...unsigned(index)]))],
    [10, list(entries.map(([, { bytes }]) => bytes))],
  ];
  return Uint8Array.from([
    0x00,
    0x61,
    0x73,
    0x6d,
    1,
    0,
    0,
    0,
    ...sections.flatMap(([id, content]) => [id, ...sized(content)]),
  ]);
}

const local = (index: number): Local => ({
  get: [0x20, ...unsigned(index)],
  set: (value) => [...value, 0x21, ...unsigned(index)],
});
const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const sized = (content: Code): Code => [...unsigned(content.length), ...content];
const name = (text: string): Code => sized([...new TextEncoder().encode(text)]);

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return bytes;
}

function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low + 128);
  }
}
