import { expect, type Locator, type Page } from '@playwright/test';

/** Small settings, as a reader may choose them: a software adapter computes a few thousand times slower than a graphics card. */
export const SMALL = {
  ...{ measureWindows: 2, measureLength: 16, speedTokens: 4, speedSeconds: 2, autoMeasure: true },
  ...{ calibrationWindows: 2, calibrationLength: 16, calibrationSeed: 0, maxNewTokens: 6, autoRead: false },
  tourSeen: true,
};

/** What the tests bring about themselves. */
const EXPECTED = /^Service Worker registration blocked by Playwright/;

/** What a chip of the upper edge opens, by the beginning of the chip's name. */
const SHEETS = { Model: /^Model:/, Calibration: /^Calibration:/, 'Take away': /^(Export|Building)/ } as const;
const DRAWERS = ['Compare', 'Recipe', 'History', 'Zero-shot', 'Recover'] as const;

export type PanelName = keyof typeof SHEETS | (typeof DRAWERS)[number];

/** The studio as a person meets it: what is asked for by name, never by class. */
export class StudioPage {
  readonly page: Page;
  /** Every address that the page asked for. */
  readonly requests: string[] = [];
  /** What the console should not say: errors, and warnings that nobody expects. */
  readonly problems: string[] = [];

  constructor(page: Page) {
    this.page = page;
    page.on('request', (request) => this.requests.push(request.url()));
    page.on('pageerror', (error) => this.problems.push(error.message));
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      if (!EXPECTED.test(message.text())) this.problems.push(message.text());
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

  panel(name: PanelName | 'Importance' | 'Outcome' | 'Read' | 'Perplexity'): Locator {
    return this.page.getByRole('region', { name, exact: true });
  }

  /** Opens the sheet or drawer that holds a panel, where it is not open, and returns the panel. */
  async show(name: PanelName): Promise<Locator> {
    const panel = this.panel(name);
    if (!(await panel.isVisible())) await this.opener(name).click();
    await expect(panel).toBeVisible();
    return panel;
  }

  /** The button that opens a panel. */
  opener(name: PanelName): Locator {
    return name in SHEETS
      ? this.page.getByRole('button', { name: SHEETS[name as keyof typeof SHEETS] })
      : this.page.getByRole('navigation', { name: 'Drawers' }).getByRole('button', { name: new RegExp(`^${name}`) });
  }

  /** Closes whatever sheet is open. */
  async closeSheets(): Promise<void> {
    await this.page.keyboard.press('Escape');
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
    await this.show('Compare');
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

  /** Sets the ratio as a reader who types does. */
  async setRatio(percent: number): Promise<void> {
    const field = (await this.show('Recipe')).getByRole('spinbutton', { name: /^Ratio/ });
    await field.fill(String(percent));
    await field.blur();
  }
}
