import { elementCount } from '../arrays.ts';
import type { Initializer } from '../onnx/graph.ts';
import type { ConcreteType } from './operator.ts';
import { CONSTANT_LIMIT, range, typed } from './shapes.ts';

/** Type of an initializer, with its elements where it is small and its bytes are at hand (all types but float16). */
export function initializerType(initializer: Initializer): ConcreteType {
  const { dataType, shape, contents } = initializer;
  const count = elementCount(shape);
  if (contents.kind !== 'bytes' || count > CONSTANT_LIMIT || dataType === 'float16') return typed(dataType, shape);
  const view = new DataView(contents.bytes.buffer, contents.bytes.byteOffset, contents.bytes.byteLength);
  const read = (index: number): number => {
    switch (dataType) {
      case 'int64':
        return Number(view.getBigInt64(index * 8, true));
      case 'int32':
        return view.getInt32(index * 4, true);
      case 'float32':
        return view.getFloat32(index * 4, true);
      case 'float64':
        return view.getFloat64(index * 8, true);
      case 'int8':
        return view.getInt8(index);
      default:
        return view.getUint8(index);
    }
  };
  return typed(dataType, shape, range(count).map(read));
}
