/** The methods that a comparison may name. */
export { isRepaired, METHOD_SUFFIXES, METHODS, parseMethod } from '../../plan/methods/methods.ts';
