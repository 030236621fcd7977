/** Runs asynchronous tasks one after another, in the order in which they were asked for. A failed task does not stop the next. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  /** A timer that keeps the process alive while there are tasks: for those that wait for what Node's event loop knows nothing of. */
  keepAlive: { ref(): unknown; unref(): unknown } | undefined;

  /** Resolves or rejects as `task` does, once everything queued before it has ended. A task must not wait for a later task of the same queue. */
  run<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    if (this.#waiting++ === 0) this.keepAlive?.ref();
    const result = this.#tail.then(task);
    this.#tail = result
      .catch(() => undefined)
      .then(() => {
        if (--this.#waiting === 0) this.keepAlive?.unref();
      });
    return result;
  }

  /** Resolves when everything that is queued now has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}
