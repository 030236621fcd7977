import type { ExportedModel, Verification } from '../../../worker/engine.ts';
import { formatBytes, formatPercent, formatPerplexity } from '../../parts/format.ts';
import { download } from './use-export.ts';

/** A build that was verified: how well it agrees, where it is or how to take it, and its files. */
export function Verified({ exported }: { readonly exported: ExportedModel }) {
  const { name, archive, files, formats, perplexity } = exported;
  return (
    <div className="verified" data-verified="true" role="status">
      {formats.map(({ format, file, type, bytes, opens, notes, verification }) => (
        <p key={format}>
          <strong>Verified.</strong> {file}, {formatBytes(bytes)}, {type}, for {opens}.{' '}
          {verificationSentence(verification)}
          {format === 'onnx' &&
            perplexity &&
            ` Measured: perplexity ${formatPerplexity(perplexity.perplexity)} ± ${formatPerplexity(perplexity.standardError)}.`}
          {notes.map((note) => ` ${note}`)}
        </p>
      ))}
      {archive ? (
        <button type="button" className="primary" onClick={() => download(`${name}.zip`, archive)}>
          Download {name}.zip, {formatBytes(archive.size)}
        </button>
      ) : (
        <p>
          All files are in the folder <strong>{name}</strong>, in the one that you picked.
        </p>
      )}
      <details>
        <summary>Files</summary>
        <ul className="files">
          {files.map((file) => (
            <li key={file.name}>
              <span>{file.name}</span>
              <span className="soft">{formatBytes(file.bytes)}</span>
            </li>
          ))}
        </ul>
      </details>
    </div>
  );
}

function verificationSentence({ positions, top1Agreement, maxAbsoluteDifference }: Verification): string {
  return `Re-opened and compared at ${positions} positions: the same next token at ${formatPercent(top1Agreement)}, largest difference of a logit ${maxAbsoluteDifference.toExponential(1)}.`;
}
