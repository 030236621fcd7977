import { useStudio } from '../../store.ts';

/** Lower rows are too small to be aimed at one by one; the map's own keys do the same. */
const SMALLEST_TARGET = 24;

/** A button per layer, at the heatmap's row height: protects the layer from pruning, or frees it. */
export function LayerLabels({ layers, rowHeight }: { readonly layers: number; readonly rowHeight: number }) {
  const protect = useStudio((state) => state.recipe.protect);
  const toggleProtected = useStudio((state) => state.toggleProtected);
  return (
    <div className="layer-labels">
      <span className="layer-labels-head" aria-hidden="true">
        layer
      </span>
      {Array.from({ length: layers }, (_, layer) => layer).map((layer) => {
        const isProtected = protect?.includes(layer) ?? false;
        return (
          <button
            key={layer}
            type="button"
            className={isProtected ? 'layer-label protected' : 'layer-label'}
            style={{ height: rowHeight }}
            tabIndex={rowHeight < SMALLEST_TARGET ? -1 : 0}
            aria-pressed={isProtected}
            aria-label={`Protect layer ${layer}`}
            title={isProtected ? 'Protected. Click to free.' : 'Click to protect this layer.'}
            onClick={() => toggleProtected(layer)}
          >
            <Lock />
            {layer}
          </button>
        );
      })}
    </div>
  );
}

function Lock() {
  return (
    <svg className="lock" width="8" height="10" viewBox="0 0 8 10" aria-hidden="true">
      <path d="M1 4.5h6V9H1z" fill="currentColor" />
      <path d="M2.25 4.5V3a1.75 1.75 0 0 1 3.5 0v1.5" fill="none" stroke="currentColor" />
    </svg>
  );
}
