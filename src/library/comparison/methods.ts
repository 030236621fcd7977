/** The methods that a comparison may name. */
export { METHOD_SUFFIXES, METHODS, MODEL_METHODS, parseMethod } from '../../plan/methods/methods.ts';
