import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';
import { heatColours } from './heat-scale.ts';
import { Histogram } from './histogram.tsx';
import { barPositions, cutEdge, histogramBins } from './histogram-bins.ts';
import { LayerShares } from './layer-shares.tsx';
import { HeatLegend } from './legend.tsx';
import { NeuronStrip } from './neuron-strip.tsx';
import { normalisedScale } from './normalise.ts';
import { dodge, RatioChart } from './ratio-chart.tsx';
import { RefineTrace } from './refine-trace.tsx';
import { WidthsChart } from './widths-chart.tsx';

const values = Float32Array.from({ length: 200 }, (_, index) => 10 ** (index / 50 - 3));
const removed = Uint8Array.from(values, (value) => (value < 0.01 ? 1 : 0));
/** One element per line, so that a changed mark is one changed line. */
const markup = (element: React.ReactElement) => renderToStaticMarkup(element).replaceAll('><', '>\n<');

describe('charts draw plain SVG', () => {
  it('legend', () => {
    expect(
      markup(<HeatLegend scale={normalisedScale('log', [values])} colours={heatColours('light')} title="Importance" />),
    ).toMatchSnapshot();
  });

  it('histogram with a threshold', () => {
    const bars = barPositions(values, [0.001, 10], 12);
    const bins = histogramBins([{ bars, removed }], [0.001, 10], 12);
    expect(bins.reduce((sum, bin) => sum + bin.kept + bin.removed, 0)).toBe(200);
    expect(bins.reduce((sum, bin) => sum + bin.removed, 0)).toBe(removed.reduce((sum, flag) => sum + flag, 0));
    expect(cutEdge(bins)).toBeCloseTo(0.01, 5);
    expect(cutEdge(histogramBins([{ bars, removed: new Uint8Array(values.length) }], [0.001, 10], 12))).toBeUndefined();
    expect(markup(<Histogram bins={bins} threshold={0.01} label="Scores" width={240} height={96} />)).toMatchSnapshot();
  });

  it('single neurons', () => {
    const items = [
      { index: 7, value: 1, removed: false },
      { index: 3, value: 0.004, removed: true },
    ];
    expect(
      markup(
        <NeuronStrip
          items={items}
          scale={normalisedScale('log', [values])}
          colours={heatColours('dark')}
          width={60}
          height={60}
          label="Neurons"
        />,
      ),
    ).toMatchSnapshot();
  });

  it('layer shares', () => {
    expect(
      markup(
        <LayerShares
          shares={[
            { parameters: 0.15, attention: 0, mlp: 0.2 },
            { parameters: 0.4, attention: 0.25, mlp: 0.5 },
          ]}
          rowHeight={20}
          width={100}
        />,
      ),
    ).toMatchSnapshot();
  });

  it('ratio chart: measured points, estimate, dense line', () => {
    expect(
      markup(
        <RatioChart
          title="Perplexity"
          unit="lower is better"
          points={[
            { ratio: 0.2, value: 12, low: 11.5, high: 12.5, dense: { value: 9.2, low: 9, high: 9.4 } },
            { ratio: 0.5, value: 30, low: 28, high: 32, note: 'same first choice at 41%' },
          ]}
          dense={{ ratio: 0, value: 9, low: 8.6, high: 9.4 }}
          estimate={[
            { ratio: 0.2, value: 12 },
            { ratio: 0.35, value: 18 },
            { ratio: 0.5, value: 30 },
          ]}
          others={[
            {
              name: 'random',
              points: [
                { ratio: 0.1, value: 20 },
                { ratio: 0.2, value: 60 },
              ],
            },
          ]}
          ratio={0.2}
          maximumRatio={0.8}
          logarithmic
          format={(value) => value.toFixed(1)}
          width={320}
          height={200}
          onPick={() => undefined}
        />,
      ),
    ).toMatchSnapshot();
  });

  it('ratio chart: nothing measured, nothing drawn', () => {
    const empty = markup(
      <RatioChart
        title="Decode"
        unit="tokens/s"
        points={[]}
        dense={undefined}
        estimate={[]}
        ratio={0.2}
        maximumRatio={0.8}
        format={String}
        width={320}
        height={200}
      />,
    );
    expect(empty).toContain('not measured yet');
    expect(empty).not.toContain('measured-point');
  });

  it('widths of two plans over each other', () => {
    const width = (attention: number, mlp: number) => ({ attention, attentionGroups: 4, mlp, neurons: 64 });
    const drawn = markup(
      <WidthsChart
        first={[width(4, 32), width(2, 64)]}
        second={[width(3, 48), width(2, 64)]}
        names={['A', 'B']}
        width={400}
      />,
    );
    expect(drawn.match(/class="width-first"/g)).toHaveLength(1);
    expect(drawn.match(/class="width-second"/g)).toHaveLength(1);
    expect(drawn).toContain('A keeps 32, B 48, of 64');
    expect(drawn).toMatchSnapshot();
  });

  it('every plan that a refinement measured, and the lowest so far', () => {
    const measurements = [2.1, 2.4, 9, 2.05, 2.2].map((loss, index) => ({ name: `plan ${index}`, loss }));
    const drawn = markup(<RefineTrace measurements={measurements} candidates={3} width={300} height={80} />);
    expect(drawn.match(/trace-candidate/g)).toHaveLength(3);
    expect(drawn.match(/trace-walk/g)).toHaveLength(2);
    expect(drawn).toMatchSnapshot();
  });

  it('lets no name of a method pass the edge of the chart', () => {
    const long = {
      name: 'llm-pruner-element-first',
      points: [
        { ratio: 0.1, value: 20 },
        { ratio: 0.75, value: 60 },
      ],
    };
    const chart = (width: number) =>
      markup(
        <RatioChart
          {...{
            title: 'Perplexity',
            unit: '',
            points: [],
            dense: undefined,
            estimate: [],
            others: [long],
            ratio: 0.2,
            maximumRatio: 0.8,
            width,
            height: 200,
          }}
          format={String}
        />,
      );
    expect(chart(300)).toMatch(/<text x="300" text-anchor="end"[^>]*>llm-pruner-element-first/);
  });

  it('keeps labels apart', () => {
    expect(dodge([10, 12, 40], 12)).toEqual([10, 22, 40]);
    expect(dodge([30, 10, 11], 12)).toEqual([34, 10, 22]);
  });
});
