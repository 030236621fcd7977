import type { RuntimeStatistics } from './runtime.ts';

/** Counts what a runtime holds. Every tensor and session reports its birth and its end here. */
export class Ledger {
  #liveTensors = 0;
  #liveBytes = 0;
  #peakBytes = 0;
  #sessionsCreated = 0;
  #liveSessions = 0;
  #runs = 0;

  tensorMade(bytes: number): void {
    this.#liveTensors++;
    this.#liveBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
  }

  tensorDisposed(bytes: number): void {
    this.#liveTensors--;
    this.#liveBytes -= bytes;
  }

  sessionMade(): void {
    this.#sessionsCreated++;
    this.#liveSessions++;
  }

  sessionDisposed(): void {
    this.#liveSessions--;
  }

  ran(): void {
    this.#runs++;
  }

  /** Starts a new measurement of the peak from what is live now. */
  resetPeak(): void {
    this.#peakBytes = this.#liveBytes;
  }

  statistics(): RuntimeStatistics {
    return {
      liveTensors: this.#liveTensors,
      liveBytes: this.#liveBytes,
      peakBytes: this.#peakBytes,
      sessionsCreated: this.#sessionsCreated,
      liveSessions: this.#liveSessions,
      runs: this.#runs,
    };
  }
}
