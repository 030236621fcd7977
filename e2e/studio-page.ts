import { expect, type Locator, type Page } from '@playwright/test';

/** Small settings, as a reader may choose them: a software adapter computes a few thousand times slower than a graphics card. */
export const SMALL = {
  ...{ measureWindows: 2, measureLength: 16, speedTokens: 4, speedSeconds: 2, autoMeasure: true },
  ...{ calibrationWindows: 2, calibrationLength: 16, calibrationSeed: 0, maxNewTokens: 6 },
};

/** The studio as a person meets it: what is asked for by name, never by class. */
export class StudioPage {
  readonly page: Page;
  /** Every address that the page asked for. */
  readonly requests: string[] = [];
  readonly problems: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('request', (request) => this.requests.push(request.url()));
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') this.problems.push(message.text());
    });
  }

  /** Opens the page; `settings` are what an earlier visit would have left. */
  async open(address = '/', settings: Readonly<Record<string, unknown>> = SMALL): Promise<void> {
    await this.page.addInitScript((state) => {
      if (localStorage.getItem('espalier-studio') === null)
        localStorage.setItem('espalier-studio', JSON.stringify({ state, version: 1 }));
    }, settings);
    await this.page.goto(address);
  }

  panel(name: string): Locator {
    return this.page.getByRole('region', { name, exact: true });
  }

  get heatmap(): Locator {
    return this.page.getByRole('application', { name: /Importance of/ });
  }

  get slider(): Locator {
    return this.page.getByRole('slider', { name: 'Ratio to remove', exact: true });
  }

  /** The cells of one line of the readings: dense, pruned, change. */
  async reading(name: string): Promise<string[]> {
    const row = this.panel('Compare')
      .getByRole('row')
      .filter({ has: this.page.getByRole('rowheader', { name, exact: true }) });
    return row.getByRole('cell').allInnerTexts();
  }

  /** Waits until a line of the readings holds two measured numbers, and returns them. */
  async measured(name: string, timeout: number): Promise<{ readonly dense: number; readonly pruned: number }> {
    await expect
      .poll(
        async () =>
          (await this.reading(name))
            .slice(0, 2)
            .every((text) => /^[\d,.]+( ± [\d,.]+| \([\d,.]+–[\d,.]+\))?$/.test(text)),
        {
          timeout,
        },
      )
      .toBe(true);
    const [dense = Number.NaN, pruned = Number.NaN] = (await this.reading(name)).map((text) =>
      Number.parseFloat(text.replaceAll(',', '')),
    );
    return { dense, pruned };
  }

  /** Moves the slider to a ratio as a reader with a keyboard does. */
  async setRatio(percent: number): Promise<void> {
    const field = this.panel('Plan').getByRole('spinbutton', { name: /^Ratio/ });
    await field.fill(String(percent));
    await field.blur();
  }
}
