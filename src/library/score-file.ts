/** The files of scores, and of the sums that scores follow from (docs/architecture.md section 7.2). */
export { decodeScores, encodeScores } from '../importance/files/score-file.ts';
export { openSumsFile, type SumsInfo } from '../importance/files/sums-file.ts';
export { type RandomAccessSink, SumsWriter } from '../importance/files/sums-writer.ts';
export { METRICS, type Scores } from '../importance/sums/scores.ts';
