/** Every error that a caller may want to tell apart. `code` is stable; the message is a sentence for a person. */
export class EspalierError extends Error {
  /** What went wrong, for programs: stable, such as 'missing' or 'network'. */
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A file that is truncated, lies about its sizes, or is not what its name says. */
export class FileFormatError extends EspalierError {
  constructor(message: string, options?: ErrorOptions) {
    super('file-format', message, options);
  }
}

/** A well-formed thing that Espalier does not support: operator, architecture, quantisation, rope scaling. */
export class UnsupportedError extends EspalierError {
  constructor(message: string, options?: ErrorOptions) {
    super('unsupported', message, options);
  }
}

/** An option or argument outside its domain. The command line exits with 2. */
export class UsageError extends EspalierError {
  constructor(message: string, options?: ErrorOptions) {
    super('usage', message, options);
  }
}

/** Something that was named is not there: a file, a tensor, a tokenizer, a metric. */
export class MissingError extends EspalierError {
  constructor(message: string, options?: ErrorOptions) {
    super('missing', message, options);
  }
}

/** Shapes, widths or models that do not fit each other. */
export class MismatchError extends EspalierError {
  constructor(message: string, options?: ErrorOptions) {
    super('mismatch', message, options);
  }
}

/** A server that cannot be reached, refuses, or breaks off. Trying again may help. */
export class NetworkError extends EspalierError {
  constructor(message: string, options?: ErrorOptions) {
    super('network', message, options);
  }
}

/** Another process is writing the same thing. Trying again later may help. */
export class BusyError extends EspalierError {
  constructor(message: string, options?: ErrorOptions) {
    super('busy', message, options);
  }
}

/** Storage is full, or fuller than a download needs. */
export class StorageError extends EspalierError {
  constructor(message: string, options?: ErrorOptions) {
    super('storage', message, options);
  }
}

/** The device or the runtime failed: no adapter, a refused graph, values that are not finite. */
export class DeviceError extends EspalierError {
  constructor(message: string, options?: ErrorOptions, code = 'device') {
    super(code, message, options);
  }
}

/** The graphics device went away; everything on it is lost, and a new runtime may work. */
export class DeviceLostError extends DeviceError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'device-lost');
  }
}

/** Half precision does not suffice for this model, or the device computes in it wrongly; single precision may do. */
export class HalfPrecisionError extends DeviceError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'half-precision');
  }
}

/** The device or WebAssembly has no memory left for what was asked. */
export class OutOfMemoryError extends DeviceError {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options, 'out-of-memory');
  }
}

/** An exported model did not reproduce the block programs. */
export class VerificationError extends EspalierError {
  constructor(message: string, options?: ErrorOptions) {
    super('verification', message, options);
  }
}

/** The caller's AbortSignal fired. */
export class CancelledError extends EspalierError {
  constructor(message = 'The operation was cancelled.', options?: ErrorOptions) {
    super('cancelled', message, options);
    // The built page has shorter names for classes.
    this.name = 'CancelledError';
  }
}

/** Throws CancelledError when `signal` has fired. Call it between units of long work. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError();
}
