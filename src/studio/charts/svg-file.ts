const PROPERTIES = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'opacity',
  'font-size',
  'font-weight',
  'text-anchor',
] as const;

/** Drawn charts as one SVG file that needs no style sheet: their computed styles are written into the elements, charts side by side. */
export function svgFile(charts: readonly SVGSVGElement[], gap = 24): Blob {
  const copies = charts.map(withStyles);
  let x = 0;
  const parts = charts.map((chart, index) => {
    const place = `<g transform="translate(${x} 0)">${copies[index]?.innerHTML ?? ''}</g>`;
    x += chart.width.baseVal.value + gap;
    return place;
  });
  const height = Math.max(0, ...charts.map((chart) => chart.height.baseVal.value));
  const background = getComputedStyle(document.body.parentElement ?? document.body).backgroundColor;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" width="${x - gap}" height="${height}" font-family="sans-serif">`;
  return new Blob([`${head}<rect width="100%" height="100%" fill="${background}"/>${parts.join('')}</svg>\n`], {
    type: 'image/svg+xml',
  });
}

function withStyles(chart: SVGSVGElement): SVGSVGElement {
  const copy = chart.cloneNode(true) as SVGSVGElement;
  const originals = chart.querySelectorAll('*');
  copy.querySelectorAll('*').forEach((element, index) => {
    const original = originals[index];
    if (!original) return;
    const style = getComputedStyle(original);
    for (const property of PROPERTIES) {
      const value = style.getPropertyValue(property);
      if (value && value !== 'none' && value !== 'normal') element.setAttribute(property, value);
      else if (value === 'none' && (property === 'fill' || property === 'stroke'))
        element.setAttribute(property, 'none');
    }
    for (const attribute of ['class', 'tabindex', 'role', 'aria-label']) element.removeAttribute(attribute);
  });
  return copy;
}
