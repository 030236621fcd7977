import { useState } from 'react';
import { Segmented } from '../../parts/segmented.tsx';
import { Sheet } from '../../parts/sheet.tsx';
import { useStudioFields } from '../../store.ts';

/** What is not needed at every move: presenting, the tour, colours. */
export function MenuSheet() {
  const [open, setOpen] = useState(false);
  const { themeChoice, setView, setBench } = useStudioFields('themeChoice', 'setView', 'setBench');
  const leave = (patch: Parameters<typeof setBench>[0]) => {
    setOpen(false);
    setBench(patch);
  };
  return (
    <Sheet
      label="More"
      chip={<span aria-hidden="true">⋯</span>}
      chipLabel="More"
      chipClass="icon"
      align="right"
      open={open}
      onOpen={setOpen}
    >
      <div className="menu">
        <button type="button" onClick={() => leave({ presenting: true })}>
          Present
        </button>
        <p className="soft small">Dense and pruned in large type, for a room.</p>
        <button type="button" onClick={() => leave({ deviceOpen: true })}>
          Measure this device
        </button>
        <p className="soft small">Adapter, matrix products and tokens a second, as a table to paste.</p>
        <button type="button" onClick={() => leave({ tourStep: 0 })}>
          Take the tour
        </button>
        <p className="soft small">Five steps, a minute.</p>
        <div className="field">
          <span className="field-label">Colours</span>
          <Segmented
            label="Theme"
            value={themeChoice}
            options={[
              { value: 'system', label: 'Auto' },
              { value: 'light', label: 'Light' },
              { value: 'dark', label: 'Dark' },
            ]}
            onChange={(value) => setView({ themeChoice: value })}
          />
        </div>
      </div>
    </Sheet>
  );
}
